"""Dataclasses from plain values, such as a preset's json holds; what is wrong is named by its full key."""

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from tfwavesep.errors import ConfigError, one_of

T = TypeVar("T")


def read(cls: type[T], values: Any, where: str = "", hints: Mapping[str, type] | None = None) -> T:
    """A dataclass from a dictionary.

    Args:
        cls: the dataclass.
        values: its fields by name; those that have a default may be missing.
        where: the dictionary's own key in the preset, with a dot behind it; "" for the preset itself.
        hints: types of fields where the class tells less.

    Raises:
        ConfigError: a key is unknown (the nearest is named) or missing, or a value cannot work.
    """
    if not isinstance(values, dict):
        raise ConfigError(f"{where.rstrip('.') or 'preset'} = {values!r}: must be a group of keys")
    types_of = {**typing.get_type_hints(cls), **(hints or {})}
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for key in values:
        if key not in fields:
            raise ConfigError(one_of("key", where + key, [where + name for name in fields]))
    for name, f in fields.items():
        required = f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        if required and name not in values:
            raise ConfigError(f"preset: '{where}{name}' is missing")
    return cls(**{key: convert(types_of[key], value, where + key) for key, value in values.items()})


def convert(hint: Any, value: Any, where: str) -> Any:
    """Check a value against a type; lists become tuples.

    Raises:
        ConfigError: it is of another type; `where`, its key, is named.
    """
    if dataclasses.is_dataclass(hint):
        return read(typing.cast(type, hint), value, where + ".")
    if isinstance(hint, types.UnionType):
        inner = [h for h in typing.get_args(hint) if h is not type(None)]
        return None if value is None else convert(inner[0], value, where)
    if typing.get_origin(hint) is tuple and isinstance(value, (list, tuple)):
        return tuple(convert(typing.get_args(hint)[0], item, where) for item in value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    plain = typing.get_origin(hint) or hint
    if not isinstance(value, plain) or (plain is int and isinstance(value, bool)):
        raise ConfigError(f"{where} = {value!r}: must be {getattr(plain, '__name__', plain)}")
    return value
