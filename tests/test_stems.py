"""Names of stems."""

import numpy as np
import pytest

from tfwavesep import stems
from tfwavesep.errors import ConfigError


def test_unknown_stem_suggests_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'vocals'"):
        stems.weights(["vocal"])


@pytest.mark.parametrize(
    ("targets", "whole"),
    [
        (("vocals", "drums", "bass", "other"), True),
        (("accompaniment", "vocals"), True),
        (("vocals", "accompaniment", "drums"), False),
        (("drums",), False),
    ],
)
def test_targets_that_sum_to_the_mixture(targets: tuple[str, ...], whole: bool) -> None:
    assert stems.sum_to_mixture(targets) == whole


def test_a_piece_goes_with_the_stem_that_it_is_told_apart_from() -> None:
    five = ("vocals", "piano", "drums", "bass", "other")
    assert stems.sum_to_mixture(five)
    assert not any(map(stems.sum_to_mixture, (("vocals", "piano", "accompaniment"), (*five, "piano"), five[:-1])))
    estimates = {stem: np.full((3, 2), float(number)) for number, stem in enumerate(five)}
    whole = stems.gathered(estimates)
    assert list(whole) == ["vocals", "drums", "bass", "other"]
    np.testing.assert_array_equal(whole["other"], estimates["other"] + estimates["piano"])
    assert stems.gathered(whole) == whole
