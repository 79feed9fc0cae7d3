"""From a pipe to a pipe: one stem, put out while the song still comes in."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from tfwavesep import jobs
from tfwavesep.decoding import Reader
from tfwavesep.encoding import Format
from tfwavesep.errors import ConfigError, OutputError
from tfwavesep.jobs import Settings
from tfwavesep.separator import Separator
from tfwavesep.stemfiles import Choice, Leveller, Written
from tfwavesep.wavfile import WavFile, to_bytes

RAW_SUBTYPES = {"s16le": "PCM_16", "s24le": "PCM_24", "f32le": "FLOAT"}


def one_stem(choice: Choice) -> str:
    """The stem that goes into a pipe.

    Raises:
        ConfigError: several are wanted.
    """
    if len(choice.written) != 1:
        raise ConfigError(f"a pipe takes one stem: choose it with --stems, of {', '.join(choice.written)}")
    return choice.written[0]


def separate_into(sink: BinaryIO, separator: Separator, reader: Reader, settings: Settings) -> Written:
    """Separate a song into an open binary file, as WAV or as raw samples.

    Nobody can know beforehand how loud a pipe's song will become: what is louder than full scale is cut (and left
    to the other stems), unless the clip mode is "none".

    Args:
        sink: where one stem goes. It is flushed with every piece.
        separator: to use.
        reader: of the song.
        settings: of the stem, its sample format, start and duration; with `raw`, samples have its type and no header.

    Raises:
        AudioError: the song cannot be read, or is too loud.
        ConfigError: several stems are wanted, or not as WAV.
        BrokenPipeError: nobody reads the pipe any longer.
        OutputError: it cannot be written to.
    """
    raw = settings.raw
    choice = settings.choice(separator.targets)
    one_stem(choice)
    form = Format("wav", RAW_SUBTYPES[raw.type]) if raw else settings.form
    if form.extension != "wav":
        raise ConfigError(f"a pipe takes wav, or raw samples with --raw-format; not {form.extension}")
    rate = reader.info.sample_rate
    leveller = Leveller(choice, form, settings.clip_mode, rate)
    with _errors():
        wav = None if raw else WavFile(sink, rate, reader.info.channels, form.subtype, reader.info.tags)
        sink.flush()
    for piece in jobs.separated(separator, reader, settings):
        samples = form.samples(leveller.take(piece)[0])
        with _errors():
            if wav:
                wav.write(samples)
            else:
                sink.write(to_bytes(samples, form.subtype))
            sink.flush()
    with _errors():
        if wav:
            wav.close()
    return Written({}, leveller.frames, leveller.peaks, 0.0, leveller.clipped)


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"standard output: cannot be written to: {error.strerror}") from error
