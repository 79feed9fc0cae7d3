"""The WaveNet on frames."""

import numpy as np
import pytest

from tfwavesep.errors import ConfigError
from tfwavesep.models import framed_wavenet
from tfwavesep.models.framed_wavenet import Config

SMALL = Config(
    sample_rate=44100, channels=2, stems=("vocals", "drums", "bass", "other"),
    stride=8, analysis_filters=12, filters=4, stacks=1, dilations=3,
)  # fmt: skip


def test_silence_in_silence_out() -> None:
    network = framed_wavenet.build(SMALL)
    silence = np.zeros((1, SMALL.input_length(80), 2), np.float32)
    assert not np.any(network(silence))


def test_stems_sum_to_the_mixture() -> None:
    network = framed_wavenet.build(SMALL)
    mixture = np.random.default_rng(0).standard_normal((2, SMALL.input_length(80), 2)).astype(np.float32)
    inner = mixture[:, SMALL.context : -SMALL.context]
    np.testing.assert_allclose(np.sum(network(mixture), axis=1), inner, atol=1e-5)


def test_context_is_whole_frames() -> None:
    assert SMALL.context == 8 * (1 + 1 + 2 + 4)
    assert SMALL.context % SMALL.block == 0


def test_residual_is_refused() -> None:
    with pytest.raises(ConfigError, match="residual"):
        Config(sample_rate=44100, channels=2, stems=("vocals",), residual="accompaniment")
