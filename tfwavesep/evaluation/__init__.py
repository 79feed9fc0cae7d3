"""How well stems match the true ones: metrics, the evaluation of a model on many songs, and its scores."""

from tfwavesep.evaluation.campaign import evaluate
from tfwavesep.evaluation.metrics import METRICS, Estimates, compare_files, sdr, with_accompaniment
from tfwavesep.evaluation.scores import NOTHING, ORACLE, box_plot, markdown, table

__all__ = [
    "METRICS",
    "NOTHING",
    "ORACLE",
    "Estimates",
    "box_plot",
    "compare_files",
    "evaluate",
    "markdown",
    "sdr",
    "table",
    "with_accompaniment",
]
