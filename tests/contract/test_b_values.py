"""Appendix B of the contract, 1 to 14: one answer, its corrections, and how a call ends.

Each test has its scenario's number. What differs from 1.x on purpose is said beside it.
"""

from __future__ import annotations

import copy
import pickle
from typing import Any

import openai
import pytest
import tenacity
from openai.types.chat import ChatCompletion
from pydantic import BaseModel, ValidationError

import instructor
from harness import Harness, asking
from instructor import Usage
from instructor.exceptions import IncompleteOutputException, InstructorRetryException
from instructor.testing import content, error, tools


class User(BaseModel):
    name: str
    age: int


USER, WRONG = {"name": "a", "age": 1}, {"name": "a", "age": "ten"}
TOKENS = Usage(10, 5)


async def test_01_a_model_comes_by_one_request(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([tools(USER)])
    user: Any = await harness.create(harness.client(server), User)
    assert isinstance(user._raw_response, ChatCompletion)
    assert isinstance(user, User)
    assert len(server.requests) == 1


async def test_02_it_is_the_users_own_type(harness: Harness, scripted_server: Any) -> None:
    user = await harness.create(harness.client(scripted_server([tools(USER)])), User)
    assert type(user) is User
    assert user == User(**USER) == pickle.loads(pickle.dumps(user))


async def test_03_an_invalid_answer_is_asked_for_again(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([tools(WRONG, usage=TOKENS), tools(USER, usage=TOKENS)])
    user = await harness.create(harness.client(server), User, max_retries=2)
    first, assistant, tool = server.requests[1].body["messages"]
    assert first == asking()["messages"][0]
    assert assistant["role"] == "assistant"
    assert tool["role"] == "tool"
    assert tool["tool_call_id"] == assistant["tool_calls"][0]["id"]
    assert user._total_usage.total_tokens == 30


async def test_04_the_providers_response_is_not_changed(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([tools(WRONG, usage=TOKENS), tools(USER, usage=TOKENS)])
    call = asking(response_model=User)
    user, completion = await harness.result(harness.client(server).create_with_completion(**call))
    assert user._raw_response.usage.total_tokens == 15
    assert completion.usage.total_tokens == 30  # as in 1.x: the sum, but on a copy


@pytest.mark.parametrize(("retries", "requests"), [({"max_retries": 0}, 1), ({"max_retries": 1}, 2), ({}, 4)])
async def test_05_retries_are_counted_after_the_first(
    harness: Harness, scripted_server: Any, retries: Any, requests: int
) -> None:
    server = scripted_server([tools(WRONG)] * requests)
    with pytest.raises(InstructorRetryException) as failed:
        await harness.create(harness.client(server), User, **retries)
    assert failed.value.n_attempts == len(server.requests) == requests


async def test_06_the_error_carries_everything(harness: Harness, scripted_server: Any) -> None:
    with pytest.raises(InstructorRetryException) as failed:
        await harness.create(harness.client(scripted_server([tools(WRONG)] * 2)), User, max_retries=1)
    error = failed.value
    assert [attempt.attempt_number for attempt in error.failed_attempts] == [1, 2]
    assert isinstance(error.last_completion, ChatCompletion)
    assert error.create_kwargs["model"] == "scripted"
    assert len(error.create_kwargs["messages"]) == len(error.messages) == 3
    assert isinstance(error.__cause__, ValidationError)
    assert "<failed_attempts>" in str(error)


async def test_07_prose_is_answered_by_a_users_turn(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([content("Jason is ten."), tools(USER)], strict=False)
    assert await harness.create(harness.client(server), User) == User(**USER)
    assert server.requests[1].body["messages"][-1]["role"] == "user"


async def test_08_a_failed_request_is_not_repeated(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([error(500)])
    with pytest.raises(InstructorRetryException) as failed:
        await harness.create(harness.client(server), User)
    assert isinstance(failed.value, openai.InternalServerError)  # 1.x: only as `__cause__`
    assert isinstance(failed.value.__cause__, openai.InternalServerError)
    assert len(server.requests) == 1


async def test_09_a_tenacity_policy_repeats_it(harness: Harness, scripted_server: Any) -> None:
    kind = tenacity.AsyncRetrying if harness.is_async else tenacity.Retrying
    server = scripted_server([error(500), tools(USER)])
    policy = kind(stop=tenacity.stop_after_attempt(3))
    assert await harness.create(harness.client(server), User, max_retries=policy) == User(**USER)
    assert len(server.requests) == 2


async def test_10_an_answer_that_is_cut_is_not_asked_for_again(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([tools('{"name": "a", "a', finish="length")])
    with pytest.raises(IncompleteOutputException) as failed:
        await harness.create(harness.client(server), User)
    assert failed.value.last_completion.choices[0].finish_reason == "length"
    assert len(server.requests) == 1


async def test_11_strict_is_the_default(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([tools({"name": "a", "age": "1"})] * 2)
    client = harness.client(server)
    with pytest.raises(InstructorRetryException):
        await harness.create(client, User, max_retries=0)
    assert await harness.create(client, User, strict=False) == User(**USER)


async def test_12_without_a_response_model_it_is_the_sdks_response(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([content("Hi")])
    client = instructor.from_openai(harness.sdk(server), model="mine")
    messages = asking()["messages"]
    raw = await harness.result(client.create(response_model=None, messages=messages))
    assert isinstance(raw, ChatCompletion)
    assert server.requests[0].body == {"model": "mine", "messages": messages}


async def test_13_a_list_knows_its_response(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([tools({"tasks": [USER, USER]})] * 2)
    client = harness.client(server)
    users = await harness.create(client, list[User])
    assert isinstance(users.get_raw_response(), ChatCompletion)
    assert isinstance(users, list)
    assert users == [User(**USER)] * 2
    again, raw = await harness.result(client.create_with_completion(**asking(response_model=list[User])))
    assert again == users
    assert isinstance(raw, ChatCompletion)


async def test_14_a_number_with_its_completion(harness: Harness, scripted_server: Any) -> None:
    client = harness.client(scripted_server([tools({"content": 5})]))
    number, raw = await harness.result(client.create_with_completion(**asking(response_model=int)))
    assert number == 5  # 1.x: AttributeError
    assert isinstance(raw, ChatCompletion)


async def test_39_the_callers_messages_stay_as_they_are(harness: Harness, scripted_server: Any) -> None:
    messages = [{"role": "user", "content": "Extract {{ what }}."}]
    before = copy.deepcopy(messages)
    server = scripted_server([tools(WRONG), tools(WRONG), tools(USER)])
    call = asking(response_model=User, context={"what": "it"}, messages=messages)
    await harness.result(harness.client(server).create(**call))
    assert messages == before
