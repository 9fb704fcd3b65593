"""What is Anthropic's own: the system's text, thinking, structured outputs, server tools, other platforms' clients."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import pytest
from anthropic.types.beta import BetaMessage
from pydantic import BaseModel, Field

import instructor
from harness import Harness
from instructor import Mode
from instructor.exceptions import ConfigurationError, IncompleteOutputException
from instructor.providers.anthropic import Anthropic
from instructor.testing import answer, content, events
from instructor.testing.wires_anthropic import Anthropic as Written


class User(BaseModel):
    name: str
    age: int = Field(ge=0)


class Tree(BaseModel):
    name: str
    children: list[Tree]


RIGHT = {"name": "Jörg", "age": 10}
HELLO = [{"role": "user", "content": "Extract."}]


def client(harness: Harness, server: Any, mode: Mode = Mode.TOOLS, **options: Any) -> Any:
    kind = anthropic.AsyncAnthropic if harness.is_async else anthropic.Anthropic
    sdk = harness.kept(kind(base_url=server.root, api_key="none", max_retries=0))
    return instructor.from_anthropic(sdk, mode=mode, model="claude", **options)


async def test_the_system_speaks_apart(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer(RIGHT)])
    cached = {"type": "text", "text": "Long.", "cache_control": {"type": "ephemeral"}}
    messages = [
        {"role": "system", "content": "Be {{ how }}."},
        {"role": "user", "content": [cached, {"type": "text", "text": "Extract."}]},
        {"role": "developer", "content": [cached]},
    ]
    await harness.result(client(harness, server).create(User, messages, system="I am first.", context={"how": "exact"}))
    body = server.requests[0].body
    assert body["system"] == [{"type": "text", "text": "I am first."}, {"type": "text", "text": "Be exact."}, cached]
    assert body["messages"] == [messages[1]]
    assert body["max_tokens"] == 4096


@pytest.mark.parametrize("by_name", [False, True])
async def test_the_beta_resource(harness: Harness, scripted_server: Any, by_name: bool) -> None:
    server = scripted_server([answer(RIGHT), answer({"tasks": [RIGHT] * 2}), content("Hi."), answer(RIGHT)])
    if by_name:
        options: dict[str, Any] = {"base_url": server.root, "api_key": "none", "max_retries": 0}
        made: Any = instructor.from_provider("anthropic/claude", harness.is_async, beta=True, **options)
        harness.kept(made.client)
    else:
        made = client(harness, server, beta=True)
    betas = ["new-2026-01-01"]  # an argument that this resource alone has
    user, raw = await harness.result(made.create_with_completion(HELLO, User, betas=betas))
    assert (user, type(raw)) == (User(**RIGHT), BetaMessage)
    users = made.create_iterable(HELLO, User, betas=betas)
    assert await harness.items(users) == [user] * 2
    assert type(users.completion) is BetaMessage
    assert type(await harness.result(made.create(None, HELLO, max_tokens=9, betas=betas))) is BetaMessage
    assert [asked.headers["anthropic-beta"] for asked in server.requests] == betas * 3
    assert "beta" not in server.requests[0].body
    plain: Any = instructor.from_anthropic(made.client, model="m", beta=False)
    assert type((await harness.result(plain.create_with_completion(HELLO, User)))[1]) is anthropic.types.Message


async def test_the_shape_of_a_forced_tool(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer(RIGHT)])
    await harness.result(client(harness, server, max_tokens=9).create(User, HELLO))
    body = server.requests[0].body
    assert body["max_tokens"] == 9
    assert body["tool_choice"] == {"type": "tool", "name": "User", "disable_parallel_tool_use": True}
    assert body["tools"][0]["input_schema"]["properties"]["age"]["minimum"] == 0


@pytest.mark.parametrize("thinking", [{"type": "enabled", "budget_tokens": 1024}, {"type": "adaptive"}])
async def test_who_thinks_is_not_forced(harness: Harness, scripted_server: Any, thinking: dict[str, Any]) -> None:
    server = scripted_server([answer({**RIGHT, "age": -1}), answer(RIGHT)])
    user = await harness.result(client(harness, server).create(User, HELLO, thinking=thinking))
    assert user == User(**RIGHT)
    first, second = (asked.body for asked in server.requests)
    assert first["tool_choice"] == {"type": "auto"}
    assert [turn["role"] for turn in second["messages"]] == ["user", "assistant", "user"]
    assert all(isinstance(turn["content"], str) for turn in second["messages"])


async def test_every_call_gets_its_result(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer({**RIGHT, "age": -1}), answer(RIGHT)])
    await harness.result(client(harness, server).create(User, HELLO))
    use, result = server.requests[1].messages[1]["content"][0], server.requests[1].messages[2]["content"][0]
    assert use["input"] == {"name": "Jörg", "age": -1}
    assert (result["type"], result["tool_use_id"], result["is_error"]) == ("tool_result", use["id"], True)


async def test_structured_outputs(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer(RIGHT)])
    call = client(harness, server, Mode.JSON_SCHEMA).create(User, HELLO, output_config={"effort": "low"})
    await harness.result(call)
    told = server.requests[0].body["output_config"]
    assert told["effort"] == "low"
    assert told["format"]["schema"]["additionalProperties"] is False
    assert told["format"]["schema"]["properties"]["age"] == {"type": "integer", "description": "minimum=0"}


@pytest.mark.parametrize("mode", [Mode.JSON_SCHEMA, Mode.TOOLS_STRICT])
async def test_what_cannot_be_held_to_is_told_before_any_request(
    harness: Harness, scripted_server: Any, mode: Mode
) -> None:
    with pytest.raises(ConfigurationError, match=r"holds itself.*Mode\.TOOLS can"):
        await harness.result(client(harness, scripted_server(), mode).create(Tree, HELLO))


async def test_strict_tools(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer(RIGHT)])
    await harness.result(client(harness, server, Mode.TOOLS_STRICT).create(User, HELLO))
    tool = server.requests[0].body["tools"][0]
    assert (tool["strict"], tool["input_schema"]["additionalProperties"]) == (True, False)


async def test_openais_messages_are_taken(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer(RIGHT)])
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at": 1}'}}
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    distant = {"type": "image_url", "image_url": "https://example.com/a.png"}
    messages = [
        {"role": "user", "content": ["Look.", picture, distant]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "Jörg"},
    ]
    await harness.result(client(harness, server).create(User, messages))
    asked, used, result = server.requests[0].messages
    assert [block.get("source") for block in asked["content"]] == [
        None,
        {"type": "base64", "media_type": "image/png", "data": "AAAA"},
        {"type": "url", "url": "https://example.com/a.png"},
    ]
    assert used["content"] == [{"type": "tool_use", "id": "c1", "name": "look", "input": {"at": 1}}]
    assert result["content"] == [{"type": "tool_result", "tool_use_id": "c1", "content": "Jörg"}]


async def test_the_providers_own_tools_are_no_answer(harness: Harness, scripted_server: Any) -> None:
    def block(at: int, kind: str, piece: str) -> list[dict[str, Any]]:
        delta = {"type": "input_json_delta", "partial_json": piece}
        use: dict[str, Any] = {
            "type": kind,
            "id": f"u{at}",
            "name": "User" if kind == "tool_use" else "web_search",
            "input": {},
        }
        return [
            {"type": "content_block_start", "index": at, "content_block": use},
            {"type": "content_block_delta", "index": at, "delta": delta},
            {"type": "content_block_stop", "index": at},
        ]

    start = {"type": "message_start", "message": {"id": "m", "content": [], "usage": {"input_tokens": 3}}}
    ended = {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 5}}
    query, told = block(0, "server_tool_use", '{"query": "Jörg"}'), block(1, "tool_use", json.dumps(RIGHT))
    stream = [start, *query, *told, ended, {"type": "message_stop"}]
    server = scripted_server([events([Written().frame(each) for each in stream])])
    search = {"type": "web_search_20250305", "name": "web_search"}
    seen = await harness.items(client(harness, server).create_partial(User, HELLO, tools=[search]))
    assert seen[-1] == User(**RIGHT)
    assert [tool["name"] for tool in server.requests[0].body["tools"]] == ["web_search", "PartialUser"]


async def test_an_error_inside_a_stream(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer(RIGHT, error_after=4)])
    with pytest.raises(IncompleteOutputException) as failed:
        await harness.items(client(harness, server).create_partial(User, HELLO, max_retries=0))
    assert "error while processing" in str(failed.value)


@pytest.mark.parametrize("platform", ["Bedrock", "Vertex"])
async def test_the_clients_of_other_platforms(harness: Harness, scripted_server: Any, platform: str) -> None:
    server = scripted_server([answer(RIGHT), answer({"tasks": [RIGHT]})])
    options: dict[str, Any] = {
        "Bedrock": {"aws_access_key": "a", "aws_secret_key": "b", "aws_region": "us-east-1"},
        "Vertex": {"region": "us-east5", "project_id": "p", "access_token": "t"},
    }[platform]
    kind = getattr(anthropic, f"{'Async' if harness.is_async else ''}Anthropic{platform}")
    sdk = harness.kept(kind(base_url=server.root, max_retries=0, **options))
    made = instructor.from_anthropic(sdk, model="claude")
    assert await harness.result(made.create(User, HELLO)) == User(**RIGHT)
    assert await harness.items(made.create_iterable(HELLO, response_model=User)) == [User(**RIGHT)]


def test_a_reason_that_is_new_proves_no_end() -> None:
    assert Anthropic("x").decode({"content": [], "stop_reason": "new"}).finish == "other"


async def test_events_that_repeat_are_not_read_one_by_one(
    harness: Harness, scripted_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 0
    read = Anthropic.delta

    def counted(self: Anthropic, event: dict[str, Any]) -> Any:
        nonlocal count
        count += 1
        return read(self, event)

    monkeypatch.setattr(Anthropic, "delta", counted)
    people = [{"name": f"Jörg {n}", "age": n} for n in range(50)]
    server = scripted_server([answer({"tasks": people})])
    stream = client(harness, server).create_iterable(response_model=User, messages=HELLO)
    assert await harness.items(stream) == [User(**each) for each in people]
    assert count < 20


@pytest.mark.parametrize("message", [{"role": "user", "contents": "x"}, {"role": "assistant", "function_call": {}}])
async def test_a_message_without_a_content(harness: Harness, scripted_server: Any, message: dict[str, Any]) -> None:
    server = scripted_server([])
    with pytest.raises(ConfigurationError, match="must have content or tool_calls"):
        await harness.result(client(harness, server).create(User, [message]))
    assert server.requests == []
