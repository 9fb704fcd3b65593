"""What is the Responses wire's own: `client.responses`, the user's built-in tools, items instead of messages."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, Field

import instructor
from harness import Harness
from instructor import Mode
from instructor.exceptions import ConfigurationError, IncompleteOutputException
from instructor.testing import answer, content


class User(BaseModel):
    name: str
    age: int = Field(ge=0)


class Box(BaseModel):
    things: dict[str, int]


RIGHT = {"name": "Jörg", "age": 10}
SEARCH = {"type": "web_search"}


def client(harness: Harness, server: Any, **options: Any) -> Any:
    return instructor.from_openai(harness.sdk(server), mode=Mode.RESPONSES_TOOLS, model="m", **options)


async def test_the_resource_has_every_call(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer(RIGHT)] * 3 + [answer({"tasks": [RIGHT]})])
    responses = client(harness, server).responses
    assert await harness.result(responses.create(input="Extract.", response_model=User)) == User(**RIGHT)
    value, raw = await harness.result(responses.create_with_completion(input="Extract.", response_model=User))
    assert (value, raw.output[0].type) == (User(**RIGHT), "function_call")
    assert (await harness.items(responses.create_partial(input="Extract.", response_model=User)))[-1] == User(**RIGHT)
    assert await harness.items(responses.create_iterable(input="Extract.", response_model=User)) == [User(**RIGHT)]
    assert {asked.path for asked in server.requests} == {"/v1/responses"}
    assert all(asked.body["input"] == [{"role": "user", "content": "Extract."}] for asked in server.requests)


async def test_without_a_shape_the_response_is_the_sdks(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([content("Hi."), content("Hi.")])
    responses = client(harness, server).responses
    for asked in (responses.create(input="Hello."), responses.create(None, [{"role": "user", "content": "Hello."}])):
        assert (await harness.result(asked)).output_text == "Hi."
    assert [asked.body["input"] for asked in server.requests] == [[{"role": "user", "content": "Hello."}]] * 2


async def test_a_stream_may_be_awaited(scripted_server: Any) -> None:
    async with Harness("async") as harness:
        responses = client(harness, scripted_server([answer({"tasks": [RIGHT]})])).responses
        users = await responses.create_iterable(input="Extract.", response_model=User)
        assert [user async for user in users] == [User(**RIGHT)]


async def test_the_request(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer(RIGHT), answer({"things": {"a": 1}})])
    made = client(harness, server)
    await harness.result(made.create(User, [{"role": "user", "content": "Extract."}], max_tokens=9))
    await harness.result(made.create(Box, [{"role": "user", "content": "Extract."}]))
    closed, open_ = (asked.body for asked in server.requests)
    assert closed["max_output_tokens"] == 9
    assert "max_tokens" not in closed
    assert closed["tool_choice"] == {"type": "function", "name": "User"}
    assert (closed["tools"][0]["strict"], closed["tools"][0]["parameters"]["required"]) == (True, ["name", "age"])
    assert open_["tools"][0]["strict"] is False  # free keys: held to by validation alone


async def test_the_users_own_tools_stay(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([content("It was in the news."), answer(RIGHT)])
    user = await harness.result(
        client(harness, server).responses.create(input="Look.", response_model=User, tools=[SEARCH])
    )
    assert user == User(**RIGHT)
    first, second = (asked.body for asked in server.requests)
    assert [tool["type"] for tool in first["tools"]] == ["web_search", "function"]
    assert first["tool_choice"] == "auto"  # else it could not search
    assert second["tool_choice"] == {"type": "function", "name": "User"}  # it has
    assert [item["role"] for item in second["input"]] == ["user", "assistant", "user"]


async def test_corrections_are_items(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer({**RIGHT, "age": -1}), answer(RIGHT)])
    await harness.result(client(harness, server).responses.create(input="Look.", response_model=User))
    said, told = server.requests[1].body["input"][1:]
    assert (said["type"], told["type"]) == ("function_call", "function_call_output")
    assert said["call_id"] == told["call_id"]
    assert "id" not in said  # it names the item of a stored response, which would want its thoughts beside it
    assert "$.age" in told["output"]


async def test_chat_messages_become_items(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer(RIGHT)])
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}}
    native = {"type": "input_image", "image_url": "data:image/png;base64,BBBB"}
    own = [
        {"type": "function_call", "call_id": "c0", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c0", "output": "x"},
    ]
    messages = [
        {"role": "developer", "content": "Be exact."},
        {"role": "user", "content": ["Look.", {"type": "text", "text": "Here."}, picture, native]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "Jörg"},
        {"role": "assistant", "content": [{"type": "text", "text": "Seen."}]},
        *own,
    ]
    await harness.result(client(harness, server).create(User, messages))
    assert server.requests[0].body["input"] == [
        messages[0],
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "Look."},
                {"type": "input_text", "text": "Here."},
                {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"},
                native,
            ],
        },
        {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "Jörg"},
        {"role": "assistant", "content": [{"type": "output_text", "text": "Seen."}]},
        *own,
    ]


async def test_one_value_that_was_cut(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer('{"name": "Jö').but(finish="length")])
    with pytest.raises(IncompleteOutputException):
        await harness.result(client(harness, server).responses.create(input="Look.", response_model=User))


@pytest.mark.parametrize(
    "wrong",
    [
        {"input": "a", "messages": [{"role": "user", "content": "a"}]},
        {},
        {"input": "a", "max_tokens": 1, "max_output_tokens": 1},
    ],
)
async def test_what_cannot_work_is_told_before_any_request(
    harness: Harness, scripted_server: Any, wrong: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError):
        await harness.result(client(harness, scripted_server()).responses.create(response_model=User, **wrong))


async def test_in_other_modes_the_resource_is_the_sdks(harness: Harness, scripted_server: Any) -> None:
    sdk = harness.sdk(scripted_server())
    assert instructor.from_openai(sdk).responses is sdk.responses
