"""From trainings to models on disk, each form checked against Keras; and what models tell of themselves.

What writes models needs TensorFlow and is imported from its room; the catalogue does not.
"""

from tfwavesep.release import catalogue

__all__ = ["catalogue"]
