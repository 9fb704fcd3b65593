"""The examples of docs/streaming.md run, one after the other, as they stand."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from instructor import HookName, Report

_PAGE = (Path(__file__).parents[2] / "docs" / "streaming.md").read_text(encoding="utf-8")


def test_the_examples_run() -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", _PAGE, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 3
    names: dict[str, object] = {"__name__": "docs"}
    for block in blocks:
        exec(block, names)


def test_every_field_of_the_report_is_told() -> None:
    table = _PAGE.split("## The report")[1].split("\n\n`bad`")[0]
    fields = {field.name for field in dataclasses.fields(Report)}
    assert (
        set(re.findall(r"`(\w+)`", "".join(line.split("|")[1] for line in table.splitlines() if "|" in line))) == fields
    )


def test_every_hook_of_streams_is_told() -> None:
    told = set(re.findall(r"`(item:\w+|stream:\w+)`", _PAGE.split("## Hooks")[1]))
    assert told == {name.value for name in HookName if name.value.startswith(("item:", "stream:"))}
