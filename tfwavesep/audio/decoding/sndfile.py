"""libsndfile, by soundfile: WAV, FLAC, AIFF and their like, and Ogg, to the sample."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import soundfile

from tfwavesep.audio import ogg, speakers
from tfwavesep.audio.decoding import _disguise as disguise
from tfwavesep.audio.decoding._damages import Damages
from tfwavesep.audio.decoding._decoder import AudioInfo
from tfwavesep.audio.decoding.ffmpeg import AvDecoder
from tfwavesep.audio.tagging import TAGS
from tfwavesep.audio.wavfile import is_unknown, read_header, told_mask, told_time

INTEGER_BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
"""Depths of integer samples, by libsndfile's names."""

MALFORMED = 3
"""libsndfile's code for a file of a kind it knows, but damaged."""

COUNT_MAX = 2**63 - 1
"""libsndfile's number of frames where it does not know."""

LONGEST_VORBIS_BLOCK = 8192
"""Samples that the last page of a Vorbis stream may promise beyond those that are there, as FFmpeg's do at times."""

MAGIC = (b"RIFF", b"RIFX", b"RF64", b"FORM", b"riff", b".snd", b"caff", b"fLaC", b"OggS")
"""How the files begin that libsndfile reads to the sample. It reads MP3 too, but prints what it thinks of it."""


def suits(path: Path, damages: Damages) -> bool:
    """Damaged Ogg does not, nor do chains of streams: libsndfile hides what is missing. Of Opus with more than two
    channels it gives the wrong ones, or crashes."""
    with path.open("rb") as file:
        start = file.read(64)
    magic = start[:4]
    if magic == b"OggS":
        if start[28:36] == b"OpusHead" and start[37] > 2:
            return False
        ended, sound = ogg.inspect(path)
        if not ended:
            damages.refuse("is truncated: its last page is missing")
        if not sound:
            return False
    return magic in MAGIC and _opens(path, damages, magic)


def _opens(path: Path, damages: Damages, magic: bytes) -> bool:
    try:
        info = soundfile.info(os.fsencode(path))
    except soundfile.LibsndfileError as error:
        if error.code == MALFORMED and magic == b"caff":
            damages.refuse(f"is truncated or damaged: {error.error_string}", error)
        return False
    if info.subtype == "MPEG_LAYER_III":  # of which it counts samples that are not there
        return False
    if info.subtype == "PCM_16" and magic == b"RIFF" and _is_compressed(path):
        return False
    frames = info.frames
    return frames != COUNT_MAX and not (frames == 0 and magic == b"RIFF" and _has_uncounted_data(path))


def _is_compressed(path: Path) -> bool:
    with path.open("rb") as file:
        read_header(file.read)
        return disguise.is_compressed(file.read(disguise.LOOKED_AT))


def _has_uncounted_data(path: Path) -> bool:
    """Whether bytes follow a WAV's header that tells of none: its recorder stopped before it filled in the length."""
    with path.open("rb") as file:
        header, _ = read_header(file.read)
    return len(header) < path.stat().st_size


class SoundfileDecoder:
    """libsndfile, for files of a known length."""

    def __init__(self, path: Path, damages: Damages) -> None:
        self.damages = damages
        self._path = path
        self._file = soundfile.SoundFile(os.fsencode(path))
        self._refuse_by_log(self._file.extra_info)
        bits = INTEGER_BITS.get(self._file.subtype)
        tags = {key: value for key, value in self._file.copy_metadata().items() if key in TAGS}
        header = _header(path)
        tags |= told_time(header)
        self.info = AudioInfo(
            self._file.samplerate,
            self._file.channels,
            self._file.frames,
            self._file.frames / self._file.samplerate,
            bits,
            tags,
            bits is not None or self._file.subtype in ("FLOAT", "DOUBLE"),
            LONGEST_VORBIS_BLOCK if self._file.subtype == "VORBIS" else 0,
            told_mask(header),
        )
        self._order = speakers.VORBIS.get(self._file.channels) if self._file.subtype == "VORBIS" else None

    def blocks(self, start: int, block_length: int) -> Iterator[np.ndarray]:
        place = min(start, self._file.frames)
        try:
            self._file.seek(place)
            while len(block := self._file.read(block_length, dtype="float32", always_2d=True)):
                yield block if self._order is None else block[:, self._order]
                place += len(block)
        except soundfile.LibsndfileError as error:
            about = f"about {place / self.info.sample_rate:.1f} s"
            how = f"damaged at {about}" if self._has_end() else f"truncated: its end is missing, from {about} on"
            self.damages.refuse(f"is {how}", error)
            with closing(AvDecoder(self._path.open("rb", buffering=0), self.damages)) as rest:
                yield from rest.blocks(place, block_length)

    def _has_end(self) -> bool:
        """Whether the last sample is there. Nothing can be asked any more of a file that could not be read."""
        try:
            with soundfile.SoundFile(os.fsencode(self._path)) as file:
                file.seek(file.frames - 1)
                return len(file.read(1)) == 1
        except soundfile.LibsndfileError:
            return False

    def _refuse_by_log(self, log: str) -> None:
        """libsndfile reads most files that end early as if they were whole, and says so only in its log."""
        for line in log.splitlines():
            chunk, _, rest = line.partition(":")
            if chunk.strip() in ("data", "SSND", "Data Size", "BODY", "riff", "Riff size") and "should be" in rest:
                told, real = (int(word) for word in rest.replace("(should be", "").rstrip(") ").split())
                if real <= told - self._frame_size() and not is_unknown(told):
                    self.damages.refuse(f"is truncated: its header promises {told} bytes of audio, {real} are there")

    def _frame_size(self) -> int:
        """Bytes of a sample of all channels, where they have a size of their own: part of one is not worth a word."""
        return self._file.channels * INTEGER_BITS.get(self._file.subtype, 8) // 8

    def close(self) -> None:
        self._file.close()


def _header(path: Path) -> bytes:
    with path.open("rb") as file:
        return read_header(file.read)[0]
