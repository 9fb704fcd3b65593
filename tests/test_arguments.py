"""Arguments that cannot work are found before anything is sent, by the names that the client's function takes."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from pydantic import BaseModel
from tenacity import Retrying, wait_fixed

import instructor
from harness import Harness, asking
from instructor.exceptions import ConfigurationError
from instructor.testing import answer, content


class User(BaseModel):
    name: str


ANN = {"name": "Ann"}


async def test_an_unknown_argument(harness: Harness, scripted_server: Any) -> None:
    client = harness.client(server := scripted_server([], strict=False))
    client.on("completion:error", lambda _: pytest.fail("nothing was tried"))
    policy = Retrying(wait=wait_fixed(600))
    for method, kind in (("create", User), ("create", None), ("create_iterable", User), ("create_partial", User)):
        with pytest.raises(
            ConfigurationError,
            match=r"Unknown argument 'max_tokenz': .* openai .* Did you mean 'max_tokens'\? .*extra_body=",
        ) as failed:
            await harness.result(
                getattr(client, method)(response_model=kind, **asking(max_retries=policy, max_tokenz=3))
            )
        assert isinstance(failed.value, TypeError)
    with pytest.raises(
        ConfigurationError,
        match=r"Unknown argument 'xyz': the SDK of openai does not take it\. To send it anyway, use extra_body=",
    ):
        await harness.create(client, User, xyz=None)
    assert server.requests == []


async def test_what_a_request_must_have(harness: Harness, scripted_server: Any) -> None:
    client = harness.client(scripted_server([], strict=False))
    with pytest.raises(
        ConfigurationError,
        match=r"Missing argument 'model': the SDK of openai requires it\. Pass it to the call or the client",
    ):
        await harness.result(client.create(User, [{"role": "user", "content": "x"}]))


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("mode", instructor.Mode.JSON, "a client has one"),
    ],
)
async def test_arguments_of_older_versions(
    harness: Harness, scripted_server: Any, name: str, value: Any, why: str
) -> None:
    client = harness.client(server := scripted_server([answer(ANN), content("Hi")]))
    for kind in (User, None):
        with pytest.raises(ConfigurationError, match=f"{name}= must be left out: .*{why}"):
            await harness.create(client, kind, **{name: value})
        await harness.create(client, kind, **{name: None})
    assert len(server.requests) == 2


async def test_what_others_put_around_a_function_may_take_more(harness: Harness, scripted_server: Any) -> None:
    """Tracing tools do so, and `functools.wraps` hides it."""
    sdk = harness.sdk(scripted_server([answer(ANN)]))
    plain, seen = sdk.chat.completions.create, []

    @functools.wraps(plain)
    def traced(*arguments: Any, trace: str, **keywords: Any) -> Any:
        seen.append(trace)
        return plain(*arguments, **keywords)

    sdk.chat.completions.create = traced
    assert await harness.create(instructor.from_openai(sdk), User, trace="t") == User(**ANN)
    assert seen == ["t"]


def test_a_function_of_the_users() -> None:
    def strict(messages: Any, tools: Any, tool_choice: Any, *, model: str = "m") -> Any:
        pytest.fail("nothing is sent")

    def open_handed(**given: Any) -> Any:
        raise KeyError(given["best"])

    with pytest.raises(ConfigurationError, match=r"Unknown argument 'best': the SDK of openai does not take it\."):
        instructor.patch(create=strict)(User, messages=[], best=1)
    with pytest.raises(KeyError, match="1"):
        instructor.patch(create=open_handed)(User, messages=[], best=1)
    with pytest.raises(KeyError, match="1"):
        instructor.patch(create=functools.partial(open_handed, more=2))(User, messages=[], best=1)


def test_what_only_an_sdk_knows_to_be_wrong_is_not_tried_again() -> None:
    tried: list[Any] = []

    def create(**given: Any) -> Any:
        tried.append(given)
        raise ConfigurationError("The SDK takes no such thing.")

    with pytest.raises(ConfigurationError, match="no such thing"):
        instructor.patch(create=create)(User, messages=[], max_retries=Retrying(wait=wait_fixed(600)))
    assert len(tried) == 1


@pytest.mark.parametrize(
    ("module", "kind", "options"),
    [
        ("cohere", "ClientV2", {"top_p": 0.5, "seed": 1, "max_tokens": 9}),
        ("mistralai.client", "Mistral", {"seed": 1, "top_p": 0.5, "max_tokens": 9}),
        ("anthropic", "Anthropic", {"stop_sequences": ["x"], "system": "Be brief."}),
        ("groq", "Groq", {"top_p": 0.5, "seed": 1}),
        ("google.genai", "Client", {"top_p": 0.5, "max_tokens": 9}),
    ],
)
def test_names_are_those_that_the_wire_makes_of_them(module: str, kind: str, options: dict[str, Any]) -> None:
    sdk = getattr(pytest.importorskip(module), kind)(api_key="none")
    client = getattr(instructor, f"from_{'genai' if 'google' in module else module.split('ai.')[0].split('.')[0]}")(sdk)
    client.create_iterable(response_model=User, **asking(**options))  # nothing is sent before it is read
    if kind in ("Mistral", "Anthropic", "Groq"):  # the others take any name, and look at it later
        with pytest.raises(ConfigurationError, match="Unknown argument 'nonsense'"):
            client.create_iterable(response_model=User, **asking(nonsense=1))
