"""The code of docs/local.md runs, and prints what it says it prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "local.md").read_text(encoding="utf-8")


@pytest.mark.model
def test_the_code_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    exec(code, {"__name__": "docs"})
    assert capsys.readouterr().out.splitlines() == re.findall(r"^\s*#> (.*)$", code, re.MULTILINE)
