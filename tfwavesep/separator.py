"""Audio in, stems out: any rate, any number of channels, any length, in constant memory.

One path serves a file, a pipe and an array: blocks come in, are resampled, cut into segments on one fixed grid,
separated, resampled back and put out. The separator owns resampling, channels, chunking and the residual stem.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import soxr

from tfwavesep import audio
from tfwavesep.backends import Backend, open_backend
from tfwavesep.chunking import Segmenter
from tfwavesep.errors import AudioError, ConfigError, OutputExistsError, one_of

SEGMENT_CONTEXTS = 10
"""By default a segment yields ten times its context on one side, which costs a fifth more work than no cutting."""


class Separator:
    """Separates with a trained model.

    The last of `targets` is the residual: what is left when the others are taken from the mixture, at the
    input's rate, so that all of them sum to the mixture.

    Args:
        backend: the model's runtime.
        segment_seconds: audio that one run of the network yields, None for a fitting one. Different values give the
            same stems within rounding (1e-5).

    Raises:
        ConfigError: `segment_seconds` is not above 0.
    """

    def __init__(self, backend: Backend, segment_seconds: float | None = None) -> None:
        if segment_seconds is not None and not 0 < segment_seconds <= 3600:
            raise ConfigError(f"segment = {segment_seconds} s: above 0, at most 3600")
        config = backend.config
        self.backend = backend
        self.sample_rate = config.sample_rate
        self.targets = config.targets
        self.target_length = _segment_length(config.context, config.block, config.sample_rate, segment_seconds)

    @classmethod
    def load(cls, model: str = "default", segment_seconds: float | None = None) -> "Separator":
        """A separator for a model's name or path, see `backends.open_backend`."""
        return cls(open_backend(model), segment_seconds)

    def separate(self, mixture: np.ndarray, sample_rate: int) -> dict[str, np.ndarray]:
        """Separate an array.

        Args:
            mixture: `(time, channels)`, or `(time,)` for mono; full scale 1.0.
            sample_rate: of the mixture, in Hz.

        Returns:
            for each of `targets`, float32 `(time, channels)`, as long as the mixture and at its rate.

        Raises:
            AudioError: the array has another form, or NaN or infinite samples.
        """
        mixture = np.asarray(mixture, np.float32)
        mixture = mixture[:, np.newaxis] if mixture.ndim == 1 else mixture
        if mixture.ndim != 2:
            raise AudioError(f"mixture of shape {mixture.shape}: must be (time, channels)")
        if not np.isfinite(mixture).all():
            raise AudioError("mixture: has NaN or infinite samples")
        stems = list(self.stream([mixture], sample_rate))
        joined = np.concatenate(stems, axis=1) if stems else np.zeros((len(self.targets), *mixture.shape), np.float32)
        return dict(zip(self.targets, joined, strict=True))

    def stream(self, blocks: Iterable[np.ndarray], sample_rate: int) -> Iterator[np.ndarray]:
        """Separate audio that arrives in blocks.

        Args:
            blocks: float32 `(time, channels)`, of any lengths.
            sample_rate: in Hz.

        Yields:
            float32 `(targets, time, channels)` as soon as they are ready; together as long as the input, and the
            same samples however the input was cut.
        """
        filled = (block for block in blocks if len(block))
        first = next(filled, None)
        if first is not None:
            yield from _Pipe(self, first.shape[1], sample_rate).run(chain([first], filled))


def _segment_length(context: int, block: int, sample_rate: int, seconds: float | None) -> int:
    samples = round(seconds * sample_rate) if seconds else max(sample_rate, SEGMENT_CONTEXTS * context)
    return max(1, round(samples / block)) * block


class _Resampler:
    """soxr for audio that arrives in pieces; passes it on unchanged where the rates are equal.

    The pieces are joined to blocks of one length first: what comes out must not depend on how the input was cut.
    """

    def __init__(self, sample_rate: int, to_rate: int, channels: int) -> None:
        same = sample_rate == to_rate
        self._soxr = None if same else soxr.ResampleStream(sample_rate, to_rate, channels, dtype="float32")
        self._waiting = np.zeros((0, channels), np.float32)

    def feed(self, samples: np.ndarray) -> np.ndarray:
        if self._soxr is None:
            return samples
        samples = np.concatenate([self._waiting, samples])
        whole = len(samples) // audio.BLOCK_LENGTH * audio.BLOCK_LENGTH
        self._waiting = samples[whole:]
        pieces = [samples[i : i + audio.BLOCK_LENGTH] for i in range(0, whole, audio.BLOCK_LENGTH)]
        return np.concatenate([self._waiting[:0], *(self._soxr.resample_chunk(piece) for piece in pieces)])

    def flush(self) -> np.ndarray:
        if self._soxr is None:
            return self._waiting
        return np.asarray(self._soxr.resample_chunk(self._waiting, last=True))


class _Pipe:
    """The state of one stream on its way through the separator."""

    def __init__(self, separator: Separator, channels: int, sample_rate: int) -> None:
        config = separator.backend.config
        self.backend = separator.backend
        self.channels = channels
        self.model_channels = config.channels
        self.estimated = len(separator.targets) - 1
        self.segmenter = Segmenter(separator.target_length, config.context)
        self.inward = _Resampler(sample_rate, config.sample_rate, channels)
        self.outward = _Resampler(config.sample_rate, sample_rate, channels * self.estimated)
        self.mixture: deque[np.ndarray] = deque()
        self.waiting = 0
        self.separated = 0

    def run(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """`(targets, time, channels)` as they get ready."""
        for estimates in self._estimate(self._segments(blocks)):
            yield from self._put_out(self.outward.feed(estimates))
        rest = self.outward.flush()
        missing = np.zeros((max(0, self.waiting - len(rest)), rest.shape[1]), np.float32)
        yield from self._put_out(np.concatenate([rest, missing]))

    def _segments(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """What the network is to see, pulled by the backend as far ahead as it works on; the mixture is kept until
        its estimates come."""
        for block in blocks:
            self.mixture.append(block)
            self.waiting += len(block)
            yield from self.segmenter.feed(self._group(self.inward.feed(block)))
        yield from self.segmenter.feed(self._group(self.inward.flush()))
        yield from self.segmenter.flush()

    def _group(self, samples: np.ndarray) -> np.ndarray:
        """`(time, channels)` to `(groups, time, model channels)`; a lone last channel of a stereo model is doubled."""
        if self.channels % self.model_channels:
            samples = np.concatenate([samples, samples[:, -1:]], axis=1)
        groups = samples.shape[1] // self.model_channels
        return samples.reshape(len(samples), groups, self.model_channels).transpose(1, 0, 2)

    def _estimate(self, segments: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Run the network; yields `(time, estimated stems * channels)` up to the song's end."""
        for predicted in self.backend.predict_many(map(np.ascontiguousarray, segments)):
            estimates = predicted[:, : self.estimated]
            time = min(estimates.shape[2], self.segmenter.fed - self.separated)
            self.separated += time
            joined = estimates[:, :, :time].transpose(2, 1, 0, 3).reshape(time, self.estimated, -1)
            yield self._ungroup(joined).reshape(time, self.estimated * self.channels)

    def _ungroup(self, estimates: np.ndarray) -> np.ndarray:
        """Take back what `_group` doubled: the mean of the two."""
        if estimates.shape[2] == self.channels:
            return estimates
        last = estimates[:, :, -2:].mean(axis=2, keepdims=True)
        return np.concatenate([estimates[:, :, :-2], last], axis=2)

    def _put_out(self, estimates: np.ndarray) -> Iterator[np.ndarray]:
        """Join estimates at the input's rate with the mixture's same samples, and add the residual."""
        time = min(len(estimates), self.waiting)
        if not time:
            return
        mixture = self._take(time)
        stems = estimates[:time].reshape(time, self.estimated, self.channels).transpose(1, 0, 2)
        residual = mixture - stems.sum(axis=0)
        yield np.concatenate([stems, residual[np.newaxis]])

    def _take(self, time: int) -> np.ndarray:
        """The mixture's next samples."""
        self.waiting -= time
        taken: list[np.ndarray] = []
        while time:
            block = self.mixture.popleft()
            taken.append(block[:time])
            if len(block) > time:
                self.mixture.appendleft(block[time:])
            time -= len(taken[-1])
        return np.concatenate(taken)


@dataclass(frozen=True)
class Separated:
    """What came of one file.

    Attributes:
        stems: the files written, by stem.
        seconds: of audio.
    """

    stems: dict[str, Path]
    seconds: float


def separate_file(
    separator: Separator, song: Path, folder: Path, stems: tuple[str, ...] = (), overwrite: bool = False
) -> Separated:
    """Separate a file into `folder/NAME/STEM.wav` (32-bit float, which never clips), block by block.

    Args:
        separator: to use.
        song: the file.
        folder: where the song's own folder is made.
        stems: which to write; all of the model's if empty.
        overwrite: whether stems that are there may be replaced.

    Raises:
        AudioError: the song cannot be read, or the disk is full.
        ConfigError: the model has no such stem.
        OutputError: the folder cannot be written to, or a stem is there already (`OutputExistsError`).
    """
    wanted = stems or separator.targets
    for stem in wanted:
        if stem not in separator.targets:
            raise ConfigError(one_of("stem", stem, separator.targets))
    paths = {stem: folder / song.stem / f"{stem}.wav" for stem in wanted}
    existing = [str(path) for path in paths.values() if path.exists()]
    if existing and not overwrite:
        raise OutputExistsError(f"{existing[0]}: exists already; --overwrite replaces it, or choose another folder")
    info = audio.probe(song)
    indices = [separator.targets.index(stem) for stem in wanted]
    frames = 0
    with ExitStack() as stack:
        appends = [stack.enter_context(audio.writer(path, info.sample_rate, info.channels)) for path in paths.values()]
        for block in separator.stream(audio.read_blocks(song), info.sample_rate):
            frames += block.shape[1]
            for append, index in zip(appends, indices, strict=True):
                append(block[index])
        if not frames:
            raise AudioError(f"{song}: holds no samples")
    return Separated(paths, frames / info.sample_rate)
