"""A store as its user sees it: what ran, what came, tables out of it, and another schema for what is there."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from instructor.bulk.journal import check, connect
from instructor.bulk.rows import StoreError


class Configuration(NamedTuple):
    """What a run is told apart by from others."""

    job: bytes
    text: str
    """JSON."""
    schema: str
    """The JSON schema of the answer, or of an item."""


def configuration(binding: Any, model: Any, options: Mapping[str, Any], prompt: str, output: Any) -> Configuration:
    """Return what describes a run."""
    schema = {tool.name: tool.schema for tool in output.tools}
    facts = {
        "provider": binding.provider,
        "mode": getattr(binding.mode, "name", str(binding.mode)),
        "model": model,
        "options": dict(options),
        "prompt": prompt,
        "type": output.name,
        "many": output.many,
        "schema": schema,
    }
    text = json.dumps(facts, sort_keys=True, default=str)
    job = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return Configuration(job, text, json.dumps(schema, default=str))


@dataclass(frozen=True, slots=True)
class RunInfo:
    """One run of a store."""

    id: int
    started: float
    """Seconds since the epoch."""
    ended: float | None
    """None if the process was killed, or the run goes on."""
    stopped: str | None
    """Why it ended before its last row, if it did."""
    rows: int
    """Rows that this run wrote."""
    failed: int
    cost: float | None
    tokens: int
    configuration: Mapping[str, Any] = field(repr=False)
    """provider, model, mode, options, prompt, type, schema."""
    differs: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    """What is not as in the run before: its old and its new value, by name."""


@dataclass(frozen=True, slots=True)
class StoredRow:
    """One row of a store."""

    key: str
    position: int
    input: Any
    value: Any
    """The answer as JSON holds it; None if the row failed."""
    n_items: int
    error: str | None
    error_kind: str | None
    text: str | None
    """The raw text of a failed row's last reply."""
    input_tokens: int
    output_tokens: int
    attempts: int
    cost: float | None


class Store:
    """The file in which the answers of runs are kept. It is made by the first run.

    Args:
        path: The file, on a local disk.
        durable: Whether each commit waits for the disk. `kill -9` loses nothing that was committed in any case; a power
            loss may take the last commits of a store that is not durable.

    Raises:
        StoreError: There is something else at this path, or no file can be there.

    Example:
        >>> store = Store("people.sqlite")
        >>> for row in client.map(texts, response_model=Person, store=store): ...
        >>> store.export("people.parquet")
    """

    def __init__(self, path: str | PathLike[str], *, durable: bool = False) -> None:
        self.path, self.durable = Path(path), durable
        check(self.path)

    @property
    def exists(self) -> bool:
        """Whether a run has made the file."""
        return self.path.exists() and self.path.stat().st_size > 0

    def runs(self) -> list[RunInfo]:
        """Return all runs, the first one first. `differs` says what was changed from one to the next."""
        found: list[RunInfo] = []
        with self.reader() as reader:
            for id_, started, ended, stopped, config, rows, failed, cost, tokens in reader.execute(_RUNS):
                facts = json.loads(config)
                before = found[-1].configuration if found else facts
                differs = {name: (before.get(name), facts[name]) for name in facts if before.get(name) != facts[name]}
                found.append(RunInfo(id_, started, ended, stopped, rows, failed, cost, tokens, facts, differs))
        return found

    def rows(self, *, failed: bool | None = None) -> Iterator[StoredRow]:
        """Yield the rows of the last run's job, in the order of the source; `failed` True or False selects some."""
        where = "" if failed is None else f" WHERE state = '{'failed' if failed else 'ok'}'"
        with self.reader() as reader:
            for key, position, given, value, *rest in reader.execute(_ROWS + where + " ORDER BY position"):
                yield StoredRow(
                    key, position, json.loads(given), None if value is None else json.loads(value), *rest
                )  # fmt: skip

    def backup(self, path: str | PathLike[str]) -> None:
        """Copy the store, also while a run writes it. (A copy of the open file would lack what is in its log.)"""
        target = Path(path)
        if target.exists():
            raise StoreError(f"The backup {str(target)!r} exists already. Use another name.")
        with self.reader() as reader, contextlib.closing(sqlite3.connect(target)) as copy:
            reader.backup(copy)

    @contextlib.contextmanager
    def reader(self) -> Iterator[sqlite3.Connection]:
        """Open a connection that reads. The views `rows`, `items` and `attempts` show the job of the last run.

        Example:
            >>> with store.reader() as reader:
            ...     reader.execute("SELECT count(*) FROM items").fetchone()
        """
        if not self.exists:
            raise StoreError(f"There is no store {str(self.path)!r} yet. The first run makes it.")
        connection = connect(str(self.path), read_only=True)
        try:
            yield connection
        except sqlite3.DatabaseError as error:
            raise StoreError(f"The store {str(self.path)!r} cannot be read: {error}.") from error
        finally:
            connection.close()

    def __repr__(self) -> str:
        return f"Store({str(self.path)!r})"


_RUNS = """
SELECT id, started, ended, stopped, config, (SELECT count(*) FROM row WHERE row.run = run.id),
  (SELECT count(*) FROM answer WHERE answer.run = run.id AND error IS NOT NULL),
  (SELECT sum(cost) FROM answer WHERE answer.run = run.id),
  (SELECT coalesce(sum(input_tokens + output_tokens), 0) FROM answer WHERE answer.run = run.id)
FROM run ORDER BY id
"""
_ROWS = (
    "SELECT key, position, input, value, n_items, error, error_kind, raw, input_tokens, output_tokens, attempts, cost "
    "FROM rows"
)
