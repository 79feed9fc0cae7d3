"""Time stamps beside the samples decoded so far: which of the times between them were lost, and which never were."""

from typing import Any

GAP_SECONDS = 0.05
"""Time stamps may be this far from where the samples decoded so far have led; webm's are whole milliseconds."""

LONGEST_GAP_SECONDS = 600
"""Time stamps that are farther ahead tell of another clock, not of lost samples."""

LONGEST_BROADCAST_GAP_SECONDS = 10
"""The same where recordings are cut and joined with the clocks they had. FFmpeg's program takes as much."""

BROADCAST = ("mpegts", "mpeg", "flv", "live_flv", "hls")
"""Containers, by FFmpeg's names, whose clocks may jump."""

UNTIMED = ("mp3", "aac", "ac3", "eac3", "dts")
"""Kinds of files, by FFmpeg's names, without time stamps: FFmpeg makes them up, by counting what may be no sound."""


class Clock:
    """Where frames belong by their time stamps.

    Args:
        kind: of the container, by FFmpeg's name.
        rate: of the samples, in Hz.

    Attributes:
        jumps: lines about time stamps that were not followed.
    """

    def __init__(self, kind: str, rate: int) -> None:
        self.jumps: list[str] = []
        self._rate = rate
        self._untimed = kind in UNTIMED
        self._longest = rate * (LONGEST_BROADCAST_GAP_SECONDS if kind in BROADCAST else LONGEST_GAP_SECONDS)
        self._origin: float | None = None

    def gap(self, frame: Any, place: int) -> int:
        """Samples that are missing before a frame by its time stamp, of those before `place` none. Where time stamps
        begin again, as in the next stream of a chain, or jump far ahead, they count from there on."""
        if self._untimed or frame.pts is None:
            return 0
        time = float(frame.pts * frame.time_base)
        if self._origin is None:
            self._origin = time - place / self._rate
        gap = round((time - self._origin) * self._rate) - place
        if -self._rate < gap < self._longest:
            return gap if gap > GAP_SECONDS * self._rate else 0
        if gap > 0:
            seconds, at = gap / self._rate, place / self._rate
            self.jumps.append(f"time stamps jump by {seconds:.0f} s at {at:.3f} s: taken for no gap")
        self._origin = time - place / self._rate
        return 0
