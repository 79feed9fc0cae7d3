"""The ensemble: the mean of its members, each seeing its own context. What all owe is tested elsewhere."""

import re
from itertools import combinations
from typing import Any

import keras
import numpy as np
import pytest

from tfwavesep import models
from tfwavesep.errors import ConfigError
from tfwavesep.models import ensemble
from tfwavesep.models.ensemble import Config, Member

NEAR = Member(architecture="wavenet", sizes={"filters": 2, "stacks": 1, "dilations": 2, "head": [3, 2]})
FAR = Member(architecture="framed_wavenet", sizes={"stride": 6, "analysis_filters": 4, "filters": 2, "dilations": 2})
BANDS = Member(
    architecture="banded_wavenet",
    sizes={"size": 16, "hop": 4, "groups": 2, "bands": [[2, 1], [1, 2]], "filters": 3, "stacks": 1, "dilations": 2},
)
LATE = Member(architecture="banded_wavenet", sizes={**BANDS.sizes, "ahead": 0})
COMMON: dict[str, Any] = {"sample_rate": 8000, "channels": 1, "stems": ("vocals", "accompaniment")}


def test_it_sees_as_far_as_the_farthest_and_gives_what_is_whole_for_all() -> None:
    config = Config(**COMMON, members=(NEAR, FAR))
    (_, near), (_, far) = config.parts
    assert near.context < far.context == config.context
    assert (near.block, far.block, config.block) == (1, 6, 6)
    assert (near.targets, far.targets) == (config.targets, config.targets)
    framed = {**FAR.sizes, "stride": 4}
    assert Config(**COMMON, members=(FAR, Member(architecture=FAR.architecture, sizes=framed))).block == 12


@pytest.mark.parametrize(
    "members",
    [(NEAR, FAR), (NEAR, FAR, NEAR), (BANDS, BANDS), (BANDS, FAR, BANDS, BANDS), (LATE, NEAR, LATE)],
    ids=lambda members: "+".join(member.architecture for member in members),
)
def test_it_gives_the_mean_of_what_its_members_give(members: tuple[Member, ...]) -> None:
    config = Config(**COMMON, members=members)
    networks = [models.build(*part) for part in config.parts]
    mixture = np.random.default_rng(0).standard_normal((2, config.input_length(48), 1)).astype(np.float32)
    starts = [config.context - part.context for _, part in config.parts]
    stops = [mixture.shape[1] - config.lookahead + part.lookahead for _, part in config.parts]
    estimates = [
        network(mixture[:, start:stop]).numpy() for network, start, stop in zip(networks, starts, stops, strict=True)
    ]
    assert min(np.abs(one - other).max() for one, other in combinations(estimates, 2)) > 1e-3
    np.testing.assert_allclose(ensemble.join(config, networks)(mixture), np.mean(estimates, axis=0), atol=1e-6)


def test_networks_on_the_same_spectrum_share_their_transforms() -> None:
    config = Config(**COMMON, members=(BANDS, BANDS, BANDS))
    network = models.build("ensemble", config)
    (shared,) = (layer for layer in network.layers if layer.weights)
    kinds = [type(layer).__name__ for layer in shared.layers]
    assert (kinds.count("STFT"), kinds.count("InverseSTFT")) == (1, 1)
    alone = models.build(*config.parts[0])
    assert network.count_params() == 3 * alone.count_params()


def test_members_start_from_different_weights() -> None:
    keras.utils.set_random_seed(0)
    config = Config(**COMMON, members=(NEAR, NEAR))
    kernels = [weight for weight in models.build("ensemble", config).get_weights() if weight.ndim > 1]
    half = len(kernels) // 2
    assert all(np.abs(one - other).max() > 1e-3 for one, other in zip(kernels[:half], kernels[half:], strict=True))


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ((NEAR,), "members = 1: at least two networks"),
        ((NEAR, Member(architecture="wavenett")), "unknown architecture 'wavenett': did you mean 'wavenet'?"),
        (
            (NEAR, Member(architecture="wavenet", sizes={"filter": 3})),
            "unknown key 'members[1].sizes.filter': did you mean 'members[1].sizes.filters'?",
        ),
        (
            (NEAR, Member(architecture="wavenet", sizes={"channels": 2})),
            "members[1].sizes.channels = 2: left to the ensemble, whose members share it",
        ),
        ((NEAR, Member(architecture="wavenet", sizes={"filters": 0})), "filters = 0: at least 1"),
        ((NEAR, Member(architecture="waveunet")), "residual = None"),
    ],
)
def test_networks_that_cannot_be_one_are_refused(members: tuple[Member, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        Config(**COMMON, members=members)


@pytest.mark.parametrize("members", [(NEAR, FAR, NEAR), (BANDS, FAR, BANDS, BANDS)])
def test_its_members_can_be_had_back(members: tuple[Member, ...]) -> None:
    """In their order, though those of one kind are joined first."""
    config = Config(**COMMON, members=members)
    networks = [models.build(*part) for part in config.parts]
    back = ensemble.networks(config, ensemble.join(config, networks))
    for network, other in zip(networks, back, strict=True):
        for weight, again in zip(network.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(weight, again)
