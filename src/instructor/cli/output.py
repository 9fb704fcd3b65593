"""Where the command writes: lines or a table to standard output, how it goes to standard error.

Data goes to standard output alone. In a terminal, rows are a table that grows, and the progress of many inputs is a
bar (below the table, if both are in the terminal); elsewhere both are plain lines.
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
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from instructor.cli.messages import printable, tell

if TYPE_CHECKING:
    from instructor.bulk.rows import BulkReport

_EVERY = 10.0
"""Seconds between two lines of progress."""


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
    from pydantic_core import to_jsonable_python

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

        self._rows: list[dict[str, Any]] = []
        self._console = Console()
        self._live: Any = None

    def start(self, footer: Callable[[], Any] | None = None) -> None:
        """Show what comes from now on, and a footer below it."""
        if self._live is None and sys.stdout.isatty():
            self._live = live(self._console, lambda: self._growing(footer))

    def add(self, value: Any, key: str | None = None) -> None:
        self._rows.append(fields_of(value, key))
        self.start()

    def close(self) -> None:
        if self._live is not None:
            self._live.stop()
        self._console.print(self._table(self._rows))

    def _growing(self, footer: Callable[[], Any] | None) -> Any:
        from rich.console import Group

        table = self._table(self._rows[-max(self._console.height - 8, 1) :])
        return table if footer is None else Group(table, footer())

    def _table(self, rows: list[dict[str, Any]]) -> Any:
        from rich.table import Table
        from rich.text import Text

        table = Table(caption=counted(len(self._rows), "item"))
        columns = dict.fromkeys(name for row in rows for name in row)
        for name in columns:
            table.add_column(Text(printable(name)))
        for row in rows:
            table.add_row(*(Text("" if row.get(name) is None else _cell(row[name])) for name in columns))
        return table


def live(console: Any, shown: Callable[[], Any]) -> Any:
    """Start a display that is drawn again some times a second, and return it.

    Messages to standard error appear above it if that is the same terminal. Standard output is never touched: it may be
    a file.
    """
    from rich.live import Live

    display = Live(
        console=console, get_renderable=shown, refresh_per_second=8, transient=True, redirect_stdout=False,
        redirect_stderr=sys.stderr.isatty(),
    )  # fmt: skip
    display.start(refresh=True)
    return display


def _cell(value: Any) -> str:
    return printable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


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
    """How a run goes: in a terminal a bar, on standard error or below the table; else a line from time to time."""

    def __init__(self, writer: Writer | None) -> None:
        self._table = writer if isinstance(writer, GrowingTable) and sys.stdout.isatty() else None
        self._is_bar = sys.stderr.isatty() and (writer is None or not sys.stdout.isatty())
        self._last = time.monotonic()

    def __call__(self, report: BulkReport) -> None:
        if not self._is_bar and self._table is None and time.monotonic() - self._last >= _EVERY:
            self._last = time.monotonic()
            tell(in_short(report))

    @contextlib.contextmanager
    def over(self, report: BulkReport) -> Iterator[None]:
        """Show the counts of a run while it goes on, and those of its end."""
        from rich.console import Console

        bar = None
        if self._table is not None:
            self._table.start(lambda: _bar(report))
        elif self._is_bar:
            bar = live(Console(stderr=True), lambda: _bar(report))
        try:
            yield
        finally:
            if bar is not None:
                bar.stop()
        tell(in_short(report))


def _bar(report: BulkReport) -> Any:
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    lines = Table.grid()  # a bar by itself does not end its line
    lines.add_row(ProgressBar(total=report.total, completed=report.rows, pulse=report.total is None))
    lines.add_row(Text(in_short(report)))
    return lines


def in_short(report: BulkReport) -> str:
    """Return the counts of a run in one line."""
    of_all = "" if report.total is None else f"{report.rows:,} of "
    parts = [of_all + counted(report.rows if report.total is None else report.total, "row")]
    parts += [counted(report.items, "item"), f"{report.failed:,} failed"]
    if report.reused:
        parts.append(f"{report.reused:,} known before")
    parts.append(counted(report.usage.total_tokens, "token"))
    if report.cost is not None:
        parts.append(f"cost {report.cost:,.4f}")
    parts.append(f"{report.rate:,.1f} rows/s")
    if report.seconds_left:
        parts.append(f"{timedelta(seconds=round(report.seconds_left))} left")
    return ", ".join(parts)


def counted(count: int, noun: str) -> str:
    """Return a number and what it counts."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


class Refresh(NamedTuple):
    """How a list is shown: once, or drawn again every so many seconds; on the whole screen, or below the command."""

    seconds: float | None
    is_screen: bool = False


def show_table(rows: Callable[[], Sequence[Mapping[str, object]]], empty: str, refresh: Refresh) -> None:
    """Show rows with their names as columns: a table in a terminal, values with tabs between them elsewhere.

    `rows` is called for each time that the table is drawn. Ctrl-C ends a table that is drawn again.
    """
    if refresh.seconds is None or not sys.stdout.isatty():
        _print_rows(rows(), empty)
        return
    from rich.console import Console
    from rich.live import Live

    with contextlib.suppress(KeyboardInterrupt), Live(
        _rows_table(rows()), console=Console(), screen=refresh.is_screen, auto_refresh=False
    ) as display:  # fmt: skip
        while True:
            time.sleep(refresh.seconds)
            display.update(_rows_table(rows()), refresh=True)


def _print_rows(rows: Sequence[Mapping[str, object]], empty: str) -> None:
    if not rows:
        tell(empty)
    elif sys.stdout.isatty():
        from rich.console import Console

        Console().print(_rows_table(rows))
    else:
        for row in rows:
            sys.stdout.write("\t".join("" if value is None else str(value) for value in row.values()) + "\n")


def _rows_table(rows: Sequence[Mapping[str, object]]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(*(rows[0] if rows else ()))
    for row in rows:
        table.add_row(*(Text("" if value is None else printable(str(value))) for value in row.values()))
    return table


def at(seconds: float | None) -> str:
    """Return a time in this place; nothing if it is not known."""
    return "" if seconds is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
