"""The errors this package shows to people: each text says what was wrong, with what, and what to do."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any


class TfwavesepError(Exception):
    """Base of all errors whose text is meant for the user; the command line prints it as one line."""


class ConfigError(TfwavesepError, ValueError):
    """A preset, a field of a preset or an option has a value that cannot work."""


class AudioError(TfwavesepError):
    """An audio file cannot be read or written, or holds samples that cannot be used."""


class DataError(TfwavesepError):
    """A data root has no usable tracks, or too few."""


class ModelError(TfwavesepError):
    """A model on disk is missing, damaged, or not the one that was asked for."""


class TrainingError(TfwavesepError):
    """A training cannot go on as it is."""


class ExtraError(TfwavesepError, ImportError):
    """A package is not installed that comes with one of this package's extras."""


class OutputError(TfwavesepError):
    """A result cannot be written where it was to be."""


class OutputExistsError(OutputError):
    """Something is already where a result was to be written."""


class SiteError(TfwavesepError):
    """The page for browsers is not there."""


class StoreError(TfwavesepError):
    """An object store does not answer, or does not let us."""


@contextmanager
def needs_extra(name: str, what: object) -> Iterator[None]:
    """Imports inside the block need an extra of this package.

    Args:
        name: of the extra.
        what: is asked for, and needs it.

    Raises:
        ExtraError: it is not installed.

    >>> with needs_extra("plot", "a picture"):
    ...     import no_such_package
    Traceback (most recent call last):
    tfwavesep.errors.ExtraError: a picture: needs no_such_package: pip install 'tfwavesep[plot]'
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise ExtraError(f"{what}: needs {error.name}: pip install 'tfwavesep[{name}]'") from error


def require(holds: bool, field: str, value: Any, rule: str) -> None:
    """Refuse a field's value, naming the field, the value and the rule.

    Raises:
        ConfigError: `holds` is false.
    """
    if not holds:
        raise ConfigError(f"{field} = {value!r}: {rule}")


def one_of(what: str, value: str, known: Iterable[str]) -> str:
    """Text for an unknown name: the nearest known one first, then all of them.

    >>> one_of("stem", "vocal", ["vocals", "drums"])
    "unknown stem 'vocal': did you mean 'vocals'? Known: vocals, drums"
    """
    names = list(known)
    near = get_close_matches(value, names, n=1, cutoff=0.5)
    hint = f"did you mean '{near[0]}'? " if near else ""
    return f"unknown {what} '{value}': {hint}Known: {', '.join(names)}"
