"""Typical mistakes of a first hour: each error names the mistake and the mend, and no request is sent."""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable
from typing import Any, cast

import openai
import pytest
from pydantic import BaseModel

import instructor
from harness import Harness
from instructor import ConfigurationError, Mode, Partial
from instructor.testing import answer


class User(BaseModel):
    name: str
    age: int


MESSAGES = [{"role": "user", "content": "Ann is 1"}]
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}}
ANN = User(name="Ann", age=1)

OF_CALLS: dict[str, tuple[dict[str, Any], str]] = {
    # the arguments of create that are not as they should be; what the error says
    "a schema": ({"response_model": SCHEMA}, "A JSON schema is not a type: write a pydantic model"),
    "a list": ({"response_model": [User]}, r"Did you mean list\[User\]\?"),
    "a name": ({"response_model": "User"}, "Did you mean the class User, without quotes?"),
    "a value": ({"response_model": ANN}, "Did you mean its class, User?"),
    "a function": ({"response_model": print}, "It is a function"),
    "swapped": ({"response_model": MESSAGES, "messages": User}, "These are messages: pass them as messages="),
    "Iterable": ({"response_model": Iterable}, r"Iterable does not say of what: write Iterable\[User\]"),
    "Partial": ({"response_model": Partial}, r"Partial does not say of what: write Partial\[User\]"),
    "BaseModel": ({"response_model": BaseModel}, "has no fields: write a model of your own"),
    "text": ({"messages": "Ann is 1"}, "Did you mean messages=.*'user', 'content': 'Ann is 1'"),
    "one message": ({"messages": MESSAGES[0]}, r"Did you mean messages=\[{'role': 'user'"),
    "tuples": ({"messages": [("user", "Ann")]}, r"messages\[0\] must be a dict such as .* got \('user', 'Ann'\)"),
    "texts": ({"messages": ["Ann"]}, r"messages\[0\] must be a dict such as .* got 'Ann'"),
    "no role": ({"messages": [*MESSAGES, {"content": "Ann"}]}, r"messages\[1\] must have a role"),
    "role": ({"messages": [{"role": "usr", "content": "Ann"}]}, "'usr'. Did you mean 'user'?"),
    "content": ({"messages": [{"role": "user", "text": "Ann"}]}, r"messages\[0\] must have content or tool_calls"),
    "prompt": ({"messages": None, "prompt": "Ann"}, "Did you mean messages=.*'content': 'Ann'.* instead of prompt=?"),
    "mesages": ({"messages": None, "mesages": MESSAGES}, "instead of mesages=?"),
    "max_retry": ({"max_retry": 3}, "Unknown argument 'max_retry'.*Did you mean 'max_retries'?"),
    "max_retires": ({"max_retires": 3}, "Unknown argument 'max_retires'.*Did you mean 'max_retries'?"),
    "temprature": ({"temprature": 0}, "Unknown argument 'temprature'.*Did you mean 'temperature'?"),
    "retries": ({"max_retries": "3"}, "max_retries must be a number of re-asks .* got '3'"),
    "below 0": ({"max_retries": -1}, "max_retries must be a number of re-asks .* got -1"),
    "timeout": ({"timeout": "10s"}, "timeout must be a number of seconds, got '10s'"),
    "temperature": ({"temperature": "hot"}, "temperature must be a number, got 'hot'"),
    "max_tokens": ({"max_tokens": "100"}, "max_tokens must be a number, got '100'"),
    "context": ({"context": ["Ann"]}, r"context must be a dict, got \['Ann'\]"),
    "stream": ({"stream": "yes"}, "stream must be True or False, got 'yes'"),
    "strict": ({"strict": "yes"}, "strict must be True, False or None, got 'yes'"),
    "on_invalid": ({"on_invalid": "skp"}, "on_invalid must be one of reask, skip, raise, got 'skp'"),
    "hooks": ({"hooks": {"completion:error": print}}, "hooks must be an instructor.Hooks"),
    "mode": ({"mode": Mode.JSON}, r"from_provider\(..., mode=...\)"),
    "response_format": ({"response_format": User}, "response_format= must be left out: pass response_model=User"),
    "cache": ({"cache": "redis"}, r"cache must be an object with get\(key\)"),
    "budget": ({"token_budget": "1000"}, "token_budget must be a number of tokens, got '1000'"),
    "watchdog": ({"watchdog": 3}, "watchdog must be an instructor.Watchdog or None"),
    "no model": ({"model": None}, "Missing argument 'model'"),
}


@pytest.mark.parametrize("name", OF_CALLS)
async def test_a_mistake_in_a_call(harness: Harness, scripted_server: Any, name: str) -> None:
    given, says = OF_CALLS[name]
    server = scripted_server([])
    arguments = {"response_model": User, "messages": MESSAGES, "model": "m", **given}
    if arguments["model"] is None:
        del arguments["model"]
    with pytest.raises(ConfigurationError, match=says):
        await harness.result(harness.client(server).create(**arguments))
    assert server.requests == []


@pytest.mark.parametrize("name", ["a value", "a name", "swapped", "text", "max_retires", "no role"])
@pytest.mark.parametrize("method", ["create_iterable", "create_partial", "create_with_completion"])
async def test_a_mistake_in_its_relatives(harness: Harness, scripted_server: Any, method: str, name: str) -> None:
    given, says = OF_CALLS[name]
    server = scripted_server([])
    call = getattr(harness.client(server), method)

    async def run() -> None:
        stream = await harness.result(call(**{"response_model": User, "messages": MESSAGES, "model": "m", **given}))
        await harness.items(stream)

    with pytest.raises(ConfigurationError, match=says):
        await run()
    assert server.requests == []


@pytest.mark.parametrize("kind", [list, typing.List, set])  # noqa: UP006 - the old spelling
async def test_a_list_of_what_is_not_said(harness: Harness, scripted_server: Any, kind: Any) -> None:
    client = harness.client(scripted_server([]))
    with pytest.raises(ConfigurationError, match=r"(list|List|set) does not say of what: write \1\[User\]"):
        client.create_iterable(MESSAGES, kind, model="m")


OF_ROWS: dict[str, tuple[dict[str, Any], str]] = {
    "limits": ({"limits": {"rpm": 500}}, r"limits must be an instructor.bulk.Limits, got {'rpm': 500}"),
    "concurrency": ({"concurrency": 8}, r"concurrency is one of the limits: pass limits=Limits\(concurrency=8\)"),
    "text": ({"rows": "Ann is 1"}, r"For one text, pass rows=\[text\]"),
    "stream": ({"stream": True}, "a bulk run gives whole rows"),
    "on_error": ({"on_error": "ignore"}, "on_error must be one of collect, skip, raise, got 'ignore'"),
    "engine": ({"engine": "spark"}, "engine must be one of asyncio, ray, batch, got 'spark'"),
}


@pytest.mark.parametrize("name", OF_ROWS)
async def test_a_mistake_in_a_bulk_run(harness: Harness, scripted_server: Any, name: str) -> None:
    given, says = OF_ROWS[name]
    with pytest.raises(ConfigurationError, match=says):
        harness.client(scripted_server([])).map(**{"rows": ["Ann"], "response_model": User, "model": "m", **given})


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: instructor.from_provider("gpt-4o"), "The model must be \"provider/model\".*got 'gpt-4o'"),
        (lambda: instructor.from_provider("opnai/gpt-4o"), "Unknown provider 'opnai'. Did you mean 'openai'?"),
        (
            lambda: instructor.from_provider("openai/m", asnyc_client=True),
            "Unknown argument 'asnyc_client'. Did you mean 'async_client'?",
        ),
        (lambda: instructor.from_provider("openai/m", max_retires=2), "Did you mean 'max_retries'?"),
        (lambda: instructor.from_openai(cast("Any", openai.OpenAI)), r"This is a class: pass OpenAI\(\.\.\.\)"),
        (lambda: instructor.from_anthropic(openai.OpenAI(api_key="none")), "use instructor.from_openai"),
        (lambda: instructor.from_provider("openai/m", mode=cast("Any", "jsn")), "Did you mean 'Mode.JSON'?"),
    ],
    ids=["no provider", "provider", "async_client", "max_retries", "class", "SDK", "mode"],
)
def test_a_mistake_in_making_a_client(make: Callable[[], Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        make()


def test_names_that_are_almost_right(harness: Harness, scripted_server: Any) -> None:
    client = harness.client(scripted_server([]))
    for place, name, says in (
        (instructor, "from_provder", "'from_provder'. Did you mean 'from_provider'?"),
        (instructor, "from_antropic", "Did you mean 'from_anthropic'?"),
        (instructor, "Patial", "Did you mean 'Partial'?"),
        (instructor.exceptions, "IncompletOutputException", "Did you mean 'IncompleteOutputException'?"),
        (Mode, "JSN", "Mode has no member 'JSN'. Did you mean 'JSON'?"),
        (client, "create_itrable", "Did you mean 'create_iterable'?"),
    ):
        with pytest.raises(AttributeError) as caught:
            getattr(place, name)
        assert says in str(caught.value)


async def test_hooks_that_cannot_be_called(harness: Harness, scripted_server: Any) -> None:
    client = harness.client(scripted_server([]))
    with pytest.raises(ConfigurationError, match="Did you mean 'completion:error'"):
        client.on("completion:eror", print)
    with pytest.raises(ConfigurationError, match="handler of completion:error must be a function, got 'print'"):
        client.on("completion:error", "print")


async def test_the_wrong_kind_of_loop(harness: Harness, scripted_server: Any) -> None:
    stream = harness.client(scripted_server([])).create_iterable(MESSAGES, User, model="m")
    if harness.is_async:
        with pytest.raises(TypeError, match="This stream is async: read it with `async for`"):
            list(stream)
    else:
        with pytest.raises(TypeError, match="This stream is sync: read it with `for`"):
            [user async for user in stream]


async def test_a_second_loop_over_a_stream_says_that_it_is_empty(harness: Harness, scripted_server: Any) -> None:
    client = harness.client(scripted_server([answer([{"name": "Ann", "age": 1}])]))
    stream = client.create_iterable(MESSAGES, User, model="m")
    assert await harness.items(stream) == [ANN]
    with pytest.warns(UserWarning, match="This stream was read already, so this loop gives nothing"):
        assert await harness.items(stream) == []
