"""Every format comes in whole, and every damage is told in one line."""

import io
import os
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from doubles import encode, noise, tone
from zoo import as_samples, encoded, late, then

from tfwavesep.audio import BLOCK_LENGTH, arrays, decoding, ogg, wavfile
from tfwavesep.audio.decoding import _disguise, _joined
from tfwavesep.audio.decoding._damages import Damages
from tfwavesep.errors import AudioError

LENGTH = len(tone())

SUBTYPES = {"wav": "FLOAT", "flac": "PCM_24", "aiff": "PCM_16", "ogg": "VORBIS", "mp3": "MPEG_LAYER_III"}
"""What soundfile reads and writes."""

STEPS = {"FLOAT": 0.0, "PCM_24": 2.0**-23, "PCM_16": 2.0**-15, "VORBIS": 0.05, "MPEG_LAYER_III": 0.05}
"""How far samples may be from what was written."""

CODECS = {"m4a": ("aac", 44100), "webm": ("libopus", 48000)}
"""What PyAV reads."""


def refusal(path: Path) -> str:
    """The text of the error that reading a file raises: one line that names the file."""
    with pytest.raises(AudioError) as caught:
        arrays.read(path)
    text = str(caught.value)
    assert str(path) in text
    assert "\n" not in text
    return text


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("ending", SUBTYPES)
def test_read_returns_what_was_written(tmp_path: Path, ending: str, channels: int) -> None:
    path, samples = tmp_path / f"song.{ending}", tone(22050, channels)
    soundfile.write(path, samples, 22050, SUBTYPES[ending])
    decoded, sample_rate = arrays.read(path)
    assert (decoded.shape, decoded.dtype, sample_rate) == (samples.shape, np.float32, 22050)
    np.testing.assert_allclose(decoded, samples, atol=STEPS[SUBTYPES[ending]])


@pytest.mark.parametrize("ending", CODECS)
def test_read_of_other_formats_returns_what_was_written(tmp_path: Path, ending: str) -> None:
    codec, sample_rate = CODECS[ending]
    path, samples = tmp_path / f"song.{ending}", tone(sample_rate)
    encode(path, codec, sample_rate, samples)
    decoded, told = arrays.read(path)
    assert (decoded.dtype, decoded.shape[1], told) == (np.float32, 2, sample_rate)
    assert LENGTH <= len(decoded) < LENGTH + 1024  # the encoder fills its last frame
    inner = slice(2000, LENGTH - 2000)
    np.testing.assert_allclose(decoded[inner], samples[inner], atol=0.05)


@pytest.mark.parametrize("ending", [*SUBTYPES, *CODECS])
def test_the_header_tells_what_read_finds(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"song.{ending}"
    if ending in CODECS:
        encode(path, *CODECS[ending], tone())
    else:
        soundfile.write(path, tone(), 44100, SUBTYPES[ending])
    decoded, sample_rate = arrays.read(path)
    with decoding.open_audio(path) as reader:
        info = reader.info
    assert (info.sample_rate, info.channels) == (sample_rate, decoded.shape[1])
    assert info.frames in (None, len(decoded))
    assert info.lossless == (ending in ("wav", "flac", "aiff"))


@pytest.mark.parametrize("block_length", [1, 7, 1000, LENGTH - 1, LENGTH, LENGTH + 1])
@pytest.mark.parametrize("ending", ["wav", "ogg"])
def test_blocks_of_any_length_join_to_the_whole(tmp_path: Path, ending: str, block_length: int) -> None:
    path = tmp_path / f"song.{ending}"
    soundfile.write(path, tone(length=LENGTH), 44100, SUBTYPES[ending])
    with decoding.open_audio(path) as reader:
        blocks = list(reader.blocks(0, block_length))
    assert {len(block) for block in blocks[:-1]} <= {block_length}
    np.testing.assert_array_equal(np.concatenate(blocks), arrays.read(path)[0])


def test_a_file_without_samples_is_read_as_such(tmp_path: Path) -> None:
    path = tmp_path / "none.wav"
    soundfile.write(path, np.zeros((0, 2)), 44100)
    assert arrays.read(path)[0].shape == (0, 2)


def test_mp3_without_a_length_in_its_header_is_not_called_truncated(tmp_path: Path) -> None:
    """Many encoders write none; what libsndfile then tells is a guess from the size of the file."""
    path = tmp_path / "song.mp3"
    encode(path, "libmp3lame", 44100, tone(), write_xing="0")
    decoded, _ = arrays.read(path)
    assert LENGTH <= len(decoded) < LENGTH + 3 * 1152
    assert soundfile.info(path).frames > len(decoded)


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    """Two songs of three seconds in one Ogg, one after the other."""
    for number in range(2):
        soundfile.write(tmp_path / f"{number}.ogg", noise(132300, 2, number), 44100, "VORBIS")
        ogg.set_serial(tmp_path / f"{number}.ogg", b"abc%d" % number)
    (tmp_path / "chain.ogg").write_bytes(b"".join((tmp_path / f"{number}.ogg").read_bytes() for number in range(2)))
    return tmp_path / "chain.ogg"


def test_a_chain_of_oggs_is_read_to_its_end(chain: Path) -> None:
    """FFmpeg makes some samples of what the end of one and the beginning of the next would be together."""
    decoded, _ = arrays.read(chain)
    assert 0 <= len(decoded) - 2 * 132300 < 256
    for number, part in enumerate((decoded[:132300], decoded[-132300:])):
        whole, _ = soundfile.read(chain.with_name(f"{number}.ogg"))
        np.testing.assert_allclose(part[256:], whole[256:], atol=1e-4)


def test_damage_in_a_later_stream_of_a_chain_becomes_silence_too(chain: Path) -> None:
    """Its time stamps begin again at 0."""
    data = bytearray(chain.read_bytes())
    data[len(data) * 3 // 4] ^= 255
    chain.write_bytes(data)
    with decoding.open_audio(chain) as reader:
        length = sum(len(block) for block in reader.blocks())
    assert length == pytest.approx(2 * 132300, abs=256)
    (line,) = reader.warnings
    assert re.search(r"damaged at [45]\.\d+ s: \d\.\d+ s became silence", line)


def test_a_jump_of_time_stamps_is_told_once_and_a_gap_after_it_is_silence(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "song.mka"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        for number in range(10):
            frame = av.AudioFrame.from_ndarray(np.ones((1, 800), np.int16), format="s16", layout="mono")
            frame.sample_rate, frame.pts = 8000, 800 * number
            for packet in stream.encode(frame):
                later = (700 if number >= 3 else 0) + (0.5 if number >= 7 else 0)
                packet.pts = packet.dts = packet.pts + round(later / packet.time_base)
                container.mux(packet)
    with decoding.open_audio(tmp_path / "song.mka") as reader:
        samples = np.concatenate(list(reader.blocks()))
    assert reader.warnings == [
        "time stamps jump by 700 s at 0.300 s: taken for no gap",
        "damaged at 0.700 s: 0.500 s became silence",
    ]
    assert (len(samples), np.flatnonzero(samples == 0).tolist()) == (12000, list(range(5600, 9600)))


@pytest.mark.parametrize(("ahead", "lost"), [(5, 5), (15, 0)])
def test_a_broadcast_that_lost_seconds_is_told_from_one_whose_clock_jumps(
    ahead: float, lost: float, tmp_path: Path
) -> None:
    data = b""
    for start in (0.0, 2 + ahead):
        encode(tmp_path / "song.ts", "mp2", 44100, tone(length=88200), output_ts_offset=str(start))
        data += (tmp_path / "song.ts").read_bytes()
    (tmp_path / "song.ts").write_bytes(data)
    samples, _ = arrays.read(tmp_path / "song.ts")
    assert len(samples) / 44100 == pytest.approx(4 + lost, abs=0.12)


def test_tags_amid_an_mp3_from_a_pipe_are_no_sound(tmp_path: Path) -> None:
    encode(tmp_path / "song.mp3", "libmp3lame", 44100, tone(length=17640), write_xing="0")
    picture = b"ID3\3\0\0\0\0\x7f\0" + np.random.default_rng(0).bytes(127 * 128)
    song = (tmp_path / "song.mp3").read_bytes()
    read, write = os.pipe()
    os.write(write, song + picture + song)
    os.close(write)
    with open(read, "rb") as pipe, decoding.open_audio(pipe) as reader:
        length = sum(len(block) for block in reader.blocks())
    assert (length / 44100, reader.warnings) == (pytest.approx(0.9, abs=0.1), [])


@pytest.mark.parametrize("end", [None, -1])
def test_flac_from_a_pipe_is_read_to_its_end_which_must_be_there(end: int | None, tmp_path: Path) -> None:
    """Its header counts 0 samples: nobody could go back and write how many."""
    path = tmp_path / "song.flac"
    soundfile.write(path, tone(), 44100, "PCM_16")
    whole, _ = arrays.read(path)
    data = path.read_bytes()
    path.write_bytes((data[:21] + bytes([data[21] & 0xF0]) + bytes(4) + data[26:])[:end])
    if end is None:
        np.testing.assert_array_equal(arrays.read(path)[0], whole)
    else:
        assert "is truncated: it ends within a block of samples (separate --damaged take" in refusal(path)


@pytest.mark.parametrize("told", [0, 0x7FFFEFFC, 0x7FFFF000, 0x7FFFFF00, 0x80000000, 0xFFFFFFD3, 0xFFFFFFFF])
def test_wav_from_a_pipe_is_read_to_its_end(tmp_path: Path, told: int) -> None:
    path = tmp_path / "pipe.wav"
    soundfile.write(path, tone(), 44100, "PCM_16")
    whole, _ = arrays.read(path)
    content = path.read_bytes()
    place = content.index(b"data") + 4
    path.write_bytes(content[:place] + struct.pack("<I", told) + content[place + 4 :])
    np.testing.assert_array_equal(arrays.read(path)[0], whole)


@pytest.mark.parametrize("name", ["Für Elise.wav", "夜に駆ける.flac", "🎵 mit 'Quotes' \".ogg", "%d {x} [y].m4a"])
def test_any_name_is_read(tmp_path: Path, name: str) -> None:
    path, ending = tmp_path / name, name.rpartition(".")[2]
    if ending in CODECS:
        encode(path, *CODECS[ending], tone())
    else:
        arrays.write(path, tone(), 44100, SUBTYPES[ending])
    assert len(arrays.read(path)[0]) >= LENGTH


def test_a_tag_in_another_encoding_is_no_reason_to_refuse_a_song(tmp_path: Path) -> None:
    path = tmp_path / "song.mka"
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "Café"
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.ones((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    path.write_bytes(path.read_bytes().replace("fé".encode(), b"f\xe9!"))
    with decoding.open_audio(path) as reader:
        assert reader.info.tags["title"] == "Caf\ufffd!"
    read, write = os.pipe()
    os.write(write, path.read_bytes())
    os.close(write)
    with open(read, "rb") as pipe, decoding.open_audio(pipe) as reader:
        assert reader.info.tags["title"] == "Caf\ufffd!"


class Pipe(io.BytesIO):
    """Bytes that nobody can go back in."""

    def seekable(self) -> bool:
        return False


def missing(path: Path) -> None:
    pass


def folder(path: Path) -> None:
    path.mkdir()


def empty(path: Path) -> None:
    path.touch()


def text(path: Path) -> None:
    path.write_text("These are no samples.\n" * 100)


def random_bytes(path: Path) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(20000))


def cut(path: Path) -> None:
    soundfile.write(path, tone(), 44100, "PCM_16")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def cut_by_a_byte(path: Path) -> None:
    soundfile.write(path, tone(), 44100, "PCM_16")
    path.write_bytes(path.read_bytes()[:-1])


def cut_between_frames(path: Path) -> None:
    soundfile.write(path, tone(), 44100, "PCM_16")
    path.write_bytes(path.read_bytes().rpartition(b"\xff\xf8")[0])


def damaged_in_the_middle(path: Path) -> None:
    soundfile.write(path, tone(length=3 * BLOCK_LENGTH), 44100, "PCM_16")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(data)


def header_alone(path: Path) -> None:
    soundfile.write(path, tone(), 44100, "PCM_16")
    path.write_bytes(path.read_bytes()[:20])


def not_a_number(path: Path) -> None:
    samples = tone()
    samples[4410, 1] = np.nan
    soundfile.write(path, samples, 44100, "FLOAT")


def infinite(path: Path) -> None:
    samples = tone(length=2 * BLOCK_LENGTH)
    samples[88200:, 0] = -np.inf
    soundfile.write(path, samples, 44100, "FLOAT")


@pytest.mark.parametrize(
    ("damage", "ending", "message"),
    [
        (missing, "wav", "no such file"),
        (folder, "wav", "is a folder"),
        (empty, "wav", "is empty"),
        *((text, ending, "is not an audio file") for ending in ("wav", "flac", "ogg", "mp3", "m4a", "aiff")),
        *((random_bytes, ending, "is not an audio file") for ending in ("wav", "flac", "mp3")),
        (cut, "wav", "is truncated"),
        (cut, "aiff", "is truncated"),
        (cut, "flac", r"is truncated: its end is missing, from about \d\.\d s on \("),
        (cut_by_a_byte, "flac", r"is truncated: its end is missing, from about \d\.\d s on \("),
        (cut_between_frames, "flac", "is truncated: "),
        (damaged_in_the_middle, "flac", r"is damaged at about 1\.5 s \("),
        (header_alone, "wav", "is not an audio file"),
        (header_alone, "flac", "is not an audio file"),
        (not_a_number, "wav", r"NaN or infinite sample at 0\.100 s"),
        (infinite, "wav", r"NaN or infinite sample at 2\.000 s"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_bad_files_are_refused_by_name(
    tmp_path: Path, damage: Callable[[Path], None], ending: str, message: str
) -> None:
    path = tmp_path / f"bäd file.{ending}"
    damage(path)
    assert re.search(message, refusal(path))


def test_a_file_that_cannot_be_looked_at_is_refused_by_name(tmp_path: Path) -> None:
    assert refusal(tmp_path / (300 * "y") / "song.wav").endswith("song.wav: cannot be read: File name too long")


def test_of_samples_that_are_no_numbers_zeros_are_made_if_wanted_and_the_first_is_told(tmp_path: Path) -> None:
    samples = tone(length=2 * BLOCK_LENGTH)
    samples[[4410, 4411, 88200], 1] = np.nan, np.nan, -np.inf
    soundfile.write(tmp_path / "song.wav", samples, 44100, "FLOAT")
    with decoding.open_audio(tmp_path / "song.wav", zero_bad_samples=True) as reader:
        np.testing.assert_array_equal(np.concatenate(list(reader.blocks())), np.where(np.isfinite(samples), samples, 0))
    assert reader.warnings == ["3 NaN or infinite samples from 0.100 s on were set to zero"]


def test_a_sample_beyond_all_measure_is_refused_beside_one_that_is_made_zero_too(tmp_path: Path) -> None:
    samples = tone()
    samples[[441, 4410], 1] = np.nan, 1e38
    soundfile.write(tmp_path / "song.wav", samples, 44100, "FLOAT")
    with (
        decoding.open_audio(tmp_path / "song.wav", zero_bad_samples=True) as reader,
        pytest.raises(AudioError, match=r"has a sample of 1e\+38 at 0\.100 s, full scale being 1; repair the file$"),
    ):
        list(reader.blocks())


@pytest.mark.parametrize("start", [0, 70_000, 3 * BLOCK_LENGTH - 1])
def test_a_flac_that_ends_early_is_called_so_wherever_reading_begins(start: int, tmp_path: Path) -> None:
    path = tmp_path / "song.flac"
    soundfile.write(path, np.random.default_rng(0).uniform(-1, 1, (3 * BLOCK_LENGTH, 2)), 44100)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with decoding.open_audio(path) as reader, pytest.raises(AudioError) as caught:
        list(reader.blocks(start))
    assert str(caught.value).startswith(f"{path}: is truncated: its end is missing, from about ")


def test_a_cut_m4a_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "song.m4a"
    encode(path, *CODECS["m4a"], tone())
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    refusal(path)


def test_a_video_without_sound_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "silent.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25, width=32, height=32, pix_fmt="yuv420p")
        frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
        container.mux([*stream.encode(frame), *stream.encode(None)])
    assert "no audio stream" in refusal(path)


def test_streams_of_a_container_are_told_apart(tmp_path: Path) -> None:
    path, tones = tmp_path / "song.mp4", [tone(pitch=pitch) for pitch in (300, 700)]
    encode(path, "aac", 44100, *tones)
    for number, samples in enumerate(tones):
        decoded, sample_rate = arrays.read_stream(path, number)
        assert sample_rate == 44100
        np.testing.assert_allclose(decoded[2000:7000], samples[2000:7000], atol=0.05)


TAKEN = [
    (cut, "wav", 4500, "is truncated: its header promises"),
    (cut, "aiff", 4486, "is truncated: its header promises"),
    (cut_by_a_byte, "flac", 8192, "is truncated: its end is missing, from about 0.0 s on"),
    (cut, "ogg", None, "is truncated: its last page is missing"),
    (cut, "mp3", None, "is truncated: its header promises 2.000 s, "),
    (damaged_in_the_middle, "flac", 3 * BLOCK_LENGTH, "is damaged at about 1.5 s"),
]


@pytest.mark.parametrize(("damage", "ending", "length", "line"), TAKEN, ids=[f"{d.__name__} {e}" for d, e, *_ in TAKEN])
def test_what_is_there_is_taken_where_that_is_wanted_and_told(
    damage: Callable[[Path], None], ending: str, length: int | None, line: str, tmp_path: Path
) -> None:
    path = tmp_path / f"song.{ending}"
    if ending in ("ogg", "mp3"):
        soundfile.write(path, noise(88200, 2), 44100)
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    else:
        damage(path)
    with decoding.open_audio(path, take_damaged=True) as reader:
        samples = np.concatenate(list(reader.blocks()))
    assert any(warning.startswith(line) for warning in reader.warnings)
    assert not any("--damaged" in warning for warning in reader.warnings)
    assert len(samples) == (pytest.approx(length, abs=20) if length else pytest.approx(58000, abs=12000))
    assert np.abs(samples).max() > 0.3


def test_where_the_sound_of_a_film_starts_late_silence_comes_first_if_wanted(tmp_path: Path) -> None:
    late("matroska")(tmp_path / "film.mkv")
    whole, _ = arrays.read(tmp_path / "film.mkv")
    with decoding.open_audio(tmp_path / "film.mkv", keep_offset=True) as reader:
        kept = np.concatenate(list(reader.blocks()))
    assert reader.warnings == []
    offset = len(kept) - len(whole)
    assert offset / 44100 == pytest.approx(0.5, abs=0.05)
    assert not kept[:offset].any()
    np.testing.assert_array_equal(kept[offset:], whole)
    with decoding.open_audio(tmp_path / "film.mkv", keep_offset=True) as reader:
        np.testing.assert_array_equal(np.concatenate(list(reader.blocks(30_000))), kept[30_000:])


def test_of_several_streams_the_default_one_is_read_or_the_one_that_is_named(tmp_path: Path) -> None:
    path = tmp_path / "film.mka"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("pcm_s16le", rate=8000, layout="mono") for _ in range(2)]
        streams[0].disposition = av.stream.Disposition(0)
        streams[1].disposition = av.stream.Disposition.default
        for level, stream in enumerate(streams, 1):
            frame = av.AudioFrame.from_ndarray(np.full((1, 800), level * 8192, np.int16), format="s16", layout="mono")
            frame.sample_rate = 8000
            container.mux(stream.encode(frame))
    for stream, level in ((None, 0.5), (0, 0.25), (1, 0.5)):
        assert (arrays.read_stream(path, stream)[0] == level).all()
    with pytest.raises(AudioError, match=r"has no audio stream 3, only 2$"):
        arrays.read_stream(path, 2)


def test_an_m4a_whose_index_is_at_its_end_needs_a_file(tmp_path: Path) -> None:
    encode(tmp_path / "song.m4a", "aac", 44100, noise(441000, 2))
    data = (tmp_path / "song.m4a").read_bytes()
    assert len(data) > 2**17  # FFmpeg has room for less
    with pytest.raises(AudioError, match=r"has its index at its end, .*: name the file itself"):
        decoding.ffmpeg.AvDecoder(Pipe(data), Damages("standard input"))


def through_a_pipe(path: Path) -> tuple[np.ndarray, list[str]]:
    with decoding.open_audio(Pipe(path.read_bytes())) as reader:  # type: ignore[arg-type]
        return np.concatenate(list(reader.blocks())), reader.warnings


LIKE_FILES = {"mp3": "libmp3lame", "wv": "wavpack", "tta": "tta", "au": "pcm_s16be", "w64": "pcm_s16le"}
"""Endings of files that pipes read as well, and their codecs."""


@pytest.mark.parametrize("ending", LIKE_FILES)
def test_a_pipe_gives_what_the_file_gives(ending: str, tmp_path: Path) -> None:
    """Without what fills up the last frame of an MP3, and the tags behind a WavPack."""
    path = tmp_path / f"song.{ending}"
    encode(path, LIKE_FILES[ending], 44100, tone(length=44100))
    samples, told = through_a_pipe(path)
    assert told == []
    np.testing.assert_array_equal(samples, arrays.read(path)[0])
    assert len(samples) == 44100


def test_an_mp3_that_goes_on_behind_its_count_is_read_whole(tmp_path: Path) -> None:
    """What fills up the last frame of the first is then within."""
    path = tmp_path / "song.mp3"
    encode(path, "libmp3lame", 44100, tone(length=44100))
    once = path.read_bytes()
    path.write_bytes(2 * once)
    assert 88200 < len(through_a_pipe(path)[0]) < 93000


@pytest.mark.parametrize("ending", ["mp3", "tagged.mp3", "au", "w64", "ogg", "opus"])
def test_a_pipe_that_breaks_is_noticed(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"song.{ending}"
    if ending in ("ogg", "opus"):
        soundfile.write(path, noise(480000, 2), 48000, "OPUS" if ending == "opus" else "VORBIS", format="OGG")
    else:
        encode(path, LIKE_FILES[path.suffix[1:]], 44100, tone(length=88200))
    tag = b"ID3\3\0\0\0\0\x7f\0" + np.random.default_rng(0).bytes(127 * 128) if "tagged" in ending else b""
    data = tag + path.read_bytes()
    path.write_bytes(data[: len(data) * 7 // 10])
    with pytest.raises(AudioError, match=r"is truncated: its (header promises|last page is missing)"):
        through_a_pipe(path)


@pytest.mark.parametrize("lead", [0, 4000], ids=lambda lead: f"{lead} bytes of silence first")
def test_what_is_meant_for_a_receiver_is_known_in_a_pipe_too(lead: int, tmp_path: Path) -> None:
    """Taken for samples, it is noise at full scale."""
    path = tmp_path / "film.wav"
    then(encoded("ac3", "spdif", 48000), lambda data: as_samples(bytes(lead) + data))(path)
    samples, _ = through_a_pipe(path)
    np.testing.assert_array_equal(samples, arrays.read(path)[0])
    assert 0.35 < np.abs(samples).max() < 0.45


@pytest.mark.parametrize("opened", [arrays.read, through_a_pipe])
def test_what_is_meant_for_a_receiver_is_no_noise_where_ffmpeg_does_not_find_it(
    opened: Callable[[Path], object], tmp_path: Path
) -> None:
    then(encoded("ac3", "spdif", 48000), lambda data: as_samples(bytes(40_000) + data))(tmp_path / "film.wav")
    with pytest.raises(AudioError, match=r": its samples are a stream for a receiver, .*: cut the silence before it$"):
        opened(tmp_path / "film.wav")


DTS = ("fe7f018000fc", "7ffe8001fc3c", "ff1f00e8f107", "1fffe80007f1")
"""How its frames begin, as bytes of a WAV."""


@pytest.mark.parametrize("beginning", [*DTS, "72f81f4e0b00"])
def test_dts_is_known_by_its_words_of_which_a_pipe_waits_for_two(beginning: str) -> None:
    data = io.BytesIO(as_samples(100 * (bytes.fromhex(beginning) + bytes(2042))))
    header, _ = wavfile.read_header(data.read)
    samples = _disguise.enough_of(header, data.read)
    assert (len(samples), _disguise.is_compressed(samples)) == (1 << 16, True)


SOFT = [-65, 31, -24, 1800] * 20_000
"""Its bytes are those of DTS' word, from the second of a sample on."""

CLIPPED = [32766, -32767, -32767, 32766] * 20_000
"""Out of phase, it begins as DTS does."""


@pytest.mark.parametrize("opened", [arrays.read, through_a_pipe])
@pytest.mark.parametrize("values", [SOFT, CLIPPED, [8191, -6144] * 40_000], ids=["soft", "clipped", "square"])
def test_sound_with_the_bytes_of_dts_is_sound(values: list[int], opened: Callable[[Path], Any], tmp_path: Path) -> None:
    samples = np.array(values, np.int16).reshape(-1, 2)
    soundfile.write(tmp_path / "song.wav", samples, 44100, "PCM_16")
    np.testing.assert_array_equal(opened(tmp_path / "song.wav")[0], samples / np.float32(2**15))


def test_of_sound_a_pipe_waits_for_little() -> None:
    data = io.BytesIO(as_samples(bytes(100) + np.random.default_rng(0).bytes(100_000)))
    header, _ = wavfile.read_header(data.read)
    samples = _disguise.enough_of(header, data.read)
    assert (len(samples), _disguise.is_compressed(samples)) == (8192, False)


@pytest.mark.parametrize("place", [0.3, 0.5, 0.7])
def test_the_letters_of_a_tag_within_a_frame_are_sound(place: float, tmp_path: Path) -> None:
    """One in sixteen million places of an MP3 has them by chance."""
    path = tmp_path / "song.mp3"
    soundfile.write(path, noise(88200, 2), 44100)
    data, whole = path.read_bytes(), len(arrays.read(path)[0])
    at = data.index(b"\xff\xfb", int(len(data) * place)) - 50  # where a tag would reach into the next frame
    path.write_bytes(data[:at] + b"TAG" + data[at + 3 :])
    assert len(arrays.read(path)[0]) == whole


@pytest.mark.parametrize("start", [0, 5000, 9000, 9001, 20_000, 26_999])
def test_any_part_of_what_was_joined_is_read(start: int, tmp_path: Path) -> None:
    parts = [noise(9000, 2, seed) for seed in range(3)]
    for number, samples in enumerate(parts):
        soundfile.write(tmp_path / f"{number}.flac", samples, 44100, "PCM_24")
    path = tmp_path / "song.flac"
    path.write_bytes(b"".join((tmp_path / f"{number}.flac").read_bytes() for number in range(3)))
    with decoding.open_audio(path) as reader:
        samples = np.concatenate(list(reader.blocks(start, 4000)))
    assert reader.info.frames == 27_000
    np.testing.assert_allclose(samples, np.concatenate(parts)[start:], atol=2**-23)


@pytest.mark.parametrize("before", [0, 1, 7, 12, 63, 64, 65])
def test_where_another_file_begins_is_found_across_the_blocks_that_are_searched(before: int, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "song.wav", np.zeros((10, 1)), 8000, "PCM_16")
    header, place = (tmp_path / "song.wav").read_bytes()[:44], _joined.BLOCK - before
    sound = np.random.default_rng(0).bytes(2 * _joined.BLOCK)
    (tmp_path / "song.wav").write_bytes(header + sound[: place - 44] + header + sound)
    assert _joined.sections(tmp_path / "song.wav") == [(0, place), (place, place + 44 + len(sound))]


@pytest.mark.parametrize("form", ["WAV", "RF64", "W64", "AIFF"])
def test_a_file_that_ends_where_it_says_is_not_searched(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long recording is opened once for each of its parts."""
    path = tmp_path / "song"
    soundfile.write(path, noise(9001, 1), 8000, "PCM_16", format=form)
    monkeypatch.setattr(_joined, "_all_found", lambda kind, file: pytest.fail("it is searched"))
    assert _joined.sections(path) == [(0, path.stat().st_size)]


def test_files_of_different_kinds_of_sound_cannot_be_joined(tmp_path: Path) -> None:
    for rate in (44100, 48000):
        soundfile.write(tmp_path / f"{rate}.wav", tone(), rate, "PCM_16")
    path = tmp_path / "song.wav"
    path.write_bytes(b"".join((tmp_path / f"{rate}.wav").read_bytes() for rate in (44100, 48000)))
    assert refusal(path).endswith("changes its rate or channels at 0.204 s")


def test_what_is_damaged_in_a_part_is_told_of_it(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "song.flac", noise(200_000, 1), 44100, "PCM_16")
    data = (tmp_path / "song.flac").read_bytes()
    (tmp_path / "song.flac").write_bytes(data + data[: len(data) // 2])
    with decoding.open_audio(tmp_path / "song.flac", take_damaged=True) as reader:
        length = sum(len(block) for block in reader.blocks())
    assert 290_000 < length < 300_000
    assert reader.warnings[-1] == f"is truncated: {length} of 400000 samples could be decoded"


@pytest.mark.parametrize(("ending", "codec", "form"), [("wma", "wmav2", "asf"), ("flv", "libmp3lame", "flv")])
def test_a_pipe_that_goes_on_with_another_file_is_told(ending: str, codec: str, form: str, tmp_path: Path) -> None:
    path = tmp_path / f"song.{ending}"
    encoded(codec, form)(path)
    whole, told = through_a_pipe(path)
    assert told == []
    path.write_bytes(2 * path.read_bytes())
    samples, told = through_a_pipe(path)
    assert told == ["another file follows the first, which alone was read from the pipe: name the file itself for both"]
    np.testing.assert_array_equal(samples, whole)


@pytest.mark.parametrize("piped", [False, True], ids=["a file", "a pipe"])
@pytest.mark.parametrize("tag", [b"", b"ID3\4\0\0\0\0\1\0" + bytes(128)], ids=["", "a tag in front"])
def test_damaged_aac_is_as_long_as_it_was(tag: bytes, piped: bool, tmp_path: Path) -> None:
    """FFmpeg's reader skips what is no frame, and does not tell."""
    path = tmp_path / "radio.aac"
    encoded("aac", "adts")(path)
    whole, data = len(arrays.read(path)[0]), path.read_bytes()
    size = len(data) // 7
    path.write_bytes((tag if not piped else b"") + data[: 3 * size] + bytes(size) + data[4 * size :])
    if piped:
        samples, told = through_a_pipe(path)
    else:
        with decoding.open_audio(path) as reader:
            samples, told = np.concatenate(list(reader.blocks())), reader.warnings
    assert len(samples) == pytest.approx(whole, abs=2048)
    (line,) = told
    assert re.fullmatch(r"damaged at 0\.[89]\d+ s: 0\.[23]\d+ s became silence", line)
