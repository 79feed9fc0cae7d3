"""The names of stems and what they are sums of.

A track is the sum of four stems. What a model is asked for (a target) is a stem or a sum of stems.
"""

from collections.abc import Iterable, Mapping, Sequence

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

Recipe = Mapping[str, float]
"""A sum of parts, each with its factor."""

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
    return apart and bool((weights(in_tracks(targets)).sum(axis=0) == 1).all())


def known(rest: Sequence[str], targets: Sequence[str]) -> np.ndarray:
    """Which targets are known of a song of which some stems are known only as their sum.

    Args:
        rest: these stems, or none.
        targets: names from `TARGETS`.

    Returns:
        bool `(len(targets),)`.

    >>> known(["drums", "bass", "other"], ["vocals", "drums", "accompaniment"]).tolist()
    [True, False, True]
    """
    wanted = [set(TARGETS[target]) for target in targets]
    return np.array([stems.issuperset(rest) or stems.isdisjoint(rest) for stems in wanted], bool)


def recipes(parts: Iterable[str]) -> tuple[dict[str, Recipe], tuple[str, ...]]:
    """How a song's stems are made of its files.

    Args:
        parts: names from `PARTS`, of what there is.

    Returns:
        for each of `STEMS` and for "mixture" a recipe; and the stems of which only the sum is known: its recipe is that
        of the last of them, while the others' are empty. Nothing at all where the mixture is not known, or no stem by
        itself.

    >>> recipes(["vocals", "mixture"])[0]["other"], recipes(["vocals", "mixture"])[1]
    ({'vocals': -1.0, 'mixture': 1.0}, ('drums', 'bass', 'other'))
    >>> recipes(["drums", "vocals"])
    ({}, ())
    """
    basis = _independent([part for part in PARTS if part in set(parts)])
    known = {stem: recipe for stem in STEMS if (recipe := _combination(basis, [stem])) is not None}
    mixture = _combination(basis, STEMS)
    if mixture is None or not known:
        return {}, ()
    rest = tuple(stem for stem in STEMS if stem not in known)
    found: dict[str, Recipe] = {**{stem: {} for stem in rest}, **known, "mixture": mixture}
    if rest:
        found[rest[-1]] = _combination(basis, rest) or {}
    return found, rest


def _independent(parts: Sequence[str]) -> list[str]:
    """Without those parts that the ones before them tell already."""
    kept: list[str] = []
    for part in parts:
        if np.linalg.matrix_rank(_indicators([*kept, part])) > len(kept):
            kept.append(part)
    return kept


def _combination(basis: Sequence[str], stems: Sequence[str]) -> Recipe | None:
    """The sum of some stems as a combination of parts, None if it is none."""
    if not basis:
        return None
    matrix, wanted = _indicators(basis).T, np.array([stem in stems for stem in STEMS], float)
    factors = np.linalg.lstsq(matrix, wanted, rcond=None)[0].round(12)
    if not np.allclose(matrix @ factors, wanted):
        return None
    return {part: float(factor) for part, factor in zip(basis, factors, strict=True) if factor}


def _indicators(parts: Sequence[str]) -> np.ndarray:
    """Which stems each part is the sum of: `(parts, 4)`."""
    return np.array([[stem in PARTS[part] for stem in STEMS] for part in parts], float)


def in_tracks(targets: Sequence[str]) -> tuple[str, ...]:
    """Those of the targets that tracks have."""
    return tuple(target for target in targets if target not in PIECES)


def gathered(estimates: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Estimates as tracks have them: `PIECES` are added to the stems that they were told apart from."""
    whole = {target: estimates[target] for target in in_tracks(list(estimates))}
    for piece in estimates.keys() & PIECES.keys():
        whole[PIECES[piece]] = whole[PIECES[piece]] + estimates[piece]
    return whole
