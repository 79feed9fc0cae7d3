"""Short-time Fourier transform and its inverse as Keras layers.

Both are matrix products and little else, so that every runtime runs them natively, on several threads, and gives the
same numbers. A transform of `size = slow * fast` samples is cut into transforms of `slow` and of `fast` samples, which
takes a twentieth of the work of one full matrix. Only the bins below the Nyquist frequency are kept.

Frames stand on a grid of `hop` samples that begins with the input's first sample, and there is no padding: each end of
the input loses `size - hop` samples on the way through both transforms.

Reference:
    Cooley & Tukey 1965, "An algorithm for the machine calculation of complex Fourier series", for one cut.
"""

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from tfwavesep.layers.convolutions import cut
from tfwavesep.layers.steps import Recall

MEAN_SQUARE = {1: 1 / 2, 2: 3 / 8}
"""Of the window, by its power: times the overlap, what frames sum to where it is applied twice."""


class _Transform(layers.Layer):
    """What both directions share: the grid, the window and the tables. Always float32."""

    def __init__(self, size: int, hop: int, power: int = 1, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.size = size
        self.hop = hop
        self.power = power
        self.overlap = size // hop
        self.slow, self.fast = _factors(size)
        window = np.sin(np.pi * np.arange(size) / size) ** power
        self.window = (window * np.sqrt(1 / (self.overlap * MEAN_SQUARE[power]))).astype(np.float32)
        self.first, self.twist, self.second = _tables(self.slow, self.fast)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"size": self.size, "hop": self.hop, "power": self.power}


def transformable(size: int) -> bool:
    """Whether there is a transform of this many samples: it needs two even factors."""
    return size > 0 and size % 4 == 0


def _factors(size: int) -> tuple[int, int]:
    """Two even factors, the first not the smaller, as close to one another as there are.

    >>> _factors(1024), _factors(2048), _factors(4096)
    ((32, 32), (64, 32), (64, 64))
    """
    slow = min(n for n in range(2, size, 2) if n * n >= size and size % n == 0 and size // n % 2 == 0)
    return slow, size // slow


def _tables(slow: int, fast: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The two partial transforms, and the turn of phase between them.

    With sample `fast * a + b` and bin `c + slow * d`, the first goes over a, for c from 0 to slow / 2 alone since the
    samples are real, the second over b. Of its results those of the rear half of d are the conjugates of the bins with
    c > slow / 2, in reverse order; the table puts d in reverse and conjugates.

    Returns:
        float32 `(slow, 2 * (slow / 2 + 1))` from samples to real and imaginary parts; complex64 `(slow / 2 + 1, fast)`;
        float32 `(2 * fast, 2 * fast)` from real and imaginary parts to the same.
    """
    b, c = np.arange(fast), np.arange(slow // 2 + 1)
    first = np.exp(-2j * np.pi * np.outer(np.arange(slow), c) / slow)
    twist = np.exp(-2j * np.pi * np.outer(c, b) / (slow * fast))
    front = np.exp(-2j * np.pi * np.outer(b, b[: fast // 2]) / fast)
    rear = np.exp(-2j * np.pi * np.outer(b, b[: fast // 2 - 1 : -1]) / fast)
    real = np.block([[front.real, rear.real], [-front.imag, -rear.imag]])
    imaginary = np.block([[front.imag, -rear.imag], [front.real, -rear.real]])
    return (
        np.concatenate([first.real, first.imag], axis=1).astype(np.float32),
        twist.astype(np.complex64),
        np.concatenate([real, imaginary], axis=1).astype(np.float32),
    )


@keras.saving.register_keras_serializable(package="tfwavesep")
class STFT(_Transform):
    """Fourier transforms of overlapping frames, windowed with a Hann window or its root.

    Shape:
        `(batch, time, channels)` to the real and the imaginary part, each
        `(batch, channels, time / hop - size / hop + 1, size / 2)`; bin k is at k * sample_rate / size Hz.

    Args:
        size: samples per frame, the product of two even numbers.
        hop: samples from one frame to the next, at most half of `size` and a divisor of it; at most a quarter for a
            Hann window.
        power: of the sine that is the window: 1 for the root of a Hann window, 2 for a Hann window; scaled so that
            applied twice its overlapping frames sum to 1.
    """

    def call(self, audio: Any, training: bool = False) -> tuple[Any, Any]:
        batch, channels = ops.shape(audio)[0], audio.shape[2]
        hops = ops.reshape(ops.transpose(audio, (0, 2, 1)), (batch, channels, -1, self.hop))
        last = self.overlap - 1
        pieces = [cut(hops, i, last - i, native=not training) for i in range(self.overlap)]
        frames = ops.concatenate(pieces, axis=-1) * self.window
        parts = self._transform(ops.reshape(frames, (-1, self.slow, self.fast)))
        real, imaginary = (ops.reshape(part, (batch, channels, -1, self.size // 2)) for part in parts)
        return real, imaginary

    def step(self, recall: Recall, audio: Any) -> tuple[Any, Any]:
        """Frames that end with the new samples."""
        return self.call(recall(audio, self.size - self.hop, axis=1))

    def compute_output_shape(self, audio_shape: Any) -> Any:
        batch, time, channels = audio_shape
        spectrum = (batch, channels, time and time // self.hop - self.overlap + 1, self.size // 2)
        return spectrum, spectrum

    def _transform(self, frames: Any) -> tuple[Any, Any]:
        """`(frames, slow, fast)` to real and imaginary `(frames, fast / 2, slow)`."""
        x = _product(ops.transpose(frames, (0, 2, 1)), self.first)
        real, imaginary = ops.split(ops.transpose(x, (0, 2, 1)), 2, axis=1)
        turned = _multiply(real, imaginary, self.twist)
        x = _product(ops.concatenate(turned, axis=2), self.second)
        real_front, real_rear, imaginary_front, imaginary_rear = ops.split(x, 4, axis=2)
        return self._in_order(real_front, real_rear), self._in_order(imaginary_front, imaginary_rear)

    def _in_order(self, front: Any, rear: Any) -> Any:
        bins = ops.concatenate([front, ops.flip(rear[:, 1:-1], axis=1)], axis=1)
        return ops.transpose(bins, (0, 2, 1))


@keras.saving.register_keras_serializable(package="tfwavesep")
class InverseSTFT(_Transform):
    """Frames back to sound: inverse transforms, windowed once more and added where they overlap.

    Shape:
        real and imaginary part, each `(batch, channels, frames, size / 2)`, to
        `(batch, channels, (frames - size / hop + 1) * hop)`. Of what `STFT` makes of an input, the part without
        `size - hop` samples at each end comes back, but for the Nyquist frequency.

    Args:
        size: as in `STFT`.
        hop: as in `STFT`.
        power: as in `STFT`.
    """

    def __init__(self, size: int, hop: int, power: int = 1, **kwargs: Any) -> None:
        super().__init__(size, hop, power, **kwargs)
        self.scale = np.where(np.arange(size // 2) == 0, 1 / size, 2 / size).astype(np.float32)

    def call(self, real: Any, imaginary: Any, training: bool = False) -> Any:
        # Channel by channel: what all of them take on the way is more than caches hold.
        parts = zip(*(ops.split(part, part.shape[1], axis=1) for part in (real, imaginary)), strict=True)
        return ops.concatenate([self._added(self._frames(*part), training) for part in parts], axis=1)

    def step(self, recall: Recall, real: Any, imaginary: Any) -> Any:
        """Sound that no later frame reaches: it ends `size - hop` samples before the last frame."""
        return self._added(recall(self._frames(real, imaginary), self.overlap - 1), training=False)

    def _frames(self, real: Any, imaginary: Any) -> Any:
        """Windowed, `(batch, channels, frames, size)`."""
        batch, channels = ops.shape(real)[0], real.shape[1]
        shape = (-1, self.fast // 2, self.slow)
        frames = self._transform(*(ops.reshape(part * self.scale, shape) for part in (real, imaginary)))
        return ops.reshape(frames, (batch, channels, -1, self.size)) * self.window

    def _added(self, frames: Any, training: bool) -> Any:
        batch, channels = ops.shape(frames)[0], frames.shape[1]
        hops = sum(self._pieces(frames, native=not training))
        return ops.reshape(hops, (batch, channels, -1))

    def compute_output_shape(self, real_shape: Any, imaginary_shape: Any) -> Any:
        batch, channels, frames, _ = real_shape
        return batch, channels, frames and (frames - self.overlap + 1) * self.hop

    def _transform(self, real: Any, imaginary: Any) -> Any:
        """The transpose of what `STFT` does, step by step from its end."""
        x = ops.concatenate([*self._halves(real), *self._halves(imaginary)], axis=2)
        x = _product(x, self.second.T)
        real, imaginary = ops.split(x, 2, axis=2)
        real, imaginary = _multiply(real, imaginary, self.twist.conj())
        x = ops.transpose(ops.concatenate([real, imaginary], axis=1), (0, 2, 1))
        return ops.transpose(_product(x, self.first.T), (0, 2, 1))

    def _pieces(self, frames: Any, native: bool) -> list[Any]:
        """The hops that each frame holds, cut so that those of one place in time stand at one place."""
        last = self.overlap - 1
        if not native:
            return [cut(piece, last - i, i) for i, piece in enumerate(ops.split(frames, self.overlap, axis=-1))]
        return [frames[:, :, last - i : -i or None, i * self.hop : (i + 1) * self.hop] for i in range(self.overlap)]

    def _halves(self, bins: Any) -> tuple[Any, Any]:
        bins = ops.transpose(bins, (0, 2, 1))
        front, rear = ops.split(bins, [self.slow // 2 + 1], axis=1)
        return front, ops.pad(ops.flip(rear, axis=1), [[0, 0], [1, 1], [0, 0]])


def _product(x: Any, matrix: np.ndarray) -> Any:
    """`(frames, rows, features)` times a matrix, by way of a matrix of all rows: without it TensorFlow works out shapes
    that are known."""
    _, rows, features = x.shape
    return ops.reshape(ops.matmul(ops.reshape(x, (-1, features)), matrix), (-1, rows, matrix.shape[1]))


def _multiply(real: Any, imaginary: Any, factor: np.ndarray) -> tuple[Any, Any]:
    """Real and imaginary part of a complex product."""
    return real * factor.real - imaginary * factor.imag, real * factor.imag + imaginary * factor.real


def magnitude(real: Any, imaginary: Any) -> Any:
    """Magnitudes of a spectrogram, -160 dB at least, so that silence has a gradient."""
    return ops.sqrt(real**2 + imaginary**2 + 1e-16)
