"""Training examples: a function of the seed and their number, mixed exactly as the preset says."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import tensorflow as tf
from conftest import write_track

from tfwavesep import config
from tfwavesep.config import DataConfig, Preset
from tfwavesep.data import examples, tracks
from tfwavesep.data.cache import Prepared
from tfwavesep.data.examples import Bank, Mixer
from tfwavesep.errors import DataError, TfwavesepError
from tfwavesep.stems import STEMS
from tfwavesep.store import StoredConfig

TARGET_LENGTH = 200
PLAIN = DataConfig(target_length=TARGET_LENGTH)
REMIX = DataConfig(target_length=TARGET_LENGTH, remix=1.0)
LENGTHS = [1000, 1300, 700]
"""Samples of each song."""

MakeMixer = Callable[..., Mixer]


def value(stem: int, track: int) -> int:
    """What all samples of one stem of one song are, in 16 bits, on the left; the right has 1 more.

    Any sum of one value for each stem tells which they were.
    """
    return (track + 1) * 8 ** (4 - stem)


def tell(mixture: float) -> list[int]:
    """The songs of the four stems in one sample of a mixture; -1 where a stem is silent."""
    whole = round(mixture * 32768)
    return [whole // 8 ** (4 - stem) % 8 - 1 for stem in range(len(STEMS))]


def write_prepared(folder: Path, *songs: np.ndarray) -> Prepared:
    """Files as the cache keeps them."""
    folder.mkdir(parents=True)
    files = [folder / f"{number}.wav" for number in range(len(songs))]
    for file, song in zip(files, songs, strict=True):
        soundfile.write(file, song.astype(np.int16), 8000, "PCM_16")
    return Prepared(files, [len(song) for song in songs])


def noise(length: int, channels: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-30000, 30000, (length, channels))


@pytest.fixture
def noises(tmp_path: Path) -> Prepared:
    """Three songs of noise, mono."""
    return write_prepared(tmp_path / "noises", *(noise(length, 1, length) for length in LENGTHS))


@pytest.fixture
def make_mixer(tmp_path: Path, tiny: Preset) -> MakeMixer:
    """Mixers of songs whose stems are noise, or constants that `tell` recognises."""

    def make(
        options: DataConfig,
        constant: bool = False,
        channels: int = 1,
        extra: dict[str, int] | None = None,
        voiced: np.ndarray | None = None,
        seed: int = 0,
        whole_accompaniment: bool = False,
        vocals: list[np.ndarray] | None = None,
        rests: Sequence[tuple[str, ...]] = (),
        two_stems: bool = False,
        lengths: list[int] = LENGTHS,
    ) -> Mixer:
        folder = tmp_path / str(sum(1 for _ in tmp_path.iterdir()))
        banks = {}
        for i, stem in enumerate(STEMS):
            all_lengths = lengths + [800] * (extra or {}).get(stem, 0)
            if constant:
                songs = [np.full((n, channels), value(i, t)) + np.arange(channels) for t, n in enumerate(all_lengths)]
            else:
                songs = [noise(n, channels, 10 * i + t) // 4 for t, n in enumerate(all_lengths)]
            songs = vocals if vocals and stem == "vocals" else songs
            banks[stem] = Bank(write_prepared(folder / stem, *songs), channels)
        places = np.zeros((0, 2), np.int64) if voiced is None else voiced
        model = dataclasses.replace(StoredConfig.of(tiny.model), channels=channels, lookahead=10)
        if two_stems:
            model = dataclasses.replace(model, stems=("vocals",), residual="accompaniment")
        return Mixer(banks, len(lengths), model, options, places, seed, whole_accompaniment, rests)

    return make


def drawn(mixer: Mixer, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first examples: mixtures `(count, time, channels)`, references `(count, targets, time, channels)`."""
    example = tf.function(mixer.example, autograph=False)
    drawn = (example(tf.constant(number, tf.int64))[:2] for number in range(count))
    mixtures, references = zip(*drawn, strict=True)
    return np.stack(mixtures), np.stack(references)


def centre(mixtures: np.ndarray, mixer: Mixer) -> np.ndarray:
    """The part that has references."""
    return mixtures[:, mixer.context : mixtures.shape[1] - mixer.lookahead]


def songs_of(mixer: Mixer, count: int) -> np.ndarray:
    """Which song each stem is from, `(count, 4)`, in examples of constants; -1 for silence."""
    mixtures, _ = drawn(mixer, count)
    return np.array([tell(mixture[:, 0].max()) for mixture in centre(mixtures, mixer)])


@pytest.mark.parametrize("channels", [1, 2])
def test_what_is_read_is_what_was_written(tmp_path: Path, channels: int) -> None:
    song = noise(5000, channels, 0)
    (file,) = write_prepared(tmp_path / "song ü", song).files
    in_graph = tf.function(examples.read, autograph=False)
    for start, length in ((0, 5000), (17, 4001), (300, 1)):
        part = in_graph(tf.constant(str(file)), tf.constant(start, tf.int64), length)
        assert part.dtype == tf.float32
        np.testing.assert_array_equal(part * 32768, song[start : start + length])


def test_reading_in_parallel_mixes_nothing_up(tmp_path: Path) -> None:
    songs = [noise(500 + 37 * number, 1, number) for number in range(40)]
    files = [str(file) for file in write_prepared(tmp_path / "songs", *songs).files]
    parts = tf.data.Dataset.from_tensor_slices(files).map(lambda file: examples.read(file, 7, 400), 8)
    for song, part in zip(songs, parts.as_numpy_iterator(), strict=True):
        np.testing.assert_array_equal(part * 32768, song[7:407])


def test_fragments_are_zero_beyond_the_ends(noises: Prepared) -> None:
    fragment = tf.function(Bank(noises, 1).fragment)
    places = [(0, 100), (650, 100), (-30, 100), (-30, 2000), (-500, 100), (-100, 100), (700, 100), (9000, 100)]
    for track, file in enumerate(noises.files):
        padded = np.pad(soundfile.read(file, dtype="float32", always_2d=True)[0], [(10000, 12000), (0, 0)])
        for start, length in places:
            samples = fragment(tf.constant(track, tf.int64), tf.constant(start, tf.int64), length)
            assert samples.dtype == tf.float32
            np.testing.assert_array_equal(samples, padded[10000 + start : 10000 + start + length])


def test_same_number_same_example(make_mixer: MakeMixer) -> None:
    options = dataclasses.replace(REMIX, remix=0.5, gain_min=0.5, flip_polarity=True, drop=0.2)
    (first, _), (again, _) = (drawn(make_mixer(options), 8) for _ in range(2))
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("options", [PLAIN, REMIX])
def test_different_numbers_and_seeds_differ(make_mixer: MakeMixer, options: DataConfig) -> None:
    mixtures = np.concatenate([drawn(make_mixer(options, seed=seed), 8)[0] for seed in (0, 1)])
    assert len({mixture.tobytes() for mixture in mixtures}) == 16


@pytest.mark.parametrize(("batch_size", "first_step"), [(1, 0), (2, 3), (3, 2), (6, 1)])
def test_examples_do_not_depend_on_batches_or_interruptions(
    make_mixer: MakeMixer, batch_size: int, first_step: int
) -> None:
    mixer = make_mixer(dataclasses.replace(REMIX, remix=0.5, drop=0.1))
    mixtures, references = drawn(mixer, 12)
    first = batch_size * first_step
    batches = examples.training_batches(mixer, batch_size, first_step).take((12 - first) // batch_size)
    got = list(batches.as_numpy_iterator())
    np.testing.assert_array_equal(np.concatenate([m for m, _, _ in got]), mixtures[first:])
    np.testing.assert_array_equal(np.concatenate([r for _, r, _ in got]), references[first:])


@pytest.mark.parametrize("channels", [1, 2])
def test_references_sum_to_the_mixtures_centre(make_mixer: MakeMixer, channels: int) -> None:
    options = dataclasses.replace(REMIX, gain_min=0.5, flip_polarity=True, swap_channels=True, drop=0.2)
    mixer = make_mixer(options, channels=channels)
    mixtures, references = drawn(mixer, 16)
    assert mixtures.shape == (16, mixer.input_length, channels)
    assert references.shape == (16, 4, TARGET_LENGTH, channels)
    np.testing.assert_allclose(references.sum(axis=1), centre(mixtures, mixer), atol=1e-6)


def test_references_are_the_models_targets(make_mixer: MakeMixer, tiny: Preset) -> None:
    mixer = make_mixer(PLAIN)
    _, sources = drawn(mixer, 4)
    mixer.weights = tf.constant([[0.0, 1, 1, 1], [1, 0, 0, 0]])
    _, references = drawn(mixer, 4)
    np.testing.assert_allclose(references[:, 0], sources[:, 1:].sum(axis=1), atol=1e-6)
    np.testing.assert_array_equal(references[:, 1], sources[:, 0])


def test_without_remixing_examples_are_the_songs_own_samples(make_mixer: MakeMixer) -> None:
    """Whatever else remixed examples would meet."""
    options = dataclasses.replace(PLAIN, gain_min=0.1, gain_max=0.2, flip_polarity=True, swap_channels=True)
    mixer = make_mixer(options, channels=2)
    fragments = [tf.function(mixer.banks[stem].fragment) for stem in STEMS]
    songs = [
        np.stack([fragment(tf.constant(t, tf.int64), tf.constant(0, tf.int64), n) for fragment in fragments])
        for t, n in enumerate(LENGTHS)
    ]
    found = set()
    for references in drawn(mixer, 32)[1]:
        places = [
            (t, int(start))
            for t, song in enumerate(songs)
            for start in np.flatnonzero(song[0, :, 0] == references[0, 0, 0])
            if np.array_equal(song[:, start : start + TARGET_LENGTH], references)
        ]
        assert len(places) == 1
        found |= set(places)
    assert {track for track, _ in found} == {0, 1, 2}
    assert len(found) > 24


def test_context_is_real_music(make_mixer: MakeMixer) -> None:
    """Zeros stand beyond the ends of the song only: at one end, so that what is seen at the other is whole."""
    mixer = make_mixer(PLAIN, constant=True)
    assert mixer.lookahead < mixer.context
    for mixture in drawn(mixer, 32)[0][..., 0]:
        inside = np.flatnonzero(mixture)
        assert (np.diff(inside) == 1).all()
        assert len(inside) == mixer.input_length or len(inside) >= mixer.lookahead + TARGET_LENGTH


@pytest.mark.parametrize("remix", [0.0, 1.0])
def test_dropping_all_gives_silence(make_mixer: MakeMixer, remix: float) -> None:
    mixtures, references = drawn(make_mixer(dataclasses.replace(PLAIN, remix=remix, drop=1.0)), 4)
    assert not mixtures.any()
    assert not references.any()


def test_stems_are_dropped_each_by_itself(make_mixer: MakeMixer) -> None:
    dropped = songs_of(make_mixer(dataclasses.replace(REMIX, drop=0.3), constant=True), 200) < 0
    np.testing.assert_allclose(dropped.mean(axis=0), 0.3, atol=0.1)
    np.testing.assert_allclose(np.corrcoef(dropped.T)[np.triu_indices(4, 1)], 0, atol=0.2)


@pytest.mark.parametrize("remix", [0.0, 0.3, 1.0])
def test_remix_says_how_many_examples_join_songs(make_mixer: MakeMixer, remix: float) -> None:
    songs = songs_of(make_mixer(dataclasses.replace(REMIX, remix=remix), constant=True), 200)
    assert set(songs.ravel()) == {0, 1, 2}
    joined = (songs != songs[:, :1]).any(axis=1).mean()
    assert joined == pytest.approx(remix * (1 - 1 / 3**3), abs=0.1)


def test_gains_fill_their_range(make_mixer: MakeMixer) -> None:
    options = dataclasses.replace(REMIX, gain_min=0.5, gain_max=1.5, drop=0.3)
    songs = np.array([[value(i, t) for t in range(3)] for i in range(4)]) / 32768
    _, references = drawn(make_mixer(options, constant=True), 200)
    levels = references[:, :, 0, 0]
    allowed = [(0.5 * songs[i].min(), 1.5 * songs[i].max()) for i in range(4)]
    for i, (least, most) in enumerate(allowed):
        heard = levels[levels[:, i] > 0, i]
        assert least - 1e-7 <= heard.min() < 1.2 * least
        assert 0.8 * most < heard.max() <= most + 1e-7
    np.testing.assert_allclose(np.corrcoef(levels.T)[np.triu_indices(4, 1)], 0, atol=0.3)


@pytest.mark.parametrize("flip", [True, False])
def test_polarity_is_drawn(make_mixer: MakeMixer, flip: bool) -> None:
    _, references = drawn(make_mixer(dataclasses.replace(REMIX, flip_polarity=flip), constant=True), 200)
    negative = (references[:, :, 0, 0] < 0).mean(axis=0)
    np.testing.assert_allclose(negative, 0.5 if flip else 0, atol=0.1 if flip else 0)


@pytest.mark.parametrize("swap", [True, False])
def test_channels_are_swapped_in_half(make_mixer: MakeMixer, swap: bool) -> None:
    mixer = make_mixer(dataclasses.replace(REMIX, swap_channels=swap), constant=True, channels=2)
    references = drawn(mixer, 200)[1][:, :, 0]
    swapped = (references[..., 0] > references[..., 1]).mean(axis=0)
    np.testing.assert_allclose(swapped, 0.5 if swap else 0, atol=0.1 if swap else 0)


def test_widths_and_wear_leave_all_other_draws_as_they_are(make_mixer: MakeMixer) -> None:
    """And the references go on to sum to the mixture."""
    options = dataclasses.replace(REMIX, gain_min=0.5, swap_channels=True, extra_share=1.0)
    changes = {"spread": True, "narrow": 0.5, "worn": 0.5}
    mixers = [make_mixer(replaced, channels=2, extra={"vocals": 2}) for replaced in
              (options, dataclasses.replace(options, **{name: type(v)(0) for name, v in changes.items()}))]  # fmt: skip
    np.testing.assert_array_equal(drawn(mixers[0], 8)[0], drawn(mixers[1], 8)[0])
    mixer = make_mixer(dataclasses.replace(options, **changes), channels=2, extra={"vocals": 2})
    mixtures, references = drawn(mixer, 24)
    np.testing.assert_allclose(references.sum(axis=1), centre(mixtures, mixer), atol=1e-6)
    mono = (mixtures[..., 0] == mixtures[..., 1]).all(axis=1)
    assert 0.05 < mono.mean() < 0.5


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_mono_extra_material_is_spread_if_asked_for(make_mixer: MakeMixer, share: float) -> None:
    voice = [np.repeat(noise(3000, 1, number), 2, axis=1) for number in range(len(LENGTHS) + 2)]
    options = dataclasses.replace(REMIX, extra_share=share, spread=True)
    mixer = make_mixer(options, channels=2, extra={"vocals": 2}, vocals=voice)
    vocals = drawn(mixer, 8)[1][:, 0]
    assert (vocals[..., 0] == vocals[..., 1]).all() == (not share)  # a song's own voice stays where it is


@pytest.mark.parametrize(("stem", "share"), [("vocals", 0.4), ("vocals", 1.0), ("other", 0.4), ("other", 0.0)])
def test_extra_material_is_drawn_for_its_stem_alone(make_mixer: MakeMixer, stem: str, share: float) -> None:
    mixer = make_mixer(dataclasses.replace(REMIX, extra_share=share), constant=True, extra={stem: 2})
    songs = songs_of(mixer, 200)
    extra = songs >= len(LENGTHS)
    place = STEMS.index(stem)
    assert extra[:, place].mean() == pytest.approx(share, abs=0.1)
    assert not np.delete(extra, place, axis=1).any()
    assert set(songs[extra]) == ({3, 4} if share else set())
    if share < 1:
        assert set(songs[~extra]) == {0, 1, 2}


def test_extra_material_is_not_drawn_without_remixing(make_mixer: MakeMixer) -> None:
    mixer = make_mixer(dataclasses.replace(PLAIN, extra_share=1.0), constant=True, extra={"vocals": 2})
    assert songs_of(mixer, 100).max() < len(LENGTHS)


def test_a_whole_accompaniment_silences_drums_and_bass(make_mixer: MakeMixer) -> None:
    mixer = make_mixer(REMIX, constant=True, extra={"other": 2}, whole_accompaniment=True)
    vocals, drums, bass, other = songs_of(mixer, 200).T
    replaced = other >= len(LENGTHS)
    assert 0.3 < replaced.mean() < 0.7
    np.testing.assert_array_equal(drums < 0, replaced)
    np.testing.assert_array_equal(bass < 0, replaced)
    assert vocals.min() == 0


REST = ("drums", "bass", "other")


def known_of(mixer: Mixer, count: int) -> np.ndarray:
    """Which targets are known, `(count, targets)`."""
    example = tf.function(mixer.example, autograph=False)
    return np.stack([example(tf.constant(number, tf.int64))[2] for number in range(count)])


@pytest.mark.parametrize("two_stems", [False, True])
def test_of_a_song_with_some_stems_what_is_known_is_told(make_mixer: MakeMixer, two_stems: bool) -> None:
    """The third song's accompaniment is in one piece: the mixture holds it, once, and a model of four stems is told to
    look at the vocals alone."""
    mixer = make_mixer(PLAIN, constant=True, rests=[(), (), REST], two_stems=two_stems)
    songs, known = songs_of(mixer, 60), known_of(mixer, 60)
    part = songs[:, 0] == 2
    assert 10 < part.sum() < 30
    assert (songs[part] == [2, -1, -1, 2]).all()
    assert known[~part].all()
    assert (known[part] == ([1, 1] if two_stems else [1, 0, 0, 0])).all()


def test_remixing_takes_known_stems_alone(make_mixer: MakeMixer) -> None:
    mixer = make_mixer(REMIX, constant=True, rests=[(), (), REST])
    songs = songs_of(mixer, 100)
    assert set(songs[:, 0]) == {0, 1, 2}
    assert set(songs[:, 1:].ravel()) == {0, 1}
    assert known_of(mixer, 100).all()


def test_remixing_takes_a_sum_that_no_target_tells_apart(make_mixer: MakeMixer) -> None:
    """It stands for all its stems."""
    mixer = make_mixer(REMIX, constant=True, rests=[(), (), REST], two_stems=True)
    vocals, drums, bass, other = songs_of(mixer, 200).T
    assert (other == 2).mean() == pytest.approx(1 / 3, abs=0.1)
    assert (vocals != other).mean() == pytest.approx(2 / 3, abs=0.1)
    for stem in (drums, bass):
        np.testing.assert_array_equal(stem < 0, other == 2)
        assert set(stem) == {-1, 0, 1}


def test_stems_that_no_song_knows_are_silent_in_remixes(make_mixer: MakeMixer) -> None:
    mixer = make_mixer(REMIX, constant=True, rests=[REST] * 3, two_stems=True)
    songs = songs_of(mixer, 60)
    assert (songs[:, [1, 2]] == -1).all()
    assert set(songs[:, 0]) == set(songs[:, 3]) == {0, 1, 2}


@pytest.mark.parametrize(
    ("remix", "share", "least", "most"),
    [(0.0, 0.0, 0.1, 0.5), (1.0, 0.5, 0.5, 0.8), (0.0, 1.0, 1, 1), (1.0, 1.0, 1, 1)],
)
def test_voiced_share_says_how_many_fragments_hold_vocals(
    make_mixer: MakeMixer, remix: float, share: float, least: float, most: float
) -> None:
    vocals = [np.zeros((length, 1)) for length in LENGTHS]
    places = np.array([[1, 0], [1, 400], [2, 400]])
    for track, start in places:
        vocals[track][start : start + 100] = 1000
    options = dataclasses.replace(PLAIN, remix=remix, voiced_share=share)
    mixer = make_mixer(options, constant=True, vocals=vocals, voiced=places)
    _, references = drawn(mixer, 200)
    assert least <= references[:, 0].any(axis=(1, 2)).mean() <= most
    assert share < 1 or 0.3 < references[:, 0, TARGET_LENGTH // 2, 0].astype(bool).mean() < 0.8


@pytest.mark.parametrize(("draw", "shares"), [("song", [1 / 3, 1 / 3, 1 / 3]), ("minute", [0.5, 0.3, 0.2])])
@pytest.mark.parametrize("voiced_share", [0.0, 1.0])
def test_songs_or_minutes_are_drawn_evenly(
    make_mixer: MakeMixer, draw: str, shares: list[float], voiced_share: float
) -> None:
    """Where somebody sings as well: otherwise who sings much in a long song would be heard most."""
    options = dataclasses.replace(PLAIN, draw=draw, voiced_share=voiced_share)
    places = np.array([[song, 10 * chunk] for song, chunks in enumerate((50, 30, 20)) for chunk in range(chunks)])
    mixer = make_mixer(options, constant=True, voiced=places, lengths=[1500, 900, 600])
    songs = songs_of(mixer, 400)
    assert (songs == songs[:, :1]).all()
    np.testing.assert_allclose(np.bincount(songs[:, 0]) / 400, shares, atol=0.08)


@pytest.mark.parametrize(("draw", "share"), [("song", 1 / 3), ("minute", 1500 / 3000)])
def test_stems_that_are_remixed_are_drawn_likewise(make_mixer: MakeMixer, draw: str, share: float) -> None:
    options = dataclasses.replace(PLAIN, draw=draw, remix=1.0)
    songs = songs_of(make_mixer(options, constant=True, lengths=[1500, 900, 600]), 400)
    np.testing.assert_allclose((songs == 0).mean(axis=0), share, atol=0.08)


def preset_with(tiny: Preset, **options: Any) -> Preset:
    """The tiny preset with short examples."""
    short = dataclasses.replace(tiny.data, target_length=TARGET_LENGTH, **options)
    return dataclasses.replace(tiny, data=short)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two songs to train on and two to validate on, 0.2 s each: 1600 samples of the tiny preset."""
    for seed, name in enumerate(("train/a", "train/b", "valid/c", "valid/d")):
        write_track(tmp_path / "root" / name, seconds=0.2, seed=seed)
    return tmp_path / "root"


def fingerprint(root: Path) -> str:
    return tracks.fingerprint(t for subset in ("train", "valid") for t in tracks.find_tracks(root, subset))


def test_validation_is_the_same_twice_and_covers_every_track(root: Path, tiny: Preset, tmp_path: Path) -> None:
    valid = examples.open_datasets(preset_with(tiny, remix=1.0, drop=0.5), root, cache=tmp_path / "cache").valid
    first, again = (list(valid.as_numpy_iterator()) for _ in range(2))
    for batch, same_batch in zip(first, again, strict=True):
        for array, same_array in zip(batch, same_batch, strict=True):
            np.testing.assert_array_equal(array, same_array)
    vocals = np.concatenate([references for _, references, _ in first])[:, 0].reshape(2, -1)
    files = sorted((tmp_path / "cache").rglob("vocals/[cd].wav"), key=lambda file: file.name)
    np.testing.assert_array_equal(vocals, [soundfile.read(file, dtype="float32")[0] for file in files])


def test_validation_mixes_songs_as_they_are(root: Path, tiny: Preset, tmp_path: Path) -> None:
    preset = preset_with(tiny, drop=1.0, gain_min=0.1)
    context = preset.model.context
    for mixture, references, known in examples.open_datasets(preset, root, cache=tmp_path).valid.as_numpy_iterator():
        assert known.all()
        inner = mixture[:, context : mixture.shape[1] - context]
        np.testing.assert_allclose(references.sum(axis=1), inner, atol=1e-6)
        assert references.any(axis=(2, 3)).all()


def test_validation_hears_each_fragment_in_mono_too_where_training_does(
    root: Path, tiny: Preset, tmp_path: Path
) -> None:
    for file in root.rglob("*.wav"):
        rate = soundfile.info(file).samplerate
        soundfile.write(file, noise(int(0.2 * rate), 2, len(str(file))).astype(np.int16), rate)
    stereo = config.override(tiny, ["model.channels=2"])
    once, twice = (
        np.concatenate(
            [batch[0] for batch in examples.open_datasets(preset, root, cache=tmp_path).valid.as_numpy_iterator()]
        )
        for preset in (preset_with(stereo), preset_with(stereo, narrow=0.5))
    )
    np.testing.assert_array_equal(twice[: len(once)], once)
    np.testing.assert_allclose(twice[len(once) :], once.mean(axis=2, keepdims=True).repeat(2, axis=2), atol=1e-6)
    assert np.ptp(once, axis=2).max() > 0.1


@pytest.mark.parametrize("samples", [1, 199, 200, 201, 1999, 100_000])
def test_validation_fragments_do_not_overlap(samples: int) -> None:
    starts = examples._spread(samples, 200, 20_000)
    assert len(starts) == max(1, min(samples, 20_000) // 200)
    assert starts[0] == 0
    assert (np.diff(starts) >= 200).all()
    assert starts[-1] == max(0, samples - 200) or len(starts) == 1


def test_songs_shorter_than_an_example_are_padded(root: Path, tiny: Preset, tmp_path: Path) -> None:
    preset = dataclasses.replace(tiny, data=DataConfig(target_length=3000, voiced_share=0.5))
    datasets = examples.open_datasets(preset, root, cache=tmp_path / "cache")
    files = sorted((tmp_path / "cache").rglob("vocals/[ab].wav"), key=lambda file: file.name)
    songs = [np.pad(soundfile.read(file, dtype="float32")[0], (0, 1400)) for file in files]
    _, references = drawn(datasets.mixer, 8)
    for vocals in references[:, 0, :, 0]:
        assert any(np.array_equal(vocals, song) for song in songs)
    assert sum(len(m) for m, _, _ in datasets.valid.as_numpy_iterator()) == 2


@pytest.fixture
def extra(tmp_path: Path) -> Path:
    folder = tmp_path / "extra"
    folder.mkdir()
    for number in range(3):
        soundfile.write(folder / f"{number}.wav", np.full((4000, 2), [0.25, 0.5]), 16000)
    return folder


@pytest.mark.parametrize(("side", "level"), [("", 0.375), ("@right", 0.5)])
def test_extra_material_joins_its_stem(root: Path, tiny: Preset, extra: Path, side: str, level: float) -> None:
    preset = preset_with(tiny, remix=1.0, extra_share=1.0, gain_min=1.0, gain_max=1.0, flip_polarity=False, drop=0.0)
    datasets = examples.open_datasets(preset, root, (f"vocals={extra}{side}",), root.parent / "cache")
    assert (datasets.record()["songs"], datasets.record()["extra"]) == (2, {"vocals": 3})
    assert datasets.fingerprint != fingerprint(root)
    vocals = drawn(datasets.mixer, 8)[1][:, 0, 50:150]
    np.testing.assert_allclose(vocals, level, atol=0.05)


def test_extra_accompaniment_is_all_there_is_beside_the_vocals(root: Path, extra: Path) -> None:
    options = DataConfig(target_length=TARGET_LENGTH, remix=1.0, extra_share=1.0)
    singing = ['model.stems=["vocals"]', "model.residual=accompaniment"]
    preset = dataclasses.replace(config.override(config.load_preset("tiny"), singing), data=options)
    datasets = examples.open_datasets(preset, root, (f"accompaniment={extra}",), root.parent / "cache")
    assert datasets.record()["extra"] == {"accompaniment": 3}
    accompaniment = drawn(datasets.mixer, 8)[1][:, 1, 50:150]
    np.testing.assert_allclose(accompaniment, 0.375, atol=0.05)


@pytest.mark.parametrize(
    ("settings", "texts", "message"),
    [
        ([], ["accompaniment"], "separates vocals, drums, bass, other, not accompaniment"),
        (['model.stems=["vocals"]', "model.residual=accompaniment"], ["accompaniment", "other"], "cannot both"),
        (['model.stems=["vocals"]', "model.residual=accompaniment"], ["other", "accompaniment"], "cannot both"),
        ([], ["guitar"], "must be STEM=FOLDER"),
    ],
)
def test_extra_material_that_cannot_help_is_refused(
    root: Path, tiny: Preset, extra: Path, settings: list[str], texts: list[str], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        examples.open_datasets(config.override(tiny, settings), root, tuple(f"{t}={extra}" for t in texts))


@pytest.mark.parametrize(("remix", "message"), [(0.5, "at least 2"), (0.0, "both are needed")])
def test_too_few_tracks_are_refused(tmp_path: Path, tiny: Preset, remix: float, message: str) -> None:
    write_track(tmp_path / "only one", seconds=0.1)
    with pytest.raises(DataError, match=message):
        examples.open_datasets(preset_with(tiny, remix=remix), tmp_path)


def silence(root: Path, stem: str) -> None:
    for file in root.glob(f"*/*/{stem}.wav"):
        soundfile.write(file, np.zeros((3200, 2)), 16000)


def test_a_target_that_is_always_silent_is_refused(root: Path, tiny: Preset) -> None:
    silence(root, "bass")
    with pytest.raises(DataError, match="bass is silent in all songs to train on"):
        examples.open_datasets(preset_with(tiny), root)


def test_a_target_that_no_song_knows_is_refused(root: Path, tiny: Preset) -> None:
    for file in root.glob("train/*/*.wav"):
        if file.stem in ("drums", "bass"):
            file.unlink()
    with pytest.raises(DataError, match="no song to train on has drums, which this model separates"):
        examples.open_datasets(preset_with(tiny), root)


def test_a_stem_without_samples_is_named(root: Path, tiny: Preset) -> None:
    soundfile.write(root / "train" / "a" / "drums.wav", np.zeros((0, 2)), 16000)
    with pytest.raises(TfwavesepError, match=r"a/drums\.wav: holds no samples"):
        examples.open_datasets(preset_with(tiny), root)


def test_songs_with_some_stems_train_and_validate_in_those(root: Path, tiny: Preset, tmp_path: Path) -> None:
    for song in ("train/b", "valid/d"):
        for stem in ("drums", "bass"):
            (root / song / f"{stem}.wav").unlink()
    datasets = examples.open_datasets(preset_with(tiny), root, cache=tmp_path / "cache")
    assert datasets.known == {"vocals": (2, 2), "drums": (1, 1), "bass": (1, 1), "other": (2, 2)}
    known = np.concatenate([known for _, _, known in datasets.valid.as_numpy_iterator()])
    assert sorted(map(tuple, np.unique(known, axis=0).tolist())) == [(1, 0, 0, 1), (1, 1, 1, 1)]


def test_what_serves_no_target_is_left_out_and_told(root: Path, tiny: Preset) -> None:
    write_track(root / "train" / "drums only", seconds=0.2)
    for stem in ("vocals", "bass", "other"):
        (root / "train" / "drums only" / f"{stem}.wav").unlink()
    (root / "train" / "nothing").mkdir()
    (root / "train" / "a" / "mixture.wav").rename(root / "train" / "nothing" / "mixture.wav")
    singing = config.override(preset_with(tiny), ['model.stems=["vocals"]', "model.residual=accompaniment"])
    told: list[str] = []
    assert examples.open_datasets(singing, root, report=told.append).songs == 2
    assert told == [
        f"left out: {root / 'train' / 'nothing'}: lacks at least one of vocals, drums, bass, other",
        "left out: drums only: know none of vocals, accompaniment",
    ]


@pytest.mark.parametrize("speeds", [(1.0,), (0.9, 1.0, 1.1)])
def test_record_and_fingerprint_tell_the_data(
    root: Path, tiny: Preset, tmp_path: Path, speeds: tuple[float, ...]
) -> None:
    """A song counts once, at however many speeds."""
    datasets = examples.open_datasets(preset_with(tiny, speeds=speeds), root, cache=tmp_path)
    assert datasets.record() == {"fingerprint": fingerprint(root), "songs": 2, "extra": {}}
