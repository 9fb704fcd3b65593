"""How often is asked again, after what, and what the model and the user are told."""

from __future__ import annotations

import copy
import json
import pickle
import threading
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import httpx
import openai
import pytest
from pydantic import BaseModel, ValidationError, field_validator
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    retry_if_not_exception_type,
    sleep_using_event,
    stop_after_attempt,
    wait_fixed,
)

import instructor
from harness import Harness, asking
from instructor import Mode, Usage
from instructor.exceptions import (
    FailedAttempt,
    InstructorError,
    InstructorRetryException,
    ModeError,
    ProviderError,
    joined_failure,
)
from instructor.testing import ToolCall, answer, content, error, refusal, tools


class User(BaseModel):
    name: str
    age: int


USER = {"name": "a", "age": 1}
WRONG = {"name": "a", "age": "one"}


@pytest.mark.parametrize(("options", "count"), [({"max_retries": n}, n + 1) for n in (0, 1, 3)] + [({}, 4)])
async def test_how_often(harness: Harness, scripted_server: Any, options: Any, count: int) -> None:
    server = scripted_server([answer(WRONG)] * count)
    with pytest.raises(InstructorRetryException, match=f"No valid User after {count} attempt") as failed:
        await harness.create(harness.client(server), User, **options)
    assert failed.value.n_attempts == len(server.requests) == len(failed.value.failed_attempts) == count


async def test_what_the_model_is_told_of_a_wrong_tool_call(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer(ToolCall(json.dumps(WRONG), id="call_7")), answer(USER)])
    assert await harness.create(harness.client(server), User) == User(**USER)
    first, second = server.requests
    assert second.messages[: len(first.messages)] == first.messages
    assistant, result = second.messages[len(first.messages) :]
    call = {"id": "call_7", "type": "function", "function": {"name": "User", "arguments": json.dumps(WRONG)}}
    assert assistant == {"role": "assistant", "content": "", "tool_calls": [call]}
    assert (result["role"], result["tool_call_id"], result["name"]) == ("tool", "call_7", "User")
    assert "Input should be a valid integer @ $.age, not 'one'" in result["content"]
    assert "pydantic.dev" not in result["content"]
    assert {**second.body, "messages": ()} == {**first.body, "messages": ()}


async def test_every_tool_call_is_answered(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([tools(WRONG, WRONG), answer(USER)])
    await harness.create(harness.client(server), User)
    assistant, *results = server.requests[1].messages[1:]
    assert [call["id"] for call in assistant["tool_calls"]] == [result["tool_call_id"] for result in results]
    assert len(results) == 2


@pytest.mark.parametrize("mode", [Mode.JSON, Mode.MD_JSON, Mode.JSON_SCHEMA])
async def test_what_the_model_is_told_of_wrong_json(harness: Harness, scripted_server: Any, mode: Mode) -> None:
    server = scripted_server([content(WRONG), content(USER)])
    await harness.create(harness.client(server, mode), User)
    first, second = server.requests
    assistant, user = second.messages[len(first.messages) :]
    assert assistant == {"role": "assistant", "content": json.dumps(WRONG)}
    assert user["role"] == "user"
    assert "@ $.age, not 'one'" in user["content"]


async def test_the_conversation_grows(harness: Harness, scripted_server: Any) -> None:
    messages = asking()["messages"]
    was = copy.deepcopy(messages)
    server = scripted_server([answer(WRONG)] * 3)
    with pytest.raises(InstructorRetryException) as failed:
        await harness.create(harness.client(server), User, max_retries=2, messages=messages)
    assert [len(asked.messages) for asked in server.requests] == [1, 3, 5]
    assert failed.value.create_kwargs["messages"] == failed.value.messages == server.requests[-1].messages
    assert failed.value.create_kwargs["model"] == "scripted"
    assert messages == was


async def test_what_the_exception_carries(harness: Harness, scripted_server: Any) -> None:
    usage = Usage(10, 5)
    server = scripted_server([answer(WRONG, usage=usage), answer({"name": "b"}, usage=usage)])
    with pytest.raises(InstructorRetryException, match=r"Field required @ \$\.age") as failed:
        await harness.create(harness.client(server), User, max_retries=1)
    wrong: Any = failed.value
    assert [attempt.attempt_number for attempt in wrong.failed_attempts] == [1, 2]
    assert all(isinstance(attempt, FailedAttempt) for attempt in wrong.failed_attempts)
    assert all(isinstance(attempt.exception, ValidationError) for attempt in wrong.failed_attempts)
    assert [attempt.completion.id for attempt in wrong.failed_attempts] == ["chatcmpl-1", "chatcmpl-2"]
    assert isinstance(wrong.__cause__, ValidationError)
    assert wrong.last_completion.id == "chatcmpl-2"
    assert wrong.total_usage == Usage(20, 10)
    assert [item.errors for item in wrong.failed_items] == [["Field required @ $.age"]]
    assert wrong.report.attempts == 2
    assert not wrong.report.complete


async def test_the_sdks_errors_stay_the_sdks(harness: Harness, scripted_server: Any) -> None:
    for stream in (False, True):
        server = scripted_server([error(429, "Slow down.", headers={"retry-after": "7"})])
        asks = harness.client(server).create
        with pytest.raises(openai.RateLimitError, match="Slow down") as failed:
            await harness.result(harness.items(asks(User, **asking(stream=True))) if stream else asks(User, **asking()))
        assert len(server.requests) == 1
        assert isinstance(failed.value, InstructorRetryException)
        wrong: Any = failed.value
        assert type(wrong.__cause__) is openai.RateLimitError
        assert (wrong.status_code, wrong.request_id, wrong.n_attempts) == (429, "req_1", 1)
        assert wrong.response.headers["retry-after"] == "7"
        assert wrong.body == wrong.__cause__.body
        assert wrong.create_kwargs["messages"] == asking()["messages"]


@pytest.mark.parametrize("reply", [refusal("No."), answer(WRONG), tools(WRONG, finish="length")])
async def test_errors_can_be_sent_to_another_process(harness: Harness, scripted_server: Any, reply: Any) -> None:
    with pytest.raises(InstructorError) as failed:
        await harness.create(harness.client(scripted_server([reply])), User, max_retries=0)
    was: Any = failed.value
    again = pickle.loads(pickle.dumps(was))
    assert (type(again), str(again)) == (type(was), str(was))
    assert (again.create_kwargs, again.n_attempts) == (was.create_kwargs, 1)


KEY = "sk-secret-0123456789"


@pytest.mark.parametrize("streamed", [False, True])
async def test_the_sdks_errors_can_be_sent_too(harness: Harness, scripted_server: Any, streamed: bool) -> None:
    server = scripted_server([error(429, "Slow down."), error(429, "Slow down.")])
    client = instructor.from_openai(harness.sdk(server, api_key=KEY))
    policy = Retrying(stop=stop_after_attempt(2), reraise=True)
    asks = client.create_partial if streamed else client.create
    with pytest.raises(openai.RateLimitError) as failed:
        await (harness.items if streamed else harness.result)(asks(User, **asking(max_retries=policy)))
    was: Any = failed.value
    sent = pickle.dumps(was)
    again: Any = pickle.loads(sent)
    assert type(again) is type(was)
    assert type(again) is not openai.RateLimitError
    assert (str(again), again.status_code, again.body, again.request_id) == (
        str(was),
        429,
        was.body,
        was.request_id,
    )
    assert (again.n_attempts, again.create_kwargs, again.report) == (2, was.create_kwargs, was.report)
    assert [(each.attempt_number, type(each.exception)) for each in again.failed_attempts] == [
        (1, type(was)),
        (2, type(was)),
    ]
    assert again.response is None
    assert KEY.encode() not in sent
    assert str(pickle.loads(pickle.dumps(again))) == str(was)


async def test_what_cannot_be_sent_is_left_out(harness: Harness, scripted_server: Any) -> None:
    class Own(Exception):
        def __init__(self, one: int, two: int) -> None:
            super().__init__(f"{one} and {two}")

    class Picky(BaseModel):
        name: str

        @field_validator("name")
        @classmethod
        def find(cls, name: str) -> str:
            raise Own(1, 2)

    with pytest.raises(InstructorRetryException) as failed:
        await harness.create(harness.client(scripted_server([answer({"name": "a"})])), Picky)
    again = pickle.loads(pickle.dumps(failed.value))
    assert again.args == failed.value.args == ("No valid Picky after 1 attempt: 1 and 2",)
    for unlikely in (ModeError("x", "y", ["TOOLS"]), ProviderError("y", "no", {"a": 1})):
        again = pickle.loads(pickle.dumps(unlikely))
        assert (type(again), str(again), vars(again)) == (type(unlikely), str(unlikely), vars(unlikely))


async def test_an_error_whose_text_is_made_in_c_keeps_it(harness: Harness, scripted_server: Any) -> None:
    messages = [{"role": "user", "content": "\ud800"}]
    with pytest.raises(UnicodeEncodeError, match="surrogates not allowed") as failed:
        await harness.create(harness.client(scripted_server([])), User, messages=messages)
    assert isinstance(failed.value, InstructorRetryException)
    assert str(failed.value) == str(failed.value.__cause__)
    assert str(joined_failure(KeyError("a"))) == "'a'"


async def test_a_connection_that_cannot_be_made(harness: Harness) -> None:
    client = harness.client("http://127.0.0.1:9/v1")
    with pytest.raises(openai.APIConnectionError) as failed:
        await harness.create(client, User)
    assert isinstance(failed.value, InstructorRetryException)
    assert failed.value.last_completion is None


async def test_a_policy_of_tenacitys(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([error(500), answer(WRONG), answer(USER)])
    assert await harness.create(harness.client(server), User, max_retries=Retrying(stop=stop_after_attempt(3))) == User(
        **USER
    )
    assert len(server.requests) == 3


async def test_what_a_policy_does_not_retry(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([error(500), error(400)])
    policy = Retrying(retry=retry_if_exception_type(openai.InternalServerError), stop=stop_after_attempt(5))
    with pytest.raises(openai.BadRequestError):
        await harness.create(harness.client(server), User, max_retries=policy)
    server = scripted_server([answer(WRONG)])
    policy = Retrying(retry=retry_if_not_exception_type(ValidationError))
    with pytest.raises(InstructorRetryException) as failed:
        await harness.create(harness.client(server), User, max_retries=policy)
    assert isinstance(failed.value.__cause__, ValidationError)


async def test_a_policy_that_is_spent(harness: Harness, scripted_server: Any) -> None:
    for reraise in (False, True):
        server = scripted_server([answer(WRONG)] * 2)
        policy = Retrying(stop=stop_after_attempt(2), reraise=reraise)
        with pytest.raises(InstructorRetryException, match=r"after 2 attempts: .*valid integer") as failed:
            await harness.create(harness.client(server), User, max_retries=policy)
        assert isinstance(failed.value.__cause__, ValidationError)


async def test_a_policy_is_told_and_waits(harness: Harness, scripted_server: Any) -> None:
    slept: list[float] = []

    def before_sleep(state: RetryCallState) -> None:
        assert state.outcome is not None
        assert isinstance(state.outcome.exception(), ValidationError)
        slept.append(state.upcoming_sleep)

    policy = Retrying(stop=stop_after_attempt(3), wait=wait_fixed(0.001), before_sleep=before_sleep)
    server = scripted_server([answer(WRONG), answer(WRONG), answer(USER)] * 2)
    client = harness.client(server)
    await harness.create(client, User, max_retries=policy)
    await harness.create(client, User, max_retries=policy)  # a policy serves any number of calls
    assert slept == [0.001] * 4


async def test_a_policy_sleeps_in_its_own_way(harness: Harness, scripted_server: Any) -> None:
    slept: list[float] = []
    ours = Retrying(stop=stop_after_attempt(2), wait=wait_fixed(600), sleep=slept.append)
    server = scripted_server([answer(WRONG), answer(USER)] * 2)
    assert await harness.create(harness.client(server), User, max_retries=ours) == User(**USER)
    stopping = threading.Event()
    stopping.set()
    ours = Retrying(stop=stop_after_attempt(2), wait=wait_fixed(600), sleep=sleep_using_event(stopping))
    assert await harness.create(harness.client(server), User, max_retries=ours) == User(**USER)
    assert slept == [600]


async def test_a_sleep_that_fails_ends_it(harness: Harness, scripted_server: Any) -> None:
    def stop(seconds: float) -> None:
        raise TimeoutError(f"{seconds} seconds are too long")

    with pytest.raises(InstructorRetryException, match=r"60\.0 seconds are too long") as failed:
        await harness.create(
            harness.client(scripted_server([answer(WRONG)])),
            User,
            max_retries=Retrying(wait=wait_fixed(60), sleep=stop),
        )
    assert isinstance(failed.value.__cause__, TimeoutError)


async def test_what_a_policy_gives_instead_is_the_result(harness: Harness, scripted_server: Any) -> None:
    policy = Retrying(stop=stop_after_attempt(1), retry_error_callback=lambda _: "nothing")
    for kind, wrong in ((User, WRONG), (list[User], {"tasks": [USER, WRONG]})):
        client = harness.client(scripted_server([answer(wrong)]))
        assert await harness.create(client, kind, max_retries=policy) == "nothing"


async def test_nothing_replaces_what_a_stream_lacks(harness: Harness, scripted_server: Any) -> None:
    asked: list[RetryCallState] = []
    policy = Retrying(stop=stop_after_attempt(1), retry_error_callback=asked.append)
    client = harness.client(scripted_server([tools({"tasks": [USER, WRONG]})]))
    found: list[Any] = []
    with pytest.raises(InstructorRetryException, match="valid integer") as failed:
        await harness.collect(client.create_iterable(response_model=User, **asking(max_retries=policy)), found)
    assert found == [User(**USER)]
    assert len(asked) == 1
    assert [item.index for item in failed.value.failed_items] == [1]


async def test_an_async_policy(scripted_server: Any) -> None:
    slept: list[str] = []

    async def before_sleep(state: RetryCallState) -> None:
        slept.append(type(state.outcome.exception()).__name__)  # type: ignore[union-attr]

    async def sleep(seconds: float) -> None:
        slept.append(f"{seconds} seconds")

    async with Harness("async") as harness:
        server = scripted_server([answer(WRONG), answer(USER)])
        policy = AsyncRetrying(stop=stop_after_attempt(2), wait=wait_fixed(600), before_sleep=before_sleep, sleep=sleep)
        assert await harness.create(harness.client(server), User, max_retries=policy) == User(**USER)
        server = scripted_server([answer(WRONG), answer(USER)])
        policy = AsyncRetrying(stop=stop_after_attempt(2), wait=wait_fixed(0.001))
        assert await harness.create(harness.client(server), User, max_retries=policy) == User(**USER)
    assert slept == ["ValidationError", "600.0 seconds"]


async def test_an_unforeseen_error_of_a_validator(harness: Harness, scripted_server: Any) -> None:
    class Looked(BaseModel):
        name: str

        @field_validator("name")
        @classmethod
        def find(cls, name: str) -> str:
            return dict[str, str]()[name]

    for kind, given in ((Looked, {"name": "a"}), (Iterable[Looked], {"tasks": [{"name": "a"}]})):
        server = scripted_server([answer(given)])
        with pytest.raises(InstructorRetryException) as failed:
            await harness.create(harness.client(server), kind)
        assert isinstance(failed.value.__cause__, KeyError)
        assert len(server.requests) == 1


async def test_a_streamed_value_is_asked_for_again(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([tools(WRONG), tools(USER)])
    snapshots = await harness.items(harness.client(server).create_partial(User, **asking(max_retries=1)))
    assert snapshots[-1] == User(**USER)
    assistant, result = server.requests[1].messages[1:]
    assert assistant["tool_calls"][0]["id"] == result["tool_call_id"]
    assert "@ $.age, not 'one'" in result["content"]
    server = scripted_server([tools(WRONG)] * 2)
    with pytest.raises(InstructorRetryException, match="after 2 attempts"):
        await harness.items(harness.client(server).create_partial(User, **asking(max_retries=1)))


async def test_only_the_wrong_items_of_a_list_are_asked_for_again(harness: Harness, scripted_server: Any) -> None:
    for stream in (False, True):
        server = scripted_server([tools({"tasks": [USER, WRONG]}), tools({"tasks": [{"name": "b", "age": 2}]})])
        client = harness.client(server)
        if stream:
            got = await harness.items(client.create_iterable(response_model=User, **asking()))
        else:
            got = await harness.create(client, Iterable[User])
        assert got == [User(**USER), User(name="b", age=2)]
        assistant, result = server.requests[1].messages[1:]
        assert json.loads(assistant["tool_calls"][0]["function"]["arguments"]) == {"tasks": [WRONG]}
        assert "@ $.age, not 'one'" in result["content"]


async def test_mended_syntax_costs_no_request(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer('{"name": "a", "age": 1,}')])
    got = await harness.create(harness.client(server), User)
    assert got == User(**USER)
    assert got.report.mended == 1


async def test_a_timeout_ends_the_re_asks(
    harness: Harness, scripted_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each answer takes 0.4 seconds of a clock that only the hook moves."""
    now = [0.0]
    monkeypatch.setattr("tenacity.time", SimpleNamespace(monotonic=lambda: now[0], sleep=None))
    for options, requests in (({"timeout": 0.7}, 2), ({"timeout": 9}, 4), ({"timeout": httpx.Timeout(0.7)}, 4)):
        server = scripted_server([answer(WRONG)] * requests)
        client = harness.client(server)
        client.on("completion:response", lambda _: now.append(now.pop() + 0.4))
        with pytest.raises(InstructorRetryException):
            await harness.create(client, User, **options)
        assert len(server.requests) == requests
    server = scripted_server([tools({"tasks": [WRONG]})] * 4)
    client = harness.client(server)
    client.on("completion:response", lambda _: now.append(now.pop() + 0.4))
    with pytest.raises(InstructorRetryException):  # a stream may well last longer than each of its reads
        await harness.items(client.create_iterable(response_model=User, **asking(timeout=0.7)))
    assert len(server.requests) == 4


async def test_a_timeout_is_the_sdks(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer(USER)])
    await harness.create(harness.client(server), User, timeout=9.0)
    assert server.requests[0].headers["x-stainless-read-timeout"] == "9.0"
    assert "timeout" not in server.requests[0].body
