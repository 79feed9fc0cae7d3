"""Layers that several architectures are built from.

Inside a network a tensor is `(batch, 1, time, features)`: a convolution over time is then a 2-D one of
height 1, and its dilation, along the width, runs natively in TensorFlow and TFLite. Every convolution is
"valid": a network never sees zeros it was not given.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import layers, ops

from tfwavesep.layers.steps import Recall, delayed


def convolve(x: Any, kernel: Any, dilation: int = 1, native: bool = True) -> Any:
    """Valid convolution over time.

    Args:
        x: `(batch, 1, time, features)`.
        kernel: `(1, taps, features, filters)`.
        dilation: distance between taps, in samples or frames.
        native: use TensorFlow's own dilation. It is the faster form for inference and the only one TFLite
            keeps as one op, but has no fast gradient on CPUs, and none on older ones; Keras' form (space to batch) has.

    Returns:
        `(batch, 1, time - (taps - 1) * dilation, filters)`.
    """
    if native and keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.nn.conv2d(x, kernel, strides=1, padding="VALID", dilations=(1, dilation))
    return ops.conv(x, kernel, padding="valid", dilation_rate=(1, dilation), data_format="channels_last")


def cut(x: Any, begin: int, end: int, native: bool = False) -> Any:
    """`x[:, :, begin:-end]` of a 4-D tensor.

    Args:
        x: `(batch, rows, time, features)`.
        begin: how much to take away at the beginning.
        end: how much to take away at the end.
        native: cut by places that are known beforehand, which TFLite does without working out a shape first. Without
            it, cut out a given size: its gradient, a padding, takes a tenth of the time that TensorFlow needs for that
            of an open slice.
    """
    if not begin and not end:
        return x
    if native:
        return x[:, :, begin : -end or None]
    batch, rows, time, features = ops.shape(x)
    return ops.slice(x, (0, 0, begin, 0), (batch, rows, time - begin - end, features))


@keras.saving.register_keras_serializable(package="tfwavesep")
class Cut(layers.Layer):
    """`cut` as a layer; Keras' own cropping layers use open slices in training, too.

    Args:
        begin: samples to take away at the beginning.
        end: samples to take away at the end.
    """

    def __init__(self, begin: int, end: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.begin = begin
        self.end = end

    def call(self, x: Any, training: bool = False) -> Any:
        return cut(x, self.begin, self.end, native=not training)

    def step(self, recall: Recall, x: Any) -> Any:
        """What is cut from the beginning is before the song."""
        return delayed(recall, x, self.end)

    def compute_output_shape(self, input_shape: Any) -> Any:
        batch, rows, time, features = input_shape
        return batch, rows, time and time - self.begin - self.end, features

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"begin": self.begin, "end": self.end}


def crop(x: Any, samples: int | tuple[int, int], name: str | None = None) -> Any:
    """Cut `samples` from both ends of the time axis of `(batch, rows, time, features)`, or as many as a pair says from
    the beginning and the end; what is float32 stays so, in mixed precision too."""
    begin, end = _ends(samples)
    return Cut(begin, end, name=name, dtype=x.dtype)(x) if begin or end else x


def _ends(samples: int | Sequence[int]) -> tuple[int, int]:
    """How many samples at the beginning and at the end."""
    begin, end = (samples, samples) if isinstance(samples, int) else samples
    return begin, end


@keras.saving.register_keras_serializable(package="tfwavesep")
class ProductConv(layers.Conv2D):
    """A valid convolution over time that is trained as one matrix product.

    On CPU, TensorFlow's gradient of a convolution over many samples takes up to twice the time of a product's.
    Neighbours are moved where there are fewer features, before the product or after it. Without `training` it is the
    convolution that it is derived from; the weights are the same, and so are the numbers within rounding.

    Shape:
        `(batch, 1, time, features)` to `(batch, 1, time - taps + 1, filters)`.

    Args:
        filters: features that come out.
        taps: width of the kernel.
    """

    def __init__(self, filters: int, taps: int, **kwargs: Any) -> None:
        super().__init__(filters, (1, taps), **kwargs)

    def call(self, x: Any, training: bool = False) -> Any:
        if not training:
            return super().call(x)
        y = self._gathered_before(x) if x.shape[-1] <= self.filters else self._gathered_after(x)
        if self.use_bias:
            y = y + self.bias
        return self.activation(y)

    def _gathered_before(self, x: Any) -> Any:
        return _product(ops.concatenate(self._shifted([x] * self.kernel_size[1]), axis=-1), self.kernel)

    def _gathered_after(self, x: Any) -> Any:
        y = _product(x, ops.transpose(self.kernel, (0, 2, 1, 3)))
        return sum(self._shifted(ops.split(y, self.kernel_size[1], axis=-1)))

    def _shifted(self, parts: list[Any]) -> list[Any]:
        """Each tap's view of the samples."""
        return [cut(part, tap, len(parts) - 1 - tap) for tap, part in enumerate(parts)]

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        names = ("name", "trainable", "dtype", "filters", "activation", "use_bias")
        return {name: config[name] for name in names} | {"taps": self.kernel_size[1]}


def _product(x: Any, kernel: Any) -> Any:
    """Every sample's features times the kernel, of any shape that has as many rows."""
    batch, rows, time, features = ops.shape(x)
    matrix = ops.reshape(kernel, (features, -1))
    return ops.reshape(ops.matmul(ops.reshape(x, (-1, features)), matrix), (batch, rows, time, matrix.shape[1]))


@keras.saving.register_keras_serializable(package="tfwavesep")
class GatedResidualBlock(layers.Layer):
    """WaveNet's gated block: dilated convolution, tanh times sigmoid, a residual and a skip branch.

    One kernel makes filter and gate, one makes residual and skip, as in the paper's code; here the *kernels*
    are cut in halves rather than the activations, because splitting activations costs more time than the
    arithmetic it saves, and the numbers that come out are the same.

    Shape:
        input `(batch, rows, time, channels)`, rows being bands, or 1;
        residual `(batch, rows, time - margin, channels)` with `margin = dilation * (taps - 1)`;
        skip `(batch, rows, time - margin - sum(skip_crop), channels)`.

    Reference:
        Rethage, Pons & Serra 2018 (arXiv 1706.07162), section 3: the non-causal block with the two 1x1
        convolutions; Lluís, Pons & Serra 2018 (arXiv 1810.12187), section 2. Ours uses valid convolutions
        where theirs pad with zeros, and crops before the skip convolution, not after it: same values, less work.

    Args:
        channels: width of the residual and the skip branch.
        dilation: distance between taps.
        skip_crop: samples to cut from each end of the skip branch, or a pair of how many from the beginning and the
            end, so that all skips have one length.
        taps: width of the dilated kernel, odd.
        height: rows that the dilated kernel spans, odd.
        ahead: how far the kernel's last tap is ahead of what it adds to, in samples; None for half of the margin.
    """

    def __init__(
        self,
        channels: int,
        dilation: int,
        skip_crop: int | Sequence[int],
        taps: int = 3,
        height: int = 1,
        ahead: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.channels = channels
        self.dilation = dilation
        self.skip_crop = _ends(skip_crop)
        self.taps = taps
        self.height = height
        self.margin = dilation * (taps - 1)
        self.ahead = self.margin // 2 if ahead is None else ahead

    def build(self, input_shape: Any) -> None:
        width = 2 * self.channels
        self.dilated_kernel = self.add_weight(
            shape=(self.height, self.taps, input_shape[-1], width), initializer="glorot_uniform", name="dilated_kernel"
        )
        self.output_kernel = self.add_weight(
            shape=(1, 1, self.channels, width), initializer="glorot_uniform", name="output_kernel"
        )

    def call(self, x: Any, training: bool = False) -> tuple[Any, Any]:
        gated = self._gated(x, training)
        return self._residual(x, gated, training), self._skip(cut(gated, *self.skip_crop, native=not training))

    def step(self, recall: Recall, x: Any) -> tuple[Any, Any]:
        """The skip branch is delayed by what the blocks that follow look ahead."""
        x = recall(x, self.margin)
        gated = self._gated(x, training=False)
        skip = self._skip(delayed(recall, gated, self.skip_crop[1], name="skip"))
        return self._residual(x, gated, training=False), skip

    def _gated(self, x: Any, training: bool) -> Any:
        filter_kernel, gate_kernel = ops.split(self.dilated_kernel, 2, axis=-1)
        padded = self._with_rows_around(x)
        filtered = convolve(padded, filter_kernel, self.dilation, native=not training)
        gate = convolve(padded, gate_kernel, self.dilation, native=not training)
        return ops.tanh(filtered) * ops.sigmoid(gate)

    def _residual(self, x: Any, gated: Any, training: bool) -> Any:
        kernel, _ = ops.split(self.output_kernel, 2, axis=-1)
        return cut(x, self.margin - self.ahead, self.ahead, native=not training) + convolve(gated, kernel)

    def _skip(self, gated: Any) -> Any:
        _, kernel = ops.split(self.output_kernel, 2, axis=-1)
        return convolve(gated, kernel)

    def _with_rows_around(self, x: Any) -> Any:
        """Rows of zeros below the first and above the last, so that there are as many rows after as before."""
        rows = self.height // 2
        return ops.pad(x, [[0, 0], [rows, rows], [0, 0], [0, 0]]) if rows else x

    def compute_output_shape(self, input_shape: Any) -> Any:
        batch, rows, time, _ = input_shape
        kept = time and time - self.margin
        return (batch, rows, kept, self.channels), (batch, rows, kept and kept - sum(self.skip_crop), self.channels)

    def get_config(self) -> dict[str, Any]:
        begin, end = self.skip_crop
        config = super().get_config() | {
            "channels": self.channels,
            "dilation": self.dilation,
            "skip_crop": begin if begin == end else [begin, end],
            "taps": self.taps,
            "height": self.height,
        }
        is_centred = 2 * self.ahead == self.margin  # not told then, as in files from before there was a choice
        return config if is_centred else config | {"ahead": self.ahead}


def gated_stacks(
    x: Any,
    channels: int,
    dilations: list[int],
    margin: int,
    height: int = 1,
    between: Callable[[], layers.Layer] | None = None,
    ahead: int | None = None,
) -> Any:
    """Gated blocks one after the other; returns the sum of their skip branches.

    Args:
        x: `(batch, rows, time, channels)`.
        channels: width of every block.
        dilations: one for each block, in order.
        margin: how much shorter than the last block's output the sum shall be, at each end.
        height: rows that the dilated kernels span.
        between: makes a layer for the residual branch between each block and the next.
        ahead: how far all of them together look ahead, from 0 to `sum(dilations)`, which is taken for None. The first
            blocks look ahead as far as behind, the others see what is behind alone, twice as far.

    Returns:
        `(batch, rows, time - 2 * sum(dilations) - 2 * margin, channels)`.
    """
    left = sum(dilations) if ahead is None else ahead
    begin, end = 2 * sum(dilations) - left + margin, left + margin
    skips = []
    for number, dilation in enumerate(dilations, start=1):
        looks = min(dilation, left)
        left, begin, end = left - looks, begin - 2 * dilation + looks, end - looks
        name = f"block{number:02d}_dilation{dilation}"
        x, skip = GatedResidualBlock(channels, dilation, (begin, end), height=height, ahead=looks, name=name)(x)
        if between and number < len(dilations):
            x = between()(x)
        skips.append(skip)
    return layers.Add(name="skip_sum")(skips)


def share_what_is_missing(estimates: Any, mixture: Any) -> Any:
    """Add to each stem an equal share of the mixture minus the estimates' sum; the result is float32 and named "stems".

    Args:
        estimates: `(batch, stems, time, channels)`.
        mixture: `(batch, 1, time, channels)`, the same samples.

    Reference:
        Wisdom et al. 2019, "Differentiable consistency constraints" (arXiv 1811.08521), section 2.3, with
        equal weights.
    """
    missing = layers.Subtract(dtype="float32", name="missing")([mixture, ops.sum(estimates, axis=1, keepdims=True)])
    share = layers.Rescaling(1 / estimates.shape[1], dtype="float32", name="share")(missing)
    return layers.Add(dtype="float32", name="stems")([estimates, share])
