"""A store as its user sees it: what ran, what came, tables out of it, and another schema for what is there."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from instructor.bulk.export import Exported, Table, columns_of, format_of, lines_of, one_schema, write
from instructor.bulk.journal import StoredBatch, batches_of, check, connect
from instructor.bulk.revalidate import revalidate
from instructor.bulk.rows import StoreError
from instructor.exceptions import ConfigurationError


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
    total: int | None = None
    """The number of rows of the source, if it was known."""


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


class Revalidated(NamedTuple):
    """What came of reading stored answers as another type."""

    fit: int
    unfit: list[str]
    """The keys of the rows whose answers do not fit: the next run asks for these."""


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
                total = facts.pop("total", None)
                before = found[-1].configuration if found else facts
                differs = {name: (before.get(name), facts[name]) for name in facts if before.get(name) != facts[name]}
                found.append(RunInfo(id_, started, ended, stopped, rows, failed, cost, tokens, facts, differs, total))
        return found

    def batches(self) -> list[StoredBatch]:
        """Return the batches of the provider that `engine="batch"` has submitted, the first one first."""
        with self.reader() as reader:
            return batches_of(reader)

    def rows(self, *, failed: bool | None = None, since: float | None = None) -> Iterator[StoredRow]:
        """Yield the rows of the last run's job, in the order of the source.

        Args:
            failed: True for rows that failed, False for those that have an answer.
            since: Only rows that were written after this time, in seconds since the epoch.
        """
        state = {None: "%", True: "failed", False: "ok"}[failed]
        with self.reader() as reader:
            for key, position, given, value, *rest in reader.execute(_ROWS, (state, since or 0.0)):
                yield StoredRow(
                    key, position, json.loads(given), None if value is None else json.loads(value), *rest
                )  # fmt: skip

    def export(
        self,
        path: str | PathLike[str],
        *,
        explode: str | bool = False,
        inputs: Sequence[str] = (),
        since: float | None = None,
    ) -> Exported:
        """Write the answers of the last run's job as a table. It may be called while the run goes on.

        The file is complete when it appears. Failed rows are in a file beside it, `<name>.errors.jsonl`.

        Args:
            path: A file that ends in `.jsonl`, `.csv` or `.parquet` (needs the extra `documents`).
            explode: For a line for each item: True for an answer that is a list, or the name of a list in it. The key
                and the inputs are repeated. A row without items keeps one line, with `n_items` 0.
            inputs: The fields of the input that become columns, too ("input" for an input without fields).
            since: Only rows that were written after this time, in seconds since the epoch.

        Returns:
            How many lines were written, how many rows failed, and the file of these.

        Raises:
            ConfigurationError: The kind of file is unknown, or there is no such list.
            StoreError: The store cannot be read, or the file cannot be written.

        Example:
            >>> store.export("people.parquet", explode=True, inputs=["path"])
        """
        target = Path(path)
        format_of(target)
        facts = self._last().configuration
        many, schema = facts["many"], one_schema(facts["schema"])
        if explode is True and not many:
            raise ConfigurationError("explode=True needs an answer that is a list. For a list in it, pass its name.")
        if many and isinstance(explode, str):
            raise ConfigurationError(f"The answer is a list: explode must be True, got {explode!r}.")
        columns, definitions = columns_of(schema, inputs=inputs, explode=explode, many=many)
        rows = self.rows(failed=False, since=since)
        lines = (line for row in rows for line in lines_of(row, columns, explode=explode, many=many))
        count = write(target, Table(columns, definitions, lines))
        failed = [_failed_line(row) for row in self.rows(failed=True, since=since)]
        errors = target.with_name(f"{target.stem}.errors.jsonl")
        if failed:
            write(errors, Table((), {}, failed))
        else:
            errors.unlink(missing_ok=True)
        return Exported(target, count, len(failed), errors if failed else None)

    def _last(self) -> RunInfo:
        if not (runs := self.runs()):
            raise StoreError(f"The store {str(self.path)!r} has no runs yet.")
        return runs[-1]

    def revalidate(self, response_model: Any, *, strict: bool | None = True) -> Revalidated:
        """Read the answers of the last run's job again, as another type. No request is made.

        The replies of the provider are in the store. Those that fit become answers of the new type, so that
        `client.map(..., response_model=response_model, store=store)` asks only for the others.

        Args:
            response_model: The new type, of the same kind: a list for a list.
            strict: As in the call.

        Returns:
            How many answers fit, and the keys of those that do not.

        Raises:
            StoreError: The store is in use, or cannot be read.

        Example:
            >>> store.revalidate(Iterable[PersonWithTown]).unfit
            ['texts/07.txt']
        """
        last = self._last()
        fit, unfit = revalidate(self.path, last.id, last.configuration, response_model, strict=strict)
        return Revalidated(fit, unfit)

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
    "FROM rows WHERE state LIKE ? AND written > ? ORDER BY position"
)


def _failed_line(row: StoredRow) -> dict[str, Any]:
    return {"key": row.key, "input": row.input, "kind": row.error_kind, "error": row.error, "text": row.text}
