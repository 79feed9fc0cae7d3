"""How close estimates are to the true stems."""

from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from tfwavesep import audio
from tfwavesep.data import stempeg
from tfwavesep.errors import AudioError

METRICS = ("SDR", "SIR", "SAR", "ISR")

Estimates = dict[str, np.ndarray]
"""For each target, `(time, channels)`."""


def rounded(references: np.ndarray) -> np.ndarray:
    """To 16 bits: decoded from AAC to float, MUSDB18 has so little above 16 kHz that the projections behind SIR, SAR
    and ISR become ill-conditioned; rounding noise cures it. SDR is not affected."""
    return np.round(references * 32768) / 32768


def with_accompaniment(estimates: Estimates) -> Estimates:
    """The estimates, and the sum of all but the vocals."""
    if "accompaniment" in estimates:
        return estimates
    return {**estimates, "accompaniment": np.sum([e for t, e in estimates.items() if t != "vocals"], axis=0)}


def ideal_ratio_mask(mixture: np.ndarray, references: Estimates, targets: Iterable[str]) -> Estimates:
    """What soft masks on a spectrogram can reach at best: each target's share of the magnitudes, on the mixture.

    Reference:
        IRM1 of SiSEC 2018: magnitudes to the power of 1, STFT of 2048 samples with a hop of 1024.
    """
    from scipy.signal import istft, stft

    def spectrum(x: np.ndarray) -> np.ndarray:
        return np.asarray(stft(x.T, nperseg=2048, noverlap=1024)[2])

    magnitudes = {target: np.abs(spectrum(references[target])) for target in targets}
    total = np.sum(list(magnitudes.values()), axis=0) + np.finfo(np.float64).eps
    mixed = spectrum(mixture)
    masked = {t: istft(m / total * mixed, nperseg=2048, noverlap=1024)[1].T for t, m in magnitudes.items()}
    return {target: estimate[: len(mixture)] for target, estimate in masked.items()}


def bss_eval(name: str, references: Estimates, estimates: Estimates, sample_rate: int) -> str:
    """museval's framewise SDR, SIR, SAR and ISR (BSS Eval v4, frames of 1 s), as a text in its json schema.

    Reference:
        Vincent, Gribonval & Févotte 2006 (BSS Eval); Stöter, Liutkus & Ito 2018 (its version 4). As there, vocals and
        accompaniment are scored against one another, the other stems among all, the vocals too.
    """
    stempeg.ensure()
    import museval

    targets = {target: SimpleNamespace(audio=reference) for target, reference in references.items()}
    track = SimpleNamespace(name=name, rate=sample_rate, targets=targets, subset="")
    scores = museval.eval_mus_track(track, estimates)
    scores.validate()
    return str(scores.json)


def sdr(reference: np.ndarray, estimate: np.ndarray, sample_rate: int) -> float:
    """Median over 1-second frames of `10 log10(|s|^2 / |s - e|^2)`, in dB; frames with a silent reference are left
    out. Equal to museval's SDR, and quick, except that a silent estimate counts (0 dB): museval leaves out a second in
    which any reference or estimate of the track is silent.

    Args:
        reference: `(time, channels)`.
        estimate: as the reference.
        sample_rate: Hz.
    """
    frames = max(1, len(reference) // sample_rate)
    length = min(len(reference), frames * sample_rate) // frames * frames
    energy = (reference[:length] ** 2).reshape(frames, -1).sum(axis=1)
    error = ((reference - estimate)[:length] ** 2).reshape(frames, -1).sum(axis=1)
    heard = energy > 0
    if not heard.any():
        return float("nan")
    return float(np.median(10 * np.log10(energy[heard] / np.maximum(error[heard], 1e-20))))


def compare_files(stems: dict[str, Path], references: Path) -> dict[str, float]:
    """SDR of separated files against a folder of true stems with the same names; stems without one are left out.

    Raises:
        AudioError: a true stem is there twice, cannot be read, or has another rate, length or number of channels.
    """
    scores = {}
    for stem, path in stems.items():
        true = audio.named(references, stem)
        if true:
            (reference, sample_rate), (estimate, other_rate) = audio.read(true), audio.read(path)
            if (reference.shape, sample_rate) != (estimate.shape, other_rate):
                raise AudioError(f"{true}: must have the song's rate, length and channels")
            scores[stem] = sdr(reference, estimate, sample_rate)
    return scores
