"""Many songs: what is to be done with each, and who does it, here or on the machines of a cluster.

`cluster`, which alone needs Ray, is imported from its room.
"""

from tfwavesep.batch.jobs import Job, Outcome, Settings, open_source
from tfwavesep.batch.manifest import Manifest
from tfwavesep.batch.workers import Monitor, load, model_sha256, run, separate_file

__all__ = [
    "Job",
    "Manifest",
    "Monitor",
    "Outcome",
    "Settings",
    "load",
    "model_sha256",
    "open_source",
    "run",
    "separate_file",
]
