"""From a preset and songs to a trained network: losses, the fit, and the folder that a run leaves."""

from tfwavesep.training.fit import train
from tfwavesep.training.runs import preset_of, read_history
from tfwavesep.training.trained import Trained, begin, gently

__all__ = ["Trained", "begin", "gently", "preset_of", "read_history", "train"]
