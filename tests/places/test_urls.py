"""Songs and stems in a store, a real S3 server: the disk's bytes, whole objects only, one line for what fails."""

import errno
import gc
import json
import os
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
import soundfile
from conftest import Run
from doubles import noise, separator
from s3 import Buckets

from tfwavesep.batch import Job, Settings, jobs, parts, workers
from tfwavesep.errors import AudioError, ExtraError, OutputError, StoreError
from tfwavesep.places import files, urls

NAMES = ("a b.wav", "cd/é#1?.flac", "cd/100%25*.wav")
STEMS = ("vocals", "drums", "bass", "other")


def songs(folder: Path) -> dict[str, bytes]:
    """Songs on disk, whose names mean something in URLs and patterns."""
    for seed, name in enumerate(NAMES):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / name, noise(4000, seed=seed), 8000, "PCM_16")
    return {name: (folder / name).read_bytes() for name in NAMES}


@pytest.fixture
def bucket(buckets: Buckets, tmp_path: Path) -> str:
    """A bucket with the songs that are in the folder `songs`, and what is no song."""
    url = buckets.new()
    for name, data in songs(tmp_path / "songs").items():
        buckets.put(f"{url}/songs/{name}", data)
    buckets.put(f"{url}/songs/notes.txt", b"no song")
    buckets.put(f"{url}/songs/.hidden.wav", b"no song")
    buckets.put(f"{url}/songs/.Trash/a.wav", b"no song")
    return url


def stems(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.wav")}


def temporary() -> list[str]:
    return [name for name in os.listdir(tempfile.gettempdir()) if name.startswith(files.PREFIX)]


def test_the_stems_of_a_folder_in_a_store_are_those_of_the_disk(
    run: Run, model: Path, buckets: Buckets, bucket: str, tmp_path: Path
) -> None:
    there = run("separate", f"{bucket}/songs", "-o", f"{bucket}/songs/stems", "-m", model)
    assert there.exit_code == 0, there.output
    here = run("separate", tmp_path / "songs", "-o", tmp_path / "stems", "-m", model)
    assert here.exit_code == 0, here.output
    assert buckets.objects(f"{bucket}/songs/stems") == stems(tmp_path / "stems")
    assert not temporary()
    again = run("separate", f"{bucket}/songs", "-o", f"{bucket}/songs/stems", "-m", model, "--skip-existing")
    assert "3 were done already, 0 failed" in again.stderr


def test_from_a_store_to_the_disk_and_back(
    run: Run, model: Path, buckets: Buckets, bucket: str, tmp_path: Path
) -> None:
    options = ["-m", model, "--format", "flac", "--bits", "16", "--stems", "bass"]
    assert run("separate", f"{bucket}/songs/*.wav", "-o", tmp_path / "stems", *options).exit_code == 0
    assert run("separate", tmp_path / "songs" / "a b.wav", "-o", f"{bucket}/new", *options).exit_code == 0
    (made,) = (tmp_path / "stems").rglob("*.flac")
    assert buckets.objects(f"{bucket}/new") == {"a b/bass.flac": made.read_bytes()}


def test_urls_of_this_machines_files_are_paths(run: Run, model: Path, tmp_path: Path) -> None:
    songs(tmp_path)
    result = run("separate", f"file://{tmp_path}/a b.wav", "-o", f"local://{tmp_path}/stems", "-m", model)
    assert result.exit_code == 0, result.output
    assert sorted(stems(tmp_path / "stems")) == sorted(f"a b/{stem}.wav" for stem in STEMS)


def test_a_second_run_does_what_is_missing_and_tells_what_changed(
    run: Run, model: Path, buckets: Buckets, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without reading again what has the same ETag."""
    command = ["separate", f"{bucket}/songs", "-o", f"{bucket}/stems", "-m", model, "--skip-existing"]
    command += ["--manifest", f"{bucket}/rows"]
    assert run(*command).exit_code == 0
    rows = [json.loads(row) for row in buckets.objects(f"{bucket}/rows").values()]
    assert [row["status"] for row in rows] == ["done"] * 3
    assert all(row["source_etag"] and row["source_sha256"] for row in rows)

    made = buckets.objects(f"{bucket}/stems")
    buckets.delete(f"{bucket}/stems/a b/bass.wav")
    buckets.put(f"{bucket}/songs/new.wav", buckets.objects(f"{bucket}/songs")["a b.wav"])
    fetched: list[str] = []
    fetch = urls.fetch
    monkeypatch.setattr(urls, "fetch", lambda url: (fetched.append(url.name), fetch(url))[1])
    again = run(*command)
    assert "4 songs: 2 done" in again.stderr
    assert "2 were done already, 0 failed" in again.stderr
    assert set(fetched) == {"a b.wav", "new.wav"}
    assert {name: made[name] for name in made} == {
        name: data for name, data in buckets.objects(f"{bucket}/stems").items() if "new" not in name
    }

    buckets.put(f"{bucket}/songs/a b.wav", buckets.objects(f"{bucket}/songs")["cd/100%25*.wav"])
    changed = run(*command)
    assert changed.exit_code == 1
    assert "a b/vocals.wav: exists already, made of another song" in changed.stderr
    assert len(buckets.objects(f"{bucket}/rows")) == 3 + 4 + 4


def job_of(bucket: str, name: str = "songs/a b.wav", folder: str = "stems", **changes: Any) -> Job:
    outputs = {stem: files.place(f"{bucket}/{folder}/{stem}.wav") for stem in STEMS}
    return Job(files.place(f"{bucket}/{name}"), outputs, Settings(**changes))


def test_a_long_song_in_parts_that_wait_in_the_store(buckets: Buckets, bucket: str, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "long.wav", noise(16000), 8000, "PCM_16")
    buckets.put(f"{bucket}/long.wav", (tmp_path / "long.wav").read_bytes())
    jobs.run(separator(), job_of(bucket, "long.wav", "whole"))
    job = job_of(bucket, "long.wav", "joined")
    first, *others = parts.cut(job, separator(), 0.2)
    parts.separate(separator(), first)
    assert list(buckets.objects(f"{bucket}/joined")) == [f"{first.path.parent.name}/0.f32"]
    known = [parts.separate(separator(), part) for part in (first, *others)]
    assert (known[0].seconds, known[0].took_seconds) == (4 * 399 / 8000, 0)
    outcome = parts.join(separator(), [first, *others], known)
    assert outcome.source_sha256 == files.sha256(tmp_path / "long.wav")
    assert buckets.objects(f"{bucket}/joined") == buckets.objects(f"{bucket}/whole")


def test_a_song_that_fails_leaves_nothing_in_the_store(buckets: Buckets, bucket: str) -> None:
    buckets.put(f"{bucket}/cut.wav", buckets.objects(f"{bucket}/songs")["a b.wav"][:-100])
    with pytest.raises(AudioError, match=rf"^{bucket}/cut\.wav: is truncated"):
        jobs.run(separator(), job_of(bucket, "cut.wav"))
    assert not buckets.objects(f"{bucket}/stems")
    assert not temporary()


def test_stems_that_are_there_are_kept(buckets: Buckets, bucket: str) -> None:
    buckets.put(f"{bucket}/stems/bass.wav", b"mine")
    with pytest.raises(OutputError, match=rf"{bucket}/stems/bass\.wav: exists already"):
        jobs.run(separator(), job_of(bucket))
    assert buckets.objects(f"{bucket}/stems") == {"bass.wav": b"mine"}


def test_one_song_at_a_time_is_on_the_disk(bucket: str, buckets: Buckets) -> None:
    """In a file without a name, shared by all who read it, gone with the last of them or with the process."""
    first, second = (files.place(f"{bucket}/songs/{name}") for name in NAMES[:2])
    with files.local(first) as path, files.local(first) as same:
        assert path == same
        assert "(deleted)" in os.readlink(path)
        with files.local(second) as other:
            assert path.read_bytes() == buckets.objects(f"{bucket}/songs")[NAMES[0]]
            held = os.readlink(path), os.readlink(other)
    gc.collect()
    assert [name in open_files() for name in held] == [False, True]


def open_files() -> set[str]:
    """What this process has open."""
    paths = [Path("/proc/self/fd", name) for name in os.listdir("/proc/self/fd")]
    return {os.readlink(path) for path in paths if path.is_symlink()}


def test_another_object_of_the_same_name_is_fetched_anew(bucket: str, buckets: Buckets) -> None:
    url = buckets.put(f"{bucket}/song.wav", b"one")
    for data in (b"one", b"two"):
        buckets.put(url, data)
        with files.local(files.place(url)) as path:
            assert path.read_bytes() == data


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("gs://bucket/a.wav", "gs://bucket/a.wav: Please install gcsfs"),
        ("nonsense://bucket/a.wav", "Protocol not known: nonsense"),
        ("s3://", "names no bucket"),
    ],
)
def test_urls_that_nothing_here_can_read(run: Run, url: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gcsfs", None)  # type: ignore[arg-type]
    for arguments in ((url,), ("song.wav", "-o", url), ("song.wav", "--manifest", url)):
        result = run("separate", *arguments)
        assert result.exit_code != 0
        assert message in result.output


def test_without_fsspec_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "upath", None)  # type: ignore[arg-type]
    with pytest.raises(ExtraError, match=r"s3://b/a\.wav: needs upath: pip install 'tfwavesep\[urls\]'"):
        files.place("s3://b/a.wav")


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def work(*_: object) -> None:
        raise AssertionError("work has begun")

    monkeypatch.setattr(workers, "run", work)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{bucket}/songs", "-o", "s3://nowhere/stems"], "s3://nowhere/stems: cannot be written to: there is no such"),
        (["{bucket}/songs", "-o", "{denied}/stems"], "{denied}/stems: cannot be written to: access is denied"),
        (["{bucket}/songs", "-o", "{bucket}/stems", "--manifest", "{denied}/rows"], "{denied}/rows: cannot be written"),
        (["s3://nowhere/songs", "-o", "{bucket}/stems"], "s3://nowhere/songs: cannot be listed: there is no such"),
        (["{bucket}/songs", "-o", "{bucket}/stems", "--manifest", "rows.jsonl"], "must be both URLs or both on disk"),
        (["{bucket}/songs", "-o", "stems", "--manifest", "{bucket}/rows"], "must be both URLs or both on disk"),
    ],
)
def test_what_cannot_be_meant_is_one_line_before_any_work(
    run: Run, buckets: Buckets, bucket: str, arguments: list[str], message: str, no_work: None
) -> None:
    names = {"bucket": bucket, "denied": buckets.new(denied=("s3:PutObject",))}
    result = run("separate", *(argument.format(**names) for argument in arguments))
    assert result.exit_code != 0
    assert isinstance(result.exception, SystemExit)
    assert message.format(**names) in result.output
    assert not buckets.objects(f"{bucket}/stems")


def test_a_song_that_may_not_be_read_is_its_own_failure(run: Run, model: Path, buckets: Buckets, bucket: str) -> None:
    denied = buckets.new()
    buckets.put(f"{denied}/song.wav", buckets.objects(f"{bucket}/songs")["a b.wav"])
    buckets.deny(denied, "s3:GetObject")
    result = run("separate", f"{denied}/*.wav", f"{bucket}/songs/a b.wav", "-o", f"{bucket}/stems", "-m", model)
    assert f"{denied}/song.wav: cannot be fetched: access is denied" in result.stderr
    assert "2 songs: 1 done" in result.stderr
    assert len(buckets.objects(f"{bucket}/stems")) == 4


def test_nothing_there_is_a_failure(run: Run, model: Path, bucket: str) -> None:
    result = run("separate", f"{bucket}/none", f"{bucket}/*.mp3", "-o", f"{bucket}/stems", "-m", model)
    assert f"{bucket}/none: there are no such objects" in result.stderr
    assert f"{bucket}/*.mp3: there are no such objects" in result.stderr
    assert result.exit_code == 1


def test_the_output_folder_is_not_searched_in_a_store_either(
    run: Run, model: Path, buckets: Buckets, bucket: str
) -> None:
    result = run("separate", f"{bucket}/songs", "-o", f"{bucket}/songs/", "-m", model)
    assert f"{bucket}/songs: is the output folder, where songs are not looked for" in result.stderr
    assert run("separate", f"{bucket}/songs/cd", "-o", f"{bucket}/songs", "-m", model).exit_code == 0
    made = buckets.objects(f"{bucket}/songs").keys() - {"notes.txt", ".hidden.wav", ".Trash/a.wav", *NAMES}
    assert made == {f"{name}/{stem}.wav" for name in ("é#1?", "100%25*") for stem in STEMS}


def elsewhere(endpoint: str) -> Any:
    """A place in a store at another address."""
    from upath import UPath

    once = {"retries": {"total_max_attempts": 1}}
    return UPath("s3://bucket/songs", endpoint_url=endpoint, config_kwargs=once, use_listings_cache=False)


def test_an_address_where_nobody_answers(buckets: Buckets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s3fs.S3FileSystem.retries", 1)
    with pytest.raises(StoreError, match="s3://bucket/songs: cannot be reached: Could not connect"):
        files.knock(elsewhere("http://127.0.0.1:1"))


def test_an_address_that_says_nothing(buckets: Buckets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(urls, "ANSWER_SECONDS", 0.5)
    silence = pytest.raises(StoreError, match=r"cannot be reached: no answer within 0\.5 s")
    with socket.create_server(("127.0.0.1", 0)) as silent, silence:
        files.knock(elsewhere(f"http://127.0.0.1:{silent.getsockname()[1]}"))


def test_a_store_that_fails_in_the_middle_is_the_machines_trouble(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a full disk is: not a bad song."""
    url = files.place(f"{bucket}/songs/a b.wav")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(url.fs, "get_file", full)  # type: ignore[attr-defined]
    with pytest.raises(StoreError, match=r"cannot be fetched: .*No space left"), files.local(url):
        pass


def test_a_place_of_a_url_is_one_place() -> None:
    """Though it is no `os.PathLike`."""
    pytest.importorskip("upath", reason="places by URL: needs pip install 'tfwavesep[urls]'")
    place = files.place("memory://bucket/songs")
    assert files.several(place) == [place] == files.several([place])
