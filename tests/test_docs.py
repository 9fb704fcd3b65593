"""The README's and the documents' code runs, and prints what it says it prints."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
_BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
_PRINTED = re.compile(r"^\s*#> (.*)$", re.MULTILINE)


def run(document: str, python: str | Path = sys.executable, warnings: str = "error") -> None:
    """Run a document's blocks, one after the other in one program, and compare what they print."""
    code = "\n".join(_BLOCK.findall((ROOT / document).read_text("utf-8")))
    said = subprocess.run(
        [python, "-W", warnings, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=300, check=False
    )
    assert said.returncode == 0, said.stderr
    assert said.stdout.splitlines() == _PRINTED.findall(code), said.stdout


@pytest.mark.model
@pytest.mark.parametrize("page", ["README.md", "docs/index.md"])
def test_a_page_for_the_embedded_model(page: str) -> None:
    run(page)


@pytest.mark.parametrize("page", ["models", "caching", "prompts", "validation", "scale"])
def test_a_page(page: str) -> None:
    run(f"docs/{page}.md")
