"""WAVs whose samples are none, but DTS or another stream that is meant for a receiver: played, they are noise."""

import re
from collections.abc import Callable

from tfwavesep.audio.wavfile import is_16_bit_stereo

BEGINNINGS = tuple(
    re.compile(pattern, re.DOTALL)
    for pattern in (
        rb"\xfe\x7f\x01\x80.[\xfc-\xff]",
        rb"\x7f\xfe\x80\x01[\xfc-\xff]",
        rb"\xff\x1f\x00\xe8[\xf0-\xff]\x07",
        rb"\x1f\xff\xe8\x00\x07[\xf0-\xff]",
        rb"\x72\xf8\x1f\x4e",
    )
)
"""How frames of DTS begin (ETSI TS 102 114, section 5.2: the sync word, and six bits that all but a stream's last frame
have), in 16 and in 14 bits, and bursts of IEC 61937. Each begins with a sample of 16 bits: elsewhere the same bytes are
halves of others, as those of soft music are."""

LOOKED_AT = 1 << 16
"""Bytes of samples in which there must be two of them."""

LONGEST_FRAME = 8192
"""Bytes of samples in which there must be one of them."""


def is_compressed(samples: bytes) -> bool:
    """Whether the first samples of a WAV, some `LOOKED_AT` bytes, are none.

    >>> burst = bytes.fromhex("72f81f4e") + bytes(2044)
    >>> is_compressed(burst), is_compressed(2 * burst), is_compressed(bytes(1) + 2 * burst)
    (False, True, False)
    """
    return _most_beginnings(samples) > 1


def _most_beginnings(samples: bytes) -> int:
    """Of one kind."""
    return max(sum(found.start() % 2 == 0 for found in pattern.finditer(samples)) for pattern in BEGINNINGS)


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
        more = bool(data) and (not samples.strip(b"\0") or _most_beginnings(samples) > 0)
    return samples
