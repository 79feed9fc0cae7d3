"""A manifest: one line of JSON for every song of a batch, appended when the song is finished.

Object stores cannot append: there a manifest is a folder, with an object for every line.
"""

import json
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, BinaryIO

from tfwavesep import places
from tfwavesep.batch.jobs import Outcome
from tfwavesep.errors import OutputError
from tfwavesep.places import urls


class Manifest:
    """A JSONL file that several processes may append to, and that survives being cut off in mid-line.

    Args:
        path: of the file, or of the folder in a store; it need not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def check(self) -> None:
        """See whether rows can be added, before there are any; nothing is left of it.

        Raises:
            OutputError: the file cannot be written to, or is something else.
        """
        if not places.is_remote(self.path) and os.path.exists(self.path):
            with self._opened() as file:
                file.seek(0)
                if file.read(1) not in (b"", b"{") and not next(self.rows(), None):
                    raise OutputError(f"{self.path}: is no manifest, as it holds other things; choose another file")
                return
        with places.token(self.path if places.is_remote(self.path) else self.path.parent):
            return

    def append(self, outcome: Outcome) -> None:
        """Add a row, in one write.

        Raises:
            OutputError: the file cannot be written to.
        """
        line = json.dumps(asdict(outcome)) + "\n"
        if places.is_remote(self.path):
            with places.atomic(self.path / f"{time.time_ns():020}-{uuid.uuid4().hex[:8]}.jsonl") as temporary:
                temporary.write_text(line)
            return
        with self._opened() as file:
            torn = file.seek(0, os.SEEK_END) and (file.seek(-1, os.SEEK_END), file.read(1))[1] != b"\n"
            file.write((b"\n" if torn else b"") + line.encode())

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab+", buffering=0) as file:
                yield file
        except OSError as error:
            raise places.cannot_write(self.path, error) from error

    def rows(self) -> Iterator[Outcome]:
        """The rows in order; lines that were cut off are left out.

        Raises:
            OutputError: the file cannot be read.
        """
        for text in self._texts():
            for line in text.splitlines():
                row = _parsed(line)
                if row:
                    yield Outcome(**row)

    def _texts(self) -> Iterator[str]:
        if places.is_remote(self.path):
            yield from urls.texts(self.path, ".jsonl")
        elif os.path.exists(self.path):
            try:
                yield self.path.read_text(encoding="utf-8", errors="replace")
            except OSError as error:
                raise OutputError(f"{self.path}: cannot be read: {error.strerror}") from error

    def latest(self) -> dict[str, Outcome]:
        """The last row of each song that was done, by its source."""
        return {row.source: row for row in self.rows() if row.status == "done"}


_FIELDS = {field.name for field in fields(Outcome)}


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    if not isinstance(row, dict) or "source" not in row:
        return None
    return {key: value for key, value in row.items() if key in _FIELDS}
