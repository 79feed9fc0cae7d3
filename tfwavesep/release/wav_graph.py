"""WAV files read by TensorFlow's own operations, inside a SavedModel; TensorFlow's reader knows 16-bit PCM alone.

Reference:
    Microsoft, WAVEFORMATEXTENSIBLE: the format proper stands in the first two bytes of the subformat.
"""

import tensorflow as tf

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
FIRST_CHUNK, CHUNK_HEADER, SUBFORMAT = 12, 8, 24


def decode(wav: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """A WAV of 16, 24 or 32-bit PCM or of 32-bit float.

    Args:
        wav: string `()`, the whole file.

    Returns:
        float32 `(time, channels)`, full scale 1.0, and the sample rate in Hz, int32 `()`. Anything else is an
        InvalidArgumentError when it is run.
    """
    is_wav = tf.strings.regex_full_match(tf.strings.substr(wav, 8, 4), "WAVE")
    tf.debugging.Assert(is_wav, ["these bytes are no WAV file"])
    form, samples = _chunk(wav, "fmt "), _chunk(wav, "data")
    tag, channels, rate, bits = (_number(form, *where) for where in ((0, 2), (2, 2), (4, 4), (14, 2)))
    tag = tf.cond(tag == EXTENSIBLE, lambda: _number(form, SUBFORMAT, 2), lambda: tag)
    kind = tf.where(tag == FLOAT, -bits, tf.where(tag == PCM, bits, 0))
    known = tf.reduce_any(kind == [16, 24, 32, -32]) & (channels > 0)
    tf.debugging.Assert(known, ["the WAV file must be of 16, 24 or 32-bit PCM or 32-bit float; bits:", bits])
    with tf.control_dependencies([known]):
        frame = tf.maximum(channels * bits // 8, 1)
    samples = tf.strings.substr(samples, 0, tf.strings.length(samples) // frame * frame)
    decoded = tf.switch_case(
        tf.argmax(tf.cast(kind == [16, 24, 32, -32], tf.int32), output_type=tf.int32),
        [lambda: _pcm(samples, 2), lambda: _pcm(samples, 3), lambda: _pcm(samples, 4), lambda: _float(samples)],
    )
    return tf.reshape(decoded, [-1, channels]), rate


def _chunk(wav: tf.Tensor, name: str) -> tf.Tensor:
    """What is in the first chunk of a name, or to the end of the file if its length leads beyond."""
    length = tf.strings.length(wav)

    def goes_on(place: tf.Tensor) -> tf.Tensor:
        return (place + CHUNK_HEADER <= length) & (tf.strings.substr(wav, place, 4) != name)

    def following(place: tf.Tensor) -> tuple[tf.Tensor]:
        size = _size(wav, place, length)
        return (place + CHUNK_HEADER + size + size % 2,)

    (place,) = tf.while_loop(goes_on, following, [tf.constant(FIRST_CHUNK)])
    tf.debugging.Assert(place + CHUNK_HEADER <= length, [f"the WAV file has no chunk {name}"])
    return tf.strings.substr(wav, place + CHUNK_HEADER, _size(wav, place, length))


def _size(wav: tf.Tensor, place: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
    """Of the chunk at a place, as far as the file goes. Lengths beyond 31 bits are negative here."""
    told, left = _number(wav, place + 4, 4), length - place - CHUNK_HEADER
    return tf.where((told < 0) | (told > left), left, told)


def _number(data: tf.Tensor, place: "tf.Tensor | int", size: int) -> tf.Tensor:
    """A little-endian number of 2 or 4 bytes as int32."""
    dtype = tf.uint16 if size == 2 else tf.int32
    return tf.cast(tf.io.decode_raw(tf.strings.substr(data, place, size), dtype)[0], tf.int32)


def _pcm(samples: tf.Tensor, width: int) -> tf.Tensor:
    """Integers of so many bytes as float32, full scale 1.0."""
    data = tf.cast(tf.reshape(tf.io.decode_raw(samples, tf.uint8), [-1, width]), tf.int32)
    shifts = tf.range(8 * (4 - width), 32, 8)
    integers = tf.reduce_sum(tf.bitwise.left_shift(data, shifts), 1)  # at the upper end, so that the sign is right
    return tf.cast(integers, tf.float32) / 2.0**31


def _float(samples: tf.Tensor) -> tf.Tensor:
    return tf.io.decode_raw(samples, tf.float32)
