"""Songs and stems in a store, on a real Ray cluster of three nodes: the bytes of the plain command on the disk."""

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import soundfile
from doubles import noise
from machines import three_nodes
from s3 import Buckets
from songs import Notes, samples
from songs import songs as songs_on_disk

from tfwavesep.batch import Job, Settings, cluster, workers
from tfwavesep.batch.cluster import _crew
from tfwavesep.batch.cluster._tasks import Answer, Task, Worker
from tfwavesep.errors import ConfigError, OutputError
from tfwavesep.places import files

ray = pytest.importorskip("ray", reason="a cluster: needs pip install 'tfwavesep[ray]'")

ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # the workers cannot import the tests

pytestmark = [pytest.mark.slow, pytest.mark.ray]


@pytest.fixture(scope="module")
def driver(buckets: Buckets) -> Iterator[None]:
    """Of a cluster whose machines know the store."""
    with three_nodes() as nodes, cluster.joined(nodes.address):
        yield


@pytest.fixture
def settings(model: Path) -> Settings:
    return Settings(str(model))


def uploaded(jobs: list[Job], buckets: Buckets, bucket: str) -> list[Job]:
    """The same songs, from a bucket, and back to it."""
    moved = []
    for job in jobs:
        source = buckets.put(f"{bucket}/songs/{job.source.name}", job.source.read_bytes())
        outputs = {stem: files.place(f"{bucket}/out/{job.source.stem}/{stem}.wav") for stem in job.outputs}
        moved.append(replace(job, source=files.place(source), outputs=outputs))
    return moved


def in_store(buckets: Buckets, place: str) -> dict[str, str]:
    return {name: sha256(data).hexdigest() for name, data in buckets.objects(place).items()}


def on_disk(jobs: list[Job], folder: Path) -> dict[str, str]:
    """What the plain command makes of the songs on the disk."""
    workers.run(jobs, workers.load(jobs[0].settings), 1, Notes())
    return {path.as_posix(): checksum for path, checksum in samples(folder / "out").items()}


def on_cluster(jobs: list[Job], **options: Any) -> Notes:
    notes = Notes()
    cluster.run(jobs, jobs[0].settings, cluster.Size(), notes, **options)
    return notes


def test_the_same_bytes_and_rows_as_the_plain_command(
    settings: Settings, driver: None, buckets: Buckets, tmp_path: Path
) -> None:
    """Also of a song that is cut into parts, which wait in the store."""
    bucket, local = buckets.new(), songs_on_disk(tmp_path, 5, settings)
    local[3].source.write_text("no music")
    soundfile.write(local[1].source, noise(64_000), 8000, "PCM_16")
    jobs = uploaded(local, buckets, bucket)
    notes = on_cluster(jobs, part_seconds=3)
    assert notes.status == {f"{number}.wav": "failed" if number == 3 else "done" for number in range(5)}
    assert len(notes.seconds["1.wav"]) > 2
    assert in_store(buckets, f"{bucket}/out") == on_disk(local, tmp_path)
    for job in jobs:
        assert notes.outcomes[str(job.source)].source == str(job.source)


def test_a_worker_that_dies_in_an_upload_leaves_no_half_stem(
    settings: Settings, driver: None, buckets: Buckets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The upload has begun and part of it is there: no object is, until another worker has made it whole."""
    there = tmp_path / "there"

    class Mortal(Worker):
        def do(self, task: Task) -> Answer:
            import s3fs

            call = s3fs.S3FileSystem._call_s3

            async def call_and_die(store: Any, method: str, *args: Any, **options: Any) -> Any:
                answer = await call(store, method, *args, **options)
                if method == "upload_part" and not there.exists():
                    there.write_text(repr(await store._find(task.job.outputs["bass"].parent.path)))
                    os._exit(1)
                return answer

            s3fs.S3FileSystem._call_s3 = call_and_die
            s3fs.core.calculate_chunksize = lambda size, **_: 5 * 2**20
            return super().do(task)

    monkeypatch.setattr(_crew, "Worker", Mortal)
    bucket, local = buckets.new(), songs_on_disk(tmp_path, 2, settings)
    soundfile.write(local[0].source, noise(2_700_000), 8000, "PCM_16")
    notes = on_cluster(uploaded(local, buckets, bucket))
    assert there.read_text() == "[]"
    assert notes.status == {"0.wav": "done", "1.wav": "done"}
    assert in_store(buckets, f"{bucket}/out") == on_disk(local, tmp_path)
    assert len(buckets.unfinished(bucket)) == 1


def test_where_the_store_takes_nothing_the_run_ends(
    settings: Settings, driver: None, buckets: Buckets, tmp_path: Path
) -> None:
    bucket = buckets.new()
    jobs = uploaded(songs_on_disk(tmp_path, 12, settings), buckets, bucket)
    buckets.deny(bucket, "s3:PutObject")
    with pytest.raises(OutputError, match="cannot be written: access is denied"):
        on_cluster(jobs)
    assert not buckets.objects(f"{bucket}/out")


def test_machines_are_asked_whether_they_reach_the_store(
    settings: Settings, driver: None, buckets: Buckets, tmp_path: Path
) -> None:
    bucket = buckets.new()
    (job,) = uploaded(songs_on_disk(tmp_path, 1, settings), buckets, bucket)
    folder = files.place(f"{bucket}/out")
    cluster.check(settings, cluster.Size(), folder, [job.source])
    assert not buckets.objects(f"{bucket}/out")
    with pytest.raises(ConfigError, match=r"machine .* does not see s3://.*/nowhere\.wav"):
        cluster.check(settings, cluster.Size(), folder, [files.place(f"{bucket}/nowhere.wav")])
    denied = files.place(buckets.new(denied=("s3:PutObject",)))
    with pytest.raises(OutputError, match="cannot be written to: access is denied"):
        cluster.check(settings, cluster.Size(), denied, [job.source])
