"""Paths that mean the same in any working folder: the machines' are not ours."""

from dataclasses import replace
from pathlib import Path

from tfwavesep import places, store
from tfwavesep.batch import jobs
from tfwavesep.batch.jobs import Job, Outcome, Settings


def absolute(path: Path) -> Path:
    """A place that means the same in any folder."""
    return path if path == jobs.STDIN else places.absolute(path)


def anywhere(job: Job) -> Job:
    """A job that means the same in any folder."""
    outputs = {stem: absolute(path) for stem, path in job.outputs.items()}
    settings, picture = model_anywhere(job.settings), job.picture and absolute(job.picture)
    return replace(job, source=absolute(job.source), outputs=outputs, picture=picture, settings=settings)


def model_anywhere(settings: Settings) -> Settings:
    """Settings whose model, if it is a path, is found from any folder; a released model's name stays one."""
    here = Path(settings.model)
    is_path = settings.model not in store.released() and here.exists()
    return replace(settings, model=str(absolute(here))) if is_path else settings


def as_named(outcome: Outcome, job: Job) -> Outcome:
    """An outcome with the paths as the user named them."""
    outputs = {stem: str(job.outputs[stem]) for stem in outcome.outputs}
    picture = str(job.picture) if outcome.picture else None
    error = outcome.error and outcome.error.replace(outcome.source, str(job.source))
    named = replace(outcome, source=str(job.source), outputs=outputs, picture=picture, error=error)
    return replace(named, settings=job.settings.described())
