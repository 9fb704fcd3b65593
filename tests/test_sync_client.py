"""The sync client is the async one without its awaits."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

import pytest

from instructor.client import AsyncInstructor
from instructor.sync_client import Instructor

SCRIPTS = Path(__file__).parent.parent / "scripts"


def test_it_is_what_the_script_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    script = pytest.importorskip("generate_sync_client")
    written = script.sync(script.SOURCE.read_text("utf-8"))
    assert script.TARGET.read_text("utf-8") == written, "run: python scripts/generate_sync_client.py"
    sys.modules.pop("generate_sync_client", None)


@pytest.mark.parametrize("name", ["create", "create_iterable", "create_partial", "create_with_completion"])
def test_both_have_the_same_methods(name: str) -> None:
    sync, asynchronous = getattr(Instructor, name), getattr(AsyncInstructor, name)
    assert inspect.signature(sync) == inspect.signature(asynchronous)
    assert not inspect.iscoroutinefunction(sync)
    for text in (sync.__doc__, asynchronous.__doc__):
        assert all(part in text for part in ("Args:", "Returns:", "Raises:", "Example:"))
    assert "await" not in sync.__doc__
    assert "async" not in sync.__doc__
