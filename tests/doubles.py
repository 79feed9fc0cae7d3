"""A small stand-in for a trained model, whose output can be told exactly, for tests of all that is around a model."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfwavesep.backends import Backend
from tfwavesep.models import ModelConfig
from tfwavesep.separation import Separator

RATE = 8000
SEGMENT = 0.05
TARGET = 399
"""Samples of a segment of 0.05 s at 8 kHz, in blocks of 3."""

TAPS = np.array([0.05, 0.1, 0.3, 0.35, 0.15, 0.05, 0.02], np.float32)
SHARES = (0.5, 0.3, 0.1)


@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """Blocks of 3 samples, 4 samples of context, 2 of look-ahead."""

    context: int = 4
    lookahead: int = 2
    block: int = 3


class Smoother(Backend):
    """Each stem is a share of the mixture, smoothed by a filter that is not symmetric: every neighbour counts."""

    name = "smoother"

    def __init__(self, channels: int = 1) -> None:
        self.config = Config(sample_rate=RATE, channels=channels, stems=("vocals", "drums", "bass"), residual="other")

    def predict(self, mixture: np.ndarray) -> np.ndarray:
        assert mixture.dtype == np.float32
        assert mixture.shape[2] == self.config.channels
        target_length = mixture.shape[1] - self.config.context - self.config.lookahead
        smooth = sum(tap * mixture[:, i : i + target_length] for i, tap in enumerate(TAPS))
        return np.stack([np.float32(share) * smooth for share in SHARES], axis=1)

    def steps(self, batch: int) -> Callable[[np.ndarray], np.ndarray]:
        before = np.ones((batch, len(TAPS) - 1, self.config.channels), np.float32)

        def step(mixture: np.ndarray) -> np.ndarray:
            nonlocal before
            joined = np.concatenate([before, mixture], axis=1)
            before = joined[:, -len(TAPS) + 1 :]
            return self.predict(joined)

        return step


def noise(length: int, channels: int = 1, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (length, channels)).astype(np.float32)


def separator(channels: int = 1, segment: float = SEGMENT) -> Separator:
    return Separator(Smoother(channels), segment)


def tone(sample_rate: int = 44100, channels: int = 2, length: int = 9000, pitch: float = 440) -> np.ndarray:
    """A sine wave, softer in each further channel."""
    wave = 0.5 * np.sin(2 * np.pi * pitch * np.arange(length) / sample_rate)
    return (wave[:, np.newaxis] / np.arange(1, channels + 1)).astype(np.float32)


def encode(path: Path, codec: str, sample_rate: int, *streams: np.ndarray, **options: str) -> None:
    """Write stereo streams into one file with PyAV."""
    import av

    with av.open(str(path), "w", options=options) as container:
        encoders = [container.add_stream(codec, rate=sample_rate, layout="stereo") for _ in streams]
        for encoder, samples in zip(encoders, streams, strict=True):
            encoder.bit_rate = 256000
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T), format="fltp", layout="stereo")
            frame.sample_rate, frame.pts = sample_rate, 0
            container.mux([*encoder.encode(frame), *encoder.encode(None)])
