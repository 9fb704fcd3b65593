"""The examples of docs/testing.md run, one after the other, as they stand."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import settings

from instructor.testing import Faults

_PAGE = (Path(__file__).parents[2] / "docs" / "testing.md").read_text(encoding="utf-8")


def test_the_examples_run() -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", _PAGE, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 6
    names: dict[str, object] = {"__name__": "docs"}
    before = settings.get_current_profile_name()
    settings.register_profile("docs", derandomize=True)
    settings.load_profile("docs")
    try:
        for block in blocks:
            exec(block, names)
    finally:
        settings.load_profile(before)


def test_every_fault_is_in_the_table() -> None:
    table = _PAGE.split("## Cutting and breaking")[1].split("```")[0]
    told = set(re.findall(r"[` ](\w+)=", table))
    assert told == set(Faults.__annotations__)
