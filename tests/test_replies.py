"""What is read from a model's answers, in all their shapes; and what is no answer."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from harness import Harness, asking
from instructor import Mode
from instructor.exceptions import (
    ConfigurationError,
    IncompleteOutputException,
    InstructorRetryException,
    ProviderError,
    ResponseParsingError,
)
from instructor.testing import ToolCall, answer, body, content, events, tools


class User(BaseModel):
    name: str
    age: int


class Inner(BaseModel):
    note: str = "none"
    tag: Literal["a", "b"]


USER = {"name": "a", "age": 1}
OWN = {"type": "function", "function": {"name": "search", "parameters": {"type": "object"}}}
SEARCH = ToolCall('{"tasks": [{"q": 1}]}', "search")


@pytest.mark.parametrize("mode", [Mode.JSON, Mode.JSON_SCHEMA, Mode.MD_JSON])
@pytest.mark.parametrize(
    "text",
    [
        '{"name": "a", "age": 1}',
        '  \n{"name": "a", "age": 1}\n',
        '```json\n{"name": "a", "age": 1}\n```',
        '```\n{"name": "a", "age": 1}\n```\nThat is all.',
        'Here you are: {"name": "a", "age": 1} - see [1].',
        'I see [2] people {here}. The one: {"name": "a", "age": 1}',
        'First {"name": "b", "age": "x"}, no: {"name": "a", "age": 1}',
        '{"name": "a", "age": 1,}',
        "{'name': 'a', 'age': 1}",
    ],
)
async def test_json_in_all_its_clothes(harness: Harness, scripted_server: Any, mode: Mode, text: str) -> None:
    server = scripted_server([content(text)])
    assert await harness.create(harness.client(server, mode), User, max_retries=0) == User(name="a", age=1)


def whole(message: dict[str, Any]) -> Any:
    """Reply with a message in whatever shape."""
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}
    return body({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]})


@pytest.mark.parametrize(
    "message",
    [
        {"content": None, "function_call": {"name": "User", "arguments": json.dumps(USER)}},
        {"tool_calls": [{"id": "c", "type": "function", "function": {"name": "User", "arguments": USER}}]},
        {
            "tool_calls": [
                {"id": None, "type": "function", "function": {"name": "Other", "arguments": json.dumps(USER)}}
            ]
        },
        {
            "tool_calls": [
                {"id": "1", "type": "function", "function": {"name": "User", "arguments": json.dumps(USER)}},
                {"id": "2", "type": "function", "function": {"name": "User", "arguments": '{"name": "b"}'}},
            ]
        },
    ],
)
async def test_tool_calls_in_all_their_shapes(harness: Harness, scripted_server: Any, message: Any) -> None:
    server = scripted_server([whole(message)])
    assert await harness.create(harness.client(server), User, max_retries=0) == User(**USER)


async def test_content_in_parts(harness: Harness, scripted_server: Any) -> None:
    parts = [{"type": "text", "text": '{"name": "a",'}, {"type": "text", "text": '"age": 1}'}]
    server = scripted_server([whole({"content": parts})])
    assert await harness.create(harness.client(server, Mode.JSON), User, max_retries=0) == User(**USER)


async def test_text_beside_a_tool_call_is_no_answer(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([tools(USER, text='{"name": "WRONG", "age": 0}')])
    assert await harness.create(harness.client(server), User) == User(**USER)


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        ({"id": "c", "choices": []}, r"no choices\[0\]"),
        ({"id": "c"}, r"no choices\[0\]"),
        ({"error": {"message": "it broke"}}, "it broke"),
    ],
)
async def test_a_response_without_choices(harness: Harness, scripted_server: Any, reply: Any, told: str) -> None:
    server = scripted_server([body(reply), answer(USER)])
    assert await harness.create(harness.client(server), User, max_retries=1) == User(**USER)
    server = scripted_server([body(reply)])
    with pytest.raises(InstructorRetryException, match=told) as failed:
        await harness.create(harness.client(server), User, max_retries=0)
    assert isinstance(failed.value.__cause__, (ResponseParsingError, ProviderError))


async def test_parallel_tools_give_each_call_its_type(harness: Harness, scripted_server: Any) -> None:
    calls = [ToolCall('{"note": "n", "tag": "a"}', "Inner"), ToolCall(json.dumps(USER), "User")]
    server = scripted_server([tools(*calls)])
    got = await harness.create(harness.client(server, Mode.PARALLEL_TOOLS), Iterable[User | Inner])
    assert got == [Inner(note="n", tag="a"), User(**USER)]
    body = server.requests[0].body
    assert [tool["function"]["name"] for tool in body["tools"]] == ["User", "Inner"]
    assert body["tool_choice"] == "auto"


async def test_every_wrong_parallel_call_is_answered(harness: Harness, scripted_server: Any) -> None:
    calls = [ToolCall('{"tag": "x"}', "Inner"), ToolCall(json.dumps(USER), "User"), ToolCall('{"name": 1}', "User")]
    again = [ToolCall('{"tag": "b"}', "Inner"), ToolCall('{"name": "b", "age": 2}', "User")]
    server = scripted_server([tools(*calls), tools(*again)])
    got = await harness.create(harness.client(server, Mode.PARALLEL_TOOLS), Iterable[User | Inner])
    assert got == [User(**USER), Inner(tag="b"), User(name="b", age=2)]
    _, assistant, *results = server.requests[1].messages
    assert [call["id"] for call in assistant["tool_calls"]] == [result["tool_call_id"] for result in results]
    assert {result["role"] for result in results} == {"tool"}


async def test_what_is_said_to_the_users_own_tools_is_no_answer(harness: Harness, scripted_server: Any) -> None:
    one, many = (
        tools(SEARCH, ToolCall(json.dumps(USER), "User")),
        ToolCall(json.dumps({"tasks": [USER]}), "IterableUser"),
    )
    server = scripted_server(
        [one, tools(SEARCH), tools(USER, name="User"), tools(SEARCH, many), tools(SEARCH, many), one]
    )
    client = harness.client(server)
    given = {"tools": [OWN], "tool_choice": "auto"}
    assert await harness.create(client, User, max_retries=0, **given) == User(**USER)
    assert await harness.create(client, User, max_retries=1, **given) == User(**USER)
    *_, said, result = server.requests[2].messages
    assert said["tool_calls"][0]["id"] == result["tool_call_id"]
    assert await harness.create(client, list[User], max_retries=0, **given) == [User(**USER)]
    stream = client.create_iterable(response_model=User, **asking(max_retries=0, **given))
    assert await harness.items(stream) == [User(**USER)]
    snapshots = await harness.items(client.create_partial(User, **asking(max_retries=0, **given)))
    assert snapshots[-1] == User(**USER)


async def test_a_tool_that_is_called_like_the_answers(harness: Harness, scripted_server: Any) -> None:
    own = {"type": "function", "function": {"name": "User", "parameters": {"type": "object"}}}
    with pytest.raises(ConfigurationError, match="a tool named 'User', the name of the answer's tool"):
        await harness.create(harness.client(scripted_server()), User, tools=[own])


async def test_a_tool_called_with_nothing(harness: Harness, scripted_server: Any) -> None:
    class Wishes(BaseModel):
        harness: str | None = None

    server = scripted_server([tools("")])
    assert await harness.create(harness.client(server), Wishes, max_retries=0) == Wishes()


COMPLETION = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": json.dumps(USER)}, "finish_reason": "stop"}],
}


async def test_a_whole_completion_where_a_stream_was_asked_for(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([body(COMPLETION)])
    client = harness.client(server, Mode.JSON)
    shown = await harness.items(client.create_partial(response_model=User, **asking()))
    assert shown[-1] == User(**USER)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("sent", "told"), [({"error": {"message": "no such model"}}, "no such model"), (b"<html>oops</html>", "<html>oops")]
)
async def test_what_is_no_stream_is_quoted(harness: Harness, scripted_server: Any, sent: Any, told: str) -> None:
    server = scripted_server([body(sent)] * 2)
    with pytest.raises(IncompleteOutputException, match=told):
        await harness.items(harness.client(server).create_iterable(response_model=User, max_retries=1, **asking()))


@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_an_event_stream_by_another_name(harness: Harness, scripted_server: Any, size: int) -> None:
    text = json.dumps({"tasks": [USER, USER]})
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": "stop"}
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    sent = f"\n data: x\ndata: {json.dumps(chunk)}\n\ndata: [DONE]\n\n".encode()
    server = scripted_server([body(sent, split_bytes=range(size, len(sent), size))])  # and called JSON
    stream = harness.client(server, Mode.JSON).create_iterable(response_model=User, **asking())
    assert await harness.items(stream) == [User(**USER)] * 2
    assert len(server.requests) == 1


@pytest.mark.parametrize("event", [{"error": {"message": "it broke"}}, {}])
async def test_an_error_among_the_choices(harness: Harness, scripted_server: Any, event: dict[str, Any]) -> None:
    def chunk(content: str, finish: str | None) -> dict[str, Any]:
        choice = {"index": 0, "delta": {"content": content}, "finish_reason": finish}
        return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}

    text = json.dumps({"tasks": [USER]})
    broken = events([chunk(text, None), {**chunk("", "error"), **event}, "[DONE]"])
    server = scripted_server([broken, content({"tasks": []})])
    stream = harness.client(server, Mode.JSON).create_iterable(response_model=User, **asking())
    assert await harness.items(stream) == [User(**USER)]
    assert len(server.requests) == 2


async def test_texts_among_parts_become_parts(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer(USER)])
    parts = ["One.", {"type": "text", "text": "Two."}]
    await harness.create(harness.client(server), User, messages=[{"role": "user", "content": parts}])
    assert server.requests[0].body["messages"][0]["content"] == [
        {"type": "text", "text": "One."},
        {"type": "text", "text": "Two."},
    ]


@pytest.mark.parametrize("mode", [Mode.JSON, Mode.MD_JSON])
async def test_the_docstring_is_told_in_the_prompt(harness: Harness, scripted_server: Any, mode: Mode) -> None:
    class Bill(BaseModel):
        """Money is in cents."""

        total: int

    server = scripted_server([content({"total": 1})])
    await harness.create(harness.client(server, mode), Bill)
    assert "Money is in cents." in server.requests[0].body["messages"][0]["content"]


async def test_no_choice_of_a_tool_is_none(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer(USER)])
    await harness.create(harness.client(server), User, tool_choice=None)
    assert server.requests[0].body["tool_choice"]["function"]["name"] == "User"
