"""Where the command writes: lines or a table to standard output, how it goes to standard error.

Data goes to standard output alone. In a terminal, rows are a table that grows, and the progress of many inputs is a
bar; elsewhere both are plain lines.
"""

from __future__ import annotations

import contextlib
import csv
import enum
import io
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from pydantic_core import to_jsonable_python

from instructor.bulk.rows import BulkReport
from instructor.cli.messages import tell

_EVERY = 10.0
"""Seconds between two lines of progress."""
_SHOWN = 40
"""Characters of a value that a line of progress shows."""


class Format(str, enum.Enum):
    """How values are written."""

    jsonl = "jsonl"
    json = "json"
    csv = "csv"
    table = "table"


class Writer(Protocol):
    """Writes values, each as soon as it comes."""

    def add(self, value: Any, key: str | None = None) -> None:
        """Write a value; of many inputs `key` names the one that it is of."""

    def close(self) -> None:
        """Write what must come last."""


def fields_of(value: Any, key: str | None) -> dict[str, Any]:
    """Return a value as a line has it."""
    plain = to_jsonable_python(value, by_alias=True, inf_nan_mode="strings", fallback=str)
    of_value = plain if isinstance(plain, Mapping) and not (key is not None and "key" in plain) else {"value": plain}
    return {**({} if key is None else {"key": key}), **of_value}


class JsonLines:
    """One line for each value."""

    def add(self, value: Any, key: str | None = None) -> None:
        sys.stdout.write(json.dumps(fields_of(value, key), ensure_ascii=False) + "\n")
        sys.stdout.flush()

    def close(self) -> None: ...


class JsonArray:
    """One array of all values."""

    _before = "[\n  "

    def add(self, value: Any, key: str | None = None) -> None:
        sys.stdout.write(self._before + json.dumps(fields_of(value, key), ensure_ascii=False))
        sys.stdout.flush()
        self._before = ",\n  "

    def close(self) -> None:
        sys.stdout.write("[]\n" if self._before.startswith("[") else "\n]\n")


class CsvLines:
    """A header and a line for each value. The first value has the columns."""

    _columns: list[str] | None = None

    def add(self, value: Any, key: str | None = None) -> None:
        fields = fields_of(value, key)
        text = io.StringIO()
        writer = csv.writer(text)
        if self._columns is None:
            self._columns = list(fields)
            writer.writerow(self._columns)
        cells = (fields.get(name) for name in self._columns)
        writer.writerow([json.dumps(x, ensure_ascii=False) if isinstance(x, (dict, list, bool)) else x for x in cells])
        sys.stdout.write(text.getvalue())
        sys.stdout.flush()

    def close(self) -> None: ...


class GrowingTable:
    """A table in the terminal to which rows are added; elsewhere it is written when it is complete."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._rows: list[dict[str, Any]] = []
        self._console = Console()
        self._live = Live(console=self._console, get_renderable=self._table, auto_refresh=False, transient=True)
        self._live.start()

    def add(self, value: Any, key: str | None = None) -> None:
        self._rows.append(fields_of(value, key))
        if self._console.is_terminal:
            self._live.refresh()

    def close(self) -> None:
        self._live.stop()
        self._console.print(self._table(last=False))

    def _table(self, *, last: bool = True) -> Any:
        from rich.table import Table
        from rich.text import Text

        rows = self._rows[-max(self._console.height - 6, 1) :] if last else self._rows
        columns = list(dict.fromkeys(name for row in rows for name in row))
        table = Table(caption=f"{len(self._rows)} item{'' if len(self._rows) == 1 else 's'}")
        for name in columns:
            table.add_column(Text(name))
        for row in rows:
            table.add_row(*(Text("" if row.get(name) is None else _cell(row[name])) for name in columns))
        return table


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


WRITERS: dict[Format, type[Writer]] = {
    Format.jsonl: JsonLines,
    Format.json: JsonArray,
    Format.csv: CsvLines,
    Format.table: GrowingTable,
}


@contextlib.contextmanager
def quiet_pipe() -> Iterator[None]:
    """End quietly where the reader of standard output has gone, as `head` does."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes it once more when it ends


class Progress:
    """How a run goes, on standard error: a bar in a terminal, else a line from time to time."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._bar: Any = None
        if sys.stderr.isatty() and not sys.stdout.isatty():  # both would write over each other
            self._bar = _bar()
            self._bar.start()
            self._task = self._bar.add_task("", total=None)

    def __call__(self, report: BulkReport) -> None:
        if self._bar is not None:
            self._bar.update(self._task, total=report.total, completed=report.rows, description=in_short(report))
        elif time.monotonic() - self._last >= _EVERY:
            self._last = time.monotonic()
            tell(in_short(report))

    def close(self, report: BulkReport) -> None:
        """Write the last line."""
        if self._bar is not None:
            self._bar.stop()
        tell(in_short(report))


def _bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)


def in_short(report: BulkReport) -> str:
    """Return the counts of a run in one line."""
    rows = f"{report.rows:,}" if report.total is None else f"{report.rows:,} of {report.total:,}"
    parts = [f"{rows} rows", f"{report.items:,} items", f"{report.failed:,} failed"]
    if report.reused:
        parts.append(f"{report.reused:,} known before")
    parts.append(f"{report.usage.total_tokens:,} tokens")
    if report.cost is not None:
        parts.append(f"cost {report.cost:,.4f}")
    parts.append(f"{report.rate:,.1f} rows/s")
    if report.seconds_left:
        parts.append(f"{report.seconds_left:,.0f} s left")
    return ", ".join(parts)
