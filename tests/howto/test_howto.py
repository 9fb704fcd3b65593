"""The programs of docs/howto run as they stand, in a process of their own, and print what their page says.

A program makes its client by `from_provider("openai/...")`. Here a scripted server answers in the model's place.
"""

from __future__ import annotations

import ast
import inspect
import json
import os
import pty
import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias

import pyte
import pytest

from instructor.testing import Asked, Gate, Reply, Scripted, answer, content, count_events, error, refusal

PAGES = Path(__file__).parents[2] / "docs" / "howto"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = (sys.executable, "program.py")
DRAWN = ("live-table", "growing-value")
"""Pages whose programs draw on a terminal."""
PRINTED = re.compile(r"^ *#>(?: (.*))?$", re.MULTILINE)


Script: TypeAlias = Sequence[Reply] | Callable[[Asked], Reply]


def items(*values: object) -> Reply:
    return answer({"tasks": values})


def taxi(*lines: tuple[str, str]) -> dict[str, object]:
    found = [{"what": what, "amount": amount} for what, amount in lines]
    return {"shop": "taxi 0412", "day": "2026-11-04", "currency": "USD", "lines": found, "total": "28.00"}


def person(name: str, age: int) -> dict[str, object]:
    return {"name": name, "age": age}


def visit(patient: str, age: int, dose: str) -> dict[str, object]:
    return {"patient": patient, "age": age, "dose": dose}


def letter(asked: Asked) -> Reply:
    name, age = re.findall(r"Person\d+|\d+(?= years)", str(asked.messages[-1]["content"]))
    return answer(person(name, int(age)))


BAKERY = {
    "shop": "Bäckerei Huber",
    "day": "2026-11-03",
    "currency": "EUR",
    "lines": [{"what": "Brezn", "amount": "1.80"}, {"what": "Kaffee", "amount": "2.90"}],
    "total": "4.70",
}
WHEEL = {"shape": {"kind": "circle", "radius": 0.3}, "parts": []}
SCRIPTS: dict[str, Script] = {
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
    "batches": [],
    "distillation": [answer({"name": "Jason", "age": 10})],
    "pictures": [answer({"colour": "red"}), answer({"colour": "red"})],
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
    "evidence": [
        items(visit("John Smith", 30, "350 mg"), visit("Anna Lee", 31, "400 mg"), visit("John Smith", 45, "250 mg")),
        items({**visit("John Smith", 30, "350 mg"), "summary": "Well."}),
        items({**visit("John Smith", 30, "250 mg"), "summary": "Well."}),
        items(7),
    ],
    "actions": [
        answer({"content": {"action": "look_up", "fruit": "apple"}}),
        answer({"content": {"action": "multiply", "a": 12, "b": 0.5}}),
        answer({"content": {"action": "done", "answer": "12 apples cost 6.00."}}),
    ],
    "templates": [answer({"answer": "The reds", "source": 7})],
    "hooks": [items(person("Jason", 10), {"name": "John"}), items(person("John", 30))],
    "modes": [*[answer(person("Jason", 10))] * 5, answer(person("Jason", 10)), answer(person("Jason", 10))],
    "database": [
        answer({"customer": "Jannsen", "pieces": 3}),
        answer({"customer": "Janssen", "pieces": 3}),
        items({"customer": "Jansen", "pieces": 1}, {"customer": "Smith", "pieces": 2}),
    ],
    "many-documents": letter,
    "traces": [items(person("Jason", 10), {"name": "John"}), items(person("John", 30))],
    "play": [items(person("Jason", 10), {"name": "John", "age": "thirty"}), items(person("John", 30))],
    "../errors": [
        answer({"name": "Jason"}),
        answer({"name": "Jason", "age": "ten"}),
        items(person("Jason", 10), {"name": "John"}),
        answer('{"name": "Jas', finish="length"),
        refusal("I do not talk about children."),
        *[error(429, "Too many requests", headers={"retry-after-ms": "1"})] * 3,
        answer(person("Jason", 10)),
        content("It rains."),
    ],
    "logging": [answer({"name": "Jason", "age": "ten"}), answer(person("Jason", 10))],
}
"""What the model answers to the program of each page."""


@pytest.mark.parametrize("page", SCRIPTS)
def test_a_program(page: str, tmp_path: Path, scripted_server: Callable[..., Any]) -> None:
    code = program(page)
    (tmp_path / "program.py").write_text(code, "utf-8")
    server = scripted_server(SCRIPTS[page])
    run = in_a_terminal if page in DRAWN else plainly
    assert run(tmp_path, {**os.environ, **settings(server)}) == PRINTED.findall(code)


def program(page: str) -> str:
    """Return a page's blocks as one program."""
    return "\n".join(BLOCK.findall((PAGES / f"{page}.md").read_text("utf-8")))


def settings(server: Scripted) -> dict[str, str]:
    """Return what makes a program talk to the server, and fail at a warning."""
    return {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "sk-fake", "PYTHONWARNINGS": "error"}


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


async def test_cells_of_a_notebook(
    scripted_server: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    people = items(person("John", 30), person("Ann", 50))
    for name, value in settings(scripted_server([answer(person("Jason", 10)), people])).items():
        monkeypatch.setenv(name, value)
    cells = BLOCK.findall((PAGES / "notebooks.md").read_text("utf-8"))
    names: dict[str, Any] = {}
    for cell in cells:
        done = eval(compile(cell, "cell", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
        if inspect.isawaitable(done):
            await done
    names["client"].client.close()
    await names["aclient"].client.close()
    assert capsys.readouterr().out.splitlines() == PRINTED.findall("\n".join(cells))


def test_the_command_that_shows_schemas(tmp_path: Path) -> None:
    page = (PAGES / "schema-command.md").read_text("utf-8")
    (tmp_path / "shop.py").write_text(program("schema-command"), "utf-8")
    found = re.findall(r"^```console\n\$ instructor (.*?)\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert len(found) == 2
    for arguments, shown in found:
        command = [sys.executable, "-m", "instructor", *arguments.split()]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=60, check=False)
        assert done.stdout + done.stderr == shown
        assert done.returncode == (1 if "Stock" in arguments else 0)


def test_modes_are_on_each_wire_what_the_table_says() -> None:
    """Every field that the table names is in the request that the golden file of the wire has."""
    table = (PAGES / "modes.md").read_text("utf-8").partition("## On other wires")[2]
    head, _, *rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("|")]
    golden = Path(__file__).parents[1] / "providers" / "golden" / "requests"
    bodies = [json.loads((golden / f"{wire.lower()}.json").read_text("utf-8")) for wire in head[1:]]
    for mode, *cells in rows:
        for wire, cell, body in zip(head[1:], cells, bodies, strict=True):
            found = body.get(mode.strip("`"))
            assert (found is None) == (cell == "none"), (mode, wire)
            text = json.dumps(found and found[0])
            for field in re.findall(r"`(\w+)`", cell.replace("`JSON_SCHEMA`", "").replace("`TOOLS`", "")):
                assert f'"{field}":' in text, (mode, wire, field)


@pytest.mark.parametrize("path", ["people", "sync-people"])
def test_events_from_a_web_server(path: str, tmp_path: Path, scripted_server: Callable[..., Any]) -> None:
    page = (PAGES / "fastapi.md").read_text("utf-8")
    query, shown = re.findall(r'^```console\n\$ curl -N ".*?\?(.*?)"\n(.*?)^```', page, re.MULTILINE | re.DOTALL)[0]
    server = scripted_server([items(person("Jason", 10), person("John", 30))])
    with (
        web_server(tmp_path, server) as address,
        urllib.request.urlopen(f"{address}/{path}?{query}", timeout=60) as reply,
    ):
        assert reply.read().decode() == shown


def test_a_browser_that_leaves_ends_the_request(tmp_path: Path, scripted_server: Callable[..., Any]) -> None:
    people, gate = items(person("Jason", 10), person("John", 30)), Gate()
    held = people.but(wait_after=count_events(people) - 4, gate=gate)
    server = scripted_server([held])
    with web_server(tmp_path, server) as address:
        with urllib.request.urlopen(f"{address}/people?text=Who", timeout=60) as reply:
            assert reply.readline() == b"event: person\n"
            gate.reached()
        server.wait_closed()
    assert server.served[0].client_left


@contextmanager
def web_server(folder: Path, server: Scripted) -> Iterator[str]:
    """Run the program of fastapi.md, and return its address."""
    (folder / "people.py").write_text(program("fastapi"), "utf-8")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        serve = [sys.executable, "-m", "uvicorn", "people:app", "--fd", str(listening.fileno()), "--log-level=warning"]
        environment = {**os.environ, **settings(server)}
        web = subprocess.Popen(serve, cwd=folder, env=environment, pass_fds=[listening.fileno()])
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            web.terminate()
            web.wait()


def test_every_page_is_run() -> None:
    own = {"index", "notebooks", "schema-command", "fastapi"}
    assert {page.stem for page in PAGES.glob("*.md")} == {
        Path(page).stem for page in SCRIPTS if not page.startswith("..")
    } | own
