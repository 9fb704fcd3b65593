"""The programs of docs/howto run as they stand, in a process of their own, and print what their page says.

A program makes its client by `from_provider("openai/...")`. Here a scripted server answers in the model's place.
"""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyte
import pytest

from instructor.testing import Reply, answer

PAGES = Path(__file__).parents[2] / "docs" / "howto"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = (sys.executable, "program.py")
DRAWN = ("live-table", "growing-value")
"""Pages whose programs draw on a terminal."""
PRINTED = re.compile(r"^ *#>(?: (.*))?$", re.MULTILINE)


def items(*values: object) -> Reply:
    return answer({"tasks": values})


def taxi(*lines: tuple[str, str]) -> dict[str, object]:
    found = [{"what": what, "amount": amount} for what, amount in lines]
    return {"shop": "taxi 0412", "day": "2026-11-04", "currency": "USD", "lines": found, "total": "28.00"}


def person(name: str, age: int) -> dict[str, object]:
    return {"name": name, "age": age}


BAKERY = {
    "shop": "Bäckerei Huber",
    "day": "2026-11-03",
    "currency": "EUR",
    "lines": [{"what": "Brezn", "amount": "1.80"}, {"what": "Kaffee", "amount": "2.90"}],
    "total": "4.70",
}
WHEEL = {"shape": {"kind": "circle", "radius": 0.3}, "parts": []}
SCRIPTS: dict[str, Sequence[Reply]] = {
    "receipts": [answer(BAKERY), answer(taxi(("fare", "23.50"))), answer(taxi(("fare", "23.50"), ("tip", "4.50")))],
    "live-table": [items(person("Jason", 10), person("John", 30), person("Ann", 50))],
    "growing-value": [answer({"title": "The Fox", "paragraphs": ["A fox saw a hen.", "The hen saw the fox first."]})],
    "shapes": [
        answer(
            {
                "name": "cart",
                "shape": {"kind": "box", "width": 2, "height": 1},
                "parts": [{"name": "left wheel", **WHEEL}, {"name": "right wheel", **WHEEL}],
            }
        ),
        answer({"content": {"kind": "circle", "radius": 1.5}}),
    ],
    "classification": [
        answer({"content": "spam"}),
        answer({"reason": "It crashes, and it cost twice.", "labels": ["bug", "billing"]}),
        items("good", "bad", "neutral"),
    ],
    "citations": [
        answer(
            {
                "facts": [
                    {"statement": "Jason is 10.", "substring_quotes": ["Jason is ten years old"]},
                    {"statement": "He is rich.", "substring_quotes": ["he owns a bank"]},
                ]
            }
        )
    ],
    "actions": [
        answer({"content": {"action": "look_up", "fruit": "apple"}}),
        answer({"content": {"action": "multiply", "a": 12, "b": 0.5}}),
        answer({"content": {"action": "done", "answer": "12 apples cost 6.00."}}),
    ],
    "templates": [answer({"answer": "The reds", "source": 7})],
    "hooks": [items(person("Jason", 10), {"name": "John"}), items(person("John", 30))],
}
"""What the model answers to the program of each page."""


@pytest.mark.parametrize("page", SCRIPTS)
def test_a_program(page: str, tmp_path: Path, scripted_server: Callable[..., Any]) -> None:
    code = "\n".join(BLOCK.findall((PAGES / f"{page}.md").read_text("utf-8")))
    (tmp_path / "program.py").write_text(code, "utf-8")
    server = scripted_server(SCRIPTS[page])
    settings = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "sk-fake", "PYTHONWARNINGS": "error"}
    run = in_a_terminal if page in DRAWN else plainly
    assert run(tmp_path, {**os.environ, **settings}) == PRINTED.findall(code)


def plainly(folder: Path, environment: dict[str, str]) -> list[str]:
    """Run the program, and return the lines that it prints."""
    done = subprocess.run(
        COMMAND, cwd=folder, env=environment, capture_output=True, encoding="utf-8", timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return [line.rstrip() for line in done.stdout.splitlines()]


def in_a_terminal(folder: Path, environment: dict[str, str]) -> list[str]:
    """Run the program in a terminal, and return what is on the screen at the end."""
    screen = pyte.Screen(80, 24)
    terminal = pyte.ByteStream(screen)
    ours, theirs = pty.openpty()
    environment |= {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
    program = subprocess.Popen(COMMAND, cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    with suppress(OSError):  # it is how a terminal says that the program has ended
        while written := os.read(ours, 65536):
            terminal.feed(written)
    os.close(ours)
    lines = "\n".join(line.rstrip() for line in screen.display).rstrip().splitlines()
    assert program.wait(60) == 0, lines
    return lines
