"""What a song's tags tell beyond what the decoders read, and its cover: read and written by mutagen."""

import base64
import io
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import mutagen
from mutagen import flac, id3, oggvorbis

TAGS = ("title", "artist", "album", "date", "tracknumber", "genre", "comment", "copyright", "license")
"""What the decoders read of a song's tags, and the encoders write."""

MORE = {
    "albumartist": ("TPE2", "aART", "albumartist", "Album Artist", "WM/AlbumArtist"),
    "discnumber": ("TPOS", "disk", "discnumber", "Disc", "WM/PartOfSet"),
    "composer": ("TCOM", "\xa9wrt", "composer", "Composer", "WM/Composer"),
    "bpm": ("TBPM", "tmpo", "bpm", "BPM", "WM/BeatsPerMinute"),
    "initialkey": ("TKEY", "----:com.apple.iTunes:initialkey", "initialkey", "key", "WM/InitialKey"),
    "isrc": ("TSRC", "----:com.apple.iTunes:ISRC", "isrc", "ISRC", "WM/ISRC"),
}
"""Tags beyond `TAGS`, by Vorbis' names: each with what ID3, MP4, Vorbis, APE and ASF call it."""

FRAMES = {
    **{"title": "TIT2", "artist": "TPE1", "album": "TALB", "date": "TDRC", "tracknumber": "TRCK", "genre": "TCON"},
    **{"copyright": "TCOP"},
    **{tag: names[0] for tag, names in MORE.items()},
}
"""Tags and their frames in ID3."""

PNG = b"\x89PNG"


def read(path: Path) -> tuple[dict[str, str], bytes | None]:
    """Those tags of a file that are in `MORE`, and its cover, a JPEG or PNG, if it has one."""
    with suppress(Exception):  # bad tags are no reason to refuse a song, and mutagen has many errors for them
        file = mutagen.File(path)
        if file is not None and file.tags is not None:
            found = {tag: _text(file.tags, names) for tag, names in MORE.items()}
            return {tag: text for tag, text in found.items() if text}, _cover(file)
    return {}, None


def _text(tags: Any, names: Iterable[str]) -> str:
    for name in names:
        with suppress(KeyError, ValueError):  # a name that this kind of tags does not allow
            value = tags[name]
            value = value[0] if isinstance(value, list) else value
            if isinstance(value, tuple):
                return "/".join(str(number) for number in value if number)
            return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return ""


def _cover(file: Any) -> bytes | None:
    tags = file.tags
    pictures = [frame.data for frame in tags.getall("APIC")] if hasattr(tags, "getall") else []
    pictures += [picture.data for picture in getattr(file, "pictures", [])]
    with suppress(KeyError, ValueError):
        pictures += [bytes(picture) for picture in tags["covr"]]
    with suppress(KeyError, ValueError):
        pictures += [flac.Picture(base64.b64decode(text)).data for text in tags["metadata_block_picture"]]
    return next((data for data in pictures if data.startswith((PNG, b"\xff\xd8"))), None)


def as_id3(tags: dict[str, str], cover: bytes | None) -> bytes:
    """An ID3 tag, as the chunk of a WAV holds it; nothing if INFO holds all that there is."""
    if not cover and not MORE.keys() & tags.keys():
        return b""
    body = io.BytesIO()
    _filled(id3.ID3(), tags, cover).save(body, padding=lambda _: 0)
    return body.getvalue()


def _filled(tag: Any, tags: dict[str, str], cover: bytes | None) -> Any:
    for name, frame in FRAMES.items():
        if name in tags:
            tag.add(id3.Frames[frame](encoding=3, text=[tags[name]]))
    if cover:
        tag.add(id3.APIC(encoding=3, mime=_mime(cover), type=3, desc="", data=cover))
    return tag


def _mime(cover: bytes) -> str:
    return "image/png" if cover.startswith(PNG) else "image/jpeg"


def add(path: Path, extension: str, tags: dict[str, str], cover: bytes | None) -> None:
    """Give a finished FLAC, Ogg or MP3 those tags that its encoder does not write, and a cover."""
    more = {tag: tags[tag] for tag in MORE if tag in tags}
    if extension not in ("flac", "ogg", "mp3") or not (more or cover):
        return
    if extension == "mp3":
        _filled(id3.ID3(path), more, cover).save(path)
        return
    file = flac.FLAC(path) if extension == "flac" else oggvorbis.OggVorbis(path)
    file.update({tag: [text] for tag, text in more.items()})
    if cover and extension == "flac":
        file.add_picture(_picture(cover))
    elif cover:
        file["metadata_block_picture"] = [base64.b64encode(_picture(cover).write()).decode()]
    file.save()


def _picture(cover: bytes) -> flac.Picture:
    picture = flac.Picture()
    picture.data, picture.type, picture.mime = cover, id3.PictureType.COVER_FRONT, _mime(cover)
    return picture
