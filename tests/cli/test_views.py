"""What the terminal shows, as text snapshots in tests/cli/views/. `VIEWS=write` writes them anew."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from rich.console import Console, Group

from instructor.bulk import BulkReport
from instructor.cli import output
from instructor.report import Report
from instructor.usage import Usage

VIEWS = Path(__file__).parent / "views"


class Person(BaseModel):
    name: str
    age: int | None


def growing() -> Any:
    table = output.GrowingTable()
    for person in (Person(name="Mai Trần 😀", age=41), Person(name="[red]Ann[/red] \x1b[31m", age=None)):
        table._rows.append(output.fields_of(person, "letters/1.txt"))
    return table._growing(None)


def bulk_report(total: int | None) -> BulkReport:
    now = [0.0]
    report = BulkReport(total=total, clock=lambda: now[0])
    report.rows, report.items, report.failed, report.reused = 250, 600, 3, 20
    report.usage, report.cost, now[0] = Usage(9000, 1234), 0.25, 8.0
    return report


def listed() -> Any:
    rows = [
        {"id": "batch_1", "status": "completed", "requests": 1000, "created": "2026-11-27 10:00"},
        {"id": "batch_[2]", "status": "processing", "requests": 5, "created": None},
    ]
    return output._rows_table(rows)


def answered() -> Any:
    report = Report()
    report.attempts, report.good, report.bad, report.repaired, report.complete = 2, 4, 1, 1, True
    report.usage = Usage(500, 80)
    return report


SHOWN: dict[str, Callable[[], Any]] = {
    "growing-table": growing,
    "progress": lambda: output._bar(bulk_report(1000)),
    "progress-without-a-total": lambda: Group(output.in_short(bulk_report(None))),
    "list": listed,
    "report": answered,
}


@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.parametrize("width", [80, 40])
def test_a_view(name: str, width: int) -> None:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None, record=True)
    console.print(SHOWN[name]())
    shown = "\n".join(line.rstrip() for line in console.export_text().splitlines()) + "\n"
    file = VIEWS / f"{name}-{width}.txt"
    if os.environ.get("VIEWS") == "write":
        file.parent.mkdir(exist_ok=True)
        file.write_text(shown, "utf-8")
    assert shown == file.read_text("utf-8")
