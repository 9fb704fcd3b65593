"""What the two clients do themselves: pass arguments on, and give access to the attributes of the SDK's client."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from instructor.client import AsyncInstructor, Instructor
from instructor.dsl import Partial
from instructor.hooks import HookName, Hooks
from instructor.mode import Mode


class Sdk:
    """An SDK's client with one resource."""

    embeddings = "the SDK's embeddings"


class Echo:
    """A binding and its call builder, which returns the arguments that it was called with."""

    provider, mode, defaults = "echo", Mode.JSON, {"temperature": 0.5}

    def __init__(self, client: Any = None) -> None:
        self.client, self.hooks = client, Hooks()

    def create(self, *asked: Any) -> Any:
        return "create", *asked

    def iterable(self, *asked: Any) -> Any:
        return "iterable", *asked

    def partial(self, *asked: Any) -> Any:
        return "partial", *asked

    def with_completion(self, *asked: Any) -> Any:
        return "with_completion", *asked

    async def acreate(self, *asked: Any) -> Any:
        return "acreate", *asked

    def aiterable(self, *asked: Any) -> Any:
        return "aiterable", *asked

    def apartial(self, *asked: Any) -> Any:
        return "apartial", *asked

    async def awith_completion(self, *asked: Any) -> Any:
        return "awith_completion", *asked


def echoing(kind: Any, client: Any) -> Any:
    echo = Echo(client)
    made = kind(echo)
    vars(made)["_caller"] = echo
    return made


def instructor(client: Any = None) -> Any:
    return echoing(Instructor, client)


def async_instructor(client: Any = None) -> Any:
    return echoing(AsyncInstructor, client)


def test_only_given_arguments_are_passed_on() -> None:
    client = instructor()
    assert client.create(int, ["m"]) == ("create", int, ["m"], {})
    assert client.create(response_model=int, messages=["m"], stream=True, max_retries=0, model="x") == (
        "create",
        int,
        ["m"],
        {"stream": True, "max_retries": 0, "model": "x"},
    )
    assert client.create(response_model=None, contents="c") == ("create", None, None, {"contents": "c"})
    assert client.create_partial(int, ["m"], seed=1) == ("partial", int, ["m"], {"seed": 1})
    assert client.create_iterable(["m"], int, seed=1) == ("iterable", int, ["m"], {"seed": 1})
    assert client.create_with_completion(["m"], int) == ("with_completion", int, ["m"], {})


async def test_the_async_client_passes_on_the_same() -> None:
    client = async_instructor()
    assert await client.create(int, ["m"], max_retries=0) == ("acreate", int, ["m"], {"max_retries": 0})
    assert client.create_partial(int, ["m"], seed=1) == ("apartial", int, ["m"], {"seed": 1})
    assert client.create_iterable(["m"], int, seed=1) == ("aiterable", int, ["m"], {"seed": 1})
    assert await client.create_with_completion(["m"], int) == ("awith_completion", int, ["m"], {})


@pytest.mark.parametrize("make", [instructor, async_instructor])
def test_the_old_spellings_are_the_client_itself(make: Any) -> None:
    client = make()
    assert client.chat.completions is client.messages is client


@pytest.mark.parametrize("make", [instructor, async_instructor])
def test_other_attributes_are_the_sdk_clients(make: Any) -> None:
    assert make(Sdk()).embeddings == Sdk.embeddings
    with pytest.raises(AttributeError, match="'Sdk' object has no attribute 'nothing'"):
        _ = make(Sdk()).nothing
    with pytest.raises(AttributeError, match="Instructor' object has no attribute 'embeddings'"):
        _ = make(None).embeddings


@pytest.mark.parametrize("make", [instructor, async_instructor])
def test_a_client_can_be_copied(make: Any) -> None:
    client = make(Sdk())
    assert copy.copy(client).client is client.client
    assert copy.deepcopy(client).embeddings == Sdk.embeddings
    assert pickle.loads(pickle.dumps(client)).mode is Mode.JSON


def test_hooks_are_the_callers() -> None:
    client = instructor()

    def hook(*_: Any) -> None: ...

    client.on("parse:error", hook)
    client.on(HookName.COMPLETION_KWARGS, hook)
    assert client.hooks.at(HookName.PARSE_ERROR) == (hook,)
    client.off("parse:error", hook)
    assert client.hooks.at(HookName.PARSE_ERROR) == ()
    client.clear()
    assert client.hooks.at(HookName.COMPLETION_KWARGS) == ()


def test_what_it_shows() -> None:
    client = instructor()
    assert (client.mode, client.provider, client.kwargs) == (Mode.JSON, "echo", {"temperature": 0.5})
    assert repr(client) == "<Instructor echo Mode.JSON>"


def test_neither_client_is_the_other() -> None:
    assert not issubclass(AsyncInstructor, Instructor)
    assert not issubclass(Instructor, AsyncInstructor)


def test_partial_is_a_mark() -> None:
    alias: Any = Partial[int]
    assert (alias.__origin__, alias.__args__) == (Partial, (int,))
    with pytest.raises(TypeError, match="cannot be instantiated"):
        Partial()
    with pytest.raises(TypeError, match="cannot be instantiated"):
        Partial[int]()
    with pytest.raises(TypeError, match="cannot be subclassed"):
        type("Mine", (Partial,), {})
