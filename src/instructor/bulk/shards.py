"""A folder of journals, one for each worker of a run: each worker writes its own, and finds answers in all.

Theory of operation. SQLite allows one writer, and workers are processes that may end at any moment. So each has a file
of its own, which it locks and writes before it returns an answer. A worker that takes over another one's rows reads
that one's file, also while it is being written. Whoever collects the answers (`absorb`) takes the files of workers that
have ended: the lock of a process ends with it.
"""

from __future__ import annotations

import contextlib
import sqlite3
import uuid
from collections.abc import Iterator
from pathlib import Path

from instructor.bulk.journal import FIND, Answer, Identity, Journal, answer_of, connect
from instructor.bulk.rows import StoreError


class Shards:
    """The journals of a folder, as one worker sees them. The folder is made if it is not there.

    Raises:
        StoreError: The folder cannot hold a store.
    """

    def __init__(self, folder: Path, job: bytes, config: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._own = Journal(folder / f"{uuid.uuid4().hex}.sqlite")
        self._own.begin(job, config)
        self._others: dict[Path, sqlite3.Connection] = {}

    def find(self, identity: Identity) -> Answer | None:
        """Return the answer to a request, whichever worker has written it. Failures are asked again."""
        found = self._own.find(identity)
        if found is None or found.error is not None:
            found = next(iter(self._found_elsewhere(identity)), None)
        return found

    def _found_elsewhere(self, identity: Identity) -> Iterator[Answer]:
        own = self._own.path
        for path in self._folder.glob("*.sqlite"):
            if path == own:
                continue
            with contextlib.suppress(sqlite3.Error):  # its worker has just begun it, or it was collected
                if path not in self._others:
                    self._others[path] = connect(str(path), read_only=True)
                row = self._others[path].execute(FIND, (identity.request, identity.schema)).fetchone()
                if row is not None and (answer := answer_of(row)).error is None:
                    yield answer

    def commit(self, answer: Answer) -> None:
        """Write an answer."""
        self._own.commit([answer], ())

    def close(self) -> None:
        """Let go of the files."""
        for other in self._others.values():
            other.close()
        self._own.close()


def absorb(journal: Journal, folder: Path) -> int:
    """Move the answers of workers that have ended into a journal, and return how many it did not have."""
    count = 0
    for path in sorted(folder.glob("*.sqlite")):
        with contextlib.suppress(StoreError):  # its worker lives
            shard = Journal(path)
            try:
                count += journal.absorb(shard)
            finally:
                shard.close()
            for name in (path, Path(f"{path}.lock"), Path(f"{path}-wal"), Path(f"{path}-shm")):
                name.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        folder.rmdir()
    return count
