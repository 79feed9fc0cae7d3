"""What may have happened to a recording before it is separated, in the tf.data graph.

It is softer or louder, it has lost its treble, one of its channels is upside down. Studio multitracks know nothing of
it, and a network that met only these fails on old records, voice memos and bad rips.
"""

import tensorflow as tf

from tfwavesep.data import width

LEVELS = (-36.0, 9.0)
"""How soft and how loud, in dB."""

CUTOFFS = (2500.0, 16_000.0)
"""Where the treble may end, in Hz: a telephone's voice, a low bit rate."""

STEEPNESS = 16
"""Of the end of the treble: 48 dB per octave."""

INVERTED = 0.25
"""How much rarer than the rest it is that a channel is inverted."""


def worn(sources: tf.Tensor, draw: tf.Tensor, chance: float, sample_rate: int) -> tf.Tensor:
    """The sources of a recording that some of this has happened to, to all of them alike.

    Args:
        sources: float32 `(stems, time, channels)`.
        draw: 5 numbers from 0 to 1: whether another level, which; whether less treble, how much; whether inverted.
        chance: of another level, and of less treble.
        sample_rate: Hz.

    Returns:
        of the same shape.
    """
    channels = sources.shape[2]
    upside_down = tf.one_hot(channels - 1, channels, on_value=-1.0, off_value=1.0)
    level = LEVELS[0] + draw[1] * (LEVELS[1] - LEVELS[0])
    gain = tf.where(draw[0] < chance, 10 ** (level / 20), 1.0)
    gains = tf.where(draw[4] < INVERTED * chance, gain * upside_down, gain)
    cutoff = CUTOFFS[0] * (CUTOFFS[1] / CUTOFFS[0]) ** draw[3]
    sources = tf.cond(draw[2] < chance, lambda: _without_treble(sources, cutoff, sample_rate), lambda: sources)
    return width.across(sources, tf.linalg.diag(gains))


def _without_treble(sources: tf.Tensor, cutoff: tf.Tensor, sample_rate: int) -> tf.Tensor:
    """Magnitudes as a Butterworth filter's, no phase."""
    length = sources.shape[1]
    spectra = tf.signal.rfft(tf.transpose(sources, (0, 2, 1)))
    pitch = tf.linspace(0.0, sample_rate / 2, length // 2 + 1)
    kept = 1 / tf.sqrt(1 + (pitch / cutoff) ** STEEPNESS)
    dull = tf.signal.irfft(spectra * tf.cast(kept, tf.complex64), [length])
    return tf.ensure_shape(tf.transpose(dull, (0, 2, 1)), sources.shape)
