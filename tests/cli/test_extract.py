"""`instructor extract`: one text that is streamed, many that are kept, as processes of their own."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from shell import Shell, shell

from instructor.bulk import Store
from instructor.testing import Asked, Gate, Reply, Scripted, answer, error
from media_files import PNG, b64

__all__ = ["shell"]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and terminals are POSIX's")

PEOPLE = [{"name": "Jason", "age": 10}, {"name": "John", "age": 30}]
ONE = ["extract", "-", "--schema", "name, age int", "--model", "openai/m"]
MANY = [*ONE, "--many"]
TEXT = "Jason is 10 and John is 30"


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[tuple[Scripted, Shell]]:
    with Scripted() as server:
        made = Shell(server, tmp_path)
        yield server, made
        made.close()


def people(asked: Asked) -> Reply:
    """Answer "Ann is 3" with Ann; what is not so is an invalid answer."""
    text = str(asked.body["messages"][-1]["content"]).splitlines()[-1]
    name, _, age = text.partition(" is ")
    return answer({"name": name, "age": int(age) if age.isdigit() else "unknown"})


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Scripted, Shell]]:
    with Scripted(people) as server:
        made = Shell(server, tmp_path)
        yield server, made
        made.close()


def texts(folder: Path, count: int) -> None:
    (folder / "texts").mkdir()
    for number in range(count):
        (folder / "texts" / f"{number:02}.txt").write_text(f"P{number} is {number}")


# One text


def test_an_item_is_written_before_the_reply_has_ended(scripted: tuple[Scripted, Shell]) -> None:
    server, shell = scripted
    gate = Gate()
    server.add(answer(PEOPLE).but(chunk=1, wait_after=50, gate=gate))
    process = shell.start(*MANY, stdin=TEXT)
    assert process.stdout is not None
    assert json.loads(process.stdout.readline()) == PEOPLE[0]
    assert process.poll() is None
    gate.open()
    rest, errors = process.communicate(timeout=60)
    assert json.loads(rest) == PEOPLE[1]
    assert errors == ""
    assert process.returncode == 0


@pytest.mark.model
@pytest.mark.parametrize("page", ["README.md", "docs/command.md"])
def test_a_page_says_what_the_embedded_model_gives(shell: Shell, page: str) -> None:
    text = (Path(__file__).parents[2] / page).read_text("utf-8")
    ((said, arguments, shown),) = re.findall(
        r'^```console\n\$ echo "(.*?)" \| instructor (.*?)\n(.*?)^```', text, re.M | re.S
    )
    done = shell.run(*shlex.split(arguments), stdin=said)
    assert done.stdout == shown
    assert [json.loads(line) for line in done.stdout.splitlines()] == PEOPLE
    assert done.returncode == 0


def test_the_page_names_every_option(shell: Shell) -> None:
    page = (Path(__file__).parents[2] / "docs/command.md").read_text("utf-8")
    shell.environment["COLUMNS"] = "200"
    options = set(re.findall(r"(--[a-z-]+)", shell.run("extract", "--help").stdout)) - {"--help"}
    assert len(options) > 15
    assert {option for option in options if option not in page} == set()


def test_one_value_from_a_file_with_a_prompt(scripted: tuple[Scripted, Shell]) -> None:
    server, shell = scripted
    server.add(answer(PEOPLE[0]), answer(PEOPLE[0]))
    (shell.folder / "note.txt").write_text(TEXT)
    arguments = ["extract", "note.txt", "-s", "name, age int", "-m", "openai/m", "--prompt"]
    assert json.loads(shell.run(*arguments, "Who is first?").stdout) == PEOPLE[0]
    assert json.loads(shell.run(*arguments, "In {{ text }}, who is first?").stdout) == PEOPLE[0]
    asked = [request.body["messages"][-1]["content"] for request in server.requests]
    assert asked == [f"Who is first?\n\n{TEXT}", f"In {TEXT}, who is first?"]


def test_an_image(scripted: tuple[Scripted, Shell]) -> None:
    server, shell = scripted
    server.add(answer(PEOPLE[0]))
    (shell.folder / "photo.png").write_bytes(PNG)
    done = shell.run("extract", "photo.png", "-s", "name, age int", "-m", "openai/m", "--prompt", "Who is it?")
    assert [json.loads(line) for line in done.stdout.splitlines()] == [{"key": "photo.png", **PEOPLE[0]}]
    text, image = server.requests[0].body["messages"][-1]["content"]
    assert text["text"] == "Who is it?"
    assert image["image_url"]["url"] == f"data:image/png;base64,{b64(PNG)}"


@pytest.mark.parametrize("form", ["jsonl", "json", "csv"])
def test_the_forms_of_output(scripted: tuple[Scripted, Shell], form: str) -> None:
    server, shell = scripted
    server.add(answer(PEOPLE))
    written = shell.run(*MANY, "--format", form, stdin=TEXT).stdout
    if form == "csv":
        read = [{"name": row["name"], "age": int(row["age"])} for row in csv.DictReader(io.StringIO(written))]
    elif form == "json":
        read = json.loads(written)
    else:
        read = [json.loads(line) for line in written.splitlines()]
    assert read == PEOPLE


def test_types_from_a_file_a_module_and_a_json_schema(scripted: tuple[Scripted, Shell]) -> None:
    server, shell = scripted
    (shell.folder / "shapes.py").write_text(
        "from pydantic import BaseModel\nclass Person(BaseModel):\n    name: str\n    age: int\n"
    )
    schema = {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}}
    (shell.folder / "person.json").write_text(json.dumps({**schema, "required": ["name", "age"]}))
    for given in ("shapes.py:Person", "shapes:Person", "person.json"):
        server.add(answer(PEOPLE[0]))
        done = shell.run("extract", "-", "--schema", given, "--model", "openai/m", stdin=TEXT)
        assert done.stderr == ""
        assert json.loads(done.stdout) == PEOPLE[0]


def test_a_reader_that_goes_away_stops_the_request_quietly(scripted: tuple[Scripted, Shell]) -> None:
    server, shell = scripted
    gate = Gate()
    many = answer([{"name": f"P{number}", "age": number} for number in range(5000)])
    server.add(many.but(chunk=64, wait_after=[20, 1000], gate=gate))
    process = shell.start(*MANY, stdin=TEXT)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    gate.open()
    assert process.wait(timeout=60) == 0
    assert process.stderr.read() == ""
    assert server.served[0].wait().client_left


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stream_that_is_interrupted(scripted: tuple[Scripted, Shell], number: int, status: int) -> None:
    server, shell = scripted
    server.add(answer(PEOPLE).but(chunk=1, silence_after=50))
    process = shell.start(*MANY, stdin=TEXT)
    assert process.stdout is not None
    assert json.loads(process.stdout.readline()) == PEOPLE[0]
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == status
    assert "Traceback" not in errors


# What is wrong


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-", "--schema", "name, age integr"], "Unknown type 'integr'. Did you mean 'integer'?"),
        (["-", "--schema", "nothing.py:User"], "There is no file 'nothing.py'"),
        (["-", "--schema", "json:Nothing"], "has no attribute 'Nothing'"),
        (["-", "--schema", "nothing.json"], "There is no file 'nothing.json'"),
        (["-", "-s", "name", "--model", "gpt-4o"], 'must be "provider/model"'),
        (["-", "-s", "name", "--model", "opnai/m"], "Did you mean 'openai'?"),
        (["-", "-s", "name", "--model", "openai/m", "--mode", "toools"], "--mode must be one of tools"),
        (["nowhere.txt", "-s", "name", "--model", "openai/m"], "is not a file or a folder"),
        (["-", "-", "-s", "name"], "- stands alone"),
        (["-", "-s", "name", "--model", "openai/m", "--out", "x.pdf"], "must end in .jsonl, .csv, .parquet"),
        (["-", "-s", "name", "--model", "openai/m", "--out", "x.csv", "--max-cost", "-1"], "max_cost must be"),
    ],
)
def test_a_mistake_has_a_message_and_no_traceback(
    served: tuple[Scripted, Shell], arguments: list[str], says: str
) -> None:
    server, shell = served
    done = shell.run("extract", *arguments, stdin=TEXT)
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert done.returncode == 2
    assert server.requests == []


def test_what_fails_has_a_status(scripted: tuple[Scripted, Shell]) -> None:
    server, shell = scripted
    server.add(error(401, "no such key"))
    done = shell.run(*MANY, stdin=TEXT)
    assert "no such key" in done.stderr
    assert "sk-test-0123456789abcdef" not in done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == 3


# Many inputs


def test_many_files_into_a_table_and_again_from_the_store(served: tuple[Scripted, Shell]) -> None:
    server, shell = served
    texts(shell.folder, 12)
    command = [
        "extract",
        "texts",
        "-s",
        "name, age int",
        "-m",
        "openai/m",
        "--out",
        "people.jsonl",
        "--store",
        "s.sqlite",
    ]
    done = shell.run(*command)
    assert done.returncode == 0, done.stderr
    assert "12 of 12 rows, 12 items, 0 failed" in done.stderr
    lines = [json.loads(line) for line in (shell.folder / "people.jsonl").read_text().splitlines()]
    assert lines[3] == {"key": "03.txt", "name": "P3", "age": 3}
    assert "12 known before" in shell.run(*command).stderr
    assert len(server.requests) == 12


def test_rows_that_fail_are_told_and_the_others_written(served: tuple[Scripted, Shell]) -> None:
    server, shell = served
    (shell.folder / "rows.jsonl").write_text('{"text": "Ann is 1"}\n{"text": "Bob is old"}\n')
    command = ["extract", "rows.jsonl", "-s", "name, age int", "-m", "openai/m", "--store", "s.sqlite"]
    done = shell.run(*command)
    assert done.returncode == 3
    (line,) = map(json.loads, done.stdout.splitlines())
    assert {"name": "Ann", "age": 1}.items() <= line.items()
    assert "InstructorRetryException" in done.stderr
    before = len(server.requests)
    assert shell.run(*command, "--retry-failed").returncode == 3
    assert len(server.requests) > before
    failed = [json.loads(row) for row in shell.run("show", "s.sqlite", "--failed").stdout.splitlines()]
    assert [row["input"]["text"] for row in failed] == ["Bob is old"]
    listed = shell.run("runs", "s.sqlite").stdout.splitlines()
    assert len(listed) == 2
    assert "openai/m" in listed[0]


def test_several_files_and_one_that_cannot_be_read(served: tuple[Scripted, Shell]) -> None:
    server, shell = served
    texts(shell.folder, 3)
    (shell.folder / "texts" / "00.txt").write_bytes(b"\xff\xfe\x00")
    (shell.folder / "more.txt").write_text("Ann is 1")
    done = shell.run("extract", "texts", "more.txt", "-s", "name, age int", "-m", "openai/m")
    assert done.returncode == 3
    found = {line["key"]: line["age"] for line in map(json.loads, done.stdout.splitlines())}
    assert found == {"01.txt": 1, "02.txt": 2, "more.txt": 1}
    assert "00.txt: ConfigurationError: " in done.stderr
    assert "is not a text in UTF-8" in done.stderr
    assert {request.body["messages"][-1]["content"] for request in server.requests} == {
        "P1 is 1",
        "P2 is 2",
        "Ann is 1",
    }


@pytest.mark.parametrize("text", ["", " \n"])
def test_no_text(served: tuple[Scripted, Shell], text: str) -> None:
    server, shell = served
    done = shell.run(*ONE, stdin=text)
    assert done.returncode == 2
    assert "The text is empty." in done.stderr
    assert server.requests == []


def test_what_it_would_take(served: tuple[Scripted, Shell]) -> None:
    server, shell = served
    texts(shell.folder, 12)
    done = shell.run("extract", "texts", "-s", "name, age int", "-m", "openai/m", "--dry-run", "--rpm", "6")
    assert re.search(r"requests +12\n", done.stdout)
    assert "time at the limits" in done.stdout
    assert "P0 is 0" in done.stdout
    assert server.requests == []
    limited = shell.run("extract", "texts", "-s", "name, age int", "-m", "openai/m", "--limit", "3")
    assert len(limited.stdout.splitlines()) == 3
    sample = shell.run("extract", "texts", "-s", "name, age int", "-m", "openai/m", "--sample", "2", "--seed", "1")
    assert len(sample.stdout.splitlines()) == 2


def test_a_spent_budget_has_a_status(served: tuple[Scripted, Shell]) -> None:
    _, shell = served
    texts(shell.folder, 40)
    done = shell.run(
        "extract", "texts", "-s", "name, age int", "-m", "openai/gpt-4o", "--store", "s.sqlite", "--max-cost", "0.0005"
    )
    assert done.returncode == 4, done.stderr
    assert "max_cost=0.0005 is spent" in done.stderr
    assert "hint: the same command goes on" in done.stderr


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_first_signal_ends_what_is_in_flight(tmp_path: Path, number: int, status: int) -> None:
    gate, came = Gate(), threading.Semaphore(0)

    def held(asked: Asked) -> Reply:
        came.release()
        return people(asked).but(wait_after=0, gate=gate)

    with Scripted(held) as server:
        shell = Shell(server, tmp_path)
        texts(tmp_path, 40)
        process = shell.start(
            "extract", "texts", "-s", "name, age int", "-m", "openai/m", "--store", "s.sqlite", "--concurrency", "4"
        )
        for _ in range(4):
            assert came.acquire(timeout=60)
        process.send_signal(number)
        assert process.stderr is not None
        assert "Stopping: 4 calls in flight end first." in process.stderr.readline()
        gate.open(40)
        written, errors = process.communicate(timeout=60)
        assert process.returncode == status
        assert "hint: the same command goes on after these rows" in errors
        assert len(written.splitlines()) == len(server.requests) == 4
        assert len(list(Store(tmp_path / "s.sqlite").rows())) == 4


def test_the_second_signal_cancels(tmp_path: Path) -> None:
    came = threading.Semaphore(0)

    def silent(asked: Asked) -> Reply:
        came.release()
        return people(asked).but(silence_after=0)

    with Scripted(silent) as server:
        shell = Shell(server, tmp_path)
        texts(tmp_path, 9)
        process = shell.start("extract", "texts", "-s", "name, age int", "-m", "openai/m", "--concurrency", "4")
        for _ in range(4):
            assert came.acquire(timeout=60)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert "Stopping: 4 calls in flight end first." in process.stderr.readline()
        assert "once more cancels them" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "Traceback" not in errors


def test_a_reader_of_many_that_goes_away(served: tuple[Scripted, Shell]) -> None:
    _, shell = served
    texts(shell.folder, 60)
    process = shell.start("extract", "texts", "-s", "name, age int", "-m", "openai/m", "--concurrency", "2")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    assert "Traceback" not in process.stderr.read()


# In a terminal


@pytest.mark.parametrize("columns", [30, 120])
def test_a_live_table(scripted: tuple[Scripted, Shell], columns: int) -> None:
    server, shell = scripted
    gate = Gate()
    server.add(answer(PEOPLE).but(chunk=1, wait_after=50, gate=gate))
    (shell.folder / "note.txt").write_text(TEXT)
    terminal = shell.terminal("extract", "note.txt", *MANY[2:], columns=columns)
    terminal.wait_for("1 item")
    assert "Jason" in terminal.text
    assert "John" not in terminal.text
    gate.open()
    assert terminal.end() == 0
    assert "2 items" in terminal.text
    last = terminal.text.rpartition("age")[2]
    assert "Jason" in last
    assert "30" in last
    assert all(len(line) <= columns for line in last.splitlines())


def test_no_color(scripted: tuple[Scripted, Shell]) -> None:
    server, shell = scripted
    server.add(answer(PEOPLE), answer(PEOPLE))
    (shell.folder / "note.txt").write_text(TEXT)
    terminal = shell.terminal("extract", "note.txt", *MANY[2:], NO_COLOR="1")
    assert terminal.end() == 0
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", terminal.raw)
    terminal = shell.terminal("extract", "note.txt", *MANY[2:], "--format", "jsonl")
    assert terminal.end() == 0
    assert [json.loads(line) for line in terminal.text.splitlines()] == PEOPLE


def test_a_table_of_many_inputs_in_a_terminal(served: tuple[Scripted, Shell]) -> None:
    _, shell = served
    texts(shell.folder, 5)
    terminal = shell.terminal("extract", "texts", "-s", "name, age int", "-m", "openai/m", columns=100)
    assert terminal.end() == 0
    assert "5 items" in terminal.text
    assert "5 of 5 rows" in terminal.text


def test_ctrl_c_in_a_terminal(scripted: tuple[Scripted, Shell]) -> None:
    server, shell = scripted
    server.add(answer(PEOPLE).but(chunk=1, silence_after=50))
    (shell.folder / "note.txt").write_text(TEXT)
    terminal = shell.terminal("extract", "note.txt", *MANY[2:])
    terminal.wait_for("1 item")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.end() == 130
    assert "Traceback" not in terminal.text
    assert "Jason" in terminal.text.rpartition("age")[2]  # what came stays on the screen


# The rest


def test_help_has_examples_and_is_quick(shell: Shell) -> None:
    for command in ("extract", "runs", "show", "providers", "schema"):
        done = shell.run(command, "--help")
        assert done.returncode == 0
        if command != "schema":
            assert f"Example: {'echo' if command == 'extract' else 'instructor'}" in " ".join(done.stdout.split())


def test_providers_never_show_a_key(shell: Shell) -> None:
    shell.environment["OPENAI_API_KEY"] = "sk-test-0123456789abcdef"
    done = shell.run("providers")
    assert re.search(r"^openai +OPENAI_API_KEY is set +openai is installed$", done.stdout, re.M)
    assert re.search(r"^anthropic +ANTHROPIC_API_KEY is not set", done.stdout, re.M)
    assert "sk-test" not in done.stdout + done.stderr


def test_completion_of_the_shell(shell: Shell) -> None:
    done = shell.run("--show-completion", "bash")
    assert done.returncode == 0
    assert "complete" in done.stdout


def test_a_store_that_is_none(shell: Shell) -> None:
    (shell.folder / "note.txt").write_text(TEXT)
    for command in ("runs", "show"):
        done = shell.run(command, "note.txt")
        assert done.returncode == 2
        assert "is not a store" in done.stderr
        missing = shell.run(command, "nothing.sqlite")
        assert missing.returncode == 2
        assert "There is no store" in missing.stderr
