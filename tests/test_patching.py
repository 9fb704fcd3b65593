"""`patch`: the client that you have, taught in place."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any
from unittest import mock

import openai
import openai.types.chat
import pytest
from pydantic import BaseModel

import instructor
from harness import Harness, asking
from instructor import Mode
from instructor.exceptions import ClientError, ConfigurationError, InstructorRetryException, ModeError
from instructor.testing import answer, content, tools


class User(BaseModel):
    name: str
    age: int


USER = {"name": "a", "age": 1}
WRONG = {"name": "a"}


async def test_the_client_stays_itself(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer(USER)])
    sdk = harness.sdk(server)
    completions, create = sdk.chat.completions, sdk.chat.completions.create
    client = instructor.patch(sdk)
    assert client is sdk
    assert client.chat.completions is completions
    assert client.chat.completions.create.__wrapped__ == create
    assert inspect.iscoroutinefunction(client.chat.completions.create) is harness.is_async
    got = await harness.result(client.chat.completions.create(response_model=User, **asking()))
    assert got == User(**USER)
    assert type(got) is User


async def test_it_asks_again_once(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer(WRONG)] * 2)
    client = instructor.patch(harness.sdk(server))
    with pytest.raises(InstructorRetryException, match="after 2 attempts"):
        await harness.result(client.chat.completions.create(response_model=User, **asking()))
    server.add(answer(WRONG))
    with pytest.raises(InstructorRetryException, match="after 1 attempt:"):
        await harness.result(client.chat.completions.create(response_model=User, max_retries=0, **asking()))


async def test_without_a_response_model_it_is_the_sdks(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([content("Hi"), content("Hi")])
    client = instructor.patch(harness.sdk(server))
    raw = await harness.result(client.chat.completions.create(**asking(seed=3)))
    assert isinstance(raw, openai.types.chat.ChatCompletion)
    assert server.requests[0].body == asking(seed=3)
    chunks = await harness.items(client.chat.completions.create(**asking(stream=True)))
    assert isinstance(chunks[0], openai.types.chat.ChatCompletionChunk)


async def test_the_old_positions_of_arguments(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer(WRONG), answer({"name": "a", "age": "1"})])
    create = instructor.patch(harness.sdk(server)).chat.completions.create
    with pytest.raises(InstructorRetryException, match="after 1 attempt:"):
        await harness.result(create(User, {"a": 1}, 0, **asking()))
    assert await harness.result(create(User, None, 0, False, **asking())) == User(**USER)


async def test_modes_streams_and_lists(harness: Harness, scripted_server: Any) -> None:
    for mode in (Mode.TOOLS, Mode.JSON, Mode.MD_JSON, Mode.JSON_SCHEMA, Mode.TOOLS_STRICT):
        server = scripted_server([answer({"tasks": [USER, USER]}), answer({"tasks": [USER]}), answer(USER)])
        create = instructor.patch(harness.sdk(server), mode=mode).chat.completions.create
        stream = await harness.result(create(response_model=Iterable[User], stream=True, **asking()))
        assert await harness.items(stream) == [User(**USER)] * 2
        assert stream.report.complete
        assert await harness.result(create(response_model=list[User], stream=False, **asking())) == [User(**USER)]
        snapshots = await harness.items(create(response_model=instructor.Partial[User], stream=True, **asking()))
        assert snapshots[-1] == User(**USER)


async def test_other_resources_stay_as_they_are(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer(USER), content("Hi")])
    sdk = harness.sdk(server)
    client = instructor.patch(sdk)
    raw = await harness.result(client.chat.completions.with_raw_response.create(**asking()))
    assert raw.parse().choices[0].message
    other = client.with_options(timeout=3.0)
    assert type(other) is type(sdk)
    assert isinstance(await harness.result(other.chat.completions.create(**asking())), openai.types.chat.ChatCompletion)


async def test_patching_twice_changes_nothing(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer(USER), content(USER)])
    client = instructor.patch(instructor.patch(harness.sdk(server)))
    assert await harness.result(client.chat.completions.create(response_model=User, **asking())) == User(**USER)
    client = instructor.patch(client, mode=Mode.JSON)
    assert await harness.result(client.chat.completions.create(response_model=User, **asking())) == User(**USER)
    assert "response_format" in server.requests[1].body


async def test_from_openai_takes_a_patched_client(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer(USER)])
    client = instructor.from_openai(instructor.patch(harness.sdk(server)))
    assert await harness.create(client, User) == User(**USER)


def completion(arguments: Any) -> openai.types.chat.ChatCompletion:
    call = {"id": "c", "type": "function", "function": {"name": "User", "arguments": json.dumps(arguments)}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    return openai.types.chat.ChatCompletion.model_validate({
        "id": "x", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
    })  # fmt: skip


def namespace(arguments: Any) -> SimpleNamespace:
    """Give what a user's mock gives: as little as needed."""
    function = SimpleNamespace(name="User", arguments=json.dumps(arguments))
    message = SimpleNamespace(content=None, tool_calls=[SimpleNamespace(id="c", function=function)])
    return SimpleNamespace(choices=[SimpleNamespace(message=message, finish_reason="tool_calls")])


@pytest.mark.parametrize("reply", [completion, namespace, lambda given: completion(given).model_dump()])
async def test_a_function_instead_of_a_client(harness: Harness, reply: Any) -> None:
    asked: list[dict[str, Any]] = []

    def create(**request: Any) -> Any:
        asked.append(request)
        return reply(WRONG if len(asked) == 1 else USER)

    async def acreate(**request: Any) -> Any:
        return create(**request)

    taught: Any = instructor.patch(create=acreate if harness.is_async else create)
    got = await harness.result(taught(response_model=User, **asking()))
    assert got == User(**USER)
    assert [len(request["messages"]) for request in asked] == [1, 3]
    assert got._raw_response.choices[0] if not isinstance(got._raw_response, dict) else got._raw_response["choices"]


async def test_an_object_whose_call_awaits() -> None:
    class Complete:
        async def __call__(self, **request: Any) -> Any:
            return completion(USER)

    taught: Any = instructor.patch(create=Complete())
    assert await taught(response_model=User, **asking()) == User(**USER)


async def test_a_wrapped_coroutine_function_is_awaited(scripted_server: Any) -> None:
    async with Harness("async") as harness:
        sdk = harness.sdk(scripted_server([answer(USER)]))

        @functools.wraps(sdk.chat.completions.create)
        def traced(**request: Any) -> Any:
            return sdk.chat.completions.create(**request)

        taught: Any = instructor.patch(create=traced)
        assert await taught(response_model=User, **asking()) == User(**USER)


async def test_a_function_and_a_client(harness: Harness, scripted_server: Any) -> None:
    sdk = harness.sdk(scripted_server([answer(USER)]))
    original, asked = sdk.chat.completions.create, []

    @functools.wraps(original)
    def create(**request: Any) -> Any:
        asked.append(request)
        return original(**request)

    assert instructor.patch(sdk, create=create) is sdk
    assert await harness.result(sdk.chat.completions.create(response_model=User, **asking())) == User(**USER)
    assert len(asked) == 1


def test_nothing_to_patch() -> None:
    with pytest.raises(ConfigurationError, match=r"patch\(\) needs a client, or a function"):
        instructor.patch()  # type: ignore[call-overload]  # pyright: ignore
    with pytest.raises(ValueError, match="needs a client"):
        instructor.patch(None)


def test_what_cannot_be_patched() -> None:
    with pytest.raises(ConfigurationError, match="The client of openai must be one of"):
        instructor.patch("client")
    with pytest.raises(ConfigurationError, match="create must be a function that makes a request, got 3"):
        instructor.patch(create=3)  # type: ignore[call-overload]  # pyright: ignore
    with pytest.raises(ModeError):
        instructor.patch(mock.Mock(), create=lambda: None, mode="json")  # type: ignore[call-overload]  # pyright: ignore
    with pytest.raises(ConfigurationError, match="Unknown provider 'nosuch'"):
        instructor.patch(create=lambda: None, provider="nosuch")


async def test_apatch_is_patch(scripted_server: Any) -> None:
    async with Harness("async") as harness:
        with pytest.warns(DeprecationWarning, match=r"use instructor\.patch") as told:
            client = instructor.apatch(harness.sdk(scripted_server([tools(USER)])))
        assert told[0].filename == __file__
        assert await client.chat.completions.create(response_model=User, **asking()) == User(**USER)


async def test_none_is_an_argument_like_others(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer({"name": "a", "age": "1"})])
    create = instructor.patch(harness.sdk(server)).chat.completions.create
    assert await harness.result(create(response_model=User, strict=None, **asking())) == User(**USER)
    with pytest.raises(ConfigurationError, match=r"max_retries must be a number of re-asks .* got None"):
        await harness.result(create(response_model=User, max_retries=None, **asking()))
    assert len(server.requests) == 1


def mocked(arguments: Any, made: Callable[..., Any]) -> Any:
    """Return what tests of user programs give instead of a response: only the parts that matter are set."""
    call = made()
    call.function.name = "User"
    call.function.arguments = json.dumps(arguments)
    response = made()
    response.choices = [made()]
    response.choices[0].message.tool_calls = [call]
    response.choices[0].message.content = None
    response.choices[0].finish_reason = "tool_calls"
    assert response.usage.total_tokens  # looked at, and not set
    return response


@pytest.mark.parametrize("made", [mock.Mock, mock.MagicMock])
@pytest.mark.parametrize("reply", [completion, namespace, mocked])
async def test_a_mock_is_patched(harness: Harness, made: Any, reply: Any) -> None:
    client = made()
    replies = [reply(each, made) if reply is mocked else reply(each) for each in (WRONG, USER)]
    create = mock.AsyncMock(side_effect=replies) if harness.is_async else made(side_effect=replies)
    client.chat.completions.create = create
    assert instructor.patch(client) is client
    got = await harness.result(client.chat.completions.create(response_model=User, **asking()))
    assert got == User(**USER)
    assert got._raw_response is replies[1]
    assert create.call_count == 2
    assert create.call_args.kwargs["tools"][0]["function"]["name"] == "User"


async def test_an_object_with_a_create_is_patched(harness: Harness) -> None:
    def create(**_: Any) -> Any:
        return namespace(USER)

    async def acreate(**_: Any) -> Any:
        return namespace(USER)

    completions = SimpleNamespace(create=acreate if harness.is_async else create)
    client: Any = instructor.patch(SimpleNamespace(chat=SimpleNamespace(completions=completions)))
    assert await harness.result(client.chat.completions.create(response_model=User, **asking())) == User(**USER)


def test_a_mock_of_the_sdks_class_is_a_client() -> None:
    sdk = mock.Mock(spec=openai.OpenAI)
    sdk.chat = mock.Mock()
    sdk.chat.completions.create.return_value = completion(USER)
    assert instructor.from_openai(sdk).create(**asking(response_model=User)) == User(**USER)


def test_from_openai_says_what_it_needs() -> None:
    with pytest.raises(ClientError, match=r"openai\.OpenAI.*instructor\.patch"):
        instructor.from_openai(mock.Mock())
