"""How clients are made: of a name, of an SDK's client; what they are told, and where they warn."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import openai
import pytest
from pydantic import BaseModel

import instructor
from harness import Harness, asking
from instructor import AsyncInstructor, Instructor, Mode
from instructor.exceptions import ClientError, ConfigurationError
from instructor.factories import from_named
from instructor.providers import base
from instructor.testing import answer


class User(BaseModel):
    name: str


USER = {"name": "a"}


async def test_no_cache_is_what_a_client_has_anyway(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer(USER)] * 2)
    sdk = harness.sdk(server)
    made = instructor.from_provider("openai/m", harness.is_async, cache=None, base_url=server.base_url, api_key="none")
    for client in (made, instructor.from_openai(sdk, cache=None)):
        assert await harness.create(client, User) == User(**USER)
    await harness.close(made.client)


@pytest.mark.parametrize(("argument", "why"), [("response_model", "to each call")])
def test_what_is_no_default_of_calls_is_refused_at_once(argument: str, why: str) -> None:
    defaults: dict[str, Any] = {argument: User}
    with pytest.raises(ConfigurationError, match=f"{argument}= is not an argument of a client: .*{why}"):
        instructor.from_provider("openai/m", api_key="none", **defaults)
    with openai.OpenAI(api_key="none") as sdk, pytest.raises(ConfigurationError, match=f"{argument}="):
        instructor.from_openai(sdk, **defaults)


@pytest.mark.parametrize("name", [None, 3, "", "/m", "openai/"])
def test_what_names_no_model(name: Any) -> None:
    with pytest.raises(ConfigurationError, match='must be "provider/model"'):
        instructor.from_provider(name)


@pytest.mark.parametrize("provider", ["together", "deepseek", "anyscale", "databricks"])
async def test_a_models_name_instead_of_a_client(provider: str, harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer(USER)])
    wrap = getattr(instructor, f"from_{provider}")
    client = wrap("a/m", api_key="theirs", base_url=server.base_url, async_client=harness.is_async, temperature=0.5)
    assert isinstance(client, AsyncInstructor if harness.is_async else Instructor)
    assert await harness.result(client.create(User, asking()["messages"])) == User(**USER)
    (asked,) = server.requests
    assert (asked.body["model"], asked.body["temperature"]) == ("a/m", 0.5)
    await harness.close(client.client)


def test_a_models_name_by_its_keyword() -> None:
    client: Any = from_named("deepseek")(model="m", mode=Mode.JSON, api_key="none")
    assert (client.provider, client.mode, client.default_model) == ("deepseek", Mode.JSON, "m")
    client.client.close()
    make: Any = from_named("deepseek")
    for wrong in ({"client": "m", "model": "n"}, {"client": "m/", "mode": "json"}):
        with pytest.raises(ConfigurationError):
            make(api_key="none", **wrong)
    with pytest.raises(ClientError, match=r"The client of deepseek must be one of .*, got None"):
        from_named("deepseek")()


def test_a_function_is_no_client(harness: Harness) -> None:
    def complete(**request: Any) -> Any: ...

    async def acomplete(**request: Any) -> Any: ...

    client = instructor.from_litellm(acomplete if harness.is_async else complete)
    assert isinstance(client, AsyncInstructor if harness.is_async else Instructor)
    assert client.client is None
    with pytest.raises(AttributeError, match="has no attribute 'embeddings'"):
        _ = client.embeddings


def test_an_object_whose_call_awaits() -> None:
    class Complete:
        async def __call__(self, **request: Any) -> None: ...

    assert isinstance(instructor.from_litellm(Complete()), AsyncInstructor)


MAKING: dict[str, Callable[[Any], object]] = {
    "from_openai": lambda sdk: instructor.from_openai(sdk, Mode.FUNCTIONS),
    "from_provider": lambda sdk: instructor.from_provider("openai/m", mode=Mode.FUNCTIONS, api_key="none"),
    "another": lambda sdk: instructor.from_openrouter(sdk, Mode.FUNCTIONS),
    "patch": lambda sdk: instructor.patch(sdk, mode=Mode.FUNCTIONS),
}


@pytest.mark.parametrize("how", MAKING)
def test_a_warning_points_at_who_wrote_the_older_name(how: str) -> None:
    base._warn_of.cache_clear()
    with openai.OpenAI(api_key="none") as sdk:
        with pytest.warns(DeprecationWarning, match=r"Mode\.FUNCTIONS is now Mode\.TOOLS") as told:
            MAKING[how](sdk)
        assert (told[0].filename, told[0].lineno) == (__file__, MAKING[how].__code__.co_firstlineno)


def test_another_name_is_no_older_one() -> None:
    base._warn_of.cache_clear()
    with openai.OpenAI(api_key="none") as sdk, warnings.catch_warnings():
        warnings.simplefilter("error")
        made = instructor.from_openai(sdk, Mode.RESPONSES_TOOLS_WITH_INBUILT_TOOLS)
    assert made.mode is Mode.RESPONSES_TOOLS


@pytest.mark.parametrize("kind", [Instructor, AsyncInstructor])
def test_a_class_says_what_makes_its_clients(kind: Any) -> None:
    for older in ({}, {"client": None, "create": print, "mode": Mode.TOOLS}):
        with pytest.raises(ConfigurationError, match=rf"{kind.__name__}\(\.\.\.\) cannot be called"):
            kind(**older)
