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

def test_unused(scripted_server):
    ask(scripted_server([content("one"), content("two"), content("three")]))

def test_unused_as_it_should_be(scripted_server):
    ask(scripted_server([content("one"), content("two")], allow_unused=True))

def test_unused_of_a_failed_test(scripted_server):
    scripted_server([content("one")])
    raise ValueError("the failure")

def test_fault_that_cannot_be(scripted_server):
    try:
        ask(scripted_server([content("one", cut_after=9)]))
    except OSError:
        pass
"""


def test_servers_end_with_the_test_and_report_their_problems(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(_TESTS)
    options = ["-p", "no:cacheprovider", "-p", "no:asyncio", "-W", "error", "-q"]
    command = [sys.executable, "-m", "pytest", *options, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert "1 failed, 4 passed, 2 errors" in done.stdout
    assert "ValueError: the failure" in done.stdout
    assert "cut_after=9, but the reply has 1 event" in done.stdout
    assert "1 events" not in done.stdout
    assert "2 replies were not requested, after 1 request" in done.stdout
    assert "1 reply was" not in done.stdout  # neither where it is allowed, nor beside another failure
