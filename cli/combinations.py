"""What `tfwavesep separate` is asked that makes no sense together; no terminal is needed to find out.

Each rule looks at one combination, and refuses it by a line that says what to do instead.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfwavesep.places import is_remote

PIPE = Path("-")

ONLY_TO_A_FOLDER = ("template", "jobs", "skip_existing", "overwrite", "shard", "manifest", "plot", "references")
ONLY_WITH_RAY = ("address", "worker_cpus", "worker_gpus")
STANDARD_INPUT = (PIPE, Path("/dev/stdin"))
DESCRIPTORS = (Path("/dev/fd"), Path("/proc/self/fd"))
"""Folders where pipes without names have numbers; the next one has the same."""


@dataclass(frozen=True)
class Asked:
    """What the command line says.

    Attributes:
        songs: what is to be separated.
        folder: for the stems, or `PIPE`.
        options: values of all other parameters, by name.
        said: how those are written that stand on the command line, by name; the others have their defaults.
    """

    songs: tuple[Path, ...]
    folder: Path
    options: Mapping[str, Any]
    said: Mapping[str, str]

    def named(self, names: Collection[str]) -> str:
        """Those of some parameters that stand on the command line, as they are written there."""
        return ", ".join(written for name, written in self.said.items() if name in names)


def nonsense(asked: Asked) -> str | None:
    """Why this cannot be meant, or None."""
    return next((reason for rule in RULES if (reason := rule(asked))), None)


def _stems_and_manifest_apart(asked: Asked) -> str | None:
    manifest = asked.options["manifest"]
    if manifest and is_remote(manifest) != is_remote(asked.folder):
        return (
            f"-o {asked.folder} and --manifest {manifest}: must be both URLs or both on disk, so that whoever goes on "
            "later finds both"
        )
    return None


def _pipes_elsewhere(asked: Asked) -> str | None:
    if asked.options["engine"] == "ray" and PIPE in (*asked.songs, asked.folder):
        return "-: a pipe cannot be separated by other machines, only with --engine local"
    return None


def _songs_beside_a_pipe(asked: Asked) -> str | None:
    if len(asked.songs) == 1:
        return None
    if PIPE in asked.songs:
        return "- is standard input: it cannot be separated together with other songs"
    return "-o -: standard output takes one song" if asked.folder == PIPE else None


def _kept_and_replaced(asked: Asked) -> str | None:
    if asked.options["skip_existing"] and asked.options["overwrite"]:
        return "--skip-existing and --overwrite: only one of them can be meant"
    return None


def _idle_without_a_folder(asked: Asked) -> str | None:
    if asked.folder == PIPE and (idle := asked.named(ONLY_TO_A_FOLDER)):
        return f"{idle}: only with a folder for the stems, not with -o -"
    return None


def _skipped_without_a_name(asked: Asked) -> str | None:
    nameless = next((song for song in asked.songs if song in STANDARD_INPUT or song.parent in DESCRIPTORS), None)
    if asked.options["skip_existing"] and nameless:
        return f"{nameless}: has no name of its own to be known by: not with --skip-existing"
    return None


def _idle_without_ray(asked: Asked) -> str | None:
    if asked.options["engine"] == "local" and (idle := asked.named(ONLY_WITH_RAY)):
        return f"{idle}: only with --engine ray"
    return None


def _raw_format(asked: Asked) -> str | None:
    raw = asked.options["raw_format"]
    if raw and PIPE not in (*asked.songs, asked.folder):
        return "--raw-format: only with a pipe, - for the song or the output; files tell their own"
    if raw and ":" not in raw and asked.folder != PIPE:
        return f"--raw-format {raw}: raw audio needs its rate and channels: {raw}:RATE:CHANNELS"
    if raw and ":" in raw and PIPE not in asked.songs:
        return f"--raw-format {raw}: a rate and channels are standard input's; {asked.songs[0]} has its own"
    return None


def _live_alone(asked: Asked) -> str | None:
    if not asked.options["live"]:
        return None
    if asked.folder != PIPE:
        return "--live: only with -o -; for files it would take longer to the same stems"
    if idle := asked.named(("segment", "start", "duration")):
        return f"{idle}: not with --live, which goes in steps of its own from the beginning to the end"
    return None


RULES = (
    _live_alone,
    _stems_and_manifest_apart,
    _pipes_elsewhere,
    _songs_beside_a_pipe,
    _kept_and_replaced,
    _idle_without_a_folder,
    _skipped_without_a_name,
    _idle_without_ray,
    _raw_format,
)
