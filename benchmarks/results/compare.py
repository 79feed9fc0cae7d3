"""Is it possible in the waveform domain? The paper's systems, and ours, trained here under one budget of compute.

Run: python -m benchmarks.results.compare --data musdb18 [--cpu-minutes 40] [--runs runs/results]

Each system is trained for the same CPU time on the same examples; then for the same audio, as much as the slowest one
saw; then one of them with each loss. All are exported and scored with museval on the validation and the test tracks.

Into the folder of results (-o) go RESULTS.md, RESULTS.png, and below results/records/ one file for each training that
is done, with the scores of every track: what has a record is not trained again. Records are kept apart by processor,
for CPU time of one is not that of another. Every training has a folder of its own below the runs' folder: started
again, the script goes on where it was stopped.
"""

import argparse
import os
import re
import shutil
import sys
from pathlib import Path

from benchmarks.machine import processor
from benchmarks.results import page
from benchmarks.results.page import Result
from benchmarks.results.runs import System, Task, run
from benchmarks.results.systems import GROUPS, SYSTEMS
from tfwavesep.config import read_json, write_json


def tasks_of(group: str, runs: Path, records: Path, cpu_seconds: float) -> list[Task]:
    """The trainings of one group; all of equal compute must be there before those of equal audio."""
    audio = None
    if group == "audio":
        seen = {system.name: read_json(record_of(records, "compute", system))["audio_seconds"] for system in SYSTEMS}
        slowest = min(SYSTEMS, key=lambda system: seen[system.name])
        audio = seen[slowest.name]
        share(record_of(records, "compute", slowest), record_of(records, "audio", slowest))
    return [
        Task(system, runs / group / system.name, record_of(records, group, system), cpu_seconds, audio)
        for system in GROUPS[group]
    ]


def record_of(records: Path, group: str, system: System) -> Path:
    """Of a training's record."""
    return records / group / f"{system.name}.json"


def share(done: Path, record: Path) -> None:
    """The system that sets the budget of audio has already been trained with it."""
    record.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(done, record)


def claim(folder: Path, budgets: dict[str, float]) -> None:
    """A folder of runs or of records has one budget for each group.

    Raises:
        SystemExit: it holds some with others.
    """
    path = folder / "budgets.json"
    if path.exists() and read_json(path) != budgets:
        sys.exit(f"{folder}: was made with the CPU minutes {read_json(path)}, not {budgets}; choose another folder")
    write_json(path, budgets)


def read(records: Path) -> tuple[dict[str, list[Result]], list[str]]:
    """All results that are there, by group, and what is not trained yet."""
    results: dict[str, list[Result]] = {group: [] for group in GROUPS}
    missing = []
    for group, systems in GROUPS.items():
        for system in systems:
            record = record_of(records, group, system)
            if record.exists():
                results[group].append(page.read(record, system.label))
            else:
                missing.append(f"{system.label} ({group})")
    return results, missing


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line's options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    root = os.environ.get("MUSDB_PATH")
    parser.add_argument("--data", type=Path, default=root, required=not root, help="MUSDB18, any edition")
    parser.add_argument("--runs", type=Path, default=Path("runs/results"), help="folder of all trainings")
    parser.add_argument("--cpu-minutes", type=float, default=40, help="for the training steps of each system")
    parser.add_argument("--loss-cpu-minutes", type=float, default=10, help="for the training steps with each loss")
    parser.add_argument("-j", "--jobs", type=int, default=1, help="tracks scored at the same time")
    parser.add_argument(
        "-o", "--output", type=Path, default=Path(__file__).parent.parent, help="folder of the page and the records"
    )
    return parser.parse_args(arguments)


def main() -> None:
    """Train, score, and write the page, of what is there if a training failed."""
    options = parse()
    budgets = {"compute": options.cpu_minutes, "audio": options.cpu_minutes, "losses": options.loss_cpu_minutes}
    records = options.output / "results" / "records" / re.sub(r"\W+", "-", processor().lower())
    for folder in (options.runs, records):
        claim(folder, budgets)
    failed: list[str] = []
    for group, minutes in budgets.items():
        if not failed:
            failed = run(tasks_of(group, options.runs, records, 60 * minutes), options.data, options.jobs)
    page.write(*read(records), budgets, options.output)
    print(f"wrote {options.output / 'RESULTS.md'}")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}; run again to go on")


if __name__ == "__main__":
    main()
