"""The names of stems and what they are sums of.

A track is the sum of four stems. What a model is asked for (a target) is a stem or a sum of stems.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from tfwavesep.errors import ConfigError, one_of

STEMS = ("vocals", "drums", "bass", "other")
"""The stems of a track, in the order used everywhere in this package."""

TARGETS: dict[str, tuple[str, ...]] = {
    **{stem: (stem,) for stem in STEMS},
    "accompaniment": ("drums", "bass", "other"),
}
"""What a model can be asked for, each as the stems it is the sum of."""

PIECES = {"piano": "other"}
"""Stems that some models tell apart from one of the four, which then is without them. No track has them alone."""


def weights(targets: Sequence[str]) -> np.ndarray:
    """Matrix that mixes stems into targets: `targets = weights @ stems`.

    Args:
        targets: names from `TARGETS`.

    Returns:
        float32 `(len(targets), 4)`, columns in the order of `STEMS`.

    Raises:
        ConfigError: a name is unknown, or one of `PIECES`.

    >>> weights(["vocals", "accompaniment"]).tolist()
    [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 1.0, 1.0]]
    """
    for target in targets:
        if target in PIECES:
            raise ConfigError(f"tracks have no {target} of its own: it is in their {PIECES[target]}")
        if target not in TARGETS:
            raise ConfigError(one_of("stem", target, TARGETS))
    return np.array([[stem in TARGETS[t] for stem in STEMS] for t in targets], np.float32)


def sum_to_mixture(targets: Sequence[str]) -> bool:
    """Whether these targets hold each of the four stems exactly once, so that they sum to the mixture; with each of
    `PIECES` goes the stem that it is told apart from.

    Raises:
        ConfigError: a name is unknown.

    >>> sum_to_mixture(["vocals", "accompaniment"]), sum_to_mixture(["vocals", "drums"])
    (True, False)
    >>> sum_to_mixture(["vocals", "piano", "drums", "bass", "other"]), sum_to_mixture(["accompaniment", "piano"])
    (True, False)
    """
    pieces = [target for target in targets if target in PIECES]
    apart = len(set(pieces)) == len(pieces) and all(PIECES[piece] in targets for piece in pieces)
    return apart and bool((weights(known(targets)).sum(axis=0) == 1).all())


def known(targets: Sequence[str]) -> tuple[str, ...]:
    """Those of the targets that tracks have."""
    return tuple(target for target in targets if target not in PIECES)


def gathered(estimates: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Estimates as tracks have them: `PIECES` are added to the stems that they were told apart from."""
    whole = {target: estimates[target] for target in known(list(estimates))}
    for piece in estimates.keys() & PIECES.keys():
        whole[PIECES[piece]] = whole[PIECES[piece]] + estimates[piece]
    return whole
