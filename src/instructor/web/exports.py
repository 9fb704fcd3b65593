"""What a run can be taken home as."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any, NamedTuple

from instructor.web.page_file import html_of
from instructor.web.python_code import python_of
from instructor.web.runs import Run


def _values(run: Run) -> list[Any]:
    """Return the values in the order of the answer."""
    return [row.plain for row in sorted(run.rows, key=lambda row: row.index)]


def _json(run: Run, _file: str) -> str:
    values = _values(run)
    return json.dumps(values if run.wanted.many else next(iter(values), None), ensure_ascii=False, indent=2) + "\n"


def _jsonl(run: Run, _file: str) -> str:
    return "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in _values(run))


def _csv(run: Run, _file: str) -> str:
    rows = [value if isinstance(value, dict) else {"value": value} for value in _values(run)]
    columns = list(dict.fromkeys([*run.wanted.columns, *(name for row in rows for name in row)]))
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    for row in rows:
        cells = (row.get(name) for name in columns)
        writer.writerow([json.dumps(x, ensure_ascii=False) if isinstance(x, (dict, list, bool)) else x for x in cells])
    return text.getvalue()


class Format(NamedTuple):
    """A form of export."""

    title: str
    kind: str
    """The media type."""
    write: Callable[[Run, str], str]
    """Returns the text for a run; the second argument is the file of its class, if it has one."""


FORMATS = {
    "json": Format("JSON", "application/json", _json),
    "jsonl": Format("JSON lines", "application/x-ndjson", _jsonl),
    "csv": Format("CSV", "text/csv", _csv),
    "py": Format("Python", "text/x-python", python_of),
    "html": Format("Page", "text/html", html_of),
}
