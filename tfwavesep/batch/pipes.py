"""From a pipe to a pipe: one stem, put out while the song still comes in."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from tfwavesep.audio import Format, Reader, WavFile, about, to_bytes
from tfwavesep.batch import jobs
from tfwavesep.batch.jobs import Settings
from tfwavesep.errors import ConfigError, OutputError
from tfwavesep.separation import Separator
from tfwavesep.stemfiles import Leveller, Written

RAW_SUBTYPES = {"s16le": "PCM_16", "s24le": "PCM_24", "f32le": "FLOAT"}


def pipe_format(settings: Settings, targets: tuple[str, ...]) -> Format:
    """The format of what goes into a pipe.

    Nobody can know beforehand how loud a pipe's song will become: there is no gain that lets all of it fit.

    Args:
        settings: of the stem; with `raw`, samples have its type and no header.
        targets: of the model.

    Raises:
        ConfigError: several stems are wanted, not as WAV, or rescaled.
    """
    written = settings.choice(targets).written
    if len(written) != 1:
        raise ConfigError(f"a pipe takes one stem: choose it with --stems, of {', '.join(written)}")
    form = Format("wav", RAW_SUBTYPES[settings.raw.type]) if settings.raw else settings.form
    if form.extension != "wav":
        raise ConfigError(f"a pipe takes wav, or raw samples with --raw-format; not {form.extension}")
    if form.clips and settings.clip_mode == "rescale":
        gain = "the gain would be known only when the song has ended"
        raise ConfigError(f"a pipe takes no clip mode rescale: {gain}; choose clamp or none, or write float")
    return form


def separate_into(sink: BinaryIO, separator: Separator, reader: Reader, settings: Settings) -> Written:
    """Separate a song into an open binary file, as WAV or as raw samples.

    Args:
        sink: where one stem goes. It is flushed with every piece.
        separator: to use.
        reader: of the song.
        settings: see `pipe_format`.

    Raises:
        AudioError: the song cannot be read, or is too loud.
        ConfigError: a pipe cannot take this.
        BrokenPipeError: nobody reads the pipe any longer.
        OutputError: it cannot be written to.
    """
    form, info, rate = pipe_format(settings, separator.targets), reader.info, reader.info.sample_rate
    leveller = Leveller(settings.choice(separator.targets), form, settings.clip_mode, rate)
    with _errors():
        wav = None if settings.raw else WavFile(sink, rate, info.channels, form.subtype, settings.tags(info), info.mask)
        sink.flush()
    for piece in jobs.separated(separator, reader, settings):
        with about(reader.name):
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
