"""From tracks to training examples, with tf.data.

The pipeline draws fragments of what the cache holds and mixes them, in the graph. Every example is a function
of the seed and its number alone, so that a training that was interrupted goes on with exactly the examples that
come next.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import tensorflow as tf

from tfwavesep import stems
from tfwavesep.config import DataConfig, Preset
from tfwavesep.data import tracks, wear, width
from tfwavesep.data.cache import Prepared, prepare, voiced_chunks
from tfwavesep.data.tracks import Track
from tfwavesep.errors import DataError
from tfwavesep.models import ModelConfig
from tfwavesep.places import cache_folder
from tfwavesep.stems import STEMS

MEMORY_LIMIT = 4 * 2**30
"""Bytes of decoded audio to train on that are kept in memory; more is decoded anew, fragment by fragment."""

VALIDATION_SECONDS = 20.0
"""At most so many seconds of each validation track are used, in fragments spread over it."""


def _as_written(function: Callable[..., Any]) -> Callable[..., Any]:
    """Trace a function without rewriting its source: none here has Python control flow over tensors."""
    return tf.autograph.experimental.do_not_convert(function)


def decode(file: tf.Tensor) -> tf.Tensor:
    """A whole FLAC file, int16 `(time, channels)`.

    TensorFlow I/O decodes in C++ threads of the graph. TensorFlow 2.18 and later have no build of it; there
    soundfile gives the same samples.
    """
    try:
        import tensorflow_io as tfio
    except ImportError:
        return decode_range(file, tf.constant(0, tf.int64), tf.constant(-1, tf.int64))
    return tfio.audio.decode_flac(tf.io.read_file(file), dtype=tf.int16)


def decode_range(file: tf.Tensor, begin: tf.Tensor, end: tf.Tensor) -> tf.Tensor:
    """Samples `begin` to `end` of a FLAC file, int16 `(time, channels)`; `end` -1 means all.

    Always soundfile: TensorFlow I/O's seekable reader keeps its state in one resource per graph node, which
    parallel calls overwrite for one another (it then returns samples of other files).
    """
    return tf.numpy_function(_decode_with_soundfile, [file, begin, end], tf.int16, stateful=False)


def _decode_with_soundfile(file: bytes, begin: int, end: int) -> np.ndarray:
    stop = None if end < 0 else end
    return soundfile.read(file.decode(), start=begin, stop=stop, dtype="int16", always_2d=True)[0]


class Bank:
    """All that can be drawn for one stem: the tracks' own, then extra material.

    Shape:
        `fragment` returns float32 `(length, channels)`.

    Args:
        prepared: the tracks in the cache.
        channels: of the cached files.
        in_memory: whether to decode everything now.
    """

    def __init__(self, prepared: Prepared, channels: int, in_memory: bool) -> None:
        self.channels = channels
        self.lengths = tf.constant(prepared.lengths, tf.int64)
        self._files = tf.constant([str(file) for file in prepared.files])
        self._offsets = tf.cumsum(self.lengths, exclusive=True)
        self._samples = self._decode_all() if in_memory else None

    def _decode_all(self) -> tf.Tensor:
        samples = np.empty((int(tf.reduce_sum(self.lengths)), self.channels), np.int16)
        decoded = tf.data.Dataset.from_tensor_slices(self._files).map(_as_written(decode), os.cpu_count())
        for offset, length, piece in zip(self._offsets.numpy(), self.lengths.numpy(), decoded, strict=True):
            samples[offset : offset + length] = piece.numpy()
        return tf.constant(samples)

    def fragment(self, track: tf.Tensor, start: tf.Tensor, length: int) -> tf.Tensor:
        """`length` samples of a track from `start` on; zeros before its start and beyond its end."""
        begin = tf.clip_by_value(start, 0, self.lengths[track])
        end = tf.clip_by_value(start + length, 0, self.lengths[track])
        if self._samples is None:
            samples = decode_range(self._files[track], begin, end)
        else:
            samples = self._samples[self._offsets[track] + begin : self._offsets[track] + end]
        samples = tf.reshape(tf.cast(samples, tf.float32) / 32768, (-1, self.channels))
        before = tf.clip_by_value(-start, 0, length)
        samples = tf.pad(samples, [[before, length - before - (end - begin)], [0, 0]])
        return tf.ensure_shape(samples, (length, self.channels))


class Mixer:
    """Draws and mixes training examples.

    Args:
        banks: for each of `STEMS`; the first `num_tracks` entries of each belong to the same songs.
        num_tracks: songs with all stems.
        model: says rate, channels, context and targets.
        config: says how to draw.
        voiced: `(n, 2)` song and sample of each chunk in which somebody sings.
        seed: of all draws.
        whole_accompaniment: the extra material of `other` is whole accompaniments: drums and bass are silent
            where one is drawn.
    """

    def __init__(
        self,
        banks: dict[str, Bank],
        num_tracks: int,
        model: ModelConfig,
        config: DataConfig,
        voiced: np.ndarray,
        seed: int,
        whole_accompaniment: bool = False,
    ) -> None:
        self.banks = banks
        self.num_tracks = num_tracks
        self.context = model.context
        self.sample_rate = model.sample_rate
        self.input_length = model.input_length(config.target_length)
        self.weights = tf.constant(stems.weights(model.targets))
        self.config = config
        self.voiced = tf.constant(voiced, tf.int64)
        self.seed = seed
        self.whole_accompaniment = whole_accompaniment

    def example(self, number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Example `number`: mixture `(input_length, channels)`, references `(targets, target_length, channels)`."""
        draw = self._draw(number, 7)
        common = draw[-1]
        remixed = common[0] < self.config.remix
        voiced = common[1] < self.config.voiced_share
        song = self._place("vocals", common, 0, self.num_tracks, voiced)
        places = [self._source_place(stem, draw[i], remixed, voiced, song) for i, stem in enumerate(STEMS)]
        gains = [self._gain(draw[i], remixed) for i in range(len(STEMS))]
        if self.whole_accompaniment:
            replaced = places[STEMS.index("other")][0] >= self.num_tracks
            for stem in ("drums", "bass"):
                gains[STEMS.index(stem)] *= tf.cast(~replaced, tf.float32)
        sources = [
            gain * self._fragment(stem, place, draw[i], remixed)
            for i, (stem, place, gain) in enumerate(zip(STEMS, places, gains, strict=True))
        ]
        more = self._draw(-1 - number, 7)  # others than above, which so stay as they are without these changes
        if self.config.spread:
            extra = [place[0] >= self.num_tracks for place in places]
            sources = [self._spread(number, i, source, extra[i], more[i]) for i, source in enumerate(sources)]
        together = tf.stack(sources)
        if self.config.narrow:
            narrow = width.narrow(together, more[-1, 1])
            together = tf.where(more[-1, 0] < self.config.narrow, narrow, together)
        if self.config.worn:
            together = wear.worn(together, more[-1, 2:7], self.config.worn, self.sample_rate)
        return mix_down(together, self.weights, self.context)

    def _draw(self, number: tf.Tensor, count: int) -> tf.Tensor:
        """Numbers from 0 to 1, `count` for each stem and then for the example: always the same for the same number."""
        seed = tf.stack([tf.cast(self.seed, tf.int64), number])
        return tf.random.stateless_uniform([len(STEMS) + 1, count], seed=seed)

    def _spread(self, number: tf.Tensor, stem: int, source: tf.Tensor, extra: tf.Tensor, draw: tf.Tensor) -> tf.Tensor:
        """Extra material that is mono, at some place in some room."""
        seed = tf.stack([tf.cast(self.seed + 1 + stem, tf.int64), -1 - number])
        placed = partial(width.spread, source, draw, seed, self.sample_rate)
        return tf.cond(extra & width.is_mono(source), placed, lambda: source)

    def _source_place(
        self, stem: str, draw: tf.Tensor, remixed: tf.Tensor, voiced: tf.Tensor, song: tuple[tf.Tensor, tf.Tensor]
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Where one stem comes from: the common song, or, remixed, any song or extra material."""
        total = self.banks[stem].lengths.shape[0]
        extra = (draw[2] < self.config.extra_share) & (total > self.num_tracks)
        first = tf.where(extra, self.num_tracks, 0)
        last = tf.where(extra, total, self.num_tracks)
        track, start = self._place(stem, draw, first, last, voiced & ~extra & (stem == "vocals"))
        return tf.where(remixed, track, song[0]), tf.where(remixed, start, song[1])

    def _place(
        self, stem: str, draw: tf.Tensor, first: Any, last: Any, voiced: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """One of the tracks `first` to `last`, and the sample at which the target field starts."""
        length, lengths = self.config.target_length, self.banks[stem].lengths
        track = tf.cast(first, tf.int64) + _pick(draw[3], tf.cast(last - first, tf.int64))
        start = _pick(draw[4], tf.maximum(lengths[track] - length + 1, 1))
        if self.voiced.shape[0] == 0:
            return track, start
        singer, chunk = tf.unstack(self.voiced[_pick(draw[3], self.voiced.shape[0])])
        around = tf.clip_by_value(chunk - _pick(draw[4], length), 0, tf.maximum(lengths[singer] - length, 0))
        return tf.where(voiced, singer, track), tf.where(voiced, around, start)

    def _gain(self, draw: tf.Tensor, remixed: tf.Tensor) -> tf.Tensor:
        """Factor of one stem: 0 if it is dropped; drawn if remixed; else as in the song."""
        config = self.config
        gain = config.gain_min + draw[0] * (config.gain_max - config.gain_min)
        if config.flip_polarity:
            gain *= tf.sign(draw[1] - 0.5)
        return tf.where(remixed, gain, 1.0) * tf.cast(draw[5] >= config.drop, tf.float32)

    def _fragment(
        self, stem: str, place: tuple[tf.Tensor, tf.Tensor], draw: tf.Tensor, remixed: tf.Tensor
    ) -> tf.Tensor:
        samples = self.banks[stem].fragment(place[0], place[1] - self.context, self.input_length)
        if not self.config.swap_channels or samples.shape[1] == 1:
            return samples
        return tf.cond(remixed & (draw[6] < 0.5), lambda: tf.reverse(samples, [1]), lambda: samples)


def _pick(draw: tf.Tensor, count: Any) -> tf.Tensor:
    """A whole number from 0 to `count - 1`, from a draw in 0..1."""
    return tf.cast(tf.cast(draw, tf.float64) * tf.cast(count, tf.float64), tf.int64)


def mix_down(sources: tf.Tensor, weights: tf.Tensor, context: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Mixture and references of one fragment.

    Args:
        sources: `(4, input_length, channels)` in the order of `STEMS`.
        weights: `(targets, 4)`, see `stems.weights`.
        context: samples at each end that have no reference.

    Returns:
        mixture `(input_length, channels)`, references `(targets, target_length, channels)`.
    """
    inner = sources[:, context : sources.shape[1] - context]
    return tf.reduce_sum(sources, axis=0), tf.einsum("ts,slc->tlc", weights, inner)


@dataclass(frozen=True)
class Datasets:
    """What a training reads.

    Attributes:
        mixer: draws training examples.
        valid: fixed batches of `(mixture, references)`, the same in every epoch.
        fingerprint: tells this data set from others.
        songs: with all stems, to train on; each once, at however many speeds it is heard.
        extra: for each stem with extra material, how many files.
    """

    mixer: Mixer
    valid: tf.data.Dataset
    fingerprint: str
    songs: int
    extra: dict[str, int]

    def record(self) -> dict[str, Any]:
        """The data set in a few values, for the run record."""
        return {"fingerprint": self.fingerprint, "songs": self.songs, "extra": self.extra}


def open_datasets(preset: Preset, root: Path, extra: tuple[str, ...] = (), cache: Path | None = None) -> Datasets:
    """Prepare a data root for a preset.

    Args:
        preset: says rate, channels, stems and how to draw.
        root: see `tracks.find_tracks`.
        extra: see `tracks.find_extra`.
        cache: folder for decoded tracks, by default `cache_folder()`.

    Raises:
        DataError: no tracks, or too few to remix.
    """
    cache = cache or cache_folder()
    train, valid = tracks.find_tracks(root, "train"), tracks.find_tracks(root, "valid")
    if len(train) < 2 and preset.data.remix > 0:
        raise DataError(f"{root}: has {len(train)} track to train on; data.remix > 0 needs at least 2")
    if not train or not valid:
        raise DataError(f"{root}: has {len(train)} tracks to train and {len(valid)} to validate on; both are needed")
    extras: dict[str, list[Track]] = {}
    for text in extra:
        target, found = tracks.find_extra(text)
        _check_extra(preset.model, target, extras)
        extras.setdefault(target, []).extend(found)
    everything = [*train, *valid, *(t for found in extras.values() for t in found)]
    return Datasets(
        _mixer(preset, train, extras, cache),
        _validation(preset, valid, cache),
        tracks.fingerprint(everything),
        len(train),
        {target: len(found) for target, found in extras.items()},
    )


def _check_extra(model: ModelConfig, target: str, others: dict[str, list[Track]]) -> None:
    """A whole accompaniment can stand in for drums, bass and other only where the model does not tell them apart."""
    if target == "accompaniment" and "accompaniment" not in model.targets:
        raise DataError(
            f"--extra accompaniment=...: this model separates {', '.join(model.targets)}, not accompaniment"
        )
    if {"accompaniment", "other"} <= {target, *others}:
        raise DataError("--extra: accompaniment and other cannot both have extra material")


def _mixer(preset: Preset, train: list[Track], extras: dict[str, list[Track]], cache: Path) -> Mixer:
    model = preset.model
    train = [tracks.at_speed(track, speed) for speed in preset.data.speeds for track in train]
    own = {stem: prepare(train, stem, model, cache) for stem in STEMS}
    voiced = voiced_chunks(own["vocals"]) if preset.data.voiced_share else np.zeros((0, 2), np.int64)
    joined = {}
    for stem in STEMS:
        source = "accompaniment" if stem == "other" and "accompaniment" in extras else stem
        more = prepare(extras[source], source, model, cache) if source in extras else Prepared([], [])
        joined[stem] = Prepared(own[stem].files + more.files, own[stem].lengths + more.lengths)
    in_memory = sum(sum(p.lengths) for p in joined.values()) * 2 * model.channels <= MEMORY_LIMIT
    banks = {stem: Bank(p, model.channels, in_memory) for stem, p in joined.items()}
    whole = "accompaniment" in extras
    return Mixer(banks, len(train), model, preset.data, voiced, preset.training.seed, whole)


def training_batches(mixer: Mixer, batch_size: int, first_step: int = 0) -> tf.data.Dataset:
    """Endless batches from step `first_step` on: mixture `(batch, input_length, channels)` and references
    `(batch, targets, target_length, channels)`."""
    numbers = tf.data.Dataset.range(first_step * batch_size, tf.int64.max)
    examples = numbers.map(_as_written(mixer.example), tf.data.AUTOTUNE, deterministic=True)
    options = tf.data.Options()
    options.experimental_optimization.apply_default_optimizations = False  # they copy all audio in memory once more
    return examples.batch(batch_size, drop_remainder=True).prefetch(4).with_options(options)


def _validation(preset: Preset, valid: list[Track], cache: Path) -> tf.data.Dataset:
    """Fixed fragments, spread evenly over each track, mixed as the songs are."""
    model, length = preset.model, preset.data.target_length
    prepared = {stem: prepare(valid, stem, model, cache) for stem in STEMS}
    banks = {stem: Bank(p, model.channels, in_memory=False) for stem, p in prepared.items()}  # little of each is used
    places = [
        (track, start)
        for track, samples in enumerate(prepared["vocals"].lengths)
        for start in _spread(samples, length, int(VALIDATION_SECONDS * model.sample_rate))
    ]
    weights = tf.constant(stems.weights(model.targets))

    def example(place: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        start, inputs = place[1] - model.context, model.input_length(length)
        sources = tf.stack([banks[stem].fragment(place[0], start, inputs) for stem in STEMS])
        return mix_down(sources, weights, model.context)

    fragments = tf.data.Dataset.from_tensor_slices(np.array(places, np.int64)).map(
        _as_written(example), tf.data.AUTOTUNE
    )
    return fragments.batch(preset.training.batch_size).prefetch(4)


def _spread(samples: int, length: int, at_most: int) -> list[int]:
    """Starts of fragments that do not overlap, evenly spread; one at 0 if the track is shorter than a fragment."""
    count = max(1, min(samples, at_most) // length)
    return np.linspace(0, max(0, samples - length), count).astype(int).tolist()
