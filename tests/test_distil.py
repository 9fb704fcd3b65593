"""Lines of training data: their forms, and a model that is asked instead of the function."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import instructor
from harness import Harness
from instructor.distil import FinetuneFormat, Instructions, TrainingLines
from instructor.exceptions import ConfigurationError
from instructor.testing import answer


class User(BaseModel):
    name: str
    age: int


class Sum(BaseModel):
    value: int


def lines_of(path: Path, form: FinetuneFormat, **options: Any) -> list[Any]:
    handler = logging.FileHandler(path)
    instructions = Instructions(name=str(path), log_handlers=[handler], finetune_format=form, **options)

    @instructions.distil
    def add(a: int, b: int) -> Sum:
        """Add two numbers."""
        return Sum(value=a + b)

    assert add(1, b=2) == Sum(value=3)
    assert add.__name__ == "add"
    handler.close()
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_call_of_a_tool(tmp_path: Path) -> None:
    (line,) = lines_of(tmp_path / "a.jsonl", FinetuneFormat.TOOLS)
    assert [message["role"] for message in line["messages"]] == ["system", "user", "assistant"]
    (call,) = line["messages"][-1]["tool_calls"]
    assert call["type"] == "function"
    assert json.loads(call["function"]["arguments"]) == {"value": 3}
    assert line["tools"][0]["function"]["name"] == call["function"]["name"] == "Sum"
    assert "functions" not in line


def test_what_was_passed_and_what_came(tmp_path: Path) -> None:
    (line,) = lines_of(tmp_path / "a.jsonl", FinetuneFormat.RAW)
    assert line["fn_name"] == "add"
    assert line["args"] == [1]
    assert line["kwargs"] == {"b": 2}
    assert line["resp"] == {"value": 3}
    assert "value" in line["schema"]["properties"]


def test_the_body_of_the_function(tmp_path: Path) -> None:
    (line,) = lines_of(tmp_path / "a.jsonl", FinetuneFormat.MESSAGES, include_code_body=True)
    assert "return Sum(value=a + b)" in line["messages"][0]["content"]


async def test_a_model_is_asked_instead(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer({"value": 7})])
    instructions = Instructions(openai_client=harness.sdk(server))

    def add(a: int, b: int) -> Sum:
        """Add two numbers."""
        raise AssertionError("it must not run")

    async def aadd(a: int, b: int) -> Sum:
        """Add two numbers."""
        raise AssertionError("it must not run")

    add.__name__ = aadd.__name__ = "add"
    asked = instructions.distil(name="add", mode="dispatch", model="ft:m")(aadd if harness.is_async else add)
    assert await harness.result(asked(3, b=4)) == Sum(value=7)
    assert server.requests[0].body["model"] == "ft:m"
    assert server.requests[0].body["messages"][-1]["content"] == "Return `add(3, b=4)`"


async def test_an_async_function_writes_a_line(caplog: pytest.LogCaptureFixture) -> None:
    instructions = Instructions(name="waits")

    @instructions.distil(name="plus", fine_tune_format=FinetuneFormat.RAW)  # type: ignore[untyped-decorator]
    async def add(a: int, b: int) -> Sum:
        return Sum(value=a + b)

    with caplog.at_level(logging.INFO, "waits"):
        assert await add(1, 2) == Sum(value=3)
    assert json.loads(caplog.records[0].getMessage())["fn_name"] == "plus"


def test_no_key_is_needed_and_mistakes_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    instructions = instructor.Instructions()
    with pytest.raises(ConfigurationError, match="nothing must say that it returns a pydantic model"):

        @instructions.distil
        def nothing(a: int) -> int:
            return a

    with pytest.raises(ConfigurationError, match="mode must be 'distil' or 'dispatch', got 'both'"):
        instructions.distil(mode="both")  # type: ignore[arg-type]


# Lines of the answers of a client


async def test_a_hook_writes_the_answers_of_calls(harness: Harness, scripted_server: Any, tmp_path: Path) -> None:
    """A corrected answer is one line, as it should have come: without our corrections."""
    server = scripted_server([answer({"name": "Ann", "age": "old"}), answer({"name": "Ann", "age": 3})])
    client = harness.client(server)
    client.on("answer", TrainingLines(tmp_path / "lines.jsonl"))
    messages = [{"role": "user", "content": "Ann is 3"}]
    await harness.result(client.create(User, messages, model="m"))
    (line,) = lines_in(tmp_path / "lines.jsonl")
    assert line["messages"][0] == messages[0]
    assert [message["role"] for message in line["messages"]] == ["user", "assistant"]
    (call,) = line["messages"][1]["tool_calls"]
    assert (call["function"]["name"], json.loads(call["function"]["arguments"])) == ("User", {"name": "Ann", "age": 3})
    assert line["tools"][0]["function"]["parameters"]["properties"].keys() == {"name", "age"}


async def test_a_stream_of_items_is_one_line(harness: Harness, scripted_server: Any, tmp_path: Path) -> None:
    people = [{"name": "Ann", "age": 1}, {"name": "Bob", "age": "old"}, {"name": "Cid", "age": 3}]
    server = scripted_server([answer(people), answer([{"name": "Bob", "age": 2}])])
    client = harness.client(server)
    client.on("answer", TrainingLines(tmp_path / "lines.jsonl", FinetuneFormat.MESSAGES))
    stream = client.create_iterable(messages=[{"role": "user", "content": "people"}], response_model=User, model="m")
    await harness.items(stream)
    (line,) = lines_in(tmp_path / "lines.jsonl")
    call = line["messages"][-1]["function_call"]
    assert [each["age"] for each in json.loads(call["arguments"])["tasks"]] == [1, 2, 3]
    assert line["functions"][0]["name"] == call["name"]


async def test_an_answer_that_is_not_complete_has_no_line(
    harness: Harness, scripted_server: Any, tmp_path: Path
) -> None:
    server = scripted_server([answer([{"name": "Ann", "age": 1}, {"name": "Bob", "age": 2}])])
    client = harness.client(server)
    client.on("answer", TrainingLines(tmp_path / "lines.jsonl"))
    stream = client.create_iterable(messages=[{"role": "user", "content": "people"}], response_model=User, model="m")
    await harness.next(stream)
    await harness.close(stream)
    assert not (tmp_path / "lines.jsonl").exists()


async def test_rows_of_a_bulk_run_are_lines(harness: Harness, scripted_server: Any, tmp_path: Path) -> None:
    server = scripted_server(lambda asked: answer({"name": asked.body["messages"][-1]["content"], "age": 1}))
    client = harness.client(server)
    client.on("answer", TrainingLines(tmp_path / "lines.jsonl"))
    await harness.items(client.map(["Ann", "Bob", "Cid"], response_model=User, model="m"))
    found = {}
    for line in lines_in(tmp_path / "lines.jsonl"):
        call = line["messages"][1]["tool_calls"][0]["function"]
        found[line["messages"][0]["content"]] = json.loads(call["arguments"])["name"]
    assert found == {"Ann": "Ann", "Bob": "Bob", "Cid": "Cid"}


def test_the_form_of_lines_must_be_one_for_conversations(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="finetune_format must be TOOLS or MESSAGES"):
        TrainingLines(tmp_path / "lines.jsonl", FinetuneFormat.RAW)


def lines_in(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
