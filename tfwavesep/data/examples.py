"""From tracks to training examples, with tf.data.

The pipeline draws fragments of what the cache holds and mixes them, in the graph. Every example is a function
of the seed and its number alone, so that a training that was interrupted goes on with exactly the examples that
come next.
"""

from collections.abc import Callable, Sequence
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
from tfwavesep.data.cache import Prepared, is_silent, prepare, voiced_chunks
from tfwavesep.data.tracks import Track
from tfwavesep.errors import DataError
from tfwavesep.models import ModelConfig
from tfwavesep.places import Place, cache_folder, several
from tfwavesep.stems import STEMS

VALIDATION_SECONDS = 20.0
"""At most so many seconds of each validation track are used, in fragments spread over it."""


def _as_written(function: Callable[..., Any]) -> Callable[..., Any]:
    """Trace a function without rewriting its source: none here has Python control flow over tensors."""
    return tf.autograph.experimental.do_not_convert(function)


def read(file: tf.Tensor, start: tf.Tensor, length: int) -> tf.Tensor:
    """`length` samples of a file in the cache from `start` on, float32 `(length, channels)`; zeros where it has none.

    By soundfile, since TensorFlow's own operations read whole files.
    """
    return tf.numpy_function(_read, [file, start, length], tf.float32, stateful=False)


def _read(name: bytes, start: int, length: int) -> np.ndarray:
    with soundfile.SoundFile(name.decode()) as file:
        samples = np.zeros((length, file.channels), np.float32)
        begin, end = np.clip([start, start + length], 0, file.frames)
        file.seek(begin)
        file.read(out=samples[begin - start : end - start])
    return samples


class Bank:
    """All that can be drawn for one stem: the tracks' own, then extra material. It stays in its files: what is drawn
    often the system keeps in memory, as far as there is room.

    Shape:
        `fragment` returns float32 `(length, channels)`.

    Args:
        prepared: the tracks in the cache.
        channels: of the cached files.
    """

    def __init__(self, prepared: Prepared, channels: int) -> None:
        self.channels = channels
        self.lengths = tf.constant(prepared.lengths, tf.int64)
        self._files = tf.constant([str(file) for file in prepared.files])

    def fragment(self, track: tf.Tensor, start: tf.Tensor, length: int) -> tf.Tensor:
        """`length` samples of a track from `start` on; zeros before its start and beyond its end."""
        return tf.ensure_shape(read(self._files[track], start, length), (length, self.channels))


class Mixer:
    """Draws and mixes training examples.

    Args:
        banks: for each of `STEMS`; the first `num_tracks` entries of each belong to the same songs.
        num_tracks: songs.
        model: says rate, channels, context on both sides and targets.
        config: says how to draw.
        voiced: `(n, 2)` song and sample of each chunk in which somebody sings.
        seed: of all draws.
        whole_accompaniment: the extra material of `other` is whole accompaniments: drums and bass are silent
            where one is drawn.
        rests: for each song the stems of which only the sum is known, see `Track.rest`; none for all if not given.
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
        rests: Sequence[tuple[str, ...]] = (),
    ) -> None:
        self.banks = banks
        self.num_tracks = num_tracks
        self.context, self.lookahead = model.context, model.lookahead
        self.sample_rate = model.sample_rate
        self.input_length = model.input_length(config.target_length)
        self.weights = tf.constant(stems.weights(model.targets))
        self.config = config
        self.voiced = tf.constant(voiced, tf.int64)
        self.voiced_ends = _ends(voiced[:, 0], np.ones(len(voiced)), config.draw)
        self.seed = seed
        rests = rests or [()] * num_tracks
        self.known = _known(rests, model.targets)
        self.songs = {stem: _mixable(stem, rests, model.targets) for stem in STEMS}
        self.places = {
            stem: tf.constant([*self.songs[stem], *range(num_tracks, bank.lengths.shape[0])], tf.int64)
            for stem, bank in banks.items()
        }
        self.ends = {
            stem: _ends(place.numpy(), bank.lengths.numpy()[place.numpy()], config.draw)
            for (stem, bank), place in zip(banks.items(), self.places.values(), strict=True)
        }
        every_song = np.arange(num_tracks)
        self.song_ends = _ends(every_song, banks["vocals"].lengths.numpy()[:num_tracks], config.draw)
        whole = ("drums", "bass", "other") if whole_accompaniment else ("other",)
        self.stands_for = {
            stem: tf.constant(
                [
                    *(_indicator(rest if rest and stem == rest[-1] else (stem,)) for rest in rests),
                    *[_indicator(whole if stem == "other" else (stem,))] * (bank.lengths.shape[0] - num_tracks),
                ]
            )
            for stem, bank in banks.items()
        }

    def example(self, number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Example `number`: mixture `(input_length, channels)`, references `(targets, target_length, channels)`, and
        for each target 1 if its reference is known, else 0 `(targets,)`. The references always sum to the mixture."""
        draw = self._draw(number, 7)
        common = draw[-1]
        remixed = common[0] < self.config.remix
        voiced = common[1] < self.config.voiced_share
        every_song = tf.range(self.num_tracks, dtype=tf.int64)
        song = self._place("vocals", every_song, self.song_ends, common, 0, self.num_tracks, voiced)
        places = [self._source_place(stem, draw[i], remixed, voiced, song) for i, stem in enumerate(STEMS)]
        gains = [self._gain(stem, draw[i], remixed) for i, stem in enumerate(STEMS)]
        gains = tf.unstack(tf.stack(gains) * self._not_replaced([place[0] for place in places]))
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
            narrow = partial(width.narrow, together, more[-1, 1])
            together = tf.cond(more[-1, 0] < self.config.narrow, narrow, partial(tf.identity, together))
        if self.config.worn:
            together = wear.worn(together, more[-1, 2:7], self.config.worn, self.sample_rate)
        mixture, references = mix_down(together, self.weights, self.context, self.lookahead)
        return mixture, references, tf.where(remixed, 1.0, self.known[song[0]])

    def _draw(self, number: tf.Tensor, count: int) -> tf.Tensor:
        """Numbers from 0 to 1, `count` for each stem and then for the example: always the same for the same number."""
        seed = tf.stack([tf.cast(self.seed, tf.int64), number])
        return tf.random.stateless_uniform([len(STEMS) + 1, count], seed=seed)

    def _spread(self, number: tf.Tensor, stem: int, source: tf.Tensor, extra: tf.Tensor, draw: tf.Tensor) -> tf.Tensor:
        """Extra material that is mono, at some place in some room."""
        if self.banks[STEMS[stem]].lengths.shape[0] == self.num_tracks:
            return source
        seed = tf.stack([tf.cast(self.seed + 1 + stem, tf.int64), -1 - number])
        placed = partial(width.spread, source, draw, seed, self.sample_rate)
        as_it_is = partial(tf.identity, source)
        return tf.cond(extra, lambda: tf.cond(width.is_mono(source), placed, as_it_is), as_it_is)

    def _not_replaced(self, drawn: list[tf.Tensor]) -> tf.Tensor:
        """For each stem 0 if what was drawn for another holds it too, or if there is none, else 1: `(4,)`."""
        held = tf.stack([self.stands_for[stem][track] for stem, track in zip(STEMS, drawn, strict=True)])
        elsewhere = tf.reduce_any(held & ~tf.eye(len(STEMS), dtype=tf.bool), axis=0)
        return tf.cast(~elsewhere, tf.float32)

    def _source_place(
        self, stem: str, draw: tf.Tensor, remixed: tf.Tensor, voiced: tf.Tensor, song: tuple[tf.Tensor, tf.Tensor]
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Where one stem comes from: the common song, or, remixed, any song or extra material."""
        places, own = self.places[stem], len(self.songs[stem])
        total = places.shape[0]
        if not total:  # nobody knows it: see `_gain`
            return song
        extra = ((draw[2] < self.config.extra_share) & (total > own)) | (own == 0)
        first = tf.where(extra, own, 0)
        last = tf.where(extra, total, own)
        is_voiced = voiced & ~extra & (stem == "vocals")
        track, start = self._place(stem, places, self.ends[stem], draw, first, last, is_voiced)
        return tf.where(remixed, track, song[0]), tf.where(remixed, start, song[1])

    def _place(
        self, stem: str, places: tf.Tensor, ends: tf.Tensor, draw: tf.Tensor, first: Any, last: Any, voiced: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """One of the tracks `places[first:last]`, and the sample at which the target field starts."""
        length, lengths = self.config.target_length, self.banks[stem].lengths
        track = places[_pick_weighted(draw[3], ends, first, last)]
        start = _pick(draw[4], tf.maximum(lengths[track] - length + 1, 1))
        if self.voiced.shape[0] == 0:
            return track, start
        singer, chunk = tf.unstack(self.voiced[_pick_weighted(draw[3], self.voiced_ends, 0, self.voiced.shape[0])])
        around = tf.clip_by_value(chunk - _pick(draw[4], length), 0, tf.maximum(lengths[singer] - length, 0))
        return tf.where(voiced, singer, track), tf.where(voiced, around, start)

    def _gain(self, stem: str, draw: tf.Tensor, remixed: tf.Tensor) -> tf.Tensor:
        """Factor of one stem: 0 if it is dropped; drawn if remixed, and 0 if no song knows it; else as in the song."""
        config = self.config
        gain = config.gain_min + draw[0] * (config.gain_max - config.gain_min)
        if config.flip_polarity:
            gain *= tf.sign(draw[1] - 0.5)
        if not self.places[stem].shape[0]:
            gain *= 0.0
        return tf.where(remixed, gain, 1.0) * tf.cast(draw[5] >= config.drop, tf.float32)

    def _fragment(
        self, stem: str, place: tuple[tf.Tensor, tf.Tensor], draw: tf.Tensor, remixed: tf.Tensor
    ) -> tf.Tensor:
        samples = self.banks[stem].fragment(place[0], place[1] - self.context, self.input_length)
        if not self.config.swap_channels or samples.shape[1] == 1:
            return samples
        return tf.cond(remixed & (draw[6] < 0.5), lambda: tf.reverse(samples, [1]), lambda: samples)


def _known(rests: Sequence[tuple[str, ...]], targets: Sequence[str]) -> tf.Tensor:
    """1 for each target that is known of each song, else 0: `(songs, targets)`."""
    return tf.constant(np.array([stems.known(rest, targets) for rest in rests], np.float32))


def _mixable(stem: str, rests: Sequence[tuple[str, ...]], targets: Sequence[str]) -> list[int]:
    """The songs of which a stem can be mixed with others' stems: it is known there, or stands for a sum of stems that
    no target tells apart."""
    return [
        number
        for number, rest in enumerate(rests)
        if stem not in rest or (stem == rest[-1] and stems.known(rest, targets).all())
    ]


def _indicator(held: Sequence[str]) -> list[bool]:
    return [stem in held for stem in STEMS]


def _pick(draw: tf.Tensor, count: Any) -> tf.Tensor:
    """A whole number from 0 to `count - 1`, from a draw in 0..1."""
    return tf.cast(tf.cast(draw, tf.float64) * tf.cast(count, tf.float64), tf.int64)


def _ends(songs: np.ndarray, durations: np.ndarray, draw: str) -> tf.Tensor:
    """Of some passages, each of a song, up to which number each is drawn, from 0 on: `(passages + 1,)` float64. A
    passage weighs as much as it lasts, or, where songs are drawn, as its part of its song."""
    weights = durations.astype(np.float64)
    if draw == "song":
        _, song = np.unique(songs, return_inverse=True)
        weights /= np.bincount(song, weights)[song] if len(songs) else 1
    return tf.constant(np.concatenate([[0.0], np.cumsum(weights)]))


def _pick_weighted(draw: tf.Tensor, ends: tf.Tensor, first: Any, last: Any) -> tf.Tensor:
    """One of the passages from `first` to `last - 1`, see `_ends`, from a draw in 0..1."""
    place = ends[first] + tf.cast(draw, tf.float64) * (ends[last] - ends[first])
    passage = tf.searchsorted(ends, place[None], side="right")[0] - 1
    return tf.cast(tf.clip_by_value(passage, first, last - 1), tf.int64)


def mix_down(sources: tf.Tensor, weights: tf.Tensor, context: int, lookahead: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Mixture and references of one fragment.

    Args:
        sources: `(4, input_length, channels)` in the order of `STEMS`.
        weights: `(targets, 4)`, see `stems.weights`.
        context: samples at the beginning that have no reference.
        lookahead: samples at the end that have none.

    Returns:
        mixture `(input_length, channels)`, references `(targets, target_length, channels)`.
    """
    inner = sources[:, context : sources.shape[1] - lookahead]
    return tf.reduce_sum(sources, axis=0), tf.einsum("ts,slc->tlc", weights, inner)


@dataclass(frozen=True)
class Datasets:
    """What a training reads.

    Attributes:
        mixer: draws training examples.
        valid: fixed batches of `(mixture, references, known)`, see `Mixer.example`, the same in every epoch.
        preview: of the same kind, fragments that follow one another in the first song to validate on.
        fingerprint: tells this data set from others.
        songs: to train on; each once, at however many speeds it is heard.
        known: for each target of the model, how many of the songs to train on, and of those to validate on, know it.
        extra: for each stem with extra material, how many files.
    """

    mixer: Mixer
    valid: tf.data.Dataset
    preview: tf.data.Dataset
    fingerprint: str
    songs: int
    known: dict[str, tuple[int, int]]
    extra: dict[str, int]

    def record(self) -> dict[str, Any]:
        """The data set in a few values, for the run record."""
        return {"fingerprint": self.fingerprint, "songs": self.songs, "extra": self.extra}


def open_datasets(
    preset: Preset,
    roots: Place | Sequence[Place],
    extra: tuple[str, ...] = (),
    cache: Path | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> Datasets:
    """Prepare data roots for a preset.

    Args:
        preset: says rate, channels, stems and how to draw.
        roots: one or several, see `tracks.find_songs`.
        extra: see `tracks.find_extra`.
        cache: folder for decoded tracks, by default `cache_folder()`.
        report: takes a line for what is left out, and why.

    Raises:
        DataError: no tracks, or too few to remix; or a target that is in none of them, or silent in all.
    """
    cache = cache or cache_folder()
    roots = several(roots)
    targets = preset.model.targets
    found = tracks.find_songs(roots, lambda place, why: report(f"left out: {place}: {why}"))
    train, valid = ([track for track in each if stems.known(track.rest, targets).any()] for each in found)
    useless = [track.name for each in found for track in each if not stems.known(track.rest, targets).any()]
    if useless:
        report(f"left out: {', '.join(useless)}: know none of {', '.join(targets)}")
    place = ", ".join(map(str, roots))
    if len(train) < 2 and preset.data.remix > 0:
        raise DataError(f"{place}: has {len(train)} track to train on; data.remix > 0 needs at least 2")
    if not train or not valid:
        raise DataError(f"{place}: has {len(train)} tracks to train and {len(valid)} to validate on; both are needed")
    extras: dict[str, list[Track]] = {}
    for text in extra:
        target, more = tracks.find_extra(text)
        _check_extra(preset.model, target, extras)
        extras.setdefault(target, []).extend(more)
    counts = [np.sum([stems.known(track.rest, targets) for track in each], axis=0).tolist() for each in (train, valid)]
    known = dict(zip(targets, zip(*counts, strict=True), strict=True))
    for target, (count, _) in known.items():
        if not count and target not in extras:
            raise DataError(f"{place}: no song to train on has {target}, which this model separates")
    spread, consecutive = _validation(preset, valid, cache)
    everything = [*train, *valid, *(t for found in extras.values() for t in found)]
    return Datasets(
        _mixer(preset, train, extras, cache),
        spread,
        consecutive,
        tracks.fingerprint(everything),
        len(train),
        known,
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
    _check_sound(joined, [track.rest for track in train], model.targets)
    banks = {stem: Bank(p, model.channels) for stem, p in joined.items()}
    whole = "accompaniment" in extras
    rests = [track.rest for track in train]
    return Mixer(banks, len(train), model, preset.data, voiced, preset.training.seed, whole, rests)


def _check_sound(prepared: dict[str, Prepared], rests: Sequence[tuple[str, ...]], targets: Sequence[str]) -> None:
    """Silence is soon learnt: a loss of 0, and a model that is good for nothing."""
    for target in targets:
        files = [
            file
            for stem in stems.TARGETS[target]
            for file, rest in zip(prepared[stem].files, [*rests, *[()] * len(prepared[stem].files)], strict=False)
            if stems.known(rest, [target]).all()
        ]
        if all(is_silent(file) for file in files):
            raise DataError(f"{target} is silent in all songs to train on; a model cannot learn it from them")


def training_batches(mixer: Mixer, batch_size: int, first_step: int = 0) -> tf.data.Dataset:
    """Endless batches from step `first_step` on: mixture `(batch, input_length, channels)`, references
    `(batch, targets, target_length, channels)` and which are known `(batch, targets)`."""
    numbers = tf.data.Dataset.range(first_step * batch_size, tf.int64.max)
    examples = numbers.map(_as_written(mixer.example), tf.data.AUTOTUNE, deterministic=True)
    return examples.batch(batch_size, drop_remainder=True).prefetch(4)


def _validation(preset: Preset, valid: list[Track], cache: Path) -> tuple[tf.data.Dataset, tf.data.Dataset]:
    """Fixed fragments, mixed as the songs are: spread evenly over each track; and one after the other, from the middle
    of the first. The former come in mono as well where training has narrow examples: what is asked for is judged."""
    model, length = preset.model, preset.data.target_length
    prepared = {stem: prepare(valid, stem, model, cache) for stem in STEMS}
    banks = {stem: Bank(p, model.channels) for stem, p in prepared.items()}
    lengths, at_most = prepared["vocals"].lengths, int(VALIDATION_SECONDS * model.sample_rate)
    spread = [
        (track, start, mono)
        for mono in range(2 if preset.data.narrow else 1)
        for track, samples in enumerate(lengths)
        for start in _spread(samples, length, at_most)
    ]
    begin = max(0, lengths[0] - at_most) // 2
    consecutive = [(0, start, 0) for start in range(begin, begin + min(lengths[0], at_most), length)]
    weights = tf.constant(stems.weights(model.targets))
    known = _known([track.rest for track in valid], model.targets)

    def example(place: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        start, inputs = place[1] - model.context, model.input_length(length)
        sources = tf.stack([banks[stem].fragment(place[0], start, inputs) for stem in STEMS])
        mono = partial(width.narrow, sources, tf.constant(0.0))
        sources = tf.cond(place[2] > 0, mono, partial(tf.identity, sources))
        return *mix_down(sources, weights, model.context, model.lookahead), known[place[0]]

    def fragments(places: list[tuple[int, int, int]]) -> tf.data.Dataset:
        numbers = tf.data.Dataset.from_tensor_slices(np.array(places, np.int64))
        return numbers.map(_as_written(example), tf.data.AUTOTUNE).batch(preset.training.batch_size).prefetch(4)

    return fragments(spread), fragments(consecutive)


def _spread(samples: int, length: int, at_most: int) -> list[int]:
    """Starts of fragments that do not overlap, evenly spread; one at 0 if the track is shorter than a fragment."""
    count = max(1, min(samples, at_most) // length)
    return np.linspace(0, max(0, samples - length), count).astype(int).tolist()
