"""The server over the embedded model, through OpenAI's own SDK."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from local_people import FORCED, JASON, JOHN, MESSAGES, Users

from instructor.local.chat import LocalModel
from instructor.local.loopback import HOST
from instructor.local.server import Server

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(LocalModel()) as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=server.base_url, api_key="any", max_retries=0) as made:
        yield made


def test_a_forced_tool(client: openai.OpenAI) -> None:
    response = client.chat.completions.create(**FORCED)
    calls = response.choices[0].message.tool_calls
    assert calls is not None
    (call,) = calls
    assert call.type == "function"
    assert call.function.name == "Users"
    assert Users.model_validate_json(call.function.arguments).tasks == [JASON, JOHN]
    assert response.choices[0].finish_reason == "tool_calls"
    assert response.model == "gpt-4"
    assert response.usage is not None
    assert response.usage.total_tokens == response.usage.prompt_tokens + response.usage.completion_tokens


def test_a_forced_tool_streamed(client: openai.OpenAI) -> None:
    options: dict[str, Any] = {**FORCED, "stream": True, "stream_options": {"include_usage": True}}
    chunks = list(client.chat.completions.create(**options))
    first = chunks[0].choices[0].delta.tool_calls[0]
    assert (first.function.name, first.function.arguments, bool(first.id)) == ("Users", "", True)
    parts = [chunk.choices[0].delta.tool_calls[0].function.arguments for chunk in chunks[:-2]]
    assert len(parts) > 10
    assert Users.model_validate_json("".join(parts)).tasks == [JASON, JOHN]
    assert chunks[-2].choices[0].finish_reason == "tool_calls"
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == len(parts) - 1 + 1


async def test_awaited_in_text(server: Server) -> None:
    schema = {"name": "Users", "schema": Users.model_json_schema()}
    wanted: Any = {"type": "json_schema", "json_schema": schema}
    messages: Any = MESSAGES
    async with openai.AsyncOpenAI(base_url=server.base_url, api_key="any", max_retries=0) as client:
        stream = await client.chat.completions.create(
            model="any", messages=messages, response_format=wanted, stream=True
        )
        parts = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert Users.model_validate_json("".join(parts)).tasks == [JASON, JOHN]


def test_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["smollm2-135m"]
    assert client.models.retrieve("gpt-4").id == "gpt-4"


@pytest.mark.parametrize("stream", [False, True])
def test_a_bad_request_has_openais_shape(client: openai.OpenAI, stream: bool) -> None:
    for wrong in ({"n": 3}, {"messages": [{"role": "user", "content": "word " * 4000}]}):
        with pytest.raises(openai.BadRequestError) as raised:
            client.chat.completions.create(**{**FORCED, "stream": stream, **wrong})
        assert isinstance(raised.value.body, dict)
        assert raised.value.body["type"] == "invalid_request_error"
        assert "local: " in raised.value.body["message"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/v1/chat/completions", "{", 400),
        ("POST", "/v1/chat/completions", "[]", 400),
        ("GET", "/v1/chat/completions", None, 405),
        ("POST", "/v1/embeddings", "{}", 404),
    ],
)
def test_other_mistakes_are_told_in_json(server: Server, method: str, path: str, body: str | None, status: int) -> None:
    connection = http.client.HTTPConnection(HOST, server.port)
    connection.request(method, path, body)
    response = connection.getresponse()
    assert response.status == status
    assert json.loads(response.read())["error"]["message"]
    connection.close()


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_goes_ends_the_generation(server: Server, stream: bool) -> None:
    connection = http.client.HTTPConnection(HOST, server.port)
    body = {"stream": stream, "messages": [{"role": "user", "content": "Tell a long story."}], "max_tokens": 1500}
    connection.request("POST", "/v1/chat/completions", json.dumps(body))
    if stream:
        connection.getresponse().read1(10)
    running = _generation()
    connection.close()
    running.join(20)
    assert not running.is_alive()


def _generation() -> threading.Thread:
    """Wait for the thread that generates."""
    tick = threading.Event()
    for _ in range(2000):
        found = [thread for thread in threading.enumerate() if thread.name == "instructor-local"]
        if found:
            return found[0]
        tick.wait(0.01)
    raise AssertionError("no generation began")
