"""Stems put together again, each with a gain."""

import math
from collections.abc import Sequence

from tfwavesep.errors import ConfigError, one_of


def parse_gains(text: str, targets: Sequence[str]) -> list[float]:
    """The factor of each target.

    Args:
        text: such as "vocals=0,drums=-6dB": factors, or decibels; what is not named has 1.
        targets: of the model.

    Raises:
        ConfigError: it is something else, or there is no such stem.

    >>> parse_gains("vocals=0,drums=-6.02dB", ["vocals", "drums", "other"])
    [0.0, 0.5, 1.0]
    """
    gains = dict.fromkeys(targets, 1.0)
    for part in filter(None, (each.strip() for each in text.split(","))):
        stem, _, value = part.partition("=")
        if stem not in gains:
            raise ConfigError(one_of("stem", stem, targets))
        gains[stem] = _factor(value, part)
    return list(gains.values())


def _factor(value: str, part: str) -> float:
    number = value.removesuffix("dB").strip()
    try:
        gain = float(number)
    except ValueError:
        gain = math.nan
    if value.endswith("dB"):
        gain = round(10 ** (gain / 20), 4) if gain <= 40 else math.nan
    if not 0 <= gain <= 100:
        raise ConfigError(f"gain {part}: must be STEM=FACTOR from 0 to 100, or STEM=-6dB")
    return gain
