"""The names of stems and what they are sums of.

A track is the sum of four stems. What a model is asked for (a target) is a stem or a sum of stems.
"""

from collections.abc import Sequence

import numpy as np

from tfwavesep.errors import ConfigError, one_of

STEMS = ("vocals", "drums", "bass", "other")
"""The stems of a track, in the order used everywhere in this package."""

TARGETS: dict[str, tuple[str, ...]] = {
    **{stem: (stem,) for stem in STEMS},
    "accompaniment": ("drums", "bass", "other"),
}
"""What a model can be asked for, each as the stems it is the sum of."""

PARTS: dict[str, tuple[str, ...]] = {
    **TARGETS,
    **{f"no_{stem}": tuple(other for other in STEMS if other != stem) for stem in STEMS},
    "mixture": STEMS,
}
"""What the files of a song may be called, each as the stems it is the sum of: single stems first, the mixture last."""


def weights(targets: Sequence[str]) -> np.ndarray:
    """Matrix that mixes stems into targets: `targets = weights @ stems`.

    Args:
        targets: names from `TARGETS`.

    Returns:
        float32 `(len(targets), 4)`, columns in the order of `STEMS`.

    Raises:
        ConfigError: a name is unknown.

    >>> weights(["vocals", "accompaniment"]).tolist()
    [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 1.0, 1.0]]
    """
    for target in targets:
        if target not in TARGETS:
            raise ConfigError(one_of("stem", target, TARGETS))
    return np.array([[stem in TARGETS[t] for stem in STEMS] for t in targets], np.float32)


def sum_to_mixture(targets: Sequence[str]) -> bool:
    """Whether these targets hold each of the four stems exactly once, so that they sum to the mixture.

    >>> sum_to_mixture(["vocals", "accompaniment"]), sum_to_mixture(["vocals", "drums"])
    (True, False)
    """
    return bool((weights(targets).sum(axis=0) == 1).all())
