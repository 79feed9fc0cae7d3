"""The cascade: a second network on a stem of the first. What all owe is tested elsewhere."""

import re
from typing import Any

import numpy as np
import pytest

from tfwavesep import models
from tfwavesep.errors import ConfigError
from tfwavesep.models import cascade
from tfwavesep.models.cascade import Config
from tfwavesep.models.ensemble import Member

NEAR = {"filters": 2, "stacks": 1, "dilations": 2, "head": [3, 2]}
TWO = Member(architecture="wavenet", sizes={**NEAR, "stems": ["vocals"], "residual": "accompaniment"})
BLOCKS = Member(
    architecture="unet",
    sizes={"stems": ["vocals", "accompaniment"], "size": 32, "hop": 8, "bins": 8, "filters": [2, 3]},
)
FOUR = Member(
    architecture="framed_wavenet",
    sizes={
        "stride": 6,
        "analysis_filters": 4,
        "filters": 2,
        "dilations": 2,
        "stems": ["vocals", "drums", "bass", "other"],
    },
)
STEMS = ("vocals", "drums", "bass", "other")
COMMON: dict[str, Any] = {"sample_rate": 8000, "channels": 1, "stems": STEMS, "divided": "accompaniment"}


def test_contexts_add_and_the_first_keeps_its_grid() -> None:
    config = Config(**COMMON, first=BLOCKS, second=FOUR)
    first, second = config.parts_in_order
    assert (first.block, second.block, config.block) == (32, 6, 96)
    before, after = config.margins
    assert before % first.block == after % first.block == 0
    assert second.context <= before < second.context + first.block
    assert second.lookahead <= after < second.lookahead + first.block
    assert config.context == first.context + before
    assert config.lookahead == first.lookahead + after


@pytest.mark.parametrize("first", [TWO, BLOCKS], ids=["residual", "grid"])
def test_the_second_divides_what_the_first_found(first: Member) -> None:
    config = Config(**COMMON, first=first, second=FOUR)
    architectures = (first.architecture, FOUR.architecture)
    networks = [models.build(*part) for part in zip(architectures, config.parts_in_order, strict=True)]
    length = 2 * config.block
    mixture = np.random.default_rng(0).standard_normal((2, config.input_length(length), 1)).astype(np.float32)
    vocals = networks[0](mixture).numpy()[:, 0]
    context = config.parts_in_order[0].context
    accompaniment = mixture[:, context:-context] - vocals
    margin, _ = config.margins
    spare = margin - config.parts_in_order[1].context
    seen = accompaniment[:, spare : accompaniment.shape[1] - spare]
    strange, drums, bass, other = np.moveaxis(networks[1](seen).numpy(), 1, 0)
    kept = vocals[:, margin : vocals.shape[1] - margin]
    expected = np.stack([kept, drums, bass, other + strange], axis=1)
    assert np.abs(strange).max() > 1e-3  # what the second calls vocals is there, and goes to other
    found = cascade.join(config, networks)(mixture).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), mixture[:, config.context : -config.context], atol=1e-5)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"divided": "drums"}, "unknown stem 'drums'"),
        ({"stems": ("vocals", "accompaniment")}, "those of both networks in order: vocals, drums, bass, other"),
        (
            {"first": Member(architecture="wavenet", sizes={**TWO.sizes, "channels": 2})},
            "first.sizes.channels = 2: left to the cascade",
        ),
        ({"second": Member(architecture="unett")}, "unknown architecture 'unett': did you mean 'unet'?"),
        ({"second": Member(architecture="wavenet", sizes={"filter": 3})}, "unknown key 'second.sizes.filter'"),
        ({"stems": ("vocals", "drums", "bass"), "residual": "other"}, "residual = 'other': null"),
    ],
)
def test_networks_that_do_not_fit_are_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        Config(**{**COMMON, "first": TWO, "second": FOUR, **changed})
