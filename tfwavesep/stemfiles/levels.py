"""Stems as whole steps of the format they are written in, so that they sum to the mixture exactly.

Full scale is `2 ** (bits - 1)` steps. The estimates are rounded to steps, the mixture is rounded to steps, and the
residual is the difference of the two: nothing is left over. Only NumPy here.
"""

import numpy as np

from tfwavesep.separation import Piece

GAIN_STEPS = 200
"""A common gain is `10 ** (-k / 200)`, k tenths of a decibel: whoever has stems and mixture can find it again."""


def gain(tenths: int) -> float:
    """The factor that takes away so many tenths of a decibel."""
    return float(10 ** (-tenths / GAIN_STEPS))


def to_steps(audio: np.ndarray, bits: int, tenths: int = 0) -> np.ndarray:
    """Samples as whole steps, int64, at the common gain; they may be beyond full scale."""
    # Without a gain the factor is a power of two, by which float32 is exact, and ten times as fast.
    steps = np.multiply(audio, gain(tenths) * 2.0 ** (bits - 1), dtype=np.float64 if tenths else audio.dtype)
    return np.rint(steps, out=steps).astype(np.int64)


def split(piece: Piece, bits: int, tenths: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A piece as steps.

    Returns:
        the mixture `(time, channels)`, and the stems `(targets, time, channels)`, which sum to it exactly.
    """
    mixture = to_steps(piece.mixture, bits, tenths)
    stems = np.empty((len(piece.estimates) + 1, *mixture.shape), np.int64)
    stems[:-1] = to_steps(piece.estimates, bits, tenths)
    stems[-1] = mixture - stems[:-1].sum(axis=0)
    return mixture, stems


def bounds(bits: int) -> tuple[int, int]:
    """The lowest and the highest step.

    >>> bounds(16)
    (-32768, 32767)
    """
    return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1


def clamp(mixture: np.ndarray, stems: np.ndarray, bits: int) -> np.ndarray:
    """Bring stems within full scale so that they still sum to the mixture, itself brought within full scale.

    What one stem cannot hold is taken by the others, the last one first. There is always room: the mixture fits.

    >>> stems = np.array([[[40000]], [[-8000]]])
    >>> clamp(stems.sum(axis=0), stems, 16).ravel().tolist()
    [32767, -767]
    """
    low, high = bounds(bits)
    clamped = np.clip(stems, low, high)
    excess = np.clip(mixture, low, high) - clamped.sum(axis=0)
    for stem in clamped[::-1]:
        taken = np.clip(excess, low - stem, high - stem)
        stem += taken
        excess -= taken
    return clamped


def peak(steps: np.ndarray) -> int:
    """The highest step that must fit for all of some steps to do so: below zero there is room for one more.

    >>> peak(np.array([-32768, 5])), peak(np.array([-3, 5]))
    (32767, 5)
    """
    return int(max(steps.max(), (~steps).max()))


def tenths_to_fit(peak: float, stems: int, bits: int) -> int:
    """The fewest tenths of a decibel that bring a peak, in steps, within full scale, though every one of `stems` be
    rounded the wrong way.

    >>> tenths_to_fit(2 ** 15, 4, 16), tenths_to_fit(100, 4, 16)
    (1, 0)
    """
    room = bounds(bits)[1]
    if peak <= room:
        return 0
    return int(np.ceil(GAIN_STEPS * np.log10(peak / (room - stems))))
