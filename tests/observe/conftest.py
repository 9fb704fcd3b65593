"""Traces are on in these tests, and off again after each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from instructor.observe.conventions import OPT_IN
from observed import Seen, watching


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Seen]:
    monkeypatch.delenv(OPT_IN, raising=False)
    with watching() as seen:
        yield seen
