"""The real embedded model, in this process, through the public API."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterable

import pytest
from local_people import FORCED, JASON, JOHN, MESSAGES, User, Users

import instructor
from instructor import Mode
from instructor.exceptions import ProviderError
from instructor.local.chat import LocalModel

pytestmark = pytest.mark.model


@pytest.mark.parametrize("mode", [Mode.TOOLS, Mode.JSON, Mode.MD_JSON])
def test_a_list(mode: Mode) -> None:
    client = instructor.from_provider("local", mode=mode)
    assert client.create(response_model=Iterable[User], messages=MESSAGES) == [JASON, JOHN]


def test_items_come_while_the_model_writes() -> None:
    stream = instructor.from_provider("local").create_iterable(response_model=User, messages=MESSAGES)
    assert next(stream) == JASON
    written = stream.report.usage.output_tokens
    assert list(stream) == [JOHN]
    report = stream.report
    assert report.complete
    assert written < report.usage.output_tokens < 60
    assert report.usage.input_tokens > report.usage.output_tokens
    assert report.time_to_first_item is not None
    assert report.time_to_first_item < report.duration


async def test_items_come_awaited_and_the_loop_is_free() -> None:
    client = instructor.from_provider("local/smollm2-135m", async_client=True)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0.01)

    counting = asyncio.create_task(count())
    both = [client.create(response_model=Iterable[User], messages=MESSAGES) for _ in range(2)]
    assert await asyncio.gather(*both) == [[JASON, JOHN]] * 2
    counting.cancel()
    assert turns > 10


def test_one_value_and_a_scalar() -> None:
    client = instructor.from_provider("local")
    asked = [{"role": "user", "content": "Jason is 10."}]
    assert client.create(response_model=User, messages=asked) == JASON
    assert isinstance(client.create(response_model=int, messages=asked), int)


def test_the_same_request_gives_the_same_answer() -> None:
    model = LocalModel()
    body = {"messages": [{"role": "user", "content": "Say something."}], "max_tokens": 12}
    first, second = model.chat(body), model.chat(body)
    assert first["choices"] == second["choices"]
    assert first["choices"][0]["finish_reason"] == "length"
    assert first["usage"]["completion_tokens"] == 12


def test_closing_a_stream_ends_the_generation() -> None:
    model = LocalModel()
    chunks = model.stream({"messages": [{"role": "user", "content": "Tell a long story."}], "stream": True})
    assert next(chunks)["object"] == "chat.completion.chunk"
    running = [thread for thread in threading.enumerate() if thread.name == "instructor-local"]
    assert len(running) == 1
    chunks.close()
    running[0].join(30)
    assert not running[0].is_alive()


async def test_leaving_an_awaited_stream_ends_the_generation() -> None:
    chunks = LocalModel().astream({"messages": [{"role": "user", "content": "Tell a long story."}], "stream": True})
    await anext(chunks)
    (running,) = [thread for thread in threading.enumerate() if thread.name == "instructor-local"]
    await chunks.aclose()
    await asyncio.to_thread(running.join, 30)
    assert not running.is_alive()


def test_patterns_formats_and_references_hold() -> None:
    schema = {
        "type": "object",
        "properties": {"code": {"type": "string", "pattern": r"^\d{3}-[A-Z]{2}$"}, "day": {"$ref": "#/$defs/Day"}},
        "required": ["code", "day"],
        "$defs": {"Day": {"type": "string", "format": "date"}},
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    answer = LocalModel().chat({"messages": MESSAGES, "response_format": wanted})
    text = answer["choices"][0]["message"]["content"]
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert re.fullmatch(r'\{"code": "[0-9]{3}-[A-Z]{2}", "day": "[0-9]{4}-[0-9]{2}-[0-9]{2}"\}', text)


def test_a_text_that_is_too_long_is_an_error_that_says_so() -> None:
    long = {**FORCED, "messages": [{"role": "user", "content": "word " * 4000}]}
    with pytest.raises(ProviderError, match="room for 2048"):
        LocalModel().chat(long)


def test_the_model_calls_the_tool_that_fits() -> None:
    body = {**FORCED, "tool_choice": "auto", "parallel_tool_calls": False}
    (call,) = LocalModel().chat(body)["choices"][0]["message"]["tool_calls"]
    assert call["function"]["name"] == "Users"
    assert Users.model_validate_json(call["function"]["arguments"]).tasks
