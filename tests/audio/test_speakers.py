"""A channel stays the same one, whichever way a file of many channels is read or written."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from zoo import surround

from tfwavesep.audio import Format, WavFile, encoder, open_audio, speakers

STEP = 2**23


def softer(channels: int) -> np.ndarray:
    """Each channel has half of what the one before has."""
    return (np.sin(np.arange(9600) / 200)[:, np.newaxis] / 2 ** np.arange(1, channels + 1)).astype(np.float32)


def read(path: Path, through_a_pipe: bool = False) -> tuple[np.ndarray, int | None]:
    """The share of each channel in the first, and the mask."""
    file = _Pipe(path.read_bytes()) if through_a_pipe else path
    with open_audio(file) as reader:
        samples = np.concatenate(list(reader.blocks()))
    return np.abs(samples).mean(axis=0), reader.info.mask


class _Pipe(io.BytesIO):
    def seekable(self) -> bool:
        return False


@pytest.mark.parametrize("channels", range(1, 9))
def test_vorbis_comes_back_as_it_went_from_a_file_as_from_a_pipe(channels: int, tmp_path: Path) -> None:
    path = tmp_path / "song.ogg"
    with encoder(path, Format.parse("ogg"), 48000, channels) as append:
        append(np.round(softer(channels) * STEP))
    expected = np.abs(softer(channels)).mean(axis=0)
    for through_a_pipe in (False, True):
        np.testing.assert_allclose(read(path, through_a_pipe)[0], expected, rtol=0.2)


@pytest.mark.parametrize(
    ("layout", "codec", "mask"),
    [("5.1", "libopus", 0x3F), ("7.1", "libopus", 0x63F), ("5.1", "flac", 0x3F), ("7.1", "flac", 0x63F)],
)
def test_what_ffmpeg_reads_has_its_mask(layout: str, codec: str, mask: int, tmp_path: Path) -> None:
    surround(layout, codec, "matroska")(tmp_path / "song.mka")
    levels, told = read(tmp_path / "song.mka")
    assert told == mask
    np.testing.assert_allclose(levels / levels[0], 1 / np.arange(1, len(levels) + 1), rtol=0.05)


@pytest.mark.parametrize(
    ("channels", "mask", "told"), [(6, None, 0x3F), (6, 0x60F, 0x60F), (4, 0, 0), (9, None, 0), (2, None, None)]
)
def test_a_wav_keeps_its_mask(channels: int, mask: int | None, told: int | None, tmp_path: Path) -> None:
    with (tmp_path / "song.wav").open("wb") as file:
        wav = WavFile(file, 48000, channels, "PCM_24", mask=mask)
        wav.write(np.zeros((10, channels), np.int32))
        wav.close()
    assert read(tmp_path / "song.wav")[1] == told
    assert os.path.getsize(tmp_path / "song.wav") % 2 == 0


@pytest.mark.parametrize("names", [("FL", "FC", "FR"), ("FC", "FL", "FR", "BL", "BR", "LFE")])
def test_channels_in_another_order_are_put_into_wavs(names: tuple[str, ...]) -> None:
    order = speakers.order(names)
    assert order
    assert speakers.order([names[place] for place in order]) is None
