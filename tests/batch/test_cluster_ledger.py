"""What is to be done on a cluster, without one."""

from pathlib import Path

import pytest
from songs import Notes, songs

from tfwavesep.batch import Job, Settings, jobs
from tfwavesep.batch.cluster._ledger import Ledger
from tfwavesep.errors import StoreError


@pytest.mark.parametrize("error", [StoreError("s3://stems: does not answer"), OSError(36, "File name too long")])
def test_a_place_that_does_not_tell_what_is_there_fails_one_song(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(job: Job) -> None:
        if job.source.name == "0.wav":
            raise error

    monkeypatch.setattr(jobs, "refuse_existing", refuse)
    notes = Notes()
    ledger = Ledger(songs(tmp_path, 2, Settings()), notes, part_seconds=60)
    task = ledger.next()
    assert task is not None
    assert task.job.source.name == "1.wav"
    assert notes.status == {"0.wav": "failed"}
