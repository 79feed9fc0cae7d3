"""musdb and museval without FFmpeg's commands.

Both import stempeg, which refuses to be imported where the commands ffmpeg and ffprobe are missing, and starts
one of them for every stream of every file where they are not. What musdb needs of it is little: a file's facts and
its decoded streams. PyAV gives these within the process, and the same samples within one 16-bit step.
"""

import sys
import types
from pathlib import Path
from typing import Any

import numpy as np

from tfwavesep.audio import read_stream
from tfwavesep.errors import needs_extra


def ensure() -> None:
    """Let `import musdb` and `import museval` find this module where they look for stempeg, and nobody else.

    Raises:
        ExtraError: musdb is not installed.
    """
    if "musdb" in sys.modules:
        return
    stand_in = types.ModuleType("stempeg", __doc__)
    stand_in.Info = Info  # type: ignore[attr-defined]
    stand_in.read_stems = read_stems  # type: ignore[attr-defined]
    real = sys.modules.get("stempeg")
    sys.modules["stempeg"] = stand_in
    try:
        with needs_extra("train", "MUSDB18 and its scores"):
            import musdb  # noqa: F401
    finally:
        del sys.modules["stempeg"]
        if real:
            sys.modules["stempeg"] = real


class Info:
    """Rate and length of a container's audio streams, as `stempeg.Info` tells them."""

    def __init__(self, path: str) -> None:
        import av

        with av.open(path) as container:
            self._rates = [stream.rate for stream in container.streams.audio]
            self._seconds = [float(stream.duration * stream.time_base) for stream in container.streams.audio]

    def rate(self, stream: int) -> int:
        """Hz."""
        return self._rates[stream]

    def duration(self, stream: int) -> float:
        """Seconds."""
        return self._seconds[stream]

    def samples(self, stream: int) -> int:
        """Samples per channel, by the header."""
        return round(self._seconds[stream] * self._rates[stream])


def read_stems(
    filename: str,
    stem_id: int | None = None,
    start: float = 0,
    duration: float | None = None,
    info: Info | None = None,
    **_: Any,
) -> tuple[np.ndarray, int]:
    """Decode one stream, or all of them stacked.

    Args:
        filename: of the container.
        stem_id: the stream, or None for all.
        start: where to begin, in seconds.
        duration: how much to return, in seconds, or None for all that is left.
        info: of the file, if it is known.

    Returns:
        float64 `(time, channels)`, or `(streams, time, channels)` without `stem_id`, rounded to 16 bits as
        stempeg's s16le is, and the sample rate in Hz.
    """
    ids = [stem_id] if stem_id is not None else range(len((info or Info(filename))._rates))
    decoded = [read_stream(Path(filename), i) for i in ids]
    sample_rate = decoded[0][1]
    first = round((start or 0) * sample_rate)
    last = None if duration is None else first + round(duration * sample_rate)
    audio = np.stack([a[first:last] for a, _ in decoded]).astype(np.float64)
    audio = np.clip(np.round(audio * 32768), -32768, 32767) / 32768
    return (audio[0] if stem_id is not None else audio), sample_rate
