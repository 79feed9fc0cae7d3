"""Batches of small songs, and a monitor that remembers what became of them."""

from hashlib import sha256
from pathlib import Path

import soundfile
from doubles import noise

from tfwavesep.batch import Job, Outcome, Settings


class Notes:
    """A monitor that remembers."""

    def __init__(self) -> None:
        self.outcomes: dict[str, Outcome] = {}
        self.seconds: dict[str, list[float]] = {}

    def progressed(self, job: Job, seconds: float, length: float | None) -> None:
        assert length is None or seconds <= length + 1e-6
        self.seconds.setdefault(job.source.name, []).append(seconds)

    def finished(self, outcome: Outcome) -> None:
        assert outcome.source not in self.outcomes
        self.outcomes[outcome.source] = outcome

    @property
    def status(self) -> dict[str, str]:
        return {Path(source).name: outcome.status for source, outcome in self.outcomes.items()}


def songs(folder: Path, count: int, settings: Settings, seconds: float = 0.5) -> list[Job]:
    jobs = []
    for number in range(count):
        path = folder / f"{number}.wav"
        soundfile.write(path, noise(int(seconds * 8000), seed=number), 8000, "PCM_16")
        outputs = {stem: folder / "out" / path.stem / f"{stem}.wav" for stem in ("vocals", "drums", "bass", "other")}
        jobs.append(Job(path, outputs, settings))
    return jobs


def spoil(job: Job) -> None:
    job.source.write_text("no music")


def samples(folder: Path) -> dict[Path, str]:
    """Each file with the checksum of what is in it, so that a difference tells the file, not thousands of bytes."""
    return {path.relative_to(folder): sha256(path.read_bytes()).hexdigest() for path in sorted(folder.rglob("*.wav"))}
