"""Stems on disk: exact sums in every format that allows it, one gain or clamped where they would clip."""

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tfwavesep.audio import Format, FormatError, open_audio
from tfwavesep.errors import AudioError, ConfigError, OutputError
from tfwavesep.separation import Piece
from tfwavesep.stemfiles import CLIP_MODES, Choice, Written, stem_files

TARGETS = ("vocals", "drums", "bass", "other")
EXACT = [("wav", "16"), ("wav", "24"), ("wav", "float"), ("flac", "16"), ("flac", "24")]
RATE = 44100


def pieces(loudness: float = 0.2, channels: int = 2, bits: int = 16) -> list[Piece]:
    """A second of music in a few pieces, whose mixture is of whole steps."""
    noise = np.random.default_rng(1)
    mixture = np.clip(noise.normal(0, loudness, (RATE, channels)), -1, 1 - 2.0**-15)
    mixture = (np.round(mixture * 2 ** (bits - 1)) / 2 ** (bits - 1)).astype(np.float32)
    estimates = (loudness * noise.standard_normal((3, RATE, channels))).astype(np.float32)
    return [Piece(mixture, estimates)[slice(a, b)] for a, b in ((0, 1), (1, 30000), (30000, RATE))]


def write(
    folder: Path, form: Format, music: list[Piece], choice: Choice | None = None, clip_mode: str = "rescale"
) -> tuple[dict[str, np.ndarray], Written]:
    choice = choice or Choice.of(TARGETS)
    paths = {stem: folder / f"{stem}.{form.extension}" for stem in choice.written}
    with stem_files(paths, choice, form, RATE, music[0].mixture.shape[1], clip_mode) as (append, account):
        for piece in music:
            append(piece)
    return {stem: soundfile.read(path, always_2d=True)[0] for stem, path in paths.items()}, account


def test_a_folder_in_the_place_of_one_stem_stops_all(tmp_path: Path) -> None:
    (tmp_path / "other.wav").mkdir()
    with pytest.raises(OutputError, match=r"other\.wav: is a folder, not a file"):
        write(tmp_path, Format(), pieces())
    assert [path.name for path in tmp_path.iterdir()] == ["other.wav"]


def test_what_is_cut_does_not_depend_on_where_pieces_begin(tmp_path: Path) -> None:
    """The mixture is beyond full scale in many of them, a stem in the first alone."""
    mixture = np.random.default_rng(1).normal(0, 0.5, (RATE, 2)).astype(np.float32)
    estimates = np.stack([0.3 * mixture] * 3)
    estimates[0, 0] = 2
    whole = Piece(mixture, estimates)
    parts = [whole[slice(place, place + 1000)] for place in range(0, RATE, 1000)]
    form = Format.parse("wav", "16")
    (one, account), (many, _) = (write(tmp_path / str(len(m)), form, m, clip_mode="clamp") for m in ([whole], parts))
    assert account.clipped
    for stem in TARGETS:
        np.testing.assert_array_equal(one[stem], many[stem])


@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("loudness", [0.1, 1.0])
@pytest.mark.parametrize("clip_mode", ["rescale", "clamp"])
@pytest.mark.parametrize(("extension", "bits"), EXACT)
def test_stems_sum_to_the_mixture_exactly(
    tmp_path: Path, extension: str, bits: str, clip_mode: str, loudness: float, channels: int
) -> None:
    music = pieces(loudness, channels)
    stems, account = write(tmp_path, Format.parse(extension, bits), music, clip_mode=clip_mode)
    mixture = np.concatenate([piece.mixture for piece in music]).astype(np.float64)
    total = np.sum(list(stems.values()), axis=0)
    if account.gain_db:
        scale = 2.0 ** (int(bits) - 1)
        mixture = np.rint(mixture * (10 ** (account.gain_db / 20)) * scale) / scale
    loud = loudness == 1.0 and bits != "float"
    if loudness < 1 or loud:  # float has no room for whole steps beyond twice full scale
        np.testing.assert_array_equal(total, mixture)
    np.testing.assert_allclose(total, mixture, atol=1e-6)
    assert account.frames == RATE
    assert bool(account.gain_db) == (loud and clip_mode == "rescale")
    assert bool(account.clipped) == (loud and clip_mode == "clamp")


@pytest.mark.parametrize(("sample", "softer"), [(-1.0, False), (1.0, True)])
def test_the_lowest_step_fits_as_it_is(tmp_path: Path, sample: float, softer: bool) -> None:
    """It is one further from zero than the highest."""
    loud = np.full((10, 1), sample, np.float32)
    _, account = write(tmp_path, Format.parse("wav", "16"), [Piece(loud, np.zeros((3, 10, 1), np.float32))])
    assert bool(account.gain_db) == softer


@pytest.mark.parametrize("extension", ["ogg", "mp3"])
def test_lossy_stems_come_close(tmp_path: Path, extension: str) -> None:
    music = pieces(0.05)
    time = np.arange(RATE)[:, np.newaxis] / RATE
    tone = np.broadcast_to(0.3 * np.sin(2 * np.pi * 440 * time), (RATE, 2)).astype(np.float32)
    music = [Piece(tone, np.stack([tone / 2, tone / 4, tone / 8]))]
    stems, account = write(tmp_path, Format.parse(extension), music)
    assert account.gain_db == 0
    assert {len(stem) for stem in stems.values()} == {RATE}
    total = np.sum(list(stems.values()), axis=0)
    np.testing.assert_allclose(total[2000:-2000], tone[2000:-2000], atol=0.01)


@pytest.mark.parametrize("extension", ["wav", "flac", "ogg", "mp3"])
def test_the_same_stems_are_the_same_bytes(tmp_path: Path, extension: str) -> None:
    for name in ("one", "two"):
        write(tmp_path / name, Format.parse(extension), pieces())
    for stem in TARGETS:
        one, two = (tmp_path / name / f"{stem}.{extension}" for name in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()


def test_of_a_model_of_two_stems_either_comes_first() -> None:
    piece = Piece(np.full((3, 1), 0.75, np.float32), np.full((1, 3, 1), 0.25, np.float32))  # vocals 0.25
    _, parts = Choice.of(["vocals", "accompaniment"], two_stems="accompaniment").steps(piece, 16)
    np.testing.assert_array_equal(parts[:, 0, 0], [0.5 * 2**15, 0.25 * 2**15])


def test_the_peak_is_told(tmp_path: Path) -> None:
    stems, account = write(tmp_path, Format(), pieces(2.0))
    assert account.peak == {stem: pytest.approx(np.abs(samples).max(), abs=1e-6) for stem, samples in stems.items()}


def test_silence_stays_exact_silence(tmp_path: Path) -> None:
    silence = Piece(np.zeros((1000, 2), np.float32), np.zeros((3, 1000, 2), np.float32))
    for extension, bits in EXACT:
        stems, _ = write(tmp_path / extension / bits, Format.parse(extension, bits), [silence])
        assert not any(np.any(stem) for stem in stems.values())


def test_clip_mode_none_refuses_with_the_place_and_leaves_nothing(tmp_path: Path) -> None:
    quiet, loud = pieces(0.01)[1], pieces(2.0)[1]
    with pytest.raises(AudioError, match=r"beyond full scale at 0\.680 s, which only float wav can"):
        write(tmp_path / "stems", Format.parse("flac"), [quiet, loud], clip_mode="none")
    assert not (tmp_path / "stems").exists()


def test_two_stems_are_one_and_the_rest(tmp_path: Path) -> None:
    music, form = pieces(0.05), Format.parse("wav", "16")
    four, _ = write(tmp_path / "four", form, music)
    for chosen in TARGETS:
        two, _ = write(tmp_path / chosen, form, music, Choice.of(TARGETS, two_stems=chosen))
        rest = "accompaniment" if chosen == "vocals" else f"no_{chosen}"
        assert list(two) == [chosen, rest]
        np.testing.assert_array_equal(two[chosen], four[chosen])
        np.testing.assert_array_equal(two[rest], np.sum([four[s] for s in TARGETS if s != chosen], axis=0))


@pytest.mark.parametrize("clip_mode", CLIP_MODES)
def test_some_stems_are_as_among_all(tmp_path: Path, clip_mode: str) -> None:
    form, music = Format.parse("wav", "16"), pieces(0.05 if clip_mode == "none" else 0.8)
    every, _ = write(tmp_path / "all", form, music, clip_mode=clip_mode)
    some, _ = write(tmp_path / "some", form, music, Choice.of(TARGETS, ("other", "drums")), clip_mode)
    assert list(some) == ["other", "drums"]
    for stem in some:
        np.testing.assert_array_equal(some[stem], every[stem])


def test_tags_are_carried_and_the_title_names_the_stem(tmp_path: Path) -> None:
    tags = {"title": "Für 音楽", "artist": "Björk", "album": "A", "date": "1997", "tracknumber": "3", "genre": "Pop"}
    choice = Choice.of(TARGETS, ("drums",))
    for extension in ("wav", "flac", "ogg", "mp3"):
        path = tmp_path / f"drums.{extension}"
        with stem_files({"drums": path}, choice, Format.parse(extension), RATE, 2, tags=tags) as (append, _):
            append(pieces()[1])
        with open_audio(path) as reader:
            assert reader.info.tags == {**tags, "title": "Für 音楽 (drums)"}


def test_unknown_stems_and_formats_are_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean 'vocals'"):
        Choice.of(TARGETS, ("vocal",))
    with pytest.raises(ConfigError, match="did you mean 'drums'"):
        Choice.of(TARGETS, two_stems="drum")
    with pytest.raises(ConfigError, match="unknown format 'wave'"):
        Format.parse("wave")
    with pytest.raises(ConfigError, match="bits 'float': flac has 24 or 16"):
        Format.parse("flac", "float")


@pytest.mark.parametrize("error", [KeyboardInterrupt, AudioError("bad")])
def test_an_error_on_the_way_leaves_nothing(tmp_path: Path, error: BaseException) -> None:
    paths = {"drums": tmp_path / "new" / "drums.flac"}
    opened = stem_files(paths, Choice.of(TARGETS, ("drums",)), Format.parse("flac"), RATE, 2)

    def interrupted() -> None:
        with opened as (append, _):
            append(pieces()[1])
            raise error

    with pytest.raises(type(error) if isinstance(error, Exception) else error):
        interrupted()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("extension", "channels", "rate", "message"),
    [("mp3", 6, 44100, ".mp3 cannot hold 6 channels; .wav can"),
     ("mp3", 2, 96000, ".mp3 cannot hold 96000 Hz; .wav can"),
     ("ogg", 2, 384000, ".ogg cannot hold 2 channels of VORBIS at 384000 Hz; .wav can"),
     ("flac", 9, 44100, ".flac cannot hold 9 channels of PCM_24 at 44100 Hz; .wav can")],
)  # fmt: skip
def test_what_a_format_cannot_hold_is_refused(
    tmp_path: Path, extension: str, channels: int, rate: int, message: str
) -> None:
    paths = {"drums": tmp_path / "new" / f"drums.{extension}"}
    with pytest.raises(FormatError, match=re.escape(message)):  # noqa: SIM117
        with stem_files(paths, Choice.of(TARGETS, ("drums",)), Format.parse(extension), rate, channels):
            pass
    assert not list(tmp_path.iterdir())
