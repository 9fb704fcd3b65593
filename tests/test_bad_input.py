"""Wrong arguments are told before any request; a wrong answer is told by an error of its own, with all that came."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import openai
import pytest
from pydantic import BaseModel
from tenacity import AsyncRetrying, stop_after_attempt

import instructor
from harness import Harness, asking
from instructor import Mode
from instructor.exceptions import (
    ClientError,
    ConfigurationError,
    IncompleteOutputException,
    InstructorError,
    InstructorRetryException,
    ModeError,
    ProviderError,
    RefusalError,
    ResponseParsingError,
)
from instructor.testing import answer, body, content, refusal, tools


class User(BaseModel):
    name: str
    age: int


class Opaque:
    """Nothing that pydantic knows."""


USER = {"name": "a", "age": 1}


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (User(name="a", age=1), r"must be a type, got User\(name='a', age=1\).*its class, User"),
        ("User", "must be a type, got 'User'.*without quotes"),
        (5, "must be a type, got 5.*int"),
        ([User], r"must be a type, got \[.*Did you mean list\[User\]"),
        ({"type": "object"}, "must be a type, got {'type': 'object'}. A JSON schema is not a type"),
        (Iterable, r"Iterable.* does not say of what: write Iterable\[User\]"),
        (instructor.Partial, r"Partial.* write .*Partial\[User\]"),
        (Opaque, "Opaque.* cannot be a response model"),
        (list[Opaque], "Opaque.* cannot be a response model"),
        (lambda: None, "cannot be a response model: It is a function"),
    ],
)
async def test_response_models_that_are_none(harness: Harness, scripted_server: Any, kind: Any, told: str) -> None:
    server = scripted_server()
    client = harness.client(server)
    messages = asking()["messages"]
    for ask, options in (
        (client.create, {}),
        (client.create, {"stream": True}),
        (client.create_with_completion, {}),
        (client.create_iterable, {}),
        (client.create_partial, {}),
    ):
        with pytest.raises(ConfigurationError, match=told):
            await harness.result(ask(response_model=kind, messages=messages, **options))
    assert server.requests == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"max_retries": "3"}, "max_retries must be a number of re-asks .* got '3'"),
        ({"max_retries": 2.0}, "max_retries must be a number of re-asks .* got 2.0"),
        ({"max_retries": None}, "max_retries must be a number of re-asks .* got None"),
        ({"max_retries": True}, "max_retries must be a number of re-asks .* got True"),
        ({"max_retries": -1}, "max_retries must be a number of re-asks .* got -1"),
        ({"messages": "Extract."}, "messages must be a list of messages, got 'Extract.'"),
        ({"messages": ["Extract."]}, r"messages\[0\] must be a dict such as .*, got 'Extract.'"),
        ({"messages": None}, "messages must be a list of messages, got None"),
        ({"context": "a"}, "context must be a dict, got 'a'"),
        ({"hooks": [print]}, r"hooks must be an instructor.Hooks, got \[.*\]"),
        ({"on_invalid": "ignore"}, "on_invalid must be one of reask, skip, raise, got 'ignore'"),
        ({"max_continuations": -1}, "max_continuations must be a number .* got -1"),
        ({"watchdog": 3}, "watchdog must be .* got 3"),
        ({"strict": "yes"}, "strict must be True, False or None, got 'yes'"),
    ],
)
async def test_arguments_that_cannot_work(harness: Harness, scripted_server: Any, options: Any, told: str) -> None:
    server = scripted_server()
    client = harness.client(server)
    with pytest.raises(ConfigurationError, match=told):
        await harness.create(client, User, **options)
    with pytest.raises(ConfigurationError, match=told):
        await harness.items(client.create_iterable(response_model=User, **asking(**options)))
    assert server.requests == []


@pytest.mark.parametrize("given", [{"on_invalid": "skip"}, {"max_continuations": 2}])
async def test_what_only_a_list_can_obey(harness: Harness, scripted_server: Any, given: Any) -> None:
    server = scripted_server([answer(USER)] * 2 + [tools({"tasks": [USER]})])
    client = harness.client(server)
    for ask in (client.create, client.create_partial, client.create_with_completion):
        with pytest.raises(ConfigurationError, match=f"{next(iter(given))}=.* list"):
            await harness.result(ask(response_model=User, **asking(**given)))
    assert server.requests == []
    client = instructor.from_openai(client.client, **given)  # a default serves those calls that can obey it
    assert await harness.create(client, User) == User(**USER)
    assert (await harness.items(client.create_partial(User, **asking())))[-1] == User(**USER)
    assert await harness.items(client.create_iterable(response_model=User, **asking())) == [User(**USER)]


async def test_an_async_policy_for_a_sync_client(scripted_server: Any) -> None:
    server = scripted_server()
    async with Harness("sync") as harness:
        with pytest.raises(ConfigurationError, match=r"of a sync client must be .*, got <AsyncRetrying"):
            await harness.create(harness.client(server), User, max_retries=AsyncRetrying(stop=stop_after_attempt(2)))
    assert server.requests == []


async def test_a_streamed_call_with_completion(harness: Harness, scripted_server: Any) -> None:
    client = harness.client(scripted_server())
    with pytest.raises(ConfigurationError, match="create_with_completion gives a whole response"):
        await harness.result(client.create_with_completion(response_model=User, **asking(stream=True)))


async def test_what_has_no_parts(harness: Harness, scripted_server: Any) -> None:
    client = harness.client(scripted_server())
    for ask in (client.create_partial, client.create_iterable):
        with pytest.raises(ConfigurationError, match=r"response_model=None.*create\(None, stream=True\)"):
            ask(response_model=None, **asking())


async def test_parallel_tools_want_a_list_of_models(harness: Harness, scripted_server: Any) -> None:
    client = harness.client(scripted_server(), Mode.PARALLEL_TOOLS)
    with pytest.raises(ConfigurationError, match=r"PARALLEL_TOOLS gives a list.*not <class"):
        await harness.create(client, User)
    with pytest.raises(ConfigurationError, match=r"takes models.*int"):
        await harness.create(client, Iterable[User | int])


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("gpt-4o", "openai/gpt-4o-mini.*, got 'gpt-4o'"),
        ("openai/", "must be .provider/model.*, got 'openai/'"),
        ("/gpt-4o", "must be .provider/model.*, got '/gpt-4o'"),
        ("", "must be .provider/model.*, got ''"),
        ("openai", "must be .provider/model.*, got 'openai'"),
        ("nosuch/model", "Unknown provider 'nosuch'. It must be one of .*openai"),
        ("../x/y", "Unknown provider"),
        ("openai.x/y", "Unknown provider"),
    ],
)
def test_names_of_no_model(model: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        instructor.from_provider(model)


def test_a_missing_key_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    for async_client in (False, True):
        with pytest.raises(ConfigurationError, match="OPENAI_API_KEY"):
            instructor.from_provider("openai/gpt-4o", async_client)


def test_a_missing_sdk_is_named_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "openai", None)
    with pytest.raises(ConfigurationError, match=re.escape('pip install "openai<4,>=2"')):
        instructor.from_provider("openai/gpt-4o")


@pytest.mark.parametrize("client", [None, "sk-key", Opaque(), openai])
def test_clients_of_the_wrong_kind(client: Any) -> None:
    with pytest.raises(ClientError, match=r"The client of openai must be one of openai\.OpenAI"):
        instructor.from_openai(client)


def test_hooks_that_are_none() -> None:
    with pytest.raises(ConfigurationError, match=r"hooks must be an instructor.Hooks, got \[.*\]"):
        instructor.from_provider("openai/m", api_key="sk-fake", hooks=[print])


def test_modes_that_do_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-fake")
    with pytest.raises(ModeError, match=r"mode of openai must be one of Mode\.TOOLS, .*, got 'json'"):
        instructor.from_provider("openai/gpt-4o", mode="json")  # type: ignore[call-overload]  # pyright: ignore


def test_a_provider_without_its_client_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_OPENAI_ENDPOINT", raising=False)
    with pytest.raises(ConfigurationError, match="azure_endpoint"):
        instructor.from_provider("azure_openai/gpt-4o", api_key="sk-fake")


KEY = "sk-secret-0123456789"


async def test_keys_are_in_no_error_and_no_repr(
    harness: Harness, scripted_server: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="instructor")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server = scripted_server([content("no")])
    client = instructor.from_provider("openai/m", harness.is_async, base_url=server.base_url, max_retries=0)
    with pytest.raises(InstructorRetryException) as failed:
        await harness.create(client, User, max_retries=0)
    error = failed.value
    for shown in (client, error, error.report, error.create_kwargs, error.failed_attempts, client.kwargs, caplog.text):
        assert KEY not in repr(shown)
    with pytest.raises(ConfigurationError) as refused:
        instructor.from_provider("openai/m", api_key=KEY, timeout=object(), http_client=3)
    assert KEY not in repr(refused.value)
    await harness.close(client.client)


# What a model may do.


async def test_a_refusal_is_told_at_once(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([refusal("I would rather not.")])
    with pytest.raises(RefusalError, match="I would rather not") as failed:
        await harness.create(harness.client(server), User, max_retries=3)
    assert isinstance(failed.value, InstructorRetryException)
    assert (failed.value.text, failed.value.mode) == ("I would rather not.", Mode.TOOLS.value)
    assert failed.value.last_completion.choices[0].message.refusal == "I would rather not."
    assert failed.value.n_attempts == len(server.requests) == 1


async def test_a_streamed_refusal_too(harness: Harness, scripted_server: Any) -> None:
    for kind in (User, Iterable[User]):
        server = scripted_server([refusal("No.")])
        with pytest.raises(RefusalError, match=r"No\.") as failed:
            await harness.items(harness.client(server).create(kind, **asking(stream=True)))
        whole: Any = getattr(failed.value, "last_completion", None)
        assert whole.choices[0].message.refusal == "No."
        assert len(server.requests) == 1


@pytest.mark.parametrize("kind", [User, Iterable[User]])
async def test_a_missing_tool_call(harness: Harness, scripted_server: Any, kind: Any) -> None:
    server = scripted_server([content("I think it is Jason.")] * 2)
    with pytest.raises(InstructorRetryException, match="The reply holds no tool call: 'I think it is Jason") as failed:
        await harness.create(harness.client(server), kind, max_retries=1)
    cause = failed.value.__cause__
    assert isinstance(cause, ResponseParsingError)
    assert cause.text == "I think it is Jason."
    assert cause.mode == "tool_call"
    assert cause.raw_response.choices[0].message.content == "I think it is Jason."
    *_, said, told = server.requests[1].messages
    assert said == {"role": "assistant", "content": "I think it is Jason."}
    assert told["role"] == "user"
    assert "tool" in told["content"]


@pytest.mark.parametrize("kind", [User, Iterable[User]])
@pytest.mark.parametrize("mode", [Mode.JSON, Mode.MD_JSON, Mode.JSON_SCHEMA])
async def test_prose_instead_of_json(harness: Harness, scripted_server: Any, kind: Any, mode: Mode) -> None:
    server = scripted_server([content("It is Jason.")])
    with pytest.raises(InstructorRetryException, match="JSON") as failed:
        await harness.create(harness.client(server, mode), kind, max_retries=0)
    cause = failed.value.__cause__
    assert isinstance(cause, ResponseParsingError)
    assert cause.text == "It is Jason."
    assert cause.raw_response is failed.value.last_completion
    assert cause.raw_response.choices[0].message.content == "It is Jason."


@pytest.mark.parametrize("empty", ["", "  ", "{}"])
async def test_empty_arguments(harness: Harness, scripted_server: Any, empty: str) -> None:
    server = scripted_server([tools(empty), tools(USER)])
    assert await harness.create(harness.client(server), User, max_retries=1) == User(name="a", age=1)


async def test_a_length_limit_is_told_at_once(harness: Harness, scripted_server: Any) -> None:
    for stream in (False, True):
        server = scripted_server([tools('{"name": "a", "a', finish="length")])
        client = harness.client(server)
        asks = client.create_partial if stream else client.create
        with pytest.raises(IncompleteOutputException, match="length limit") as failed:
            await (harness.items if stream else harness.result)(asks(User, **asking()))
        assert len(server.requests) == 1
        assert failed.value.last_completion.choices[0].finish_reason == "length"
        assert not isinstance(failed.value, InstructorRetryException)


async def test_a_content_filter_is_told_at_once(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([tools('{"na', finish="content_filter")])
    with pytest.raises(IncompleteOutputException, match="content filter"):
        await harness.create(harness.client(server), User)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"malformed_after": 3}, "An event of the stream is not JSON"),
        ({"error_after": 3}, "openai: "),
        ({"cut_after": 3}, "without an end"),
        ({"drop_after": 3}, "cut by APIConnectionError"),
    ],
)
async def test_a_stream_that_breaks(harness: Harness, scripted_server: Any, fault: Any, told: str) -> None:
    server = scripted_server([tools(USER, **fault)])
    with pytest.raises(IncompleteOutputException, match=told) as failed:
        await harness.items(harness.client(server).create_partial(User, **asking(max_retries=0)))
    assert failed.value.text or failed.value.last_completion is not None
    if "error_after" in fault:
        assert isinstance(failed.value.__cause__, ProviderError)
        assert failed.value.__cause__.provider == "openai"


async def test_all_errors_have_one_root(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer({"name": 1})])
    with pytest.raises(InstructorError):
        await harness.create(harness.client(server), User, max_retries=0)


async def test_a_response_that_is_no_json(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([body(b"<html>proxy</html>"), answer(USER)])
    assert await harness.create(harness.client(server), User) == User(name="a", age=1)
    server = scripted_server([body(b"<html>proxy</html>")])
    with pytest.raises(InstructorRetryException, match="proxy") as failed:
        await harness.create(harness.client(server), User, max_retries=0)
    assert isinstance(failed.value.__cause__, ResponseParsingError)
