"""museval's BSS Eval v4, with what depends on the true stems alone worked out once for all estimates of them.

An estimate is projected on its true stem, and on all true stems, each delayed by up to 511 samples in every channel.
The matrix of these projections knows no estimate: it is factored once, where museval solves it anew for each.

Reference:
    Vincent, Gribonval & Févotte 2006, "Performance measurement in blind audio source separation", IEEE TASLP 14(4),
    section III; with images, and filters of the whole song: Stöter, Liutkus & Ito 2018 (arXiv 1804.06267), section 3.2.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.linalg import LinAlgError, cho_factor, cho_solve, toeplitz

TAPS = 512
"""Of the filters that a stem may have gone through and still count as itself."""

BLOCK = 8192
"""Samples of the transforms in which correlations are summed up."""

AT_ONCE = 16
"""Frames that are projected together."""

SAME = 1e-14
"""Energy of what two signals differ in, as a share of theirs, that double precision may be taken for: one step of 16
bits at one of a song's samples is more."""


class BssEval:
    """Scores estimates of a song's stems, frame by frame.

    Args:
        references: the true stems, `(stems, time, channels)`; none of them silent.
        frame: samples that are scored together, one frame after the other; what is left at the end is not scored, and
            what is shorter is one frame.
    """

    def __init__(self, references: np.ndarray, frame: int) -> None:
        references = np.asarray(references, np.float64)
        self._stems, time, self._channels = references.shape
        self._frame = min(frame, time)
        self._size = next_fast_len(self._frame + TAPS - 1, real=True)
        self._framed = self._frames(references)
        self._delayed = _Delayed(_signals(references))
        correlations = self._delayed.correlations(_signals(references))
        self._all = _Projection(correlations)
        self._each = [_Projection(correlations[own, own]) for own in map(self._of, range(self._stems))]

    def __call__(self, estimates: np.ndarray, stems: Sequence[int] | None = None) -> np.ndarray:
        """SDR, ISR, SIR and SAR in dB: `(4, stems, frames)`, NaN where any reference or any estimate is silent.

        Args:
            estimates: shaped as the references.
            stems: the numbers of those that are asked for, all by default; the others are NaN throughout.
        """
        framed = self._frames(np.asarray(estimates, np.float64))
        asked = {
            stem: self._filters(stem, estimates[stem]) for stem in (range(self._stems) if stems is None else stems)
        }
        scores = np.full((4, *framed.shape[:2]), np.nan)
        for first in range(0, framed.shape[1], AT_ONCE):
            these = slice(first, first + AT_ONCE)
            true, found = self._framed[:, these], framed[:, these]
            spectra = rfft(np.moveaxis(true, 2, 0), self._size, axis=0)  # bins, stems, frames, channels
            for stem, filters in asked.items():
                own = self._projected(spectra[:, [stem]], filters[0])
                joint = self._projected(spectra, filters[1])
                scores[:, stem, these] = _ratios(true[stem], found[stem], own, joint)
        scores[:, :, ~(_heard(self._framed) & _heard(framed))] = np.nan
        return scores

    def _filters(self, stem: int, estimate: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The spectra of those through which its true stem and all stems come nearest to an estimate
        `(time, channels)`: `(bins, signals, outputs)`."""
        correlations = self._delayed.correlations(_signals(np.asarray(estimate, np.float64)[np.newaxis]))
        own = self._each[stem].filters(correlations[self._of(stem)])
        return rfft(own, self._size, axis=0), rfft(self._all.filters(correlations), self._size, axis=0)

    def _projected(self, spectra: np.ndarray, filters: np.ndarray) -> np.ndarray:
        """Frames, by their spectra `(bins, stems, frames, channels)`, through filters, and these' decay:
        `(frames, samples, outputs)`."""
        signals = np.moveaxis(spectra, 1, 2).reshape(*np.array(spectra.shape)[[0, 2]], -1)
        return np.moveaxis(irfft(signals @ filters, self._size, axis=0)[: self._frame + TAPS - 1], 0, 1)

    def _frames(self, signals: np.ndarray) -> np.ndarray:
        """`(stems, time, channels)` to `(stems, frames, samples, channels)`."""
        stems, time, channels = signals.shape
        frames = time // self._frame
        return signals[:, : frames * self._frame].reshape(stems, frames, self._frame, channels)

    def _of(self, stem: int) -> slice:
        """Where a stem's channels are among the signals."""
        return slice(stem * self._channels, (stem + 1) * self._channels)


class _Delayed:
    """Signals, and what they were up to `TAPS - 1` samples before.

    Args:
        signals: `(signals, time)`.
    """

    STEP = BLOCK - TAPS + 1

    def __init__(self, signals: np.ndarray) -> None:
        begun = np.pad(signals, ((0, 0), (TAPS - 1, -signals.shape[1] % self.STEP)))
        blocks = np.lib.stride_tricks.sliding_window_view(begun, BLOCK, axis=1)[:, :: self.STEP]
        self._spectra = np.moveaxis(rfft(blocks), 2, 0)  # bins, signals, blocks

    def correlations(self, others: np.ndarray) -> np.ndarray:
        """Sums of products of the samples of others `(others, time)` with those of the signals that are so many samples
        before: `(signals, others, TAPS)`."""
        blocks = np.pad(others, ((0, 0), (0, -others.shape[1] % self.STEP))).reshape(len(others), -1, self.STEP)
        spectra = rfft(blocks, BLOCK).conj().transpose(2, 1, 0)  # bins, blocks, others
        return np.moveaxis(irfft(self._spectra @ spectra, BLOCK, axis=0)[TAPS - 1 :: -1], 0, 2)


class _Projection:
    """The least-squares projection on signals and on what they were up to `TAPS - 1` samples before.

    Args:
        correlations: of the signals with themselves, see `_Delayed`.
    """

    def __init__(self, correlations: np.ndarray) -> None:
        self._signals = len(correlations)
        self._kept = _distinct(correlations)
        products = _products(correlations[np.ix_(self._kept, self._kept)])
        self._solve: Callable[[np.ndarray], np.ndarray]
        try:
            self._solve = partial(cho_solve, cho_factor(products.T, lower=True, check_finite=False))
        except LinAlgError:  # as far as double precision can tell one signal is made of the others
            self._solve = partial(_solve_as_museval, products)

    def filters(self, correlations: np.ndarray) -> np.ndarray:
        """`(taps, signals, outputs)` from the signals' correlations with outputs."""
        outputs = correlations.shape[1]
        right = np.swapaxes(correlations[self._kept], 1, 2).reshape(-1, outputs)
        filters = np.zeros((TAPS, self._signals, outputs))
        filters[:, self._kept] = np.swapaxes(self._solve(right).reshape(-1, TAPS, outputs), 0, 1)
        return filters


def _distinct(correlations: np.ndarray) -> list[int]:
    """The numbers of the signals without those that are silent or equal to one before, such as the right channel of a
    mono stem: they give nothing to project on, and a matrix that cannot be factored."""
    products = correlations[:, :, 0]
    kept: list[int] = []
    for number, energy in enumerate(np.diag(products)):
        differences = energy + products[kept, kept] - 2 * products[number, kept]
        if energy and (differences > SAME * energy).all():
            kept.append(number)
    return kept


def _solve_as_museval(products: np.ndarray, right: np.ndarray) -> np.ndarray:
    try:
        return np.asarray(np.linalg.solve(products + np.finfo(float).eps * np.eye(len(products)), right))
    except LinAlgError:
        return np.asarray(np.linalg.lstsq(products, right, rcond=None)[0])


def _products(correlations: np.ndarray) -> np.ndarray:
    """Of all signals at all delays with one another, `(signals * TAPS, signals * TAPS)`."""
    signals = range(len(correlations))
    return np.block([[toeplitz(correlations[i, j], correlations[j, i]) for j in signals] for i in signals])


def _signals(stems: np.ndarray) -> np.ndarray:
    """`(stems, time, channels)` to `(stems * channels, time)`."""
    return np.swapaxes(stems, 1, 2).reshape(-1, stems.shape[1])


def _heard(framed: np.ndarray) -> np.ndarray:
    """In which frames no stem's channels sum to silence, as museval has it: `(frames,)`."""
    return np.asarray((framed.sum(axis=3) != 0).any(axis=2).all(axis=0))


def _ratios(true: np.ndarray, found: np.ndarray, own: np.ndarray, joint: np.ndarray) -> np.ndarray:
    """SDR, ISR, SIR and SAR `(4, frames)` of a stem, all given as `(frames, samples, channels)`.

    Args:
        true: the stem.
        found: its estimate.
        own: what it is projected to on the stem; longer by what filters decay in, as `joint`.
        joint: what it is projected to on all stems.
    """
    true, found = (np.pad(each, ((0, 0), (0, TAPS - 1), (0, 0))) for each in (true, found))
    pairs = (true, found - true), (true, own - true), (own, joint - own), (joint, found - joint)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.array([10 * np.log10(_energy(signal) / _energy(error)) for signal, error in pairs])


def _energy(frames: np.ndarray) -> np.ndarray:
    return np.einsum("tsc,tsc->t", frames, frames)
