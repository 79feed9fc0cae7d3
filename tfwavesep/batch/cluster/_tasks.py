"""What is sent to the machines, what runs it there, and what comes back."""

from dataclasses import dataclass, replace

from tfwavesep.batch import jobs, parts, workers
from tfwavesep.batch.jobs import Job, Outcome, Settings
from tfwavesep.batch.parts import Part, Separated
from tfwavesep.errors import OutputError, OutputExistsError, StoreError, TfwavesepError
from tfwavesep.separation import Separator


@dataclass(frozen=True)
class Whole:
    """A song to be separated; or to be cut, if it is a long one."""

    job: Job
    part_seconds: float

    def run(self, separator: Separator) -> Outcome | list[Part]:
        """The song's outcome, or its parts."""
        return parts.cut(self.job, separator, self.part_seconds) or jobs.run(separator, self.job)


@dataclass(frozen=True)
class Piecework:
    """A part of a song to be separated."""

    job: Job
    part: Part

    def run(self, separator: Separator) -> Separated:
        """What is known of the part."""
        return parts.separate(separator, self.part)


@dataclass(frozen=True)
class Joining:
    """Parts to be joined."""

    job: Job
    parts: list[Part]
    separated: list[Separated]

    def run(self, separator: Separator) -> Outcome:
        """The song's outcome."""
        return parts.join(separator, [replace(part, job=self.job) for part in self.parts], self.separated)


Task = Whole | Piecework | Joining


@dataclass(frozen=True)
class Unwritten:
    """It is not the song's fault: the machine could not write, or not reach a store."""

    reason: str


@dataclass(frozen=True)
class Died:
    """The process, or its machine, is gone; how, in Ray's words."""

    how: str


Answer = Outcome | list[Part] | Separated | Unwritten | Died


class Worker:
    """A process on one of the machines.

    Args:
        settings: of all jobs.
        model_sha256: the model's digest on the machine that hands out jobs.
    """

    def __init__(self, settings: Settings, model_sha256: str | None) -> None:
        self._settings, self._model_sha256 = settings, model_sha256

    def load(self) -> str | None:
        """Load the model; say what is wrong with it here."""
        try:
            if workers.model_sha256(self._settings.model) != self._model_sha256:
                return f"{self._settings.model}: another model has this name there"
            self._separator = workers.load(self._settings)
        except TfwavesepError as error:
            return str(error)
        return None

    def do(self, task: Task) -> Answer:
        """Run a task; what goes wrong is an answer too."""
        try:
            return task.run(self._separator)
        except (OutputError, StoreError) as error:
            if not isinstance(error, OutputExistsError):
                return Unwritten(str(error))
            return workers.failure(task.job, error)
        except Exception as error:
            return workers.failure(task.job, error)
