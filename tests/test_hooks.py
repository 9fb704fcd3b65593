"""Hooks: which are called, when, and with what; a hook that fails breaks nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import openai
import openai.types.chat
import pytest
from pydantic import BaseModel, ValidationError, field_validator
from tenacity import Retrying, stop_after_attempt, stop_after_delay

import instructor
from harness import Harness, asking
from instructor import HookName, Hooks, Usage
from instructor.exceptions import ConfigurationError, InstructorRetryException
from instructor.testing import answer, content, error, tools


class User(BaseModel):
    name: str
    age: int


USER = {"name": "a", "age": 1}
WRONG = {"name": "a"}


class Heard:
    """Listens to every hook, and notes what it was told."""

    def __init__(self, hooks: Any) -> None:
        self.names: list[str] = []
        self.told: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
        for name in HookName:
            hooks.on(name, self.listener(name.value))

    def listener(self, name: str) -> Any:
        def listen(*arguments: Any, **keywords: Any) -> None:
            self.names.append(name)
            self.told.append((arguments, keywords))

        return listen

    def at(self, name: str) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
        return [told for heard, told in zip(self.names, self.told, strict=True) if heard == name]


async def test_the_order_of_a_call_that_is_asked_again(harness: Harness, scripted_server: Any) -> None:
    client = harness.client(scripted_server([answer(WRONG, usage=Usage(3, 2)), answer(USER, usage=Usage(3, 2))]))
    heard = Heard(client)
    await harness.create(client, User, max_retries=1)
    attempt = ["completion:kwargs", "completion:response", "completion:usage", "item:bad", "parse:error"]
    assert heard.names[:5] == attempt
    assert heard.names[5:] == [
        "completion:kwargs",
        "completion:response",
        "completion:usage",
        "item:good",
        "answer",
        "stream:end",
    ]
    first, second = heard.at("completion:kwargs")
    assert first[1]["messages"] == asking()["messages"]
    assert first[1]["tool_choice"]["function"]["name"] == "User"
    assert len(second[1]["messages"]) == 3
    ((wrong,), about) = heard.at("parse:error")[0]
    assert isinstance(wrong, ValidationError)
    assert about == {"attempt_number": 1, "max_attempts": 2, "is_last_attempt": False}
    ((response,), about) = heard.at("completion:response")[1]
    assert type(response) is openai.types.chat.ChatCompletion
    assert about == {}
    usages = heard.at("completion:usage")
    assert [usage.total_tokens for (usage,), _ in usages] == [5, 10]
    assert [about["attempt_number"] for _, about in usages] == [1, 2]
    assert heard.at("item:bad")[0][0] == (0, '{"name": "a"}', wrong)
    assert heard.at("item:good")[0][0] == (0, User(**USER))
    ((complete,), _) = heard.at("answer")[0]
    assert complete.messages == asking()["messages"]
    assert [call.name for call in complete.calls] == [tool.name for tool in complete.tools] == ["User"]
    assert json.loads(complete.calls[0].arguments) == USER
    ((report,), _) = heard.at("stream:end")[0]
    assert report.attempts == 2


async def test_the_end_of_all_attempts(harness: Harness, scripted_server: Any) -> None:
    client = harness.client(scripted_server([answer(WRONG)] * 2))
    heard = Heard(client)
    with pytest.raises(InstructorRetryException) as failed:
        await harness.create(client, User, max_retries=1)
    assert [about["is_last_attempt"] for _, about in heard.at("parse:error")] == [False, True]
    ((last,), about) = heard.at("completion:last_attempt")[0]
    assert last is failed.value.__cause__
    assert about == {"attempt_number": 2, "max_attempts": 2, "is_last_attempt": True}
    assert heard.names[-2:] == ["completion:last_attempt", "stream:end"]
    assert heard.at("completion:error") == []


async def test_a_request_that_fails(harness: Harness, scripted_server: Any) -> None:
    for stream in (False, True):
        client = harness.client(scripted_server([error(500)]))
        heard = Heard(client)
        with pytest.raises(openai.InternalServerError):
            await (
                harness.items(client.create_iterable(response_model=User, **asking()))
                if stream
                else harness.create(client, User)
            )
        assert heard.names == ["completion:kwargs", "completion:error", "completion:last_attempt", "stream:end"]
        ((failed,), about) = heard.at("completion:error")[0]
        assert type(failed) is openai.InternalServerError
        assert about == {"attempt_number": 1, "max_attempts": 4, "is_last_attempt": True}


async def test_the_last_error_of_a_policy(harness: Harness, scripted_server: Any) -> None:
    client = harness.client(scripted_server([error(429)] * 2))
    heard = Heard(client)
    with pytest.raises(openai.RateLimitError) as failed:
        await harness.create(client, User, max_retries=Retrying(stop=stop_after_attempt(2) | stop_after_delay(99)))
    assert isinstance(failed.value, InstructorRetryException)
    assert [about["is_last_attempt"] for _, about in heard.at("completion:error")] == [False, True]
    ((last,), about) = heard.at("completion:last_attempt")[0]
    assert last is failed.value.__cause__
    assert about == {"attempt_number": 2, "max_attempts": 2, "is_last_attempt": True}


async def test_an_error_after_which_nothing_is_tried_again(harness: Harness, scripted_server: Any) -> None:
    class Own(BaseModel):
        name: str

        @field_validator("name")
        @classmethod
        def fail(cls, name: str) -> str:
            raise KeyError(name)

    client = harness.client(scripted_server([answer({"tasks": [USER]})]))
    heard = Heard(client)
    with pytest.raises(InstructorRetryException):
        await harness.create(client, list[Own])
    assert [about["is_last_attempt"] for _, about in heard.at("parse:error")] == [True]


async def test_a_stream_tells_its_response_before_what_its_end_decides(harness: Harness, scripted_server: Any) -> None:
    client = harness.client(scripted_server([tools(WRONG), tools(USER)]))
    heard = Heard(client)
    await harness.items(client.create_partial(response_model=User, **asking()))
    assert [name for name in heard.names if name != "completion:usage"] == [
        "completion:kwargs",
        "completion:response",
        "item:bad",
        "parse:error",
        "completion:kwargs",
        "completion:response",
        "item:good",
        "answer",
        "stream:end",
    ]


async def test_the_hooks_of_a_stream(harness: Harness, scripted_server: Any) -> None:
    script = [
        tools({"tasks": [USER, WRONG]}, finish="length", cut_after=11),
        tools({"tasks": [{"name": "b", "age": 2}]}),
    ]
    client = harness.client(scripted_server(script))
    heard = Heard(client)
    got = await harness.items(client.create_iterable(response_model=User, **asking()))
    assert [user.name for user in got] == ["a", "b"]
    assert heard.names.count("stream:continue") == heard.names.count("stream:end") == 1
    assert [told[0] for told, _ in heard.at("item:good")] == [0, 1]
    assert heard.names.index("stream:continue") < heard.names.index("completion:kwargs", 1)
    ((report,), _) = heard.at("stream:continue")[0]
    assert report.continuations == 1
    assert all(type(told[0]) is openai.types.chat.ChatCompletion for told, _ in heard.at("completion:response"))


async def test_a_hook_takes_as_much_as_it_wants(harness: Harness, scripted_server: Any) -> None:
    seen: list[Any] = []
    client = harness.client(scripted_server([answer(WRONG), answer(USER)]))
    client.on("parse:error", lambda wrong: seen.append(type(wrong)))
    client.on("parse:error", lambda wrong, *, attempt_number, **_: seen.append(attempt_number))
    client.on("completion:usage", seen.append)
    await harness.create(client, User)
    assert seen[1:3] == [ValidationError, 1]
    assert [type(each) for each in (seen[0], *seen[3:])] == [Usage, Usage]


async def test_a_hook_that_fails_is_warned_of(harness: Harness, scripted_server: Any) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("the hook's own")

    client = harness.client(scripted_server([answer(USER)]))
    client.on("completion:response", broken)
    with pytest.warns(UserWarning, match=r"broken.*completion:response failed: RuntimeError\(\"the hook's own\"\)"):
        assert await harness.create(client, User) == User(**USER)


async def test_a_hook_cannot_change_the_request(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer(WRONG), answer(USER)])
    client = harness.client(server)
    client.on("completion:kwargs", lambda **body: body.clear())
    await harness.create(client, User)
    assert server.requests[1].body["model"] == "scripted"


async def test_asynchronous_hooks(scripted_server: Any) -> None:
    seen: list[str] = []

    async def hook(response: Any) -> None:
        seen.append(response.id)

    async with Harness("async") as harness:
        client = harness.client(scripted_server([answer(USER)]))
        client.on("completion:response", hook)
        await harness.create(client, User)
        assert seen == ["chatcmpl-1"]
    async with Harness("sync") as harness:
        client = harness.client(scripted_server([answer(USER)]))
        client.on("completion:response", hook)
        with pytest.warns(UserWarning, match="a sync client cannot await it"):
            await harness.create(client, User)


async def test_hooks_of_one_call_come_after_the_clients(harness: Harness, scripted_server: Any) -> None:
    order: list[str] = []
    mine, calls = Hooks(), Hooks()
    mine.on("completion:response", lambda _: order.append("client"))
    calls.on(HookName.COMPLETION_RESPONSE, lambda _: order.append("call"))
    client = instructor.from_openai(harness.sdk(scripted_server([answer(USER)] * 2)), hooks=mine)
    await harness.create(client, User, hooks=calls)
    await harness.create(client, User)
    assert order == ["client", "call", "client"]


async def test_off_and_clear(harness: Harness, scripted_server: Any) -> None:
    seen: list[Any] = []
    client = harness.client(scripted_server([answer(USER)] * 3))
    client.on("completion:response", seen.append)
    client.on("completion:usage", seen.append)
    client.off("completion:response", seen.append)
    await harness.create(client, User)
    assert [type(each) for each in seen] == [Usage]
    client.clear("completion:usage")
    await harness.create(client, User)
    client.on("completion:usage", seen.append)
    client.clear()
    await harness.create(client, User)
    assert len(seen) == 1


async def test_no_usage_no_hook(harness: Harness, scripted_server: Any) -> None:
    client = harness.client(scripted_server([answer(USER, usage=False)]))
    heard = Heard(client)
    got = await harness.create(client, User)
    assert heard.at("completion:usage") == []
    assert not got.report.usage.exact


async def test_the_sdks_own_response_fires_no_hook(harness: Harness, scripted_server: Any) -> None:
    client = harness.client(scripted_server([content("Hi")]))
    heard = Heard(client)
    await harness.create(client, None)
    assert heard.names == []


async def test_stream_end_is_told_when_the_user_leaves(harness: Harness, scripted_server: Any) -> None:
    client = harness.client(scripted_server([tools({"tasks": [USER] * 9})]))
    heard = Heard(client)
    stream = client.create_iterable(response_model=User, **asking())
    await harness.next(stream)
    await harness.close(stream)
    assert heard.names[-1] == "stream:end"
    assert not heard.at("stream:end")[0][0][0].complete


def test_sums_of_hooks_are_new_ones() -> None:
    one, two = Hooks(), Hooks()
    one.on("parse:error", print)
    two.on("parse:error", repr)
    both = Hooks.combine(one, two)
    assert both.at(HookName.PARSE_ERROR) == (one + two).at(HookName.PARSE_ERROR) == (print, repr)
    copied = one.copy()
    copied.clear()
    assert one.at(HookName.PARSE_ERROR) == (print,)


def test_a_hook_that_does_not_exist() -> None:
    with pytest.raises(ConfigurationError, match=r"Unknown hook 'on:fire'\. The hooks are completion:kwargs"):
        Hooks().on("on:fire", print)
    with pytest.raises(ValueError, match="on:fire"):
        Hooks().clear("on:fire")


async def test_many_items(harness: Harness, scripted_server: Any) -> None:
    client = harness.client(scripted_server([answer({"tasks": [USER, WRONG, USER]})]))
    heard = Heard(client)
    got = await harness.create(client, Iterable[User], on_invalid="skip")
    assert len(got) == 2
    assert [told[0] for told, _ in heard.at("item:good")] == [0, 2]
    assert [told[:2] for told, _ in heard.at("item:bad")] == [(1, '{"name": "a"}')]
