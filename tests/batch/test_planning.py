"""What a user names becomes jobs: every song once, no stem in another's place, nothing done twice."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tfwavesep import audio, places
from tfwavesep.audio import Format
from tfwavesep.batch import Manifest
from tfwavesep.batch.jobs import STDIN, Outcome, Settings
from tfwavesep.batch.planning import (
    APART,
    EXISTING,
    TEMPLATE,
    Model,
    Output,
    Plan,
    Source,
    expand,
    parse_shard,
    plan,
    track_name,
)
from tfwavesep.errors import AudioError, ConfigError
from tfwavesep.places import sha256

MODEL = Model(("vocals", "other"), "m")
OUT = Path("out")


@pytest.fixture
def album(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Songs in folders, and things that are none."""
    monkeypatch.chdir(tmp_path)
    for name in ("album/2.wav", "album/1.MP3", "album/cd/1.mp3", "album/notes.txt", "album/._1.mp3", "single.flac"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(name)
    return Path("album")


def made(
    *names: str, settings: Settings | None = None, model: Model = MODEL, manifest: Manifest | None = None,
    shard: tuple[int, int] = (1, 1), **output: Any,
) -> Plan:  # fmt: skip
    sources = [Source(Path(name)) for name in names]
    return plan(sources, settings or Settings(), model, Output(OUT, **output), manifest, shard)


def test_folders_keep_their_shape_and_files_come_once(album: Path) -> None:
    songs, failures = expand([album, Path("single.flac"), album / "2.wav", Path("./single.flac")])
    assert [(str(song.path), str(song.below)) for song in songs] == [
        ("album/1.MP3", "."), ("album/2.wav", "."), ("album/cd/1.mp3", "cd"), ("single.flac", "."),
    ]  # fmt: skip
    assert not failures
    jobs = plan(songs, Settings(), MODEL, Output(OUT)).jobs
    assert [str(job.outputs["other"]) for job in jobs] == [
        "out/1/other.wav", "out/2/other.wav", "out/cd/1/other.wav", "out/single/other.wav",
    ]  # fmt: skip


def test_patterns_are_expanded_unless_a_file_has_that_name(album: Path) -> None:
    Path("[live].mp3").touch()
    assert [str(song.path) for song in expand([Path("album/**/1.*")])[0]] == ["album/1.MP3", "album/cd/1.mp3"]
    assert [str(song.path) for song in expand([Path("[live].mp3")])[0]] == ["[live].mp3"]


def test_what_holds_no_songs_is_told(album: Path) -> None:
    Path("nothing").mkdir()
    songs, failures = expand([Path("nothing"), Path("*.ogg"), Path("missing.wav")])
    assert [failure.error for failure in failures] == [
        "nothing: is a folder without audio files", "*.ogg: no such files",
    ]  # fmt: skip
    assert [str(song.path) for song in songs] == ["missing.wav"]


def test_what_cannot_be_looked_at_is_a_song_that_its_reader_will_refuse() -> None:
    """A name that is too long stands in for a folder that may not be searched: the system refuses to look for both."""
    path = Path(300 * "y", "1.wav")
    assert expand([path]) == ([Source(path)], [])


def test_folders_that_cannot_be_searched_are_failures(album: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """But not those where songs are not looked for."""
    find = audio.find

    def closed(folder: Path, told: Callable[[OSError], None]) -> list[Path]:
        for name in ("album/closed/.", "album/out/closed"):
            told(PermissionError(13, "Permission denied", name))
        return [path for path in find(folder) if path.match("cd/*")]

    monkeypatch.setattr(audio, "find", closed)
    songs, (failure,) = expand([album], album / "out")
    assert [str(song.path) for song in songs] == ["album/cd/1.mp3"]
    assert failure == Outcome("album/closed", "failed", error="album/closed: cannot be searched: Permission denied")


@pytest.mark.parametrize("named", ["album", "album/*", "."])
def test_a_search_that_comes_upon_the_stems_leaves_them_out(album: Path, named: str) -> None:
    stems = album / "stems"
    stems.mkdir()
    (stems / "vocals.wav").touch()
    Path("link").symlink_to(stems)
    for output in (stems, Path("link"), Path("elsewhere")):
        found = [song.path for song in expand([Path(named)], output)[0]]
        assert ((stems / "vocals.wav") in found) == (output == Path("elsewhere"))


def test_the_output_folder_itself_is_not_searched(album: Path) -> None:
    """Songs in it may be named: what they give is in folders of their own."""
    for folder in (album, album / "cd" / ".."):
        songs, (failure,) = expand([folder], album)
        assert not songs
        assert "is the output folder, where songs are not looked for" in str(failure.error)
    assert [str(song.path) for song in expand([Path("album/*.wav")], album)[0]] == ["album/2.wav"]


def test_a_folder_below_the_output_folder_is_searched(album: Path) -> None:
    songs, failures = expand([album], Path())
    assert len(songs) == 3
    assert not failures


def test_links_in_a_circle_end(album: Path) -> None:
    (album / "again").symlink_to(album.resolve())
    (album / "gone.wav").symlink_to("nowhere")
    os.mkfifo(album / "pipe.wav")
    assert len(expand([album])[0]) == 3


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.stem.mp4", ("a", "stem.mp4")), ("a.Stem.MP4", ("a", "Stem.MP4")), ("a.stem.wav", ("a.stem", "wav")),
     (".stem.mp4", (".stem", "mp4")), ("a", ("a", "")), ("-", ("stdin", "")), ("..wav", ("..wav", "wav")),
     ("...wav", ("...wav", "wav")), ("....wav", ("...", "wav"))],
)  # fmt: skip
def test_track_names(name: str, expected: tuple[str, str]) -> None:
    assert track_name(Path(name)) == expected


@pytest.mark.parametrize("name", ["...wav", "..wav", "..a.wav", "a"])
@pytest.mark.parametrize("template", [TEMPLATE, APART, "{track:.2}/{stem}", "{trackext}/{stem}.{ext}"])
def test_no_name_of_a_song_leads_out_of_the_folder(template: str, name: str) -> None:
    path = Output(OUT, template).path(Source(Path(name)), "bass", "wav")
    assert path.is_relative_to(OUT)
    assert ".." not in path.parts


def test_standard_input_is_not_what_is_called_so(album: Path) -> None:
    album.rename("-")
    assert expand([STDIN]) == ([Source(STDIN)], [])


@pytest.mark.parametrize("existing", EXISTING)
@pytest.mark.parametrize("pictures", [False, True])
def test_a_name_too_long_for_the_disk_is_a_failure_before_the_work(album: Path, existing: str, pictures: bool) -> None:
    long, template = f"{245 * 'y'}.wav", "{track} - {stem}.{ext}"
    made_of = made(long, "single.flac", template=template, existing=existing, pictures=pictures)
    assert [str(job.source) for job in made_of.jobs] == ["single.flac"]
    (failure,) = made_of.settled
    advice = "--filename '{track:.60}/{stem}.{ext}' shortens it"
    assert failure.error == f"{long}: the name is too long for the file system of out; {advice}"
    assert len(made(long, template=advice.split("'")[1], existing=existing, pictures=pictures).jobs) == 1


ADVICE = {
    ("a/song.wav", "b/song.wav"): "separate it on its own, with another -o",
    ("song.wav", "song.mp3"): "--filename '{track}.{trackext}/{stem}.{ext}' keeps them apart",
}


@pytest.mark.parametrize("names", ADVICE)
def test_a_name_that_is_taken_is_a_failure_of_the_later_song(names: tuple[str, str]) -> None:
    made_of = made(*names, "c.wav")
    assert [str(job.source) for job in made_of.jobs] == [names[0], "c.wav"]
    (failure,) = made_of.settled
    assert failure.source == names[1]
    assert failure.error == f"{names[1]}: its stems would take the place of those of {names[0]}; {ADVICE[names]}"


@pytest.mark.parametrize("names", ADVICE)
def test_who_follows_the_advice_gets_all_stems(names: tuple[str, str]) -> None:
    if "--filename" in ADVICE[names]:
        jobs = made(*names, template=ADVICE[names].split("'")[1]).jobs
    else:
        jobs = [*made(names[0]).jobs, *plan([Source(Path(names[1]))], Settings(), MODEL, Output(Path("other"))).jobs]
    assert len({path for job in jobs for path in job.files}) == 4


@pytest.mark.parametrize("existing", EXISTING)
@pytest.mark.parametrize("song", ["out/single/vocals.wav", "link/single/vocals.wav", "copy.wav", "out/single/plot.png"])
def test_a_stem_never_takes_the_place_of_a_song(album: Path, song: str, existing: str) -> None:
    touch("vocals", "plot")
    (OUT / "single" / "plot.wav").rename(OUT / "single" / "plot.png")
    Path("link").symlink_to(OUT)
    Path("copy.wav").symlink_to(OUT / "single" / "vocals.wav")
    with pytest.raises(ConfigError, match=f"^single.flac: its stems would take the place of the song {song}; choose"):
        made("2.wav", "single.flac", song, existing=existing, pictures=True)


def test_not_even_of_its_own(album: Path) -> None:
    with pytest.raises(ConfigError, match=r"^out/vocals.wav: .* the place of the song out/vocals.wav"):
        made("out/vocals.wav", template="{stem}.{ext}")


@pytest.mark.parametrize("braces", ["{x}", "{track", "%d", "{}"])
def test_braces_in_a_songs_name_are_only_a_name(braces: str) -> None:
    assert Output(OUT).path(Source(Path(f"{braces}.wav")), "drums", "wav") == OUT / braces / "drums.wav"


@pytest.mark.parametrize(
    ("template", "message"),
    [("{stem:99999999999999}.{ext}", "file name"),
     ("{song}/{stem}.{ext}", "unknown field of the file name 'song'"), ("{track}.{ext}", "must contain {stem}"),
     ("../{stem}.wav", "must stay within"), ("/{stem}.wav", "must stay within"), ("{stem", "expected '}'"),
     ("{}/{stem}", "unknown field of the file name ''"), ("{stem:{foo}}", "holds a field within a field"),
     ("{stem:{track}<9}", "holds a field within a field")],
)  # fmt: skip
def test_patterns_that_cannot_work_are_refused(template: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Output(OUT, template)


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_shards_share_the_songs(count: int) -> None:
    names = [f"{number}.wav" for number in range(5)]
    shards = [made(*names, shard=(number, count)).jobs for number in range(1, count + 1)]
    assert sorted(str(job.source) for jobs in shards for job in jobs) == names


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "a/b", "1/2/3", "-1/2", ""])
def test_shards_that_cannot_be_meant_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="i/n"):
        parse_shard(text)


def touch(*names: str) -> None:
    for name in names:
        (OUT / "single").mkdir(parents=True, exist_ok=True)
        (OUT / "single" / f"{name}.wav").touch()


def test_what_is_there_is_skipped_and_what_is_missing_made(album: Path) -> None:
    touch("vocals")
    (job,) = made("single.flac", existing="skip").jobs
    assert list(job.written) == ["other"]
    touch("other")
    skipped = made("single.flac", existing="skip")
    assert not skipped.jobs
    assert [outcome.status for outcome in skipped.settled] == ["skipped"]
    (job,) = made("single.flac", existing="overwrite").jobs
    assert job.overwrite
    (job,) = made("single.flac").jobs
    assert not job.overwrite


@pytest.mark.parametrize("changed", [None, "input", "model", "settings"])
def test_stems_of_something_else_are_not_taken_for_done(album: Path, changed: str | None) -> None:
    touch("vocals", "other")
    manifest, settings = Manifest(Path("m.jsonl")), Settings(form=Format("wav", "PCM_16"))
    done = Outcome("single.flac", source_sha256=sha256(Path("single.flac")), model_sha256="m",
                   settings=settings.described())  # fmt: skip
    manifest.append(done)
    if changed == "input":
        Path("single.flac").write_text("another song")
    if changed == "settings":
        settings = replace(settings, two_stems="vocals")
        touch("accompaniment")
    planned = made("single.flac", settings=settings, existing="skip", manifest=manifest,
                   model=replace(MODEL, sha256="n" if changed == "model" else "m"))  # fmt: skip
    (outcome,) = planned.settled
    assert outcome.status == ("failed" if changed else "skipped")
    told = {"input": "made of another song", "model": "made by another model", "settings": "made with other settings"}
    assert changed is None or f"exists already, {told[changed]}; --overwrite" in str(outcome.error)


@pytest.mark.parametrize(
    ("error", "message"),
    [(PermissionError(13, "Permission denied"), "single.flac: cannot be read: Permission denied"),
     (AudioError("single.flac: cannot be fetched"), "single.flac: cannot be fetched")],
)  # fmt: skip
def test_a_song_that_cannot_be_compared_with_its_row_fails_alone(
    album: Path, error: Exception, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(path: Path) -> str:
        raise error

    touch("vocals", "other")
    manifest = Manifest(Path("m.jsonl"))
    manifest.append(Outcome("single.flac", source_sha256="s"))
    monkeypatch.setattr(places, "sha256", unreadable)
    planned = made("single.flac", "album/2.wav", existing="skip", manifest=manifest)
    assert [str(job.source) for job in planned.jobs] == ["album/2.wav"]
    assert [(outcome.status, outcome.error) for outcome in planned.settled] == [("failed", message)]


def test_a_picture_is_one_of_the_things_that_are_there_or_missing(album: Path) -> None:
    picture = OUT / "single" / "plot.png"
    touch("vocals")
    (job,) = made("single.flac", existing="skip", pictures=True).jobs
    assert (job.files, job.kept) == ([OUT / "single" / "other.wav", picture], {"vocals"})
    picture.touch()
    (job,) = made("single.flac", existing="skip", pictures=True).jobs
    assert job.files == [OUT / "single" / "other.wav"]
    touch("other")
    (skipped,) = made("single.flac", existing="skip", pictures=True).settled
    assert (skipped.status, skipped.picture) == ("skipped", str(picture))
    picture.unlink()
    (job,) = made("single.flac", existing="skip", pictures=True).jobs
    assert job.files == [picture]
    (job,) = made("single.flac", existing="overwrite", pictures=True).jobs
    assert job.files == [OUT / "single" / "vocals.wav", OUT / "single" / "other.wav", picture]


@pytest.mark.parametrize(
    ("template", "picture"),
    [("{track}/{stem}.{ext}", "a.b/plot.png"), ("{track}-{stem}", "a.b-plot.png"), ("{stem}/{track}", "plot/a.b.png"),
     ("{track}/{stem}.wav", "a.b/plot.png"), ("{ext}/{stem}.stem.flac", "png/plot.stem.png")],
)  # fmt: skip
def test_a_picture_is_named_as_a_picture(template: str, picture: str) -> None:
    assert Output(OUT, template).picture(Source(Path("a.b.wav"))) == OUT / picture


def test_stems_are_no_others_because_others_were_not_chosen(album: Path) -> None:
    touch("vocals")
    manifest = Manifest(Path("m.jsonl"))
    manifest.append(Outcome("single.flac", settings=Settings(stems=("vocals",)).described()))
    (job,) = made("single.flac", existing="skip", manifest=manifest).jobs
    assert list(job.written) == ["other"]
    (settled,) = made("single.flac", settings=Settings(segment_seconds=1.0), existing="skip", manifest=manifest).settled
    assert "made with other settings" in str(settled.error)


def test_a_pattern_below_a_folder_with_brackets_gets_a_hint(tmp_path: Path) -> None:
    (tmp_path / "album [live]").mkdir()
    (tmp_path / "album [live]" / "song.wav").touch()
    for name, found in (("album [live]/*.wav", 0), ("album [[]live]/*.wav", 1)):
        songs, failures = expand([tmp_path / name])
        assert len(songs) == found
        assert found or str(failures[0].error).endswith("no such files (in a pattern [[] stands for [)")
