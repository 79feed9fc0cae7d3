"""Files and pipes to samples, and back; no TensorFlow here."""

from tfwavesep.audio.arrays import (
    SUFFIXES,
    find,
    is_hidden,
    is_named_so,
    named,
    read,
    read_stream,
    resample,
    to_channels,
    write,
)
from tfwavesep.audio.decoding import BLOCK_LENGTH, AudioInfo, RawFormat, Reader, open_audio
from tfwavesep.audio.encoding import Append, Format, FormatError, about, encoder
from tfwavesep.audio.wavfile import WavFile, to_bytes

__all__ = [
    "BLOCK_LENGTH",
    "SUFFIXES",
    "Append",
    "AudioInfo",
    "Format",
    "FormatError",
    "RawFormat",
    "Reader",
    "WavFile",
    "about",
    "encoder",
    "find",
    "is_hidden",
    "is_named_so",
    "named",
    "open_audio",
    "read",
    "read_stream",
    "resample",
    "to_bytes",
    "to_channels",
    "write",
]
