"""Audio in: files and pipes of any kind, decoded block by block. No TensorFlow here.

soundfile reads WAV, FLAC, AIFF and their like, and Ogg; PyAV, whose wheels bring FFmpeg along, reads pipes and all the
rest (MP3, m4a, mp4, ...), so that nothing has to be installed on the system. A file whose end is missing is refused,
unless what is there is to be taken; where its middle is damaged, silence takes the place of what is lost, and the
reader says where.
"""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, cast

from tfwavesep import system
from tfwavesep.audio import tagging
from tfwavesep.audio.decoding import sndfile
from tfwavesep.audio.decoding._damages import Damages
from tfwavesep.audio.decoding._decoder import AudioInfo, Decoder
from tfwavesep.audio.decoding._joined import JoinedDecoder, Section, sections
from tfwavesep.audio.decoding._reader import BLOCK_LENGTH, Reader
from tfwavesep.audio.decoding.ffmpeg import AvDecoder
from tfwavesep.audio.decoding.raw import RawDecoder, RawFormat
from tfwavesep.errors import AudioError
from tfwavesep.places import Place, local, place

__all__ = ["BLOCK_LENGTH", "AudioInfo", "RawFormat", "Reader", "open_audio"]


@contextmanager
def open_audio(
    source: Place | BinaryIO,
    raw: RawFormat | None = None,
    zero_bad_samples: bool = False,
    stream: int | None = None,
    take_damaged: bool = False,
    keep_offset: bool = False,
) -> Iterator[Reader]:
    """Open a file or a pipe.

    Args:
        source: a path, a named pipe's too; or a URL, see `places.place`, of which a copy is read; or an
            open binary file that need not be seekable.
        raw: what it holds if it has no header.
        zero_bad_samples: whether NaN and infinite samples become zeros; else they are an error.
        stream: which of a container's audio streams, the first being 0; None for its default one. The first of a
            `.stem.mp4` is the mixture.
        take_damaged: whether what is there of a file that is not whole is read; else that is an error.
        keep_offset: whether silence comes first where a film's sound starts later than its pictures.

    Raises:
        AudioError: there is no such file, it is empty, truncated, or not audio.
        StoreError: a URL's store does not answer.
    """
    with ExitStack() as stack:
        if hasattr(source, "read"):
            name, opened = "standard input", _reopened(source)
        else:
            name, opened = str(source), stack.enter_context(local(place(source)))
        decoder = _decoder(opened, raw, Damages(name, take_damaged), stream, keep_offset)
        stack.callback(decoder.close)
        if isinstance(opened, Path) and opened.is_file():
            more, cover = tagging.read(opened)
            decoder.info = replace(decoder.info, tags={**more, **decoder.info.tags}, cover=cover)
        yield Reader(name, decoder, zero_bad_samples)


def _reopened(file: Any) -> Path | BinaryIO:
    """A regular file by its path, if it is at its beginning, so that all is known of it that is known of files."""
    with suppress(OSError):  # not a file of the system, or a pipe
        path = system.reopened(file.fileno())
        if path and file.tell() == 0 and path.is_file() and os.access(path, os.R_OK):
            return path
    return file


def _decoder(
    source: Path | BinaryIO, raw: RawFormat | None, damages: Damages, stream: int | None, keep_offset: bool
) -> Decoder:
    if isinstance(source, Path):
        _check_is_file(source, damages.name)
        if raw is None and stat.S_ISREG(source.stat().st_mode):
            if len(parts := sections(source)) > 1:
                return JoinedDecoder([_opener(source, *part, stream, keep_offset) for part in parts], damages)
            if not stream and sndfile.suits(source, damages):
                return sndfile.SoundfileDecoder(source, damages)
        source = source.open("rb", buffering=0)
    if raw:
        return RawDecoder(source, raw, damages)
    return AvDecoder(source, damages, stream, keep_offset)


def _opener(path: Path, start: int, stop: int, stream: int | None, keep_offset: bool) -> Callable[[Damages], Decoder]:
    """Opens a part of a file."""

    def open_part(damages: Damages) -> Decoder:
        section = cast(BinaryIO, Section(path.open("rb", buffering=0), start, stop))
        return AvDecoder(section, damages, stream, keep_offset)

    return open_part


def _check_is_file(path: Path, name: str) -> None:
    if os.path.isdir(path):
        raise AudioError(f"{name}: is a folder, not an audio file")
    try:
        mode = path.stat()
    except OSError as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}"
        raise AudioError(f"{name}: {reason}") from error
    if stat.S_ISREG(mode.st_mode) and mode.st_size == 0:
        raise AudioError(f"{name}: is empty (0 bytes)")
    if not os.access(path, os.R_OK):
        raise AudioError(f"{name}: may not be read (check its permissions)")
