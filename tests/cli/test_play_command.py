"""`instructor play` as a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from shell import Shell

from instructor.testing import Scripted, silence


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    made = Shell(None, tmp_path)
    yield made
    made.close()


def session(process: subprocess.Popen[str]) -> dict[str, object]:
    assert process.stdout is not None
    address = process.stdout.readline().split()[4]
    with urllib.request.urlopen(f"{address}/session") as reply:
        return dict(json.load(reply))


def test_what_the_command_is_given_is_on_the_page(shell: Shell) -> None:
    (shell.folder / "shapes.py").write_text(
        "from pydantic import BaseModel\n"
        "class Ship(BaseModel):\n    name: str\n"
        "class Crew(BaseModel):\n    ship: Ship\n"
    )
    (shell.folder / "log.txt").write_text("The Ann left at nine.\n")
    process = shell.start("play", "shapes.py", "log.txt", "people.sqlite", "--no-open", "--port", "0")
    given = session(process)
    assert given["classes"] == ["Ship", "Crew"]
    assert given["text"] == "The Ann left at nine.\n"
    assert given["stores"] == ["people.sqlite"]
    assert given["model"] == "local"
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    assert process.stderr is not None
    assert process.stderr.read() == ""


def test_ctrl_c_ends_it_quietly_though_a_page_follows_a_run(shell: Shell) -> None:
    with Scripted([silence()]) as provider:
        shell.environment |= {"OPENAI_BASE_URL": provider.base_url, "OPENAI_API_KEY": "sk-test"}
        process = shell.start("play", "--no-open", "--port", "0", "--model", "openai/scripted")
        assert process.stdout is not None
        assert process.stderr is not None
        address = process.stdout.readline().split()[4]
        wanted = {"text": "Jason is 10.", "schema": {"kind": "fields", "text": "name"}}
        headers = {"Content-Type": "application/json", "Sec-Fetch-Site": "same-origin"}
        begun = urllib.request.Request(f"{address}/runs", json.dumps(wanted).encode(), headers)
        with urllib.request.urlopen(begun) as reply:
            run = json.load(reply)["id"]
        with urllib.request.urlopen(f"{address}/runs/{run}/events") as events:
            while not events.readline().startswith(b"event: sent"):
                pass
            process.send_signal(signal.SIGINT)
            assert events.read().endswith(b"event: end\ndata: {}\n\n")
        assert process.wait(20) == 0
        assert process.stderr.read() == ""


def test_a_port_in_use_and_files_that_are_wrong(shell: Shell) -> None:
    process = shell.start("play", "--no-open", "--port", "0")
    assert process.stdout is not None
    port = process.stdout.readline().split()[4].rpartition(":")[2]
    (shell.folder / "empty.py").write_text("x = 1\n")
    (shell.folder / "no.sqlite").write_text("x = 1\n")
    for arguments, message in (
        (["--port", port], "in use"), (["none.py"], "There is no file 'none.py'"), (["none.txt"], "none.txt"),
        (["empty.py"], "no pydantic model"), (["no.sqlite"], "not a store"),
    ):  # fmt: skip
        done = shell.run("play", "--no-open", *arguments)
        assert done.returncode == 2
        assert message in done.stderr
        assert "hint:" in done.stderr
        assert done.stdout == ""


@pytest.mark.parametrize("module", ["starlette", "uvicorn"])
def test_without_its_extra_the_command_says_what_to_install(module: str) -> None:
    program = (
        f"import sys; sys.modules[{module!r}] = None; sys.argv = ['instructor', 'play', '--no-open']\n"
        "from instructor.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"needs the module '{module}" in done.stderr
    assert "pip install" in done.stderr
