"""Data roots: every layout is found, split the same way every time, and what lacks something is named."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import synthetic_stems, write_track

from tfwavesep.data import Track, tracks
from tfwavesep.errors import AudioError, DataError
from tfwavesep.stems import PARTS, STEMS, TARGETS

MUSDB_VALID = ("Actions - One Minute Smile", "Meaxic - Take A Step")
"""Two of the 14 that musdb's own split holds out."""


def make(root: Path, *folders: str, mixture: bool = True) -> Path:
    """A root with these track folders, each of its own music."""
    for seed, folder in enumerate(folders):
        write_track(root / folder, seconds=0.1, seed=seed, mixture=mixture)
    return root


def names(root: Path, subset: str) -> list[str]:
    return [track.name for track in tracks.find_tracks(root, subset)]


def test_subset_folders(tmp_path: Path) -> None:
    root = make(tmp_path, "train/b", "train/a", "valid/c", "test/d")
    assert {subset: names(root, subset) for subset in ("train", "valid", "test")} == {
        "train": ["a", "b"],
        "valid": ["c"],
        "test": ["d"],
    }


def test_a_flat_root_counts_as_train(tmp_path: Path) -> None:
    root = make(tmp_path, *(f"song {number:02}" for number in range(20)))
    train, valid = names(root, "train"), names(root, "valid")
    assert train == [f"song {number:02}" for number in range(18)]
    assert valid == ["song 18", "song 19"]


@pytest.mark.parametrize(("count", "held_out"), [(2, 1), (9, 1), (19, 1), (20, 2)])
def test_the_last_tenth_is_held_out_where_nothing_says_which(tmp_path: Path, count: int, held_out: int) -> None:
    root = make(tmp_path, *(f"train/{number:02}" for number in range(count)))
    everything = [f"{number:02}" for number in range(count)]
    assert names(root, "train") + names(root, "valid") == everything
    assert len(names(root, "valid")) == held_out


def test_musdbs_own_split_is_kept(tmp_path: Path) -> None:
    root = make(tmp_path, *(f"train/{name}" for name in ("Zz - Last", "Aa - First", *MUSDB_VALID)))
    assert names(root, "train") == ["Aa - First", "Zz - Last"]
    assert names(root, "valid") == sorted(MUSDB_VALID)


def test_a_valid_folder_overrules_musdbs_split(tmp_path: Path) -> None:
    root = make(tmp_path, f"train/{MUSDB_VALID[0]}", "train/other song", "valid/mine")
    assert names(root, "train") == [MUSDB_VALID[0], "other song"]
    assert names(root, "valid") == ["mine"]


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "FLAC"])
def test_stems_of_any_format_are_decoded_by_name(tmp_path: Path, ending: str) -> None:
    (tmp_path / "train" / "song").mkdir(parents=True)
    for number, stem in enumerate(STEMS, start=1):
        samples = np.full((1000, 2), number / 8, np.float32)
        soundfile.write(tmp_path / "train" / "song" / f"{stem}.{ending}", samples, 22050)
    (tmp_path / "train" / "song" / "vocals.txt").write_text("la la la")
    soundfile.write(tmp_path / "train" / "song" / "vocals.backup.wav", samples, 22050)
    (track,) = tracks.find_tracks(tmp_path, "valid")
    for number, stem in enumerate(STEMS, start=1):
        samples, sample_rate = track.load_stem[stem]()
        assert (samples.shape, sample_rate) == ((1000, 2), 22050)
        np.testing.assert_allclose(samples[200:800], number / 8, atol=0.02)


def test_two_files_for_one_stem_are_refused(tmp_path: Path) -> None:
    root = make(tmp_path, "train/song")
    soundfile.write(root / "train" / "song" / "Bass.flac", np.zeros((10, 2)), 16000)
    with pytest.raises(AudioError, match=r"train/song: Bass\.flac and bass\.wav are both 'bass'; keep one of them"):
        tracks.find_tracks(root, "train")


def test_the_mixture_is_its_file(tmp_path: Path) -> None:
    root = make(tmp_path, "train/song")
    mastered = np.full((50, 1), 0.5, np.float32)
    soundfile.write(root / "train" / "song" / "mixture.wav", mastered, 16000)
    (track,) = tracks.find_tracks(root, "valid")
    np.testing.assert_array_equal(track.load_mixture()[0], mastered)


def test_without_a_file_the_mixture_is_the_sum_of_the_stems(tmp_path: Path) -> None:
    (track,) = tracks.find_tracks(make(tmp_path, "train/song", mixture=False), "valid")
    mixture, sample_rate = track.load_mixture()
    assert sample_rate == 16000
    np.testing.assert_allclose(mixture, sum(track.load_stem[stem]()[0] for stem in STEMS), atol=1e-6)
    assert len(track.files) == len(STEMS)


@pytest.mark.parametrize("mixture", [True, False])
def test_stems_are_cut_or_padded_to_the_mixture(tmp_path: Path, mixture: bool) -> None:
    """Without a mixture, to the longest of them."""
    root = make(tmp_path, "train/song", mixture=mixture)
    for stem, frames in (("drums", 1000), ("bass", 2000)):
        soundfile.write(root / "train" / "song" / f"{stem}.wav", np.full((frames, 2), 0.25), 16000)
    (track,) = tracks.find_tracks(root, "valid")
    mixed, stems, sample_rate = track.load()
    length = 1600 if mixture else 2000
    assert (mixed.shape, stems.shape, sample_rate) == ((length, 2), (4, length, 2), 16000)
    np.testing.assert_array_equal(stems[STEMS.index("drums"), :1000], 0.25)
    np.testing.assert_array_equal(stems[STEMS.index("drums"), 1000:], 0)


@pytest.mark.parametrize(
    ("rate", "channels", "told"), [(8000, 2, "2-channel at 8000 Hz"), (16000, 1, "1-channel at 16000 Hz")]
)
@pytest.mark.parametrize("mixture", [True, False])
def test_stems_of_another_rate_or_width_are_refused(
    tmp_path: Path, mixture: bool, rate: int, channels: int, told: str
) -> None:
    root = make(tmp_path, "train/song", mixture=mixture)
    other = root / "train" / "song" / "drums.wav"
    soundfile.write(other, np.full((800, channels), 0.25), rate)
    (track,) = tracks.find_tracks(root, "valid")
    against = "the mixture" if mixture else r"vocals\.wav"
    with pytest.raises(DataError, match=f"{other}: is {told}, but {against} 2-channel at 16000 Hz; all of"):
        track.load()


@pytest.mark.parametrize("stem", STEMS)
def test_a_song_that_tells_no_mixture_is_left_out_with_the_reason(tmp_path: Path, stem: str) -> None:
    root = make(tmp_path, "train/whole", "train/more", "train/part", mixture=False)
    (root / "train" / "part" / f"{stem}.wav").unlink()
    told: dict[Path, str] = {}
    found = tracks.find_tracks(root, "train", told.__setitem__) + tracks.find_tracks(root, "valid")
    assert sorted(track.name for track in found) == ["more", "whole"]
    assert told == {root / "train" / "part": f"lacks {stem}, or a mixture (a stem that is silent still needs its file)"}


@pytest.mark.parametrize(
    ("names", "why"), [(["mixture"], "lacks at least one of"), (["vocals"], "lacks drums, bass, other")]
)
def test_where_no_song_tells_enough_the_reason_is_told(tmp_path: Path, names: list[str], why: str) -> None:
    write_parts(tmp_path / "train" / "song", *names)
    with pytest.raises(DataError, match=f"holds no tracks; .*; song {why}"):
        tracks.find_tracks(tmp_path, "train")


def write_parts(folder: Path, *names: str) -> dict[str, np.ndarray]:
    """A song of which there are these parts; returns its stems."""
    stems = synthetic_stems(0.1, 16000, seed=0)
    folder.mkdir(parents=True)
    for name in names:
        audio = np.sum([stems[stem] for stem in PARTS[name]], axis=0)
        soundfile.write(folder / f"{name}.wav", audio, 16000, "FLOAT")
    return stems


@pytest.mark.parametrize(
    ("names", "rest"),
    [
        (["vocals", "accompaniment"], ("drums", "bass", "other")),
        (["vocals", "mixture"], ("drums", "bass", "other")),
        (["accompaniment", "mixture"], ("drums", "bass", "other")),
        (["drums", "no_drums"], ("vocals", "bass", "other")),
        (["vocals", "drums", "no_vocals"], ("bass", "other")),
        (["vocals", "drums", "mixture"], ("bass", "other")),
        (["vocals", "other", "mixture"], ("drums", "bass")),
        (["vocals", "drums", "bass", "mixture"], ()),
        (["vocals", "drums", "bass", "accompaniment"], ()),
        (["no_vocals", "no_drums", "no_bass", "no_other"], ()),
        ([*STEMS, "accompaniment", "mixture"], ()),
    ],
)
def test_what_the_files_of_a_song_tell_is_known(tmp_path: Path, names: list[str], rest: tuple[str, ...]) -> None:
    """Single stems are, those of which only the sum is known are in the place of the last of them, and all of them
    always sum to the mixture."""
    true = write_parts(tmp_path / "train" / "song", *names)
    (track,) = tracks.find_tracks(tmp_path, "valid")
    assert track.rest == rest
    decoded = {stem: track.load_stem[stem]()[0] for stem in STEMS}
    mixture = sum(true.values())
    for stem in STEMS:
        expected = sum(true[other] for other in rest) if rest and stem == rest[-1] else true[stem] * (stem not in rest)
        np.testing.assert_allclose(decoded[stem], expected, atol=1e-6)
    np.testing.assert_allclose(track.load_mixture()[0], mixture, atol=1e-6)
    assert {file.stem for file in track.files} == set(names)


def test_several_roots_are_one(tmp_path: Path) -> None:
    """A song that is in two of them counts once, and is told."""
    one, two = (
        make(tmp_path / "1", "train/A - B", "train/c", "valid/v"),
        make(tmp_path / "2", "train/a_b", "train/d", "valid/w"),
    )
    told: dict[Path, str] = {}
    train, valid = tracks.find_songs([one, two], told.__setitem__)
    assert [track.name for track in train] == ["A - B", "c", "d"]
    assert [track.name for track in valid] == ["v", "w"]
    assert told == {two / "train" / "a_b": f"is in {one} too, and counts once"}


def test_a_song_to_validate_on_is_not_trained_on_in_another_root(tmp_path: Path) -> None:
    one, two = make(tmp_path / "1", "train/a", "valid/My Song"), make(tmp_path / "2", "train/my-song", "valid/w")
    for roots in ([one, two], [two, one]):
        with pytest.raises(DataError, match=f"{two}: 'my-song' is a song to validate on in {one}, and so cannot"):
            tracks.find_songs(roots)


def test_the_split_is_that_of_the_roots_that_tell_one(tmp_path: Path) -> None:
    """Songs beside MUSDB18 are all trained on; a song of theirs that it validates on is refused."""
    told = make(tmp_path / "1", "train/a", "valid/v")
    musdbs = make(tmp_path / "2", "train/b", f"train/{MUSDB_VALID[0]}")
    silent, twin = make(tmp_path / "3", "train/c", "train/d"), make(tmp_path / "4", "train/V")
    train, valid = tracks.find_songs([silent, told, musdbs])
    assert [track.name for track in train] == ["c", "d", "a", "b"]
    assert [track.name for track in valid] == ["v", MUSDB_VALID[0]]
    with pytest.raises(DataError, match=f"{twin}: 'V' is a song to validate on in {told}, and so cannot"):
        tracks.find_songs([told, twin])


def test_where_no_root_tells_a_split_the_last_tenth_of_all_is_held_out(tmp_path: Path) -> None:
    one, two = make(tmp_path / "1", "train/a", "train/z"), make(tmp_path / "2", "train/b", "train/Z")
    left: dict[Path, str] = {}
    train, valid = tracks.find_songs([one, two], left.__setitem__)
    assert ([track.name for track in train], [track.name for track in valid]) == (["a", "b"], ["z"])
    assert left == {two / "train" / "Z": f"is in {one} too, and counts once"}
    train, valid = tracks.find_songs([one, one])
    assert ([track.name for track in train], [track.name for track in valid]) == (["a"], ["z"])


def test_songs_of_one_root_are_as_they_are_named(tmp_path: Path) -> None:
    root = make(tmp_path, "train/a b", "train/ab", "valid/a.b")
    train, valid = tracks.find_songs([root])
    assert ([track.name for track in train], [track.name for track in valid]) == (["a b", "ab"], ["a.b"])


def test_what_is_no_track_is_passed_over(tmp_path: Path) -> None:
    root = make(tmp_path, "train/song", "train/.hidden")
    (root / "train" / "pictures").mkdir()
    (root / "train" / "readme.txt").touch()
    assert names(root, "train") + names(root, "valid") == ["song"]


@pytest.mark.parametrize("subset", ["train", "valid", "test"])
def test_a_root_without_tracks_is_refused(tmp_path: Path, subset: str) -> None:
    with pytest.raises(DataError, match=f"{tmp_path}.*: holds no tracks; expected"):
        tracks.find_tracks(tmp_path, subset)


def test_audio_files_without_folders_are_told_what_they_are_good_for(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a song.wav", np.zeros((10, 2)), 16000)
    with pytest.raises(DataError, match=r"holds no tracks; .*; its audio files may be .*: --extra STEM=FOLDER"):
        tracks.find_tracks(tmp_path, "train")


def test_an_empty_valid_folder_is_refused(tmp_path: Path) -> None:
    root = make(tmp_path, "train/song")
    (root / "valid").mkdir()
    with pytest.raises(DataError, match=f"{root / 'valid'}: holds no tracks"):
        tracks.find_tracks(root, "valid")


def test_a_missing_root_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere: no such data folder"):
        tracks.find_tracks(tmp_path / "nowhere", "train")


@pytest.fixture
def karaoke(tmp_path: Path) -> Path:
    """Two files at different depths, 0.25 on the left, -0.5 on the right."""
    folder = tmp_path / "me@home"
    for name in ("one.wav", "more/two.flac"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / name, np.tile([0.25, -0.5], (100, 1)), 16000)
    return folder


@pytest.mark.parametrize(("side", "expected"), [("", [0.25, -0.5]), ("@left", [0.25]), ("@right", [-0.5])])
@pytest.mark.parametrize("target", TARGETS)
def test_extra_material_has_one_stem_alone(karaoke: Path, target: str, side: str, expected: list[float]) -> None:
    stem, found = tracks.find_extra(f"{target}={karaoke}{side}")
    assert stem == target
    assert [track.name for track in found] == [f"more_two{side}", f"one{side}"]
    for track in found:
        assert set(track.load_stem) == {target}
        samples, sample_rate = track.load_stem[target]()
        assert sample_rate == 16000
        np.testing.assert_array_equal(samples, np.tile(expected, (100, 1)))


@pytest.mark.parametrize("side", ["@left", "@right"])
def test_a_side_of_a_mono_file_is_the_file(tmp_path: Path, side: str) -> None:
    soundfile.write(tmp_path / "mono.wav", np.full(100, 0.25), 16000)
    _, (track,) = tracks.find_extra(f"vocals={tmp_path}{side}")
    np.testing.assert_array_equal(track.load_stem["vocals"]()[0], np.full((100, 1), 0.25))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{folder}", "must be STEM=FOLDER"),
        ("guitar={folder}", "must be STEM=FOLDER.*STEM one of vocals, drums, bass, other, accompaniment"),
        ("={folder}", "must be STEM=FOLDER"),
        ("vocals", "must be STEM=FOLDER"),
        ("vocals=", "must be STEM=FOLDER"),
        ("vocals=@left", "must be STEM=FOLDER"),
        ("vocals={folder}/nowhere", "nowhere is not a folder"),
        ("vocals={folder}/one.wav", r"one\.wav is not a folder"),
        ("vocals={folder}@middle", "@middle is not a folder"),
        ("vocals={folder}/silent", "silent holds no audio files"),
    ],
)
def test_bad_extra_material_is_refused(karaoke: Path, text: str, message: str) -> None:
    (karaoke / "silent").mkdir()
    with pytest.raises(DataError, match=f"^--extra .*{message}"):
        tracks.find_extra(text.format(folder=karaoke))


def fingerprint(root: Path) -> str:
    return tracks.fingerprint(tracks.find_tracks(root, "train"))


def test_fingerprint_does_not_depend_on_the_place(tmp_path: Path) -> None:
    roots = [make(tmp_path / place, "train/a", "valid/b") for place in ("here", "there")]
    assert fingerprint(roots[0]) == fingerprint(roots[0]) == fingerprint(roots[1])


def test_fingerprint_tells_data_sets_apart(tmp_path: Path) -> None:
    def longer(root: Path) -> None:
        with (root / "train" / "a" / "bass.wav").open("ab") as file:
            file.write(b"\0\0")

    def renamed(root: Path) -> None:
        (root / "train" / "a").rename(root / "train" / "z")

    def more(root: Path) -> None:
        write_track(root / "train" / "b", seconds=0.1)

    def fewer(root: Path) -> None:
        (root / "train" / "a" / "mixture.wav").unlink()

    def other_samples(root: Path) -> None:
        bass = bytearray((root / "train" / "a" / "bass.wav").read_bytes())
        bass[-1] ^= 1
        (root / "train" / "a" / "bass.wav").write_bytes(bass)

    seen = {fingerprint(make(tmp_path / "as it was", "train/a", "valid/v"))}
    for change in (longer, renamed, more, fewer, other_samples):
        root = make(tmp_path / change.__name__, "train/a", "valid/v")
        change(root)
        seen.add(fingerprint(root))
    assert len(seen) == 6


@pytest.mark.parametrize("place", [0, 300_000, 999_999])
def test_fingerprint_tells_files_apart_by_any_of_their_bytes(tmp_path: Path, place: int) -> None:
    song = bytearray(1_000_000)
    track = Track("song", (tmp_path / "song.wav",), lambda: pytest.fail("it is decoded"), {})
    seen = set()
    for value in (0, 1):
        song[place] = value
        track.files[0].write_bytes(song)
        seen.add(tracks.fingerprint([track]))
    assert len(seen) == 2


def test_fingerprint_names_what_cannot_be_read(tmp_path: Path) -> None:
    root = make(tmp_path, "train/a", "train/b")
    (root / "train" / "a" / "bass.wav").unlink()
    (root / "train" / "a" / "bass.wav").symlink_to(tmp_path / "nowhere.wav")
    with pytest.raises(DataError, match=r"a/bass\.wav: cannot be read: No such file"):
        fingerprint(root)


@pytest.mark.musdb
def test_musdb_is_split_as_musdb_says(musdb_root: Path) -> None:
    train, valid, test = (set(names(musdb_root, subset)) for subset in ("train", "valid", "test"))
    assert (len(train), len(valid)) == (80, 14)
    assert not train & valid
    assert not test & (train | valid)
    assert set(MUSDB_VALID) <= valid


@pytest.mark.musdb
def test_musdbs_stems_sum_to_about_the_mixture(musdb_root: Path) -> None:
    """AAC coded each by itself, so not exactly; stems of another song or in another place would not at all."""
    for track in tracks.find_tracks(musdb_root, "valid")[:2]:
        mixture, sample_rate = track.load_mixture()
        stems = [track.load_stem[stem]() for stem in STEMS]
        assert {rate for _, rate in stems} == {sample_rate} == {44100}
        error = mixture - sum(samples for samples, _ in stems)
        assert 10 * np.log10(np.mean(error**2) / np.mean(mixture**2)) < -15


def test_another_speed_is_the_same_samples_at_another_rate(data_root: Path) -> None:
    track = tracks.find_tracks(data_root, "train")[0]
    faster = tracks.at_speed(track, 1.25)
    assert tracks.at_speed(track, 1) is track
    assert faster.name != track.name
    for load, original in (
        (faster.load_mixture, track.load_mixture),
        *zip(faster.load_stem.values(), track.load_stem.values(), strict=True),
    ):
        (samples, rate), (expected, original_rate) = load(), original()
        np.testing.assert_equal(samples, expected)
        assert rate == 1.25 * original_rate
