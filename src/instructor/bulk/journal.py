"""The file of a store: SQLite, written by one connection, whatever happens to the process.

Theory of operation. An *answer* belongs to a request, not to a row: rows that ask for the same share it, and it is
found again when a run starts anew. A request is known by two hashes: `request` (messages, model, sampling) and
`schema` (the type of the answer and its validators).

    table     one row for                 key
    run       each call of `client.map`   id
    answer    each request that ended     request, schema
    row       each row of a source        job, key           -> the answer, by request and schema
    attempt   each request that was sent  answer, number

A *job* is what several runs of the same program have in common: model, schema, prompt and options. A changed prompt is
another job, so that its rows are not mixed with those before. The views `rows`, `items` and `attempts` show the job of
the last run.

All of one batch (answers, rows, attempts) is one transaction, and rows are given to the user after it. `kill -9` loses
nothing that was committed: the write-ahead log is in the kernel's memory then. After a power loss the last commits may
be missing, unless `durable=True` waits for the disk with each of them.

Only this connection writes or makes checkpoints: SQLite before 3.51.3 can damage a log that two connections write. A
lock file keeps other processes out. All other connections read (`mode=ro`).
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NamedTuple
from urllib.parse import quote

from instructor.bulk.rows import StoreError
from instructor.usage import Usage

APPLICATION = 0x494E5354
VERSION = 1
_BATCH = 500
"""Answers that are moved in one transaction."""
_MAGIC = b"SQLite format 3\x00"
_REMOTE = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "fuse.s3fs", "9p", "afs", "ceph", "lustre")

_TABLES = """
CREATE TABLE run (
  id INTEGER PRIMARY KEY, job BLOB NOT NULL, started REAL NOT NULL, ended REAL, stopped TEXT, config TEXT NOT NULL
);
CREATE TABLE answer (
  request BLOB NOT NULL, schema BLOB NOT NULL, loose BLOB NOT NULL, max_tokens INTEGER, run INTEGER NOT NULL,
  value TEXT, many INTEGER NOT NULL, n_items INTEGER NOT NULL, replies TEXT, error TEXT,
  input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, cached_tokens INTEGER NOT NULL,
  reasoning_tokens INTEGER NOT NULL, attempts INTEGER NOT NULL, cost REAL, seconds REAL NOT NULL,
  finished REAL NOT NULL,
  PRIMARY KEY (request, schema)
);
CREATE INDEX answer_loose ON answer (loose, schema);
CREATE TABLE row (
  job BLOB NOT NULL, key TEXT NOT NULL, position INTEGER NOT NULL, input TEXT, request BLOB NOT NULL,
  schema BLOB NOT NULL, run INTEGER NOT NULL, written REAL NOT NULL,
  PRIMARY KEY (job, key)
);
CREATE TABLE attempt (
  request BLOB NOT NULL, schema BLOB NOT NULL, number INTEGER NOT NULL, run INTEGER NOT NULL, started REAL NOT NULL,
  seconds REAL NOT NULL, status TEXT NOT NULL, error TEXT
);
CREATE INDEX attempt_answer ON attempt (request, schema);
CREATE VIEW rows AS
  SELECT row.key, row.position, row.input, CASE WHEN error IS NULL THEN 'ok' ELSE 'failed' END AS state, value, many,
    n_items, json_extract(error, '$.kind') AS error_kind, json_extract(error, '$.message') AS error,
    json_extract(error, '$.text') AS raw, input_tokens, output_tokens, cached_tokens, attempts, cost, seconds, finished,
    row.written
  FROM row JOIN answer USING (request, schema) WHERE job = (SELECT job FROM run ORDER BY id DESC LIMIT 1);
CREATE VIEW items AS
  SELECT rows.key, rows.position, CASE WHEN many THEN each.key ELSE 0 END AS item,
    CASE WHEN many THEN each.value ELSE rows.value END AS value
  FROM rows, json_each(CASE WHEN many THEN rows.value ELSE '[0]' END) AS each WHERE rows.state = 'ok';
CREATE VIEW attempts AS
  SELECT row.key, number, attempt.run, started, seconds, status, error
  FROM attempt JOIN row USING (request, schema) WHERE job = (SELECT job FROM run ORDER BY id DESC LIMIT 1);
"""


_BATCHES = """
CREATE TABLE IF NOT EXISTS batch (
  id TEXT PRIMARY KEY, provider TEXT NOT NULL, submitted REAL NOT NULL, names TEXT NOT NULL
)
"""
"""Made when it is needed: older stores do not have it."""


class Attempt(NamedTuple):
    """One request that was sent."""

    started: float
    """Seconds since the epoch."""
    seconds: float
    status: str
    """ "ok", "rate_limited", "failed" or "refused"."""
    error: str | None = None


class Identity(NamedTuple):
    """What an answer is found by."""

    request: bytes
    schema: bytes
    loose: bytes
    """As `request`, without the largest number of tokens."""
    max_tokens: int | None


@dataclass(slots=True)
class Answer:
    """The end of a request: a value, or an error."""

    identity: Identity
    value: str | None = None
    """JSON."""
    many: bool = False
    n_items: int = 0
    replies: str | None = None
    """The replies of the provider that the value was read from, as a JSON list."""
    error: str | None = None
    """JSON: kind, message, text."""
    usage: Usage = field(default_factory=Usage)
    attempts: Sequence[Attempt] = ()
    cost: float | None = None
    seconds: float = 0.0


class StoredBatch(NamedTuple):
    """A batch of a provider in which rows are, or were, answered."""

    id: str
    provider: str
    submitted: float
    """Seconds since the epoch."""
    names: list[str]
    """Of its lines."""


class Line(NamedTuple):
    """A row of the source, as it is written."""

    key: str
    position: int
    input: str | None
    identity: Identity


def connect(path: str, *, read_only: bool) -> sqlite3.Connection:
    """Open a connection that any thread may use, without transactions of the module's own."""
    name, uri = (f"file:{quote(path)}?mode=ro", True) if read_only else (path, False)
    return sqlite3.connect(name, uri=uri, isolation_level=None, check_same_thread=False, timeout=30.0)


class Journal:
    """The one writer of a store. `path` None is a temporary file, which ends with the run."""

    def __init__(self, path: Path | None, *, durable: bool = False) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._lock_file: IO[str] | None = None
        self.run = 0
        self.job = b""
        if path is None:
            self._writer = self._reader = connect("", read_only=False)
            self._writer.execute("PRAGMA journal_mode = OFF")
            self._create()
            return
        is_new = check(path)
        self._lock_file = _locked(path)
        try:
            self._writer = connect(str(path), read_only=False)
            self._writer.execute("PRAGMA journal_mode = WAL")
            self._writer.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._writer.execute("PRAGMA journal_size_limit = 67108864")
            if is_new or not self._writer.execute("PRAGMA application_id").fetchone()[0]:
                self._create()
            self._reader = connect(str(path), read_only=True)
            self._reader.execute("SELECT count(*) FROM run").fetchone()
        except (sqlite3.Error, OSError) as error:
            _unlock(self._lock_file)
            raise _failure(path, error) from error

    def _create(self) -> None:
        self._writer.executescript(
            f"BEGIN; {_TABLES} PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}; COMMIT;"
        )

    def begin(self, job: bytes, config: str) -> None:
        """Start a run of a job."""
        self.job = job
        self._write("INSERT INTO run (job, started, config) VALUES (?, ?, ?)", (job, time.time(), config))
        self.run = self._writer.execute("SELECT max(id) FROM run").fetchone()[0]

    def describe(self, config: str) -> None:
        """Replace the description of the run."""
        self._write("UPDATE run SET config = ? WHERE id = ?", (config, self.run))

    def end(self, stopped: str | None) -> None:
        """Note how the run ended."""
        self._write("UPDATE run SET ended = ?, stopped = ? WHERE id = ?", (time.time(), stopped, self.run))

    def _write(self, statement: str, values: Sequence[Any]) -> None:
        with self._lock:
            try:
                self._writer.execute(statement, values)
            except sqlite3.Error as error:
                raise _failure(self.path, error) from error

    def find(self, identity: Identity, *, compatible: bool = False) -> Answer | None:
        """Return the answer to a request, if there is one; `compatible` also one that had fewer tokens at most."""
        with self._lock if self._reader is self._writer else _NO_LOCK:
            found = self._reader.execute(FIND, (identity.request, identity.schema)).fetchone()
            if found is None and compatible:
                found = self._reader.execute(
                    _FIND_LOOSE, (identity.loose, identity.schema, identity.max_tokens or 1 << 62)
                ).fetchone()
        return None if found is None else answer_of(found)

    def linked(self, key: str, identity: Identity) -> bool:
        """Return whether the job has this row already, with this request."""
        with self._lock if self._reader is self._writer else _NO_LOCK:
            return (
                self._reader.execute(
                    "SELECT 1 FROM row WHERE job = ? AND key = ? AND request = ? AND schema = ?",
                    (self.job, key, identity.request, identity.schema),
                ).fetchone()
                is not None
            )

    def commit(self, answers: Sequence[Answer], lines: Iterable[Line]) -> None:
        """Write answers and rows in one transaction."""
        now = time.time()
        rows = [(self.job, x.key, x.position, x.input, x.identity[0], x.identity[1], self.run, now) for x in lines]
        values = [_values(answer, self.run, now) for answer in answers]
        attempts = [
            (each.identity[0], each.identity[1], number, self.run, *attempt)
            for each in answers
            for number, attempt in enumerate(each.attempts, 1)
        ]
        with self._lock:
            try:
                self._writer.execute("BEGIN IMMEDIATE")
                self._writer.executemany(_INSERT_ANSWER, values)
                self._writer.executemany(_INSERT_ROW, rows)
                self._writer.executemany("INSERT INTO attempt VALUES (?, ?, ?, ?, ?, ?, ?, ?)", attempts)
                self._writer.execute("COMMIT")
            except sqlite3.Error as error:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise _failure(self.path, error) from error

    def add_batch(self, batch: str, provider: str, names: Sequence[str]) -> None:
        """Keep a batch of the provider, and the names of its lines."""
        self._write(_BATCHES, ())
        self._write("INSERT INTO batch VALUES (?, ?, ?, ?)", (batch, provider, time.time(), json.dumps(names)))

    def forget_batch(self, batch: str) -> None:
        """Forget a batch that will not answer its rows."""
        self._write("DELETE FROM batch WHERE id = ?", (batch,))

    def batches(self) -> list[StoredBatch]:
        """Return the batches that were submitted, the first one first."""
        with self._lock:
            return batches_of(self._writer)

    def absorb(self, other: Journal) -> int:
        """Copy the answers of another journal that this one does not have, as answers of this run; return how many.

        An answer takes the place of a failure.
        """
        count, new = 0, list[Answer]()
        for found in other._reader.execute(f"SELECT {_COLUMNS} FROM answer"):  # noqa: S608 - names of columns
            answer = answer_of(found)
            known = self.find(answer.identity)
            if known is None or (known.error is not None and answer.error is None):
                answer.attempts = [Attempt(*each) for each in other.scan(_ATTEMPTS, answer.identity[:2])]
                new.append(answer)
                count += 1
            if len(new) >= _BATCH:
                self.commit(new, ())
                new = []
        self.commit(new, ())
        return count

    def scan(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        """Return the rows of a query, as the writer sees them."""
        with self._lock:
            return self._writer.execute(statement, values).fetchall()

    def close(self) -> None:
        """Write everything into the one file, and let other processes in."""
        with self._lock:
            if self._reader is not self._writer:
                self._reader.close()
                self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._writer.close()
            _unlock(self._lock_file)
            self._lock_file = None


class _Nothing:
    def __enter__(self) -> None: ...
    def __exit__(self, *_: object) -> None: ...


_NO_LOCK = _Nothing()
_COLUMNS = (
    "request, schema, loose, max_tokens, run, value, many, n_items, replies, error, input_tokens, output_tokens, "
    "cached_tokens, reasoning_tokens, attempts, cost, seconds, finished"
)
FIND = f"SELECT {_COLUMNS} FROM answer WHERE request = ? AND schema = ?"  # noqa: S608 - names of columns
_FIND_LOOSE = (
    f"SELECT {_COLUMNS} FROM answer WHERE loose = ? AND schema = ? AND error IS NULL AND max_tokens <= ? "  # noqa: S608 - the same
    "ORDER BY max_tokens DESC LIMIT 1"
)
_ATTEMPTS = "SELECT started, seconds, status, error FROM attempt WHERE request = ? AND schema = ? ORDER BY number"
_INSERT_ANSWER = f"INSERT OR REPLACE INTO answer ({_COLUMNS}) VALUES ({', '.join('?' * 18)})"  # noqa: S608 - the same
_INSERT_ROW = "INSERT OR REPLACE INTO row VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


def _values(answer: Answer, run: int, now: float) -> tuple[Any, ...]:
    usage = answer.usage
    return (
        *answer.identity, run, answer.value, answer.many, answer.n_items, answer.replies, answer.error,
        usage.input_tokens, usage.output_tokens, usage.cached_tokens, usage.reasoning_tokens, len(answer.attempts),
        answer.cost, answer.seconds, now,
    )  # fmt: skip


def batches_of(connection: sqlite3.Connection) -> list[StoredBatch]:
    """Return the batches of a store, the first one first."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'batch'").fetchone():
        return []
    found = connection.execute("SELECT id, provider, submitted, names FROM batch ORDER BY submitted, id")
    return [StoredBatch(id_, provider, submitted, json.loads(names)) for id_, provider, submitted, names in found]


def answer_of(found: Sequence[Any]) -> Answer:
    """Return the answer that `FIND` has found."""
    request, schema, loose, most, _, value, many, n_items, replies, error, *tokens = found
    usage = Usage(*tokens[:4])
    return Answer(
        Identity(request, schema, loose, most), value, bool(many), n_items, replies, error, usage,
        cost=tokens[5], seconds=tokens[6],
    )  # fmt: skip


def error_json(kind: str, message: str, text: str) -> str:
    """Return an error as it is kept in a store."""
    return json.dumps({"kind": kind, "message": message, "text": text}, ensure_ascii=False)


def check(path: Path) -> bool:
    """Return whether a store is to be made here.

    Raises:
        StoreError: There is something that is not a store of this version, or the place cannot hold one.
    """
    if not path.parent.is_dir():
        raise StoreError(f"The store {str(path)!r} cannot be made: there is no folder {str(path.parent)!r}.")
    if (system := _file_system(path)) in _REMOTE:
        raise StoreError(
            f"The store {str(path)!r} is on a network file system ({system}), where SQLite's write-ahead log does not "
            "work. Use a local disk, and store.backup(path) for a copy elsewhere."
        )
    if not path.exists() or path.stat().st_size == 0:
        return True
    if not path.is_file():
        raise StoreError(f"The store must be a file, got {str(path)!r}.")
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise StoreError(f"{str(path)!r} is not a store: it is not an SQLite file. Nothing was written to it.")
    try:
        connection = connect(str(path), read_only=True)
        try:
            application = connection.execute("PRAGMA application_id").fetchone()[0]
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise _failure(path, error) from error
    if application != APPLICATION and tables:
        raise StoreError(f"{str(path)!r} is another program's SQLite file, not a store. Nothing was written to it.")
    if version > VERSION:
        raise StoreError(f"The store {str(path)!r} was made by a later version of instructor (format {version}).")
    return False


def _failure(path: Path | None, error: Exception) -> StoreError:
    name, text = str(path or "(temporary)"), str(error)
    if "full" in text:
        return StoreError(f"The disk of the store {name!r} is full. What was committed is kept; make room and go on.")
    if "locked" in text:
        return StoreError(f"The store {name!r} is locked by another program.")
    if "malformed" in text or "not a database" in text or "no such table" in text:
        return StoreError(f"The store {name!r} is damaged ({text}). Restore a backup, or use another file.")
    return StoreError(f"The store {name!r} cannot be used: {text}.")


def _file_system(path: Path) -> str:
    """Return the type of the file system that a path is on, where the system says it (Linux)."""
    try:
        mounts = Path("/proc/self/mounts").read_text("utf-8")
    except OSError:
        return ""
    place, best, system = path.resolve(), -1, ""
    for line in mounts.splitlines():
        _, folder, kind, *_ = line.split(" ")
        folder = folder.replace("\\040", " ")
        if len(folder) > best and (place == Path(folder) or Path(folder) in place.parents):
            best, system = len(folder), kind
    return system


def _locked(path: Path) -> IO[str]:
    """Lock a store against other runs. The system takes the lock back when the process ends, however it ends."""
    file = Path(f"{path}.lock").open("a+", encoding="utf-8")  # noqa: SIM115 - it is open as long as the store
    try:
        _lock(file)
    except OSError:
        file.seek(0)
        owner = file.read().strip() or "unknown"
        file.close()
        raise StoreError(
            f"The store {str(path)!r} is in use by another run (process {owner}). Wait for it, or use another store."
        ) from None
    file.seek(0)
    file.truncate()
    file.write(str(os.getpid()))
    file.flush()
    return file


if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[str]) -> None:
        file.seek(1 << 20)  # beyond what is read: Windows refuses to read what is locked
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(file: IO[str]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _unlock(file: IO[str] | None) -> None:
    if file is not None:
        file.close()
