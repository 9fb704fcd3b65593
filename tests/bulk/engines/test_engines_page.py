"""The page of the engines runs, and prints what it says."""

from __future__ import annotations

import pytest

from test_docs import run

pytest.importorskip("ray", reason="it is large: make test-engines")


def test_the_page() -> None:
    run("docs/engines.md", warnings="ignore")  # Ray has its own
