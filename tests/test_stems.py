"""Names of stems."""

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
