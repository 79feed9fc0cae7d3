"""Where music with true stems comes from: MUSDB18 in any edition, or folders of files."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfwavesep import audio
from tfwavesep.data import stempeg as _stempeg
from tfwavesep.data.hashes import hashes
from tfwavesep.errors import DataError
from tfwavesep.stems import PARTS, STEMS, TARGETS, Recipe, recipes

Load = Callable[[], tuple[np.ndarray, int]]
"""Decodes something: float32 `(time, channels)` and its rate in Hz."""


@dataclass(frozen=True)
class Track:
    """A song and its true stems; nothing is decoded before it is asked for.

    Attributes:
        name: of the song, unique within its subset.
        files: all that is decoded for it, for fingerprints and messages.
        load_mixture: decodes the mixture as it was mastered.
        load_stem: for each of `STEMS`, decodes it.
        rest: stems of which only the sum is known: that of the last of them decodes to the sum, the others' to silence.
    """

    name: str
    files: tuple[Path, ...]
    load_mixture: Load
    load_stem: dict[str, Load]
    rest: tuple[str, ...] = ()

    def load(self) -> tuple[np.ndarray, np.ndarray, int]:
        """Decode everything: the mixture `(time, channels)`, the stems `(4, time, channels)` in the order of `STEMS`,
        cut or padded to the mixture's length, and the rate in Hz.

        Raises:
            AudioError: a file cannot be read.
            DataError: a stem has another rate or number of channels than the mixture.
        """
        mixture, sample_rate = self.load_mixture()
        stems = []
        for stem in STEMS:
            samples, rate = self.load_stem[stem]()
            _require_like(self._file(stem), (samples, rate), "the mixture", (mixture, sample_rate))
            stems.append(_fitted(samples, len(mixture)))
        return mixture, np.stack(stems), sample_rate

    def _file(self, stem: str) -> Path:
        """The file that holds a stem: its own, or that of the whole track."""
        return next((file for file in self.files if file.stem.lower() == stem), self.files[0])


def _require_like(file: Path, decoded: tuple[np.ndarray, int], other: str, expected: tuple[np.ndarray, int]) -> None:
    """Raise DataError unless a stem can be laid over something else, sample by sample."""
    found, wanted = (f"{samples.shape[1]}-channel at {rate} Hz" for samples, rate in (decoded, expected))
    if found != wanted:
        raise DataError(f"{file}: is {found}, but {other} {wanted}; all of a track must be alike")


def _fitted(samples: np.ndarray, length: int) -> np.ndarray:
    """Cut, or padded with silence."""
    return np.pad(samples[:length], [(0, max(0, length - len(samples))), (0, 0)])


def find_tracks(root: Path, subset: str, left_out: Callable[[Path, str], None] | None = None) -> list[Track]:
    """The tracks below a data root.

    A root is MUSDB18 as `.stem.mp4` files (`root/{train,test}/*.stem.mp4`), or folders of audio files
    (`root/{train,valid,test}/TRACK/{mixture,vocals,drums,bass,other}.wav`, MUSDB18-HQ among them; `root/TRACK/...`
    counts as train). Files may also be sums of stems, by the names in `PARTS`, and some may be missing: a folder is a
    track if they tell the mixture and at least one stem. "valid" is the folder of that name; without one, those of the
    train tracks that musdb's own validation split names; without any of these, the last tenth of the train tracks by
    name.

    Args:
        root: the folder.
        subset: "train", "valid" or "test".
        left_out: is told of each folder that has some of these files and is no track, and why.

    Raises:
        AudioError: two files of a track have one name.
        DataError: there is no such root, or it holds no tracks.
    """
    left_out = left_out or (lambda folder, why: None)
    _require_root(root)
    if subset == "test" or ((root / subset).is_dir() and subset == "valid"):
        return _in_folder(root, subset, left_out)
    train, valid = _split(root, left_out)
    if valid is None:
        train, valid = _without_last_tenth(train)
    return train if subset == "train" else valid


def _split(root: Path, left_out: Callable[[Path, str], None]) -> tuple[list[Track], list[Track] | None]:
    """A root's tracks to train on, and those to validate on if it tells of any."""
    everything = _in_folder(root, "train", left_out)
    if (root / "valid").is_dir():
        return everything, _in_folder(root, "valid", lambda folder, why: None)
    named = _validation_names() & {track.name for track in everything}
    return _parted(everything, named) if named else (everything, None)


def _without_last_tenth(tracks: list[Track]) -> tuple[list[Track], list[Track]]:
    names = sorted(track.name for track in tracks)
    return _parted(tracks, set(names[-max(1, len(names) // 10) :]))


def _parted(tracks: list[Track], names: set[str]) -> tuple[list[Track], list[Track]]:
    """Tracks without those of some names, and these."""
    return [one for one in tracks if one.name not in names], [one for one in tracks if one.name in names]


def find_songs(
    roots: Sequence[Path], left_out: Callable[[Path, str], None] | None = None
) -> tuple[list[Track], list[Track]]:
    """The songs to train on and those to validate on, of several data roots together. Songs whose names differ only in
    spaces, punctuation and case are the same, and count once. Where one root tells which songs are to validate on, by a
    folder `valid` or as musdb does, all songs of those that tell nothing are to train on; where none does, the last
    tenth of all by name is to validate on.

    Args:
        roots: see `find_tracks`.
        left_out: is told of each song that does not count, and why.

    Raises:
        AudioError, DataError: as of `find_tracks`; or a song is to train on in one root, and to validate on in another.
    """
    left_out = left_out or (lambda place, why: None)
    for root in roots:
        _require_root(root)
    splits = [_split(root, left_out) for root in roots]
    train, homes = _once([(root, there) for root, (there, _) in zip(roots, splits, strict=True)], left_out)
    valid, told = _once([(root, there or []) for root, (_, there) in zip(roots, splits, strict=True)], left_out)
    if not valid:
        return _without_last_tenth(train)
    for track in train:
        name = _plain(track.name)
        if told.get(name, homes[name]) != homes[name]:
            raise DataError(
                f"{homes[name]}: '{track.name}' is a song to validate on in {told[name]}, and so cannot be trained on; "
                "take it away"
            )
    return train, valid


def _once(
    roots: Sequence[tuple[Path, list[Track]]], left_out: Callable[[Path, str], None]
) -> tuple[list[Track], dict[str, Path]]:
    """Each song of some roots in the first of them that has it, and that root, by its plain name."""
    songs: list[Track] = []
    homes: dict[str, Path] = {}
    for root, tracks in roots:
        before = dict(homes)
        for track in tracks:
            if home := before.get(_plain(track.name)):
                left_out(track.files[0].parent, f"is in {home} too, and counts once")
            else:
                songs.append(track)
                homes[_plain(track.name)] = root
    return songs, homes


def _require_root(root: Path) -> None:
    if not root.is_dir():
        raise DataError(f"{root}: no such data folder")


def _plain(name: str) -> str:
    """A song's name as far as it tells it from others."""
    return "".join(filter(str.isalnum, name.casefold())) or name


def _validation_names() -> set[str]:
    """Those of musdb's own split."""
    _stempeg.ensure()
    import musdb

    config = Path(musdb.__file__).parent / "configs" / "mus.yaml"
    import yaml

    return set(yaml.safe_load(config.read_text(encoding="utf-8"))["validation_tracks"])


def at_speed(track: Track, speed: float) -> Track:
    """The track played faster (above 1) or slower, and higher or lower with it, as a tape would be."""
    if speed == 1:
        return track

    def faster(load: Load) -> Load:
        def loader() -> tuple[np.ndarray, int]:
            samples, rate = load()
            return samples, round(rate * speed)

        return loader

    stems = {stem: faster(load) for stem, load in track.load_stem.items()}
    return Track(f"{track.name}@{speed:g}", track.files, faster(track.load_mixture), stems, track.rest)


def _in_folder(root: Path, subset: str, left_out: Callable[[Path, str], None]) -> list[Track]:
    folder = root / subset
    if any(folder.glob("*.stem.mp4")):
        return _musdb_tracks(root, subset)
    if not folder.is_dir() and subset == "train":
        folder = root
    tracks, incomplete = [], {}
    for place in sorted(folder.glob("*/")):
        files = {} if audio.is_hidden(place.name) or not place.is_dir() else _parts(place)
        track = _folder_track(place, files) if files else None
        if track:
            tracks.append(track)
        elif files:
            incomplete[place] = _lacks(files)
    if not tracks:
        reasons = [f"; {place.name} {why}" for place, why in incomplete.items()]
        if not reasons and audio.find(folder):
            reasons = ["; its audio files may be more material for one stem: --extra STEM=FOLDER"]
        raise DataError(
            f"{folder}: holds no tracks; expected *.stem.mp4 files, or folders with "
            f"mixture, vocals, drums, bass and other as .wav, .flac or .ogg{''.join(reasons[:1])}"
        )
    for place, why in incomplete.items():
        left_out(place, why)
    return tracks


def _parts(folder: Path) -> dict[str, Path]:
    """The files of a track by what they are."""
    return {name: file for name in PARTS if (file := audio.named(folder, name))}


def _lacks(parts: Iterable[str]) -> str:
    """Why these parts make no track."""
    missing = [name for name in STEMS if name not in parts]
    if "mixture" in parts:
        return f"lacks at least one of {', '.join(missing)}"
    return f"lacks {', '.join(missing)}, or a mixture (a stem that is silent still needs its file)"


def _musdb_tracks(root: Path, subset: str) -> list[Track]:
    _stempeg.ensure()
    import musdb

    database = musdb.DB(root=str(root), subsets=subset)
    return [_from_musdb(track) for track in database]


def _from_musdb(track: object) -> Track:
    def loader(source: object) -> Load:
        return lambda: (np.asarray(source.audio, np.float32), int(source.rate))  # type: ignore[attr-defined]

    path = Path(track.path)  # type: ignore[attr-defined]
    stems = {name: loader(track.sources[name]) for name in STEMS}  # type: ignore[attr-defined]
    return Track(track.name, (path,), loader(track), stems)  # type: ignore[attr-defined]


def _folder_track(folder: Path, files: dict[str, Path]) -> Track | None:
    """The track that these files make, if they tell enough."""
    made, rest = recipes(files)
    if not made:
        return None

    def loader(recipe: Recipe) -> Load:
        needed = recipe or dict.fromkeys(list(files)[:1], 0.0)  # what is silent is as long as what is not
        return lambda: _combined({files[part]: factor for part, factor in needed.items()})

    mixture = loader({"mixture": 1.0} if "mixture" in files else made["mixture"])
    return Track(folder.name, tuple(files.values()), mixture, {name: loader(made[name]) for name in STEMS}, rest)


def _combined(factors: Mapping[Path, float]) -> tuple[np.ndarray, int]:
    """The sum of files, each times its factor, as long as the longest."""
    decoded = [_read(file) for file in factors]
    if list(factors.values()) == [1.0]:
        return decoded[0]
    for file, one in zip(factors, decoded, strict=True):
        _require_like(file, one, next(iter(factors)).name, decoded[0])
    length = max(len(samples) for samples, _ in decoded)
    pieces = [factor * _fitted(samples, length) for factor, (samples, _) in zip(factors.values(), decoded, strict=True)]
    return np.sum(pieces, axis=0, dtype=np.float32), decoded[0][1]


def _read(file: Path) -> tuple[np.ndarray, int]:
    samples, sample_rate = audio.read(file)
    if not len(samples):
        raise DataError(f"{file}: holds no samples")
    return samples, sample_rate


def find_extra(text: str) -> tuple[str, list[Track]]:
    """Extra material for one stem only, or whole accompaniments, for models that do not take them apart.

    Args:
        text: "STEM=FOLDER", or "STEM=FOLDER@left" or "@right" to use one channel of stereo files (karaoke
            recordings often have the voice on one side).

    Returns:
        the stem, and one track for each audio file below the folder, with that stem alone.

    Raises:
        DataError: the text cannot be understood, there is no such folder, or it has no audio.
    """
    stem, _, rest = text.partition("=")
    name, _, side = rest.rpartition("@") if rest.endswith(("@left", "@right")) else (rest, "", "")
    if not name or stem not in TARGETS:
        raise DataError(f"--extra {text}: must be STEM=FOLDER[@left|@right], STEM one of {', '.join(TARGETS)}")
    if not Path(name).is_dir():
        raise DataError(f"--extra {text}: {name} is not a folder")
    files = audio.find(Path(name))
    if not files:
        raise DataError(f"--extra {text}: {name} holds no audio files")
    return stem, [_extra_track(stem, file, Path(name), side) for file in files]


def _extra_track(stem: str, file: Path, folder: Path, side: str) -> Track:
    def load() -> tuple[np.ndarray, int]:
        samples, rate = _read(file)
        column = {"left": 0, "right": samples.shape[1] - 1}.get(side)
        return (samples if column is None else samples[:, [column]]), rate

    name = f"{file.relative_to(folder).with_suffix('')}{'@' + side if side else ''}".replace("/", "_")
    return Track(name, (file,), load, {stem: load})


def fingerprint(tracks: Iterable[Track]) -> str:
    """A hash of the names of all files and of all that is in them, to tell one data set from another wherever it lies.

    Raises:
        DataError: a file cannot be read.
    """
    (found,) = fingerprints([tuple(tracks)])
    return found


def fingerprints(sets: Sequence[Sequence[Track]]) -> list[str]:
    """The fingerprint of each of several sets of tracks.

    Raises:
        DataError: a file cannot be read.
    """
    contents = hashes(file for tracks in sets for track in tracks for file in track.files)
    lines = ((f"{t.name}\0{file.name}\0{contents[file]}\n" for t in tracks for file in t.files) for tracks in sets)
    return [hashlib.sha256("".join(each).encode()).hexdigest()[:16] for each in lines]
