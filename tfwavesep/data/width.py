"""How wide music sounds, from both ears the same to all around, in the tf.data graph.

Solo singing is recorded with one microphone, songs are mixed for two loudspeakers. Where the one is mixed into the
other as it is, "the same on both sides" gives the voice away, and a network learns little else: music that is mono
through and through then comes apart worse than not at all. So what is mono by itself is given a place in a room, and a
share of the whole examples is made narrow or mono.
"""

import tensorflow as tf

FARTHEST = 0.6
"""How far from the centre a voice is placed, of the way to one loudspeaker."""

WETTEST = 0.5
"""Root of the room's greatest share of a voice's power, to that of the direct sound."""

DECAY_SECONDS = (0.01, 0.08)
"""Time in which a room's sound falls to 1/e: a booth, a hall's stage."""

TAIL_DECAYS = 5
"""A room's sound is cut after so many decays, 43 dB down."""


def is_mono(samples: tf.Tensor) -> tf.Tensor:
    """Whether the channels of `(time, channels)` are equal."""
    return tf.reduce_all([tf.reduce_all(tf.equal(samples[:, 0], other)) for other in tf.unstack(samples, axis=1)])


def spread(samples: tf.Tensor, draw: tf.Tensor, seed: tf.Tensor, sample_rate: int) -> tf.Tensor:
    """A mono recording at some place in some room, as two ears hear it.

    The direct sound keeps its power, panned by a law of constant power; each ear adds an exponentially decaying noise
    of its own, the usual model of late reverberation (Schroeder 1965, "New method of measuring reverberation time",
    JASA 37), without early reflections.

    Args:
        samples: float32 `(time, 2)`, both the same.
        draw: 3 numbers from 0 to 1: the place from left to right, how wet, how long.
        seed: 2 whole numbers, of the room's noise.
        sample_rate: Hz.

    Returns:
        float32 `(time, 2)`; what the room would add after the end is cut.
    """
    length = samples.shape[0]
    longest = int(TAIL_DECAYS * DECAY_SECONDS[1] * sample_rate)
    angle = (1 + FARTHEST * (2 * draw[0] - 1)) * (3.141592653589793 / 4)
    direct = tf.sqrt(2.0) * tf.stack([tf.cos(angle), tf.sin(angle)])
    decay = sample_rate * (DECAY_SECONDS[0] + draw[2] * (DECAY_SECONDS[1] - DECAY_SECONDS[0]))
    envelope = tf.exp(-tf.range(longest, dtype=tf.float32) / decay)
    tail = tf.random.stateless_normal([2, longest], seed) * envelope * (WETTEST * draw[1] * tf.sqrt(2 / decay))
    room = tf.concat([direct[:, tf.newaxis], tf.zeros((2, longest - 1))], axis=1) + tail
    size = _fast_length(length + longest)
    spectrum = tf.signal.rfft(samples[:, 0], [size]) * tf.signal.rfft(room, [size])
    return tf.transpose(tf.signal.irfft(spectrum, [size])[:, :length])


def narrow(sources: tf.Tensor, draw: tf.Tensor) -> tf.Tensor:
    """The same sources with less between them and the middle: mono in half of all draws, else by any share.

    Args:
        sources: float32 `(stems, time, channels)`.
        draw: a number from 0 to 1.
    """
    wide = tf.maximum(2 * draw - 1, 0)
    channels = sources.shape[2]
    return across(sources, wide * tf.eye(channels) + (1 - wide) / channels)


def across(sources: tf.Tensor, mix: tf.Tensor) -> tf.Tensor:
    """The channels of `(stems, time, channels)` times `(channels, channels)`: a product of many rows, since TensorFlow
    takes ten times as long for sums and choices of two numbers."""
    rows = tf.matmul(tf.reshape(sources, (-1, sources.shape[2])), mix)
    return tf.ensure_shape(tf.reshape(rows, tf.shape(sources)), sources.shape)


def _fast_length(length: int) -> int:
    """The next length that a Fourier transform is quick at: a power of two, or three quarters of one."""
    power = 1 << (length - 1).bit_length()
    return power * 3 // 4 if power * 3 // 4 >= length else power
