"""Combinations of options that cannot be meant are refused before any work, and all others are not."""

from pathlib import Path
from typing import Any

import pytest
from conftest import Run
from tfwavesep_cli.combinations import RULES, Asked, nonsense

from tfwavesep.places import place

DEFAULTS: dict[str, Any] = {
    "engine": "local", "manifest": None, "skip_existing": False, "overwrite": False, "raw_format": None,
    "live": False,
}  # fmt: skip
WRITTEN = {"template": "--filename", "bits": "--bits"}


def asked(songs: str, folder: str = "stems", **options: Any) -> Asked:
    """What a command line says; options that are given stand on it."""
    said = {name: WRITTEN.get(name, f"--{name.replace('_', '-')}") for name in options}
    return Asked(tuple(map(place, songs.split())), place(folder), {**DEFAULTS, **options}, said)


NONSENSE = [
    (asked("a.wav", manifest=place("memory://rows")), "-o stems and --manifest memory://rows: must be both URLs"),
    (asked("a.wav", "memory://stems", manifest=Path("rows.jsonl")), "must be both URLs or both on disk"),
    (asked("-", engine="ray"), "-: a pipe cannot be separated by other machines"),
    (asked("a.wav", "-", engine="ray"), "-: a pipe cannot be separated by other machines"),
    (asked("- a.wav"), "- is standard input: it cannot be separated together with other songs"),
    (asked("a.wav b.wav", "-"), "-o -: standard output takes one song"),
    (asked("a.wav", skip_existing=True, overwrite=True), "--skip-existing and --overwrite: only one of them"),
    (asked("-", "-", skip_existing=True, manifest=Path("m.jsonl"), plot=True),
     "--skip-existing, --manifest, --plot: only with a folder for the stems, not with -o -"),
    (asked("a.wav", "-", overwrite=True), "--overwrite: only with a folder"),
    (asked("a.wav", "-", jobs=2), "--jobs: only with a folder"),
    (asked("a.wav", "-", shard="1/2"), "--shard: only with a folder"),
    (asked("a.wav", "-", template="{stem}.wav"), "--filename: only with a folder"),
    (asked("a.wav", "-", references=Path()), "--references: only with a folder"),
    (asked("-", skip_existing=True), "-: has no name of its own to be known by: not with --skip-existing"),
    (asked("a.wav /dev/fd/63", skip_existing=True), "/dev/fd/63: has no name of its own"),
    (asked("a.wav", worker_cpus=2.0, worker_gpus=1.0), "--worker-cpus, --worker-gpus: only with --engine ray"),
    (asked("a.wav", address="auto"), "--address: only with --engine ray"),
    (asked("a.wav", live=True), "--live: only with -o -"),
    (asked("-", "-", live=True, segment=1.0, duration=2.0), "--segment, --duration: not with --live"),
    (asked("a.wav", raw_format="s16le"), "--raw-format: only with a pipe"),
    (asked("-", raw_format="s16le"), "raw audio needs its rate and channels: s16le:RATE:CHANNELS"),
    (asked("a.wav", "-", raw_format="s16le:8000:1"), "a rate and channels are standard input's; a.wav has its own"),
]  # fmt: skip

SENSE = [
    asked("a.wav"),
    asked("-"),
    asked("a.wav b.wav", skip_existing=True, manifest=Path("m.jsonl"), jobs=2, shard="1/2", plot=True),
    asked("a.wav", "memory://stems", manifest=place("memory://rows"), overwrite=True),
    asked("-", "-", raw_format="s16le:8000:1", bits="16"),
    asked("a.wav", "-", raw_format="s16le"),
    asked("-", "-", raw_format="s16le:8000:1", live=True),
    asked("a.wav b.wav", engine="ray", address="auto", worker_cpus=2.0, worker_gpus=0.5),
]


@pytest.mark.parametrize(("command", "reason"), NONSENSE, ids=lambda value: value if isinstance(value, str) else "")
def test_nonsense_is_told_why(command: Asked, reason: str) -> None:
    assert reason in str(nonsense(command))


@pytest.mark.parametrize("command", SENSE)
def test_sense_is_not_refused(command: Asked) -> None:
    assert nonsense(command) is None


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_has_its_case(rule: Any) -> None:
    assert any(rule(command) for command, _ in NONSENSE)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["song.wav", "-o", "-", "--filename", "{stem}.wav", "-j", "2"], "--filename, --jobs: only with a folder"),
        (["song.wav", "--worker-cpus", "1.0"], "--worker-cpus: only with --engine ray"),
        (["-", "song.wav"], "cannot be separated together with other songs"),
    ],
)
def test_refused_before_any_work(
    arguments: list[str], message: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model, which is not there, is not even looked for."""
    monkeypatch.chdir(tmp_path)
    result = run("separate", *arguments, "--stems", "vocals", "-m", "nowhere")
    assert result.exit_code == 2
    (line,) = [line for line in result.output.splitlines() if line.startswith("Error:")]
    assert message in line
    assert not list(tmp_path.iterdir())
