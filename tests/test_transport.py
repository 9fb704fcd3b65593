"""How the SDK is called: below its objects where `create` is its own, the ordinary way where somebody else's stands."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any
from unittest import mock

import httpx2
import openai
import openai.types.chat
import pytest
from pydantic import BaseModel

import instructor
from harness import Harness, asking
from instructor.exceptions import IncompleteOutputException, InstructorRetryException
from instructor.testing import Gate, answer, error, silence, tools


class User(BaseModel):
    name: str
    age: int


USER = {"name": "a", "age": 1}
TASKS = {"tasks": [USER, {"name": "b", "age": 2}]}
USERS = [User(name="a", age=1), User(name="b", age=2)]


def completion(arguments: Any) -> openai.types.chat.ChatCompletion:
    call = {"id": "c", "type": "function", "function": {"name": "User", "arguments": json.dumps(arguments)}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    return openai.types.chat.ChatCompletion.model_validate({
        "id": "x", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
    })  # fmt: skip


def chunk(finish: str | None = None, **delta: Any) -> openai.types.chat.ChatCompletionChunk:
    return openai.types.chat.ChatCompletionChunk.model_validate({
        "id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    })  # fmt: skip


def chunks(arguments: Any) -> list[openai.types.chat.ChatCompletionChunk]:
    text = json.dumps(arguments)
    calls = [[{"index": 0, "function": {"arguments": character}}] for character in text]
    head = [{"index": 0, "id": "c", "type": "function", "function": {"name": "IterableUser", "arguments": ""}}]
    return [chunk(tool_calls=call) for call in (head, *calls)] + [chunk("tool_calls")]


async def test_a_mock_in_the_place_of_create(harness: Harness) -> None:
    sdk = harness.sdk("http://127.0.0.1:9/v1")
    replies = [completion({"name": "a"}), completion(USER)]
    sdk.chat.completions.create = (mock.AsyncMock if harness.is_async else mock.Mock)(side_effect=replies)
    got = await harness.create(instructor.from_openai(sdk), User)
    assert got == User(**USER)
    assert got._raw_response is replies[1]
    assert sdk.chat.completions.create.call_count == 2
    assert sdk.chat.completions.create.call_args.kwargs["model"] == "scripted"


async def test_a_mock_that_streams(harness: Harness) -> None:
    async def awaited() -> Any:
        for each in chunks(TASKS):
            yield each

    sdk = harness.sdk("http://127.0.0.1:9/v1")
    if harness.is_async:
        sdk.chat.completions.create = mock.AsyncMock(return_value=awaited())
    else:
        sdk.chat.completions.create = mock.Mock(return_value=iter(chunks(TASKS)))
    stream = instructor.from_openai(sdk).create_iterable(response_model=User, **asking())
    assert await harness.items(stream) == USERS
    assert sdk.chat.completions.create.call_args.kwargs["stream"] is True


async def test_namespaces_stand_for_responses(harness: Harness) -> None:
    function = SimpleNamespace(name="User", arguments=json.dumps(USER))
    message = SimpleNamespace(tool_calls=[SimpleNamespace(id="c", function=function)])
    reply = SimpleNamespace(choices=[SimpleNamespace(message=message)])
    sdk = harness.sdk("http://127.0.0.1:9/v1")
    sdk.chat.completions.create = (mock.AsyncMock if harness.is_async else mock.Mock)(return_value=reply)
    value, raw = await harness.result(
        instructor.from_openai(sdk).create_with_completion(response_model=User, **asking())
    )
    assert value == User(**USER)
    assert raw is reply


async def test_what_is_no_response(harness: Harness) -> None:
    sdk = harness.sdk("http://127.0.0.1:9/v1")
    sdk.chat.completions.create = (mock.AsyncMock if harness.is_async else mock.Mock)(return_value="text")
    with pytest.raises(
        InstructorRetryException, match="A response must be an object of the SDK, a dict or a namespace, got 'text'"
    ):
        await harness.create(instructor.from_openai(sdk), User, max_retries=0)


def tracing(original: Any, seen: list[Any]) -> Any:
    """Wrap as tracing tools do."""

    @functools.wraps(original)
    def traced(*arguments: Any, **request: Any) -> Any:
        seen.append(request["model"])
        return original(*arguments, **request)

    return traced


async def test_a_wrapper_on_the_instance_sees_every_call(harness: Harness, scripted_server: Any) -> None:
    seen: list[Any] = []
    sdk = harness.sdk(scripted_server([tools(USER), tools(TASKS)]))
    sdk.chat.completions.create = tracing(sdk.chat.completions.create, seen)
    client = instructor.from_openai(sdk)
    got = await harness.create(client, User)
    assert got == User(**USER)
    assert type(got._raw_response) is openai.types.chat.ChatCompletion
    assert await harness.items(client.create_iterable(response_model=User, **asking())) == USERS
    assert seen == ["scripted"] * 2


async def test_a_wrapper_on_the_class_sees_every_call(
    harness: Harness, scripted_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    sdk = harness.sdk(scripted_server([tools(USER), tools(TASKS)]))
    kind = type(sdk.chat.completions)
    monkeypatch.setattr(kind, "create", tracing(kind.create, seen))
    client = instructor.from_openai(sdk)
    assert await harness.create(client, User) == User(**USER)
    assert await harness.items(client.create_iterable(response_model=User, **asking())) == USERS
    assert seen == ["scripted"] * 2


async def test_the_ordinary_way_is_no_less_exact(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([
        tools(TASKS, finish="length", cut_after=12), tools({"tasks": TASKS["tasks"][1:]}),
        tools(USER, drop_after=3), error(429),
    ])  # fmt: skip
    sdk = harness.sdk(server)
    sdk.chat.completions.create = tracing(sdk.chat.completions.create, [])
    client = instructor.from_openai(sdk)
    stream = client.create_iterable(response_model=User, **asking())
    assert await harness.items(stream) == USERS
    assert (stream.report.continuations, stream.report.usage.exact) == (1, True)
    with pytest.raises(IncompleteOutputException):
        await harness.items(client.create_partial(User, **asking(max_retries=0)))
    with pytest.raises(openai.RateLimitError):
        await harness.create(client, User)
    assert [served.client_left for served in server.served] == [False] * 4


async def test_leaving_the_ordinary_way_closes_the_connection(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([tools(TASKS, wait_after=12, gate=Gate())])
    sdk = harness.sdk(server)
    sdk.chat.completions.create = tracing(sdk.chat.completions.create, [])
    stream = instructor.from_openai(sdk).create_iterable(response_model=User, **asking())
    assert await harness.next(stream) == USERS[0]
    await harness.close(stream)
    await harness.off_loop(server.wait_closed)
    assert server.served[0].client_left


async def test_a_response_is_the_sdks_own_object(harness: Harness, scripted_server: Any) -> None:
    client = harness.client(scripted_server([tools(USER), tools(TASKS)]))
    _, raw = await harness.result(client.create_with_completion(response_model=User, **asking()))
    assert type(raw) is openai.types.chat.ChatCompletion
    assert raw._request_id == "req_1"
    assert raw.model_dump()["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "User"
    stream = client.create_iterable(response_model=User, **asking())
    await harness.items(stream)
    whole = stream.completion
    assert json.loads(whole.choices[0].message.tool_calls[0].function.arguments) == TASKS
    assert type(whole) is openai.types.chat.ChatCompletion
    assert stream.response_headers["x-request-id"] == "req_2"


async def test_a_client_of_the_users_own_http_client(harness: Harness, scripted_server: Any) -> None:
    server, seen = scripted_server([tools(USER), tools(TASKS)]), []

    class Noting(httpx2.HTTPTransport):
        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            seen.append(request.headers["authorization"])
            return super().handle_request(request)

    class AsyncNoting(httpx2.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            seen.append(request.headers["authorization"])
            return await super().handle_async_request(request)

    http = httpx2.AsyncClient(transport=AsyncNoting()) if harness.is_async else httpx2.Client(transport=Noting())
    client = harness.client(server, http_client=http)
    assert await harness.create(client, User) == User(**USER)
    assert await harness.items(client.create_iterable(response_model=User, **asking())) == USERS
    assert seen == ["Bearer sk-fake"] * 2


async def test_a_transport_that_answers_itself(harness: Harness) -> None:
    """As users' tests do: httpx2's own mock, no socket at all."""

    def respond(request: httpx2.Request) -> httpx2.Response:
        asked = json.loads(request.content)
        if not asked.get("stream"):
            return httpx2.Response(200, content=completion(USER).model_dump_json())
        lines = [f"data: {each.model_dump_json()}\n\n" for each in chunks(TASKS)]
        return httpx2.Response(200, content="".join([*lines, "data: [DONE]\n\n"]))

    transport = httpx2.MockTransport(respond)
    http = httpx2.AsyncClient(transport=transport) if harness.is_async else httpx2.Client(transport=transport)
    client = harness.client("http://fake.test/v1", http_client=http)
    assert await harness.create(client, User) == User(**USER)
    assert await harness.items(client.create_iterable(response_model=User, **asking())) == USERS


async def test_the_sdks_retries_are_the_sdks(harness: Harness, scripted_server: Any) -> None:
    retry = {"retry-after-ms": "1"}
    server = scripted_server([error(500, headers=retry), tools(USER), error(503, headers=retry), tools(TASKS)])
    client = harness.client(server, max_retries=1)
    got = await harness.create(client, User, max_retries=0)
    assert got == User(**USER)
    assert got.report.attempts == 1
    assert await harness.items(client.create_iterable(response_model=User, **asking(max_retries=0))) == USERS
    assert [asked.headers["x-stainless-retry-count"] for asked in server.requests] == ["0", "1", "0", "1"]


async def test_the_sdks_timeouts_are_the_sdks(harness: Harness, scripted_server: Any) -> None:
    with pytest.raises(openai.APITimeoutError) as failed:
        await harness.create(harness.client(scripted_server([silence()]), timeout=0.2), User)
    assert isinstance(failed.value, InstructorRetryException)
    client = harness.client(scripted_server([tools(TASKS, silence_after=12)]), timeout=0.2)
    got: list[User] = []
    with pytest.raises(IncompleteOutputException, match="APITimeoutError"):
        await harness.collect(client.create_iterable(response_model=User, **asking(max_retries=0)), got)
    assert got == USERS[:1]


async def test_options_of_the_sdks_client(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([tools(USER)] * 2)
    sdk = harness.sdk(server, default_headers={"x-mine": "1"}, default_query={"v": "2"})
    await harness.create(instructor.from_openai(sdk.with_options(default_headers={"x-yours": "3"})), User)
    await harness.create(instructor.from_openai(sdk), User, extra_headers={"x-call": "4"}, extra_query={"q": "5"})
    first, second = server.requests
    assert (first.headers["x-mine"], first.headers["x-yours"], first.query) == ("1", "3", "v=2")
    assert (second.headers["x-mine"], second.headers["x-call"]) == ("1", "4")
    assert sorted(second.query.split("&")) == ["q=5", "v=2"]


async def test_azures_clients(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([tools(USER), tools(TASKS), tools(USER)])
    kind = openai.AsyncAzureOpenAI if harness.is_async else openai.AzureOpenAI
    sdk = kind(azure_endpoint=server.root, api_key="sk-fake", api_version="2024-10-21", max_retries=0)
    client: Any = instructor.from_openai(sdk)
    assert await harness.create(client, User, model="mine") == User(**USER)
    assert await harness.items(client.create_iterable(response_model=User, **asking(model="mine"))) == USERS
    await harness.close(sdk)
    made = instructor.from_provider(
        "azure_openai/mine", harness.is_async, azure_endpoint=server.root, api_key="sk-fake", max_retries=0
    )
    await harness.result(made.create(User, asking()["messages"]))
    await harness.close(made.client)
    assert {(asked.path, asked.query) for asked in server.requests} == {
        ("/openai/deployments/mine/chat/completions", "api-version=2024-10-21")
    }


async def test_from_provider_divides_its_options(
    harness: Harness, scripted_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-fake")
    server = scripted_server([answer(USER)])
    client = instructor.from_provider(
        "openai/org/model",
        harness.is_async,
        mode=instructor.Mode.JSON,
        base_url=server.base_url,
        timeout=9.0,
        default_headers={"x-mine": "1"},
        temperature=0.1,
    )
    assert await harness.result(client.create(User, asking()["messages"])) == User(**USER)
    await harness.close(client.client)
    (asked,) = server.requests
    assert (asked.body["model"], asked.body["temperature"]) == ("org/model", 0.1)
    assert "timeout" not in asked.body
    assert asked.headers["x-mine"] == "1"
    assert asked.body["response_format"] == {"type": "json_object"}
    assert (client.mode, client.provider) == (instructor.Mode.JSON, "openai")


async def test_fifty_streams_at_once(scripted_server: Any) -> None:
    server = scripted_server(lambda asked: tools({"tasks": [{"name": asked.messages[0]["content"], "age": 1}] * 3}))
    async with Harness("async") as harness:
        client = harness.client(server)

        async def one(number: int) -> set[str]:
            messages = [{"role": "user", "content": str(number)}]
            return {u.name async for u in client.create_iterable(messages, User, model="m")}

        assert await asyncio.gather(*map(one, range(50))) == [{str(number)} for number in range(50)]


async def test_a_list_at_once_takes_the_same_way(harness: Harness, scripted_server: Any) -> None:
    got = await harness.create(harness.client(scripted_server([tools(TASKS)])), Iterable[User])
    assert got == USERS
    assert got._raw_response._request_id == "req_1"
