"""How reports, usage, streams and lists are shown: as text, in a notebook, and in a terminal with rich."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from instructor.report import Report
    from instructor.usage import Usage

Lines = Sequence[tuple[str, str]]
"""Names and what is shown of them."""


class Displayed:
    """What is shown as a table of names and values, in a notebook and by rich."""

    __slots__ = ()

    def _shown(self) -> tuple[str, Lines]:
        """Return a title, and what is below it."""
        raise NotImplementedError

    def __str__(self) -> str:
        title, lines = self._shown()
        return f"{title}: {'; '.join(f'{name} {value}' for name, value in lines)}"

    def _repr_html_(self) -> str:
        from html import escape

        title, lines = self._shown()
        rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in lines)
        return f"<table><caption>{escape(title)}</caption>{rows}</table>"

    def __rich__(self) -> Any:
        from rich.table import Table
        from rich.text import Text

        title, lines = self._shown()
        table = Table(title=Text(title), show_header=False)
        for name, value in lines:
            table.add_row(Text(name, style="bold"), Text(value))
        return table


ROWS = 200
"""The most items of a list that a notebook shows."""
_PLACE = "in the text"
_LONG = 300
"""Characters of a value that a notebook shows."""


def html_of_items(
    items: Sequence[Any], *, first: int = 0, total: int | None = None, places: Sequence[str] | None = None
) -> str:
    """Return items as a table. All text in it is escaped.

    Args:
        items: The items that are shown.
        first: The index of the first of them.
        total: How many there are, if these are not all.
        places: Where in the text each of them is from, if that is known.
    """
    from html import escape

    from pydantic_core import to_jsonable_python

    total = len(items) if total is None else total
    found = [to_jsonable_python(item, by_alias=True, inf_nan_mode="strings", fallback=str) for item in items[:ROWS]]
    rows = [value if isinstance(value, dict) else {"value": value} for value in found]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    if places is not None:
        columns.append(_PLACE)
        rows = [{**row, _PLACE: place} for row, place in zip(rows, places, strict=False)]
    head = "".join(f"<th>{escape(str(name))}</th>" for name in columns)
    lines = [
        f"<tr><th>{first + at + 1}</th>{''.join(f'<td>{escape(_cell(row.get(name)))}</td>' for name in columns)}</tr>"
        for at, row in enumerate(rows)
    ]
    shown = "" if len(rows) == total else f", of which {len(rows):,} are shown"
    caption = f"{total:,} item{'' if total == 1 else 's'}{shown}"
    return f"<table><caption>{caption}</caption><tr><th></th>{head}</tr>{''.join(lines)}</table>"


def _cell(value: Any) -> str:
    import json

    text = "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONG else f"{text[:_LONG]} ..."


def lines_of_usage(usage: Usage) -> Lines:
    """Return what is shown of tokens."""
    about = "" if usage.exact else "about "
    cached = f" ({usage.cached_tokens:,} cached)" if usage.cached_tokens else ""
    reasoning = f" ({usage.reasoning_tokens:,} reasoning)" if usage.reasoning_tokens else ""
    lines = [
        ("input", f"{about}{usage.input_tokens:,}{cached}"),
        ("output", f"{about}{usage.output_tokens:,}{reasoning}"),
    ]
    if len(usage.by_cause) > 1:
        lines += [(f"of {cause}", f"{each.total_tokens:,}") for cause, each in usage.by_cause.items()]
    return lines


def lines_of_report(report: Report) -> Lines:
    """Return what is shown of a report. Counts that are 0 say nothing, and are left out."""
    usage = report.usage
    counts = [
        ("repaired", report.repaired), ("mended", report.mended), ("failed", len(report.failed_items)),
        ("repeated", report.dropped_repeats), ("doubted", report.doubted), ("unknown calls", report.unknown_calls),
    ]  # fmt: skip
    of_which = ", ".join(f"{count} {name}" for name, count in counts if count)
    more = f", {report.continuations} of them continued" if report.continuations else ""
    lines = [
        ("values", f"{report.good}" + (f" ({of_which})" if of_which else "")),
        ("complete", "yes" if report.complete else "no"),
        ("requests", "none, from a cache" if report.cached else f"{report.attempts}{more}"),
        ("tokens", f"{usage.input_tokens:,} in, {usage.output_tokens:,} out" + ("" if usage.exact else " (estimated)")),
        ("seconds", f"{report.duration:.2f}"),
    ]
    if report.time_to_first_item is not None:
        lines.append(("seconds to the first value", f"{report.time_to_first_item:.2f}"))
    if report.finish_reason not in (None, "stop", "tool"):
        lines.append(("ended by", str(report.finish_reason)))
    return lines
