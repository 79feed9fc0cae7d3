"""What a song's tags tell goes through to its stems, in every format, and bad tags are no reason to refuse a song."""

import struct
from pathlib import Path

import mutagen
import numpy as np
import pytest
import soundfile
from doubles import encode, noise, separator, tone
from mutagen import id3, mp4

from tfwavesep.audio import Format, WavFile, encoder, open_audio, tagging
from tfwavesep.batch import jobs, separate_file
from tfwavesep.batch.jobs import Job, Settings

TAGS = {
    **{"title": "A", "artist": "B", "albumartist": "C", "discnumber": "2/3", "composer": "Für D", "bpm": "120"},
    **{"initialkey": "Am", "isrc": "DEA123456789"},
}
COVER = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


def told(path: Path) -> tuple[dict[str, str], bytes | None]:
    with open_audio(path) as reader:
        return {tag: reader.info.tags.get(tag) for tag in TAGS}, reader.info.cover


def written(path: Path, extension: str) -> Path:
    with encoder(path, Format.parse(extension), 44100, 2, TAGS, cover=COVER) as append:
        append(np.round(tone() * 2**22).astype(np.int64))
    return path


@pytest.mark.parametrize("extension", ["wav", "flac", "ogg", "mp3"])
def test_what_is_written_is_read(extension: str, tmp_path: Path) -> None:
    assert told(written(tmp_path / f"song.{extension}", extension)) == (TAGS, COVER)
    once, again = ((tmp_path / f"{n}.{extension}") for n in "ab")
    assert written(once, extension).read_bytes() == written(again, extension).read_bytes()


def mp4_tags(path: Path) -> None:
    encode(path, "aac", 44100, tone())
    file = mp4.MP4(path)
    names = {"title": "\xa9nam", "artist": "\xa9ART", **{tag: names[1] for tag, names in tagging.MORE.items()}}
    values = {**TAGS, "discnumber": (2, 3), "bpm": 120, "initialkey": b"Am", "isrc": b"DEA123456789"}
    for tag, name in names.items():
        file[name] = [values[tag]]
    file["covr"] = [mp4.MP4Cover(COVER, mp4.MP4Cover.FORMAT_PNG)]
    file.save()


def ape_tags(path: Path) -> None:
    encode(path, "wavpack", 44100, tone())
    file = mutagen.File(path)
    file.tags.update({"Title": "A", "Artist": "B", **{names[3]: TAGS[tag] for tag, names in tagging.MORE.items()}})
    file.save()


@pytest.mark.parametrize(("make", "name", "cover"), [(mp4_tags, "a.m4a", COVER), (ape_tags, "a.wv", None)])
def test_what_others_wrote_is_read(make: object, name: str, cover: bytes | None, tmp_path: Path) -> None:
    make(tmp_path / name)
    assert told(tmp_path / name) == (TAGS, cover)


def test_stems_carry_what_the_song_tells(tmp_path: Path) -> None:
    written(tmp_path / "song.flac", "flac")
    outcome = separate_file(separator(2, 1), tmp_path / "song.flac", tmp_path / "stems", ("vocals",))
    assert told(outcome.stems["vocals"]) == ({**TAGS, "title": "A (vocals)"}, COVER)


def test_a_time_reference_is_that_of_the_first_sample_of_the_stems(tmp_path: Path) -> None:
    with (tmp_path / "take.wav").open("wb") as file:
        wav = WavFile(file, 8000, 1, "FLOAT", {"time_reference": str(2**33)})
        wav.write(noise(8000))
        wav.close()
    for start, expected in ((0.0, 2**33), (0.5, 2**33 + 4000)):
        job = Job(tmp_path / "take.wav", {"vocals": tmp_path / f"{start}.wav"}, Settings(start_seconds=start))
        jobs.run(separator(), job)
        with open_audio(tmp_path / f"{start}.wav") as reader:
            assert reader.info.tags["time_reference"] == str(expected)
    data = (tmp_path / "0.0.wav").read_bytes()
    place = data.index(b"bext")
    assert struct.unpack_from("<I", data, place + 4) == (602,)
    assert struct.unpack_from("<Q", data, place + 8 + 338) == (2**33,)


@pytest.mark.parametrize(("time", "told"), [(0, None), (1, "1"), (2**48 - 1, str(2**48 - 1)), (2**48, None)])
def test_a_time_reference_is_none_that_no_clock_can_tell(time: int, told: str | None, tmp_path: Path) -> None:
    with (tmp_path / "take.wav").open("wb") as file:
        wav = WavFile(file, 8000, 1, "PCM_16", {"time_reference": str(time)})
        wav.write(np.zeros((10, 1), np.int16))
        wav.close()
    with open_audio(tmp_path / "take.wav") as reader:
        assert reader.info.tags.get("time_reference") == told


def test_a_wav_without_more_to_tell_has_no_more_chunks(tmp_path: Path) -> None:
    with encoder(tmp_path / "song.wav", Format(), 8000, 1, {"title": "A"}) as append:
        append(np.zeros((10, 1), np.int64))
    data = (tmp_path / "song.wav").read_bytes()
    assert b"LIST" in data
    assert b"id3 " not in data
    assert b"bext" not in data


@pytest.mark.parametrize("data", [b"", b"ID3\4\0\0\0\0\0\x0aTPE2\0\0\0\x7f\xff", b"fLaC" + bytes(40)])
def test_bad_tags_are_none(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "song").write_bytes(data)
    assert tagging.read(tmp_path / "song") == ({}, None)


def test_a_cover_that_is_no_picture_is_left_out(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "song.mp3", tone(), 44100)
    tag = id3.ID3()
    tag.add(id3.APIC(data=b"-->http", mime="-->"))
    tag.save(tmp_path / "song.mp3")
    assert id3.ID3(tmp_path / "song.mp3").getall("APIC")
    assert told(tmp_path / "song.mp3")[1] is None
