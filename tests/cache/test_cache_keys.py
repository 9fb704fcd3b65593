"""Keys: they change whenever the answer could, and are equal for requests that mean the same."""

from __future__ import annotations

import enum
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Annotated, Any

import openai
import pytest
import xai_sdk
from pydantic import AfterValidator, BaseModel, Field, create_model, field_validator

import instructor
from harness import Harness, asking
from instructor.cache import AutoCache, client_cache_identity, make_cache_key, make_request_cache_key
from instructor.testing import answer


class User(BaseModel):
    name: str
    age: int


USER = {"name": "a", "age": 1}
MESSAGES = [{"role": "user", "content": "Extract."}]


class Role(str, enum.Enum):
    USER = "user"


async def hits(harness: Harness, server: Any, first: dict[str, Any], second: dict[str, Any]) -> bool:
    """Make two calls, and return whether the second is answered by the first one's answer."""
    client, cache = harness.client(server), AutoCache()
    base = asking(response_model=User, cache=cache)
    await harness.result(client.create(**{**base, **first}))
    return bool((await harness.result(client.create(**{**base, **second}))).report.cached)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"temperature": 0}, {"temperature": 0.0}),
        ({"timeout": 3}, {"timeout": 5}),
        ({"extra_headers": {"X-Request-Id": "1"}}, {"extra_headers": {"x-request-id": "2"}}),
        ({"messages": MESSAGES}, {"messages": tuple(MESSAGES)}),
        ({"messages": MESSAGES}, {"messages": [dict(reversed(MESSAGES[0].items()))]}),
        ({"messages": MESSAGES}, {"messages": [{"role": "user", "content": [{"type": "text", "text": "Extract."}]}]}),
        ({"messages": MESSAGES}, {"messages": [{"role": Role.USER, "content": "Extract."}]}),
        ({"seed": openai.NOT_GIVEN}, {}),
        ({"max_retries": 1}, {"max_retries": 5}),
        ({"context": {"a": 1, "b": 2}}, {"context": {"b": 2, "a": 1}}),
    ],
)
async def test_equal_requests(harness: Harness, scripted_server: Any, first: Any, second: Any) -> None:
    assert await hits(harness, scripted_server([answer(USER)]), first, second)


@pytest.mark.parametrize(
    "other",
    [
        {"model": "another"},
        {"messages": [{"role": "user", "content": "Another."}]},
        {"messages": [{"role": "system", "content": "Extract."}]},
        {"temperature": 0.5},
        {"seed": 1},
        {"tools": [{"type": "function", "function": {"name": "look_up", "parameters": {}}}]},
        {"extra_body": {"top_k": 3}},
        {"extra_headers": {"anthropic-beta": "x"}},
        {"strict": False},
        {"context": {"a": 1}},
        {"cache_namespace": "other"},
    ],
)
async def test_other_requests(harness: Harness, scripted_server: Any, other: Any) -> None:
    assert not await hits(harness, scripted_server([answer(USER)] * 2), {}, other)


def same_name(make: Callable[[], Any]) -> Any:
    kind = make()
    kind.__qualname__ = kind.__name__ = "Model"
    kind.__module__ = "models"
    return kind


def plain() -> Any:
    class Model(BaseModel):
        name: str = Field(description="A name.")

    return Model


def other_description() -> Any:
    class Model(BaseModel):
        name: str = Field(description="Another.")

    return Model


def validating(rule: str) -> Callable[[], Any]:
    def make() -> Any:
        class Model(BaseModel):
            name: str = Field(description="A name.")

            @field_validator("name")
            @classmethod
            def check(cls, name: str) -> str:
                if name == rule:
                    raise ValueError("no")
                return name

        return Model

    return make


def annotated(function: Callable[[str], str]) -> Callable[[], Any]:
    kind: Any = (Annotated[str, AfterValidator(function)], Field(description="A name."))
    return lambda: create_model("Model", name=kind)


def test_schemas_and_validators_tell_models_apart() -> None:
    makers = [
        plain,
        other_description,
        validating("a"),
        validating("b"),
        annotated(lambda name: name.strip()),
        annotated(lambda name: name.upper()),
    ]
    keys = [[make_cache_key(MESSAGES, "m", same_name(make)) for make in makers] for _ in range(2)]
    assert keys[0] == keys[1]
    assert len(set(keys[0])) == len(makers)


async def test_the_order_of_fields_counts(harness: Harness, scripted_server: Any) -> None:
    class Turned(BaseModel):
        age: int
        name: str

    Turned.__name__ = Turned.__qualname__ = "User"
    assert not await hits(harness, scripted_server([answer(USER)] * 2), {}, {"response_model": Turned})


async def test_modes_and_addresses_tell_clients_apart(harness: Harness, scripted_server: Any) -> None:
    cache = AutoCache()
    servers = [scripted_server([answer(USER)] * requests) for requests in (2, 1)]
    clients = [
        harness.client(servers[0]),
        harness.client(servers[1]),
        harness.client(servers[0], instructor.Mode.JSON),
    ]
    for client in clients:
        assert not (await harness.create(client, User, cache=cache)).report.cached
    assert (await harness.create(harness.client(servers[0], api_key="sk-another"), User, cache=cache)).report.cached


def test_the_identity_of_a_client_has_no_key() -> None:
    with openai.OpenAI(api_key="sk-secret", base_url="http://127.0.0.1:1", default_headers={"X-Region": "eu"}) as sdk:
        told = client_cache_identity(sdk)
    assert told["base_url"].startswith("http://127.0.0.1:1")
    assert told["headers"] == {"x-region": "eu"}
    assert "sk-secret" not in repr(told)


async def test_the_identity_of_a_grpc_client_is_its_address() -> None:
    options: dict[str, Any] = {"api_key": "sk-secret", "api_host": "127.0.0.1:1"}
    told = [client_cache_identity(make(**options)) for make in (xai_sdk.Client, xai_sdk.AsyncClient)]
    assert told[0] == told[1]
    assert "127.0.0.1:1" in told[0].values()
    assert "sk-secret" not in repr(told)


def test_the_identity_of_a_function_is_its_name() -> None:
    assert client_cache_identity(make_cache_key) != client_cache_identity(make_request_cache_key)


CODE = """
from pydantic import BaseModel, field_validator
from instructor.cache import make_cache_key
class User(BaseModel):
    name: str
    @field_validator("name")
    @classmethod
    def check(cls, name):
        if name in {"a", "b", "c"}:
            raise ValueError("no")
        return name
print(make_cache_key([{"role": "user", "content": "x"}], "m", User, request_kwargs={"stop": {"a", "b", "c"}}))
"""


def test_a_key_is_the_same_in_each_process() -> None:
    runs = [
        subprocess.run(
            [sys.executable, "-c", CODE],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
        for seed in ("1", "2")
    ]
    assert runs[0].stdout == runs[1].stdout != ""


def test_a_key_for_programs_that_keep_answers_themselves() -> None:
    arguments = {"messages": MESSAGES, "model": "m", "temperature": 0}
    key = make_request_cache_key(arguments, User)
    assert key == make_cache_key(MESSAGES, "m", User, request_kwargs={"temperature": 0})
    assert key != make_request_cache_key({**arguments, "temperature": 1}, User)
    assert key != make_request_cache_key(arguments, User, namespace="other")
