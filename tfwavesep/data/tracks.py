"""Where music with true stems comes from: MUSDB18 in any edition, or folders of files."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfwavesep import audio
from tfwavesep.data import stempeg as _stempeg
from tfwavesep.data.hashes import hashes
from tfwavesep.errors import DataError
from tfwavesep.stems import STEMS, TARGETS

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
    """

    name: str
    files: tuple[Path, ...]
    load_mixture: Load
    load_stem: dict[str, Load]

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


def find_tracks(root: Path, subset: str) -> list[Track]:
    """The tracks below a data root.

    A root is MUSDB18 as `.stem.mp4` files (`root/{train,test}/*.stem.mp4`), or folders of audio files
    (`root/{train,valid,test}/TRACK/{mixture,vocals,drums,bass,other}.wav`, MUSDB18-HQ among them; `root/TRACK/...`
    counts as train). "valid" is the folder of that name; without one, those of the train tracks that
    musdb's own validation split names; without any of these, the last tenth of the train tracks by name.

    Args:
        root: the folder.
        subset: "train", "valid" or "test".

    Raises:
        DataError: there is no such root, it holds no tracks, or a track lacks a stem.
    """
    if not root.is_dir():
        raise DataError(f"{root}: no such data folder")
    if subset == "test" or ((root / subset).is_dir() and subset == "valid"):
        return _in_folder(root, subset)
    everything = _in_folder(root, "train")
    if (root / "valid").is_dir():
        return everything
    held_out = _validation_names([track.name for track in everything])
    return [track for track in everything if (track.name in held_out) == (subset == "valid")]


def _validation_names(names: list[str]) -> set[str]:
    _stempeg.ensure()
    import musdb

    config = Path(musdb.__file__).parent / "configs" / "mus.yaml"
    import yaml

    split = set(yaml.safe_load(config.read_text(encoding="utf-8"))["validation_tracks"])
    return split & set(names) or set(names[-max(1, len(names) // 10) :])


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
    return Track(f"{track.name}@{speed:g}", track.files, faster(track.load_mixture), stems)


def _in_folder(root: Path, subset: str) -> list[Track]:
    folder = root / subset
    if any(folder.glob("*.stem.mp4")):
        return _musdb_tracks(root, subset)
    if not folder.is_dir() and subset == "train":
        folder = root
    tracks = [_folder_track(p) for p in sorted(folder.glob("*/")) if _has_stems(p)]
    if not tracks:
        raise DataError(
            f"{folder}: holds no tracks; expected *.stem.mp4 files, or folders with "
            "mixture, vocals, drums, bass and other as .wav, .flac or .ogg"
        )
    return tracks


def _has_stems(folder: Path) -> bool:
    return not folder.name.startswith(".") and any(audio.named(folder, stem) for stem in STEMS)


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


def _folder_track(folder: Path) -> Track:
    files = {name: audio.named(folder, name) for name in ("mixture", *STEMS)}
    missing = [name for name, file in files.items() if file is None and name != "mixture"]
    if missing:
        raise DataError(f"{folder}: lacks {', '.join(missing)} (a stem that is silent still needs its file)")

    def loader(file: Path) -> Load:
        return lambda: audio.read(file)

    stems = {name: loader(files[name]) for name in STEMS}  # type: ignore[arg-type]
    mixture = loader(files["mixture"]) if files["mixture"] else lambda: _sum([files[name] for name in STEMS])  # type: ignore[misc]
    return Track(folder.name, tuple(f for f in files.values() if f), mixture, stems)


def _sum(files: Sequence[Path]) -> tuple[np.ndarray, int]:
    decoded = [audio.read(file) for file in files]
    for file, one in zip(files, decoded, strict=True):
        _require_like(file, one, files[0].name, decoded[0])
    length = max(len(samples) for samples, _ in decoded)
    return np.sum([_fitted(samples, length) for samples, _ in decoded], axis=0), decoded[0][1]


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
        samples, rate = audio.read(file)
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
