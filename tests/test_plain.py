"""Dataclasses from plain values: what comes out is of the fields' types, and what is wrong is named by its full key."""

import re
from dataclasses import dataclass, field
from typing import Any

import pytest

from tfwavesep import plain
from tfwavesep.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Inner:
    pairs: tuple[tuple[int, int], ...] = ()
    rate: float | None = None


@dataclass(frozen=True, kw_only=True)
class Outer:
    name: str
    inner: Inner
    several: tuple[Inner, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)


def test_lists_become_tuples_and_whole_numbers_floats() -> None:
    values = {"name": "a", "inner": {"pairs": [[1, 2], [3, 4]], "rate": 1}, "several": [{}, {"rate": None}]}
    read = plain.read(Outer, values)
    assert read == Outer(name="a", inner=Inner(pairs=((1, 2), (3, 4)), rate=1.0), several=(Inner(), Inner()))
    assert isinstance(read.inner.rate, float)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (5, "preset = 5: must be a group of keys"),
        ({"name": "a", "inner": 5}, "inner = 5: must be a group of keys"),
        ({"inner": {}}, "preset: 'name' is missing"),
        ({"name": "a", "inner": {"rat": 1}}, "unknown key 'inner.rat': did you mean 'inner.rate'?"),
        ({"name": "a", "inner": {"rate": "fast"}}, "inner.rate = 'fast': must be float"),
        ({"name": "a", "inner": {"rate": True}}, "inner.rate = True: must be float"),
        ({"name": "a", "inner": {"pairs": [[1, "b"]]}}, "inner.pairs = 'b': must be int"),
        ({"name": "a", "inner": {}, "several": [{"x": 1}]}, "unknown key 'several.x'"),
        ({"name": 3, "inner": {}}, "name = 3: must be str"),
    ],
)
def test_what_is_wrong_is_named(values: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        plain.read(Outer, values)


def test_keys_are_told_from_where_the_group_stands() -> None:
    with pytest.raises(ConfigError, match=re.escape("'model.inner' is missing")):
        plain.read(Outer, {"name": "a"}, "model.")


def test_a_field_may_be_narrowed() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Narrow(Inner):
        more: int = 0

    read = plain.read(Outer, {"name": "a", "inner": {"more": 3}}, hints={"inner": Narrow})
    assert read.inner == Narrow(more=3)
