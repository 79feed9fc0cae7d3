"""How close estimates are to the true stems."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tfwavesep import audio
from tfwavesep.data import stempeg
from tfwavesep.errors import AudioError

if TYPE_CHECKING:  # it needs SciPy, and stems are compared with references without
    from tfwavesep.evaluation.bss_eval import BssEval

METRICS = ("SDR", "SIR", "SAR", "ISR")

ORDER = ("SDR", "ISR", "SIR", "SAR")
"""In which museval's functions give them."""

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


class Scorer:
    """museval's framewise SDR, SIR, SAR and ISR (BSS Eval v4, frames of 1 s) of estimates of one track.

    What is silent from beginning to end, as a reference or as an estimate, has no score, and the others are scored
    without it. A stem that is scored alone has no SIR.

    Args:
        name: of the track.
        references: the true stems that are known.
        sample_rate: Hz.
        quick: SDR alone; the other metrics are NaN.

    Reference:
        Vincent, Gribonval & Févotte 2006 (BSS Eval); Stöter, Liutkus & Ito 2018 (its version 4). As there, vocals and
        accompaniment are scored against one another, the other stems among all, the vocals too. Equal to museval's
        to 1e-4 dB, in a tenth of the time; see `evaluation.bss_eval`.
    """

    def __init__(self, name: str, references: Estimates, sample_rate: int, quick: bool = False) -> None:
        self._name = name
        self._references = references
        self._rate = sample_rate
        self._quick = quick
        self._among: dict[tuple[str, ...], BssEval] = {}

    def __call__(self, estimates: Estimates) -> str:
        """A text in museval's json schema, of estimates of at least the references."""
        stempeg.ensure()
        import museval

        store = museval.TrackStore(track_name=self._name)
        heard: list[str] = [
            t for t, reference in self._references.items() if _is_heard(reference) and _is_heard(estimates[t])
        ]
        pair = [t for t in heard if t in ("vocals", "accompaniment")]
        among = [t for t in heard if t != "accompaniment"]
        for group, told in ((among, [t for t in among if t not in pair]), (pair, pair)):
            if told:
                values = self._scores(tuple(group), [group.index(t) for t in told], estimates)
                for target in told:
                    scores = values[:, group.index(target)].tolist()
                    store.add_target(target, dict(zip(ORDER, scores, strict=True)))
        store.validate()
        return str(store.json)

    def _scores(self, group: tuple[str, ...], told: list[int], estimates: Estimates) -> np.ndarray:
        """`(4, stems, frames)` of those of a group that are asked for."""
        given = np.stack([estimates[target] for target in group])
        if self._quick:
            return _framewise_sdr(np.stack([self._references[target] for target in group]), given, self._rate)
        if group not in self._among:
            from tfwavesep.evaluation.bss_eval import BssEval

            self._among[group] = BssEval(np.stack([self._references[target] for target in group]), self._rate)
        values = self._among[group](given, told)
        if len(group) == 1:
            values[ORDER.index("SIR")] = np.nan
        return values


def _is_heard(samples: np.ndarray) -> bool:
    """What museval takes for sound: the sum of the channels."""
    return bool(samples.sum(axis=-1).any())


def _framewise_sdr(references: np.ndarray, estimates: np.ndarray, sample_rate: int) -> np.ndarray:
    """SDR as museval has it: `(4, stems, frames)`, NaN for the other metrics, and where any of the stems is silent."""
    frames = _framed(np.moveaxis(references, 0, 1), sample_rate), _framed(np.moveaxis(estimates, 0, 1), sample_rate)
    energy, error = (np.square(each).sum(axis=(1, 3), dtype=np.float64) for each in (frames[0], frames[1] - frames[0]))
    heard = np.logical_and(*((each.sum(axis=3) != 0).any(axis=1).all(axis=1) for each in frames))
    with np.errstate(divide="ignore", invalid="ignore"):
        decibels = np.where(heard[:, np.newaxis], 10 * np.log10(energy / error), np.nan).T
    return np.stack([decibels, *[np.full_like(decibels, np.nan)] * 3])


def _framed(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """`(time, ...)` in whole seconds, `(frames, time, ...)`; what is shorter is one frame."""
    frames = max(1, len(samples) // sample_rate)
    length = min(len(samples), frames * sample_rate)
    return samples[:length].reshape(frames, length // frames, *samples.shape[1:])


def sdr(reference: np.ndarray, estimate: np.ndarray, sample_rate: int) -> float:
    """Median over 1-second frames of `10 log10(|s|^2 / |s - e|^2)`, in dB; frames with a silent reference are left
    out. Equal to museval's SDR, and quick, except that a silent estimate counts (0 dB): museval leaves out a second in
    which any reference or estimate of the track is silent.

    Args:
        reference: `(time, channels)`.
        estimate: as the reference.
        sample_rate: Hz.
    """
    energy = (_framed(reference, sample_rate) ** 2).sum(axis=(1, 2))
    error = (_framed(reference - estimate, sample_rate) ** 2).sum(axis=(1, 2))
    heard = energy > 0
    if not heard.any():
        return float("nan")
    return float(np.median(10 * np.log10(energy[heard] / np.maximum(error[heard], 1e-20))))


def _form(samples: np.ndarray, sample_rate: int) -> str:
    length, channels = samples.shape
    return f"{length} samples of {channels} channels at {sample_rate} Hz"


def compare_files(stems: dict[str, Path], references: Path) -> dict[str, float]:
    """SDR of separated files against a folder of true stems with the same names; stems without one are left out, and
    that of silent ones is NaN.

    Raises:
        AudioError: a true stem is there twice, cannot be read, or has another rate, length or number of channels.
    """
    scores = {}
    for stem, path in stems.items():
        true = audio.named(references, stem)
        if true:
            (reference, sample_rate), (estimate, other_rate) = audio.read(true), audio.read(path)
            if (reference.shape, sample_rate) != (estimate.shape, other_rate):
                theirs, ours = _form(reference, sample_rate), _form(estimate, other_rate)
                raise AudioError(f"{true}: is no reference of {path}: has {theirs}, not {ours}")
            scores[stem] = sdr(reference, estimate, sample_rate)
    return scores
