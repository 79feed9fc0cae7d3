"""WAVs whose samples are none, but DTS or another stream that is meant for a receiver: played, they are noise."""

from collections.abc import Callable

from tfwavesep.audio.wavfile import is_16_bit_stereo

SYNC_WORDS = (b"\xfe\x7f\x01\x80", b"\x7f\xfe\x80\x01", b"\xff\x1f\x00\xe8", b"\x1f\xff\xe8\x00", b"\x72\xf8\x1f\x4e")
"""How frames of DTS begin (ETSI TS 102 114, section 5.2), in 16 and in 14 bits, and bursts of IEC 61937."""

LOOKED_AT = 1 << 16
"""Bytes of samples in which there must be two of them."""

LONGEST_FRAME = 8192
"""Bytes of samples in which there must be one of them."""


def is_compressed(samples: bytes) -> bool:
    """Whether the first samples of a WAV, some `LOOKED_AT` bytes, are none.

    >>> is_compressed(SYNC_WORDS[0] + bytes(2044)), is_compressed(2 * (SYNC_WORDS[0] + bytes(2044)))
    (False, True)
    """
    return any(samples.count(word) > 1 for word in SYNC_WORDS)


def enough_of(header: bytes, read: Callable[[int], bytes]) -> bytes:
    """As many of a WAV's first samples as tell whether they are none: a few, so that a pipe need not wait, if what
    begins there is sound.

    Args:
        header: see `wavfile.read_header`.
        read: returns as many bytes as it is asked for, or fewer at the end.
    """
    samples, more = b"", is_16_bit_stereo(header)
    while more and len(samples) < LOOKED_AT:
        data = read(LONGEST_FRAME)
        samples += data
        more = bool(data) and (not samples.strip(b"\0") or any(word in samples for word in SYNC_WORDS))
    return samples
