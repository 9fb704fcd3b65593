"""The fixture, in a pytest of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_TESTS = """
import urllib.request
from instructor.testing import content

pytest_plugins = ["instructor.testing.plugin"]

def ask(server):
    return urllib.request.urlopen(f"{server.base_url}/chat/completions", b"{}").read()

def test_good(scripted_server):
    one, two = scripted_server([content("one")]), scripted_server([content("two")], strict=False)
    assert b"one" in ask(one) and b"two" in ask(two)

def test_fault_that_cannot_be(scripted_server):
    try:
        ask(scripted_server([content("one", cut_after=9)]))
    except OSError:
        pass
"""


def test_servers_end_with_the_test_and_tell_their_problems(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(_TESTS)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:asyncio",
        "-W",
        "error",
        "-q",
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert "2 passed, 1 error" in done.stdout
    assert "cut_after=9, but the reply has 1 events" in done.stdout
