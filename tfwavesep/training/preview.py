"""What a network makes of a song while it is trained, to listen to and to look at."""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tfwavesep import audio
from tfwavesep.places import disk_errors
from tfwavesep.training import hosts

PREVIEW = "preview"

FRAME = 1024
"""Samples of a spectrogram's frame; they overlap by half."""

FLOOR_DECIBELS = -80.0
"""What is black in a spectrogram; 0 dB is white."""


class Preview(keras.callbacks.Callback):
    """Every few epochs, with the weights that are validated: stems of a song as WAV files, and as sound and
    spectrograms in TensorBoard.

    Args:
        workdir: of the training; files go to `preview/epoch-NUMBER/TARGET.wav`.
        fragments: consecutive ones of the song, see `examples.Datasets.preview`.
        targets: of the model.
        sample_rate: Hz.
        every: so many epochs.
    """

    def __init__(
        self, workdir: Path, fragments: tf.data.Dataset, targets: tuple[str, ...], sample_rate: int, every: int
    ) -> None:
        super().__init__()
        self.workdir = workdir
        self.fragments = fragments
        self.targets = targets
        self.sample_rate = sample_rate
        self.every = every
        self.epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.epoch = epoch + 1

    def on_test_end(self, logs: dict[str, float] | None = None) -> None:
        if self.epoch % self.every:
            return
        with hosts.alone(), disk_errors(self.workdir):
            stems = self._separated()
            for name, samples in stems.items():
                path = self.workdir / PREVIEW / f"epoch-{self.epoch:03}" / f"{name}.wav"
                audio.write(path, samples, self.sample_rate)
            self._show(stems)

    def _separated(self) -> dict[str, np.ndarray]:
        """The mixture and each target, `(time, channels)`."""
        pieces = []
        for mixture, references, _ in self.fragments:
            whole = tf.reduce_sum(references, axis=1, keepdims=True).numpy()
            estimates = np.asarray(keras.ops.convert_to_numpy(self.model(mixture.numpy(), training=False)), np.float32)
            rest = whole - estimates.sum(axis=1, keepdims=True)
            pieces.append(np.concatenate([whole, estimates, rest], axis=1)[:, : 1 + len(self.targets)])
        together = np.concatenate(np.concatenate(pieces), axis=1)
        return dict(zip(("mixture", *self.targets), together, strict=True))

    def _show(self, stems: dict[str, np.ndarray]) -> None:
        writer = tf.summary.create_file_writer(str(self.workdir / "logs" / PREVIEW))
        with writer.as_default(step=self.epoch):
            for name, samples in stems.items():
                tf.summary.audio(name, samples[np.newaxis], self.sample_rate)
                tf.summary.image(name, spectrogram(samples)[np.newaxis, ..., np.newaxis])
        writer.close()


def spectrogram(samples: np.ndarray) -> np.ndarray:
    """A picture of `(time, channels)`: `(bins, frames)` from 0, for `FLOOR_DECIBELS` and less, to 1; high above low."""
    power = np.abs(tf.signal.stft(samples.mean(axis=1), FRAME, FRAME // 2, pad_end=True)) / (FRAME / 4)
    decibels = 20 * np.log10(np.maximum(power, 10 ** (FLOOR_DECIBELS / 20)))
    return np.asarray(1 - np.clip(decibels, FLOOR_DECIBELS, 0) / FLOOR_DECIBELS).T[::-1]
