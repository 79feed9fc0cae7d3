"""How close an exported form stays to Keras: on numbers, and on what it costs in SDR on real music."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tfwavesep import audio
from tfwavesep.backends import Backend
from tfwavesep.data import Track
from tfwavesep.evaluation import metrics
from tfwavesep.models import ModelConfig
from tfwavesep.separation import Separator
from tfwavesep.stems import gathered, weights

CALIBRATION_SECONDS = 2.0
"""Audio that each calibration segment yields."""


def snr(expected: np.ndarray, estimates: np.ndarray) -> float:
    """`10 log10(|expected|^2 / |expected - estimates|^2)` in dB; infinite if they are equal.

    >>> round(snr(np.array([1.0, 1.0]), np.array([1.1, 0.9])), 6)
    20.0
    """
    error = float(np.sum((expected - estimates) ** 2, dtype=np.float64))
    signal = float(np.sum(expected**2, dtype=np.float64))
    if not error:
        return float("inf")
    return float(10 * np.log10(signal / error)) if signal else float("-inf")


@dataclass(frozen=True)
class Fidelity:
    """A form beside Keras, on real music.

    Attributes:
        tracks: how many.
        snr: of the form's stems with Keras' as what is expected, dB, median over tracks.
        sdr: of the form against the true stems, dB, median over 1-second frames, then over tracks; by target.
        cost: Keras' `sdr` minus the form's, dB, by target.
    """

    tracks: int
    snr: float
    sdr: dict[str, float]
    cost: dict[str, float]

    def to_dict(self) -> dict[str, object]:
        """Ready for json, rounded to what can be told apart."""
        rounded = {name: {t: round(v, 3) for t, v in getattr(self, name).items()} for name in ("sdr", "cost")}
        return {"tracks": self.tracks, "snr": round(self.snr, 1), **rounded}


def measure(reference: Backend, forms: Sequence[Backend], tracks: list[Track], gain: float = 1.0) -> list[Fidelity]:
    """Separate tracks with Keras, once, and with each form, and compare.

    Args:
        reference: Keras.
        forms: of the same model.
        tracks: with true stems.
        gain: the tracks are played at.

    Returns:
        one for each form.
    """
    separators = [Separator(each) for each in (reference, *forms)]
    ratios, scores = [], []
    targets: list[str] = []
    for track in tracks:
        mixture, stems, sample_rate = track.load()
        expected, *found = (each.separate(np.float32(gain) * mixture, sample_rate) for each in separators)
        ratios.append([snr(_stacked(expected), _stacked(estimates)) for estimates in found])
        sdrs = [_sdr(stems, estimates, gain, sample_rate) for estimates in (expected, *found)]
        targets = list(sdrs[0])
        scores.append([list(sdr.values()) for sdr in sdrs])
    of_keras, *of_forms = np.nanmedian(np.array(scores), axis=0)
    return [
        Fidelity(
            len(tracks),
            float(ratio),
            dict(zip(targets, map(float, sdr), strict=True)),
            dict(zip(targets, map(float, of_keras - sdr), strict=True)),
        )
        for ratio, sdr in zip(np.median(ratios, axis=0), of_forms, strict=True)
    ]


def _stacked(estimates: metrics.Estimates) -> np.ndarray:
    return np.stack(list(estimates.values()))


def _sdr(stems: np.ndarray, estimates: metrics.Estimates, gain: float, sample_rate: int) -> dict[str, float]:
    everything = metrics.with_accompaniment(gathered(estimates))
    references = np.einsum("ts,slc->tlc", weights(list(everything)), stems)
    return {
        target: metrics.sdr(reference, estimate / np.float32(gain), sample_rate)
        for reference, (target, estimate) in zip(references, everything.items(), strict=True)
    }


def segments(tracks: list[Track], config: ModelConfig) -> list[np.ndarray]:
    """What a network would see of each track: float32 `(1, input_length, channels)` from its middle."""
    blocks = max(1, round(CALIBRATION_SECONDS * config.sample_rate / config.block))
    length = config.input_length(blocks * config.block)
    found = []
    for track in tracks:
        mixture, sample_rate = track.load_mixture()
        mixture = audio.to_channels(audio.resample(mixture, sample_rate, config.sample_rate), config.channels)
        start = max(0, (len(mixture) - length) // 2)
        segment = mixture[start : start + length]
        found.append(np.pad(segment, [(0, length - len(segment)), (0, 0)])[np.newaxis])
    return found
