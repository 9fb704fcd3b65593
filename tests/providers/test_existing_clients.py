"""`from_provider` with a client that exists: of every provider, of both kinds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import anthropic
import google.genai
import openai
import pytest
from pydantic import BaseModel

import instructor
from cases import Case, cases
from harness import Harness
from instructor import AsyncInstructor, Instructor
from instructor.exceptions import ClientError, ConfigurationError
from instructor.testing import answer, error

ASKED = [{"role": "user", "content": "Extract."}]


class User(BaseModel):
    name: str


ANN = {"name": "Ann"}
BOTH = {"bedrock", "google", "vertexai", "mistral"}
"""Providers whose one class serves both kinds."""


@pytest.fixture(params=cases(), ids=lambda case: case.name)
async def case(request: pytest.FixtureRequest) -> Case:
    given: Case = request.param
    return given


@pytest.fixture
async def sdk(case: Case, harness: Harness) -> AsyncIterator[tuple[Any, Any]]:
    """Give a server, and a client of the SDK for it."""
    async with AsyncExitStack() as made:
        server = made.enter_context(case.server())
        ours = instructor.from_provider(f"{case.name}/{case.model}", harness.is_async, **case.options(server))
        client = ours.client
        made.push_async_callback(lambda: harness.result(case.close(client) if case.close else harness.close(client)))
        yield server, client


async def test_it_is_wrapped(case: Case, harness: Harness, sdk: tuple[Any, Any]) -> None:
    server, client = sdk
    ours = instructor.from_provider(f"{case.name}/other-model", harness.is_async, client=client, max_retries=1)
    assert type(ours) is (AsyncInstructor if harness.is_async else Instructor)
    assert ours.client is client
    server.add(answer({"age": 3}), answer(ANN))
    assert await harness.result(ours.create(User, ASKED)) == User(**ANN)
    assert len(server.requests) == 2
    assert ours.mode is case.row.mode_for(None, "other-model")


async def test_the_client_says_its_kind(case: Case, harness: Harness, sdk: tuple[Any, Any]) -> None:
    _, client = sdk
    ours = instructor.from_provider(f"{case.name}/m", client=client)
    is_async = harness.is_async and case.name not in BOTH
    assert type(ours) is (AsyncInstructor if is_async else Instructor)


async def test_of_the_other_kind_it_is_refused(case: Case, harness: Harness, sdk: tuple[Any, Any]) -> None:
    _, client = sdk
    if case.name in BOTH:
        assert instructor.from_provider(f"{case.name}/m", not harness.is_async, client=client)
        return
    with pytest.raises(ClientError) as raised:
        instructor.from_provider(f"{case.name}/m", not harness.is_async, client=client)
    assert type(client).__name__ in str(raised.value)
    assert "a sync" in str(raised.value)
    assert "an async" in str(raised.value)


def test_another_object_is_refused(case: Case) -> None:
    wrong = [object(), "sk-key", type("OpenAI", (), {})(), instructor.Hooks(), openai.OpenAI]
    for client in wrong:
        with pytest.raises(ConfigurationError) as raised:
            instructor.from_provider(f"{case.name}/m", client=client)
        assert repr(client)[:30] in str(raised.value)
        assert f"client of {case.name}" in str(raised.value)


async def test_a_client_of_another_sdk_is_named_with_what_is_wanted(harness: Harness) -> None:
    with pytest.raises(
        ClientError, match=r"The client of anthropic must be one of anthropic.Anthropic.* got .*OpenAI object"
    ):
        instructor.from_provider("anthropic/m", client=openai.OpenAI(api_key="sk-none"))
    with pytest.raises(ClientError, match=r"The client of openai must be one of openai.OpenAI.* got .*Anthropic"):
        instructor.from_provider("openai/m", client=anthropic.Anthropic(api_key="none"))


def test_googles_two_halves() -> None:
    client = google.genai.Client(api_key="none")
    assert type(instructor.from_provider("google/m", client=client)) is Instructor
    assert type(instructor.from_provider("google/m", client=client.aio)) is AsyncInstructor
    with pytest.raises(ClientError, match="AsyncClient"):
        instructor.from_provider("google/m", async_client=False, client=client.aio)


async def test_options_are_defaults_of_the_calls(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer(ANN), error(500)])
    sdk = harness.sdk(server)
    ours: Any = instructor.from_provider("openai/m", client=sdk, temperature=0.5, timeout=7, mode=instructor.Mode.JSON)
    assert await harness.result(ours.create(User, ASKED)) == User(**ANN)
    assert server.requests[0].body["temperature"] == 0.5
    assert server.requests[0].body["model"] == "m"
    with pytest.raises(openai.InternalServerError):
        await harness.result(ours.create(User, ASKED))


@pytest.mark.parametrize("name", ["api_key", "base_url", "http_client", "default_headers"])
async def test_what_only_a_new_client_could_obey(harness: Harness, scripted_server: Any, name: str) -> None:
    options: Any = {name: "x"}
    with pytest.raises(ConfigurationError, match=f"{name}= must be left out with client="):
        instructor.from_provider("openai/m", client=harness.sdk(scripted_server()), **options)


def test_none_is_no_client() -> None:
    assert type(instructor.from_provider("openai/m", client=None, api_key="sk-none")) is Instructor


def test_the_embedded_model() -> None:
    from instructor.local.sdk import AsyncLocal, Local

    pytest.importorskip("xllamacpp")
    for kind, ours in ((Local, Instructor), (AsyncLocal, AsyncInstructor)):
        try:
            assert type(instructor.from_provider("local", client=kind())) is ours
        except ConfigurationError:
            pytest.skip("the weights are not installed")
