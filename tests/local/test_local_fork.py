"""A process that forks after it used the embedded model: the child loads it anew, and both end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.model, pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")]

BEFORE = """
import asyncio, multiprocessing, os, signal, sys
from instructor.exceptions import ProviderError
from instructor.local.chat import LocalModel

model = LocalModel()
asked = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 4}


def said():
    return model.chat(asked)["choices"][0]["message"]["content"]


def child(function):
    pid = os.fork()
    if not pid:
        signal.alarm(60)  # a child that hangs ends
        function()
        sys.exit(3)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


first = said()
"""

CASES = {
    "a child that uses it": """
def use():
    assert said() == first
    assert asyncio.run(model.achat(asked))["choices"][0]["message"]["content"] == first
assert child(use) == 3
""",
    "a child that does not": "assert child(lambda: None) == 3",
    "several, and the parent goes on": """
assert [child(lambda: said()) for _ in range(2)] == [3, 3]
assert said() == first
""",
    "a child of a child": """
def fork_again():
    said()
    assert child(lambda: said()) == 3
assert child(fork_again) == 3
""",
    "multiprocessing": """
if __name__ == "__main__":
    process = multiprocessing.get_context("fork").Process(target=said)
    process.start()
    process.join(60)
    assert process.exitcode == 0, process.exitcode
""",
    "an answer under way": """
stream = model.stream({**asked, "max_tokens": 200})
next(stream)
def read_on():
    try:
        list(stream)
    except ProviderError as error:
        assert "forked" in str(error)
        assert said() == first
    else:
        raise AssertionError
assert child(read_on) == 3
assert len(list(stream)) > 3
""",
    "the output of a child": """
def tell():
    said()
    print("told", end="")
assert child(tell) == 3
""",
}


@pytest.mark.parametrize("case", CASES)
def test_a_fork(tmp_path: Path, case: str) -> None:
    script = tmp_path / "forks.py"
    script.write_text(BEFORE + CASES[case])
    process = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        out, told = process.communicate(timeout=120)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, 9)
            process.communicate()
    assert process.returncode == 0, told
    assert "Error" not in told
    assert out == ("told" if case == "the output of a child" else "")
