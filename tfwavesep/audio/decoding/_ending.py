"""What a file that comes through a pipe says of its own end, where FFmpeg does not look."""

import struct

from tfwavesep.audio import ogg
from tfwavesep.audio.decoding._joined import ENDS, kind_of

UNKNOWN = 1 << 63
"""What a Wave64 that was written into a pipe says at least of its length."""


class Ending:
    """Looks at all bytes of a file that pass by, and tells at the end whether it was the file's.

    Args:
        start: the first bytes, as many as tell what it is.
    """

    def __init__(self, start: bytes) -> None:
        self._is_ogg = start[:4] == b"OggS"
        form, place, _ = ENDS["w64"]
        told = struct.unpack_from(form, start, place)[0] if kind_of(start) == "w64" else 0
        self._told = told if told < UNKNOWN else 0
        self._passed, self._last = 0, b""

    def passes(self, data: bytes) -> None:
        """The bytes that come next."""
        self._passed += len(data)
        if self._is_ogg:
            self._last = (self._last + data)[-ogg.LONGEST_PAGE :]

    @property
    def missing(self) -> str | None:
        """What is missing of its end, in words; None if nothing is known to be."""
        if self._is_ogg and not ogg.ends(self._last):
            return "its last page is missing"
        if self._passed < self._told:
            return f"its header promises {self._told} bytes, {self._passed} are there"
        return None
