"""What is xAI's own: protobuf in both directions, calls without numbers, and arguments that its SDK would choke on."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Annotated, Any

import grpc
import pytest
import xai_sdk
from pydantic import BaseModel, Field
from xai_sdk.chat import Response, image, system, user
from xai_sdk.tools import web_search

import instructor
from harness import Harness
from instructor import Mode
from instructor.exceptions import ConfigurationError, IncompleteOutputException
from instructor.testing import Reply, ToolCall, answer, body, error, events, tools
from scripted_grpc import ScriptedGrpc

USER = {"name": "Jason", "age": 10}
ASKED = [{"role": "user", "content": "Jason is 10"}]


class User(BaseModel):
    name: Annotated[str, Field(min_length=1)]
    age: int


class Place(BaseModel):
    city: str


class Tree(BaseModel):
    name: str
    children: list[Tree] = []


class Bench:
    """Makes a server and a client of it."""

    def __init__(self, harness: Harness, made: AsyncExitStack) -> None:
        self.harness, self._made = harness, made

    def client(self, replies: list[Reply], mode: Mode = Mode.TOOLS, **options: Any) -> Any:
        self.server = self._made.enter_context(ScriptedGrpc(replies))
        kind = xai_sdk.AsyncClient if self.harness.is_async else xai_sdk.Client
        sdk = kind(api_host=self.server.root, api_key="none", use_insecure_channel=True)
        self._made.push_async_callback(self.harness.close, sdk)
        return instructor.from_xai(sdk, mode, "grok", **options)

    async def asked(self, mode: Mode = Mode.TOOLS, **options: Any) -> Any:
        """Make a call, and give the body of its one request."""
        given = {"messages": ASKED, **options}
        assert await self.harness.result(self.client([answer(USER)], mode).create(User, **given)) == User(**USER)
        (request,) = self.server.requests
        return request.body


@pytest.fixture
async def bench(harness: Harness) -> AsyncIterator[Bench]:
    async with AsyncExitStack() as made:
        yield Bench(harness, made)


async def test_tools(bench: Bench) -> None:
    asked = await bench.asked(temperature=0.5, max_tokens=9, stop="END", seed=3)
    assert (asked["temperature"], asked["max_tokens"], asked["stop"], asked["seed"]) == (0.5, 9, ["END"], 3)
    assert asked["messages"] == [{"role": "ROLE_USER", "content": [{"text": "Jason is 10"}]}]
    assert asked["tool_choice"] == {"function_name": "User"}
    (tool,) = asked["tools"]
    assert tool["function"]["name"] == "User"
    told = json.loads(tool["function"]["parameters"])
    assert (
        told["properties"]["name"] == {"type": "string", "title": "Name"}
        or "minLength" not in told["properties"]["name"]
    )


async def test_json_schema(bench: Bench) -> None:
    asked = await bench.asked(Mode.JSON_SCHEMA)
    assert asked["response_format"]["format_type"] == "FORMAT_TYPE_JSON_SCHEMA"
    assert json.loads(asked["response_format"]["schema"])["additionalProperties"] is False
    assert "tools" not in asked


async def test_md_json(bench: Bench) -> None:
    asked = await bench.asked(Mode.MD_JSON)
    told, said = asked["messages"]
    assert told["role"] == "ROLE_SYSTEM"
    assert '"age"' in told["content"][0]["text"]
    assert "```json" in said["content"][0]["text"]


async def test_a_schema_that_the_wire_has_not(bench: Bench) -> None:
    with pytest.raises(ConfigurationError, match="holds itself"):
        await bench.harness.result(bench.client([], Mode.JSON_SCHEMA).create(Tree, ASKED))
    tree = {"name": "a", "children": [{"name": "b", "children": []}]}
    assert await bench.harness.result(bench.client([answer(tree)]).create(Tree, ASKED)) == Tree(
        **tree
    )  # tools are told


async def test_a_response_format_is_not_given_twice(bench: Bench) -> None:
    client = bench.client([], Mode.JSON_SCHEMA)
    with pytest.raises(ConfigurationError, match="response_format"):
        await bench.harness.result(client.create(User, ASKED, response_format="text"))


async def test_messages_of_every_kind(bench: Bench) -> None:
    call = {"id": "t1", "type": "function", "function": {"name": "look", "arguments": '{"at": 1}'}}
    picture = {"url": "https://a.b/c.png", "detail": "low"}
    messages = [
        {"role": "developer", "content": "Look."},
        {"role": "user", "content": [{"type": "text", "text": "Here"}, {"type": "image_url", "image_url": picture}]},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "t1", "content": "seen"},
    ]
    told, here, called, seen = (await bench.asked(messages=messages))["messages"]
    assert told == {"role": "ROLE_DEVELOPER", "content": [{"text": "Look."}]}
    shown = {"image_url": {"image_url": "https://a.b/c.png", "detail": "DETAIL_LOW"}}
    assert here == {"role": "ROLE_USER", "content": [{"text": "Here"}, shown]}
    assert called["tool_calls"] == [{**call, "type": "TOOL_CALL_TYPE_CLIENT_SIDE_TOOL"}]
    assert seen == {"role": "ROLE_TOOL", "content": [{"text": "seen"}], "tool_call_id": "t1"}


async def test_the_sdks_own_messages_and_templates(bench: Bench) -> None:
    messages = [system("Be {{ how }}."), user("Jason is 10", image("https://a.b/c.png"))]
    asked = await bench.asked(Mode.MD_JSON, messages=messages, context={"how": "brief"})
    told, said = asked["messages"]
    assert told["role"] == "ROLE_SYSTEM"
    assert told["content"][0] == {"text": "Be brief."}
    assert said["content"][1]["image_url"]["image_url"] == "https://a.b/c.png"


async def test_the_users_own_tools_are_kept(bench: Bench) -> None:
    own = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
    asked = await bench.asked(tools=[own, web_search()])
    look, search, ours = asked["tools"]
    assert look == {"function": {"name": "look", "parameters": '{"type": "object"}'}}
    assert "web_search" in search
    assert ours["function"]["name"] == "User"
    assert asked["tool_choice"] == {"function_name": "User"}


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_arguments_that_are_no_json_are_corrected(bench: Bench, streamed: bool) -> None:
    """The SDK's own `sample` and `stream` fail here: they parse the arguments to describe them for tracing."""
    client = bench.client([tools('{"name": "Jason", "age": ten!!'), answer(USER)])
    if streamed:
        found = (await bench.harness.items(client.create_partial(User, ASKED)))[-1]
    else:
        found = await bench.harness.result(client.create(User, ASKED))
    assert found == User(**USER)
    *_, called, told = bench.server.requests[1].body["messages"]
    assert called["tool_calls"][0]["function"]["arguments"] == '{"name": "Jason", "age": ten!!'
    assert told["tool_call_id"] == called["tool_calls"][0]["id"]


async def test_the_providers_own_tools_are_no_answer(bench: Bench) -> None:
    searched = {
        "id": "s1",
        "type": "TOOL_CALL_TYPE_WEB_SEARCH_TOOL",
        "function": {"name": "web_search", "arguments": "{}"},
    }
    ours = {
        "id": "c1",
        "type": "TOOL_CALL_TYPE_CLIENT_SIDE_TOOL",
        "function": {"name": "User", "arguments": json.dumps(USER)},
    }
    parts = [
        {"role": "ROLE_ASSISTANT", "tool_calls": [searched]},
        {"role": "ROLE_TOOL", "content": '{"name": "found", "age": 0}'},
        {"role": "ROLE_ASSISTANT", "tool_calls": [ours]},
    ]
    whole = {"outputs": [{"index": n, "message": part, "finish_reason": "REASON_STOP"} for n, part in enumerate(parts)]}
    chunks = [{"outputs": [{"index": n, "delta": part}]} for n, part in enumerate(parts)]
    chunks.append({"outputs": [{"index": 2, "delta": {}, "finish_reason": "REASON_STOP"}]})
    client = bench.client([body(whole), events(chunks)])
    found = await bench.harness.result(client.create(User, ASKED))
    assert found == User(**USER)
    assert isinstance(found._raw_response, Response)
    assert (await bench.harness.items(client.create_partial(User, ASKED)))[-1] == User(**USER)


async def test_calls_are_numbered_as_they_come(bench: Bench) -> None:
    """Pieces of one call have its id; another id is another call."""

    def piece(name: str, number: str, text: str) -> Any:
        call = {"id": number, "function": {"name": name, "arguments": text}}
        return {"outputs": [{"delta": {"role": "ROLE_ASSISTANT", "tool_calls": [call]}}]}

    end = {"outputs": [{"delta": {}, "finish_reason": "REASON_TOOL_CALLS"}]}
    script = [
        piece("User", "a", '{"name": "Jason", '),
        piece("Place", "b", '{"city": "Köln"}'),
        piece("", "a", '"age": 10}'),
        end,
    ]
    stream = bench.client([events(script)], Mode.PARALLEL_TOOLS).create_iterable(ASKED, User | Place)
    assert await bench.harness.items(stream) == [Place(city="Köln"), User(**USER)]


async def test_an_error_inside_a_stream_keeps_its_type(bench: Bench) -> None:
    reply = answer({"tasks": [USER]}, chunk=8, error_after=4)
    stream = bench.client([reply], Mode.JSON_SCHEMA).create_iterable(ASKED, User, max_retries=0)
    with pytest.raises(IncompleteOutputException) as failed:
        await bench.harness.items(stream)
    assert isinstance(failed.value.__cause__, grpc.RpcError)


async def test_hooks_see_the_request_and_the_sdks_response(bench: Bench) -> None:
    seen: list[Any] = []
    client = bench.client([answer(USER)])
    client.on("completion:kwargs", lambda **request: seen.append(request["model"]))
    client.on("completion:response", seen.append)
    await bench.harness.result(client.create(User, ASKED))
    assert seen[0] == "grok"
    assert isinstance(seen[1], Response)


async def test_a_stream_that_never_began_is_an_error_of_the_request(bench: Bench) -> None:
    stream = bench.client([error(429, "Slow down.")]).create_iterable(ASKED, User)
    with pytest.raises(grpc.RpcError) as failed:
        await bench.harness.items(stream)
    told: Any = failed.value
    assert (told.code(), told.details()) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "Slow down.")


async def test_two_calls_at_once(bench: Bench) -> None:
    calls = [ToolCall(json.dumps(USER), "User"), ToolCall('{"city": "Köln"}', "Place")]
    client = bench.client([tools(*calls)], Mode.PARALLEL_TOOLS)
    stream = client.create_iterable(ASKED, User | Place, tools=[web_search()])
    assert await bench.harness.items(stream) == [User(**USER), Place(city="Köln")]
    assert bench.server.requests[0].body["tool_choice"] == {"mode": "TOOL_MODE_AUTO"}
