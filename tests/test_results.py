"""What comes back is the user's own: its type, its equality, its pickle; and what rides along is out of the way."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Iterable
from typing import Any

import openai.types.chat
import pytest
from pydantic import BaseModel, ConfigDict, model_validator

from harness import Harness
from instructor import Usage
from instructor.testing import answer


class User(BaseModel):
    name: str
    age: int


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")
    name: str


class Reported(BaseModel):
    report: str


@dataclasses.dataclass(slots=True)
class Slotted:
    x: int


JASON = {"name": "Jason", "age": 10}


async def test_a_model_is_the_users_own(harness: Harness, scripted_server: Any) -> None:
    got = await harness.create(harness.client(scripted_server([answer(JASON)])), User)
    assert type(got) is User
    assert got == User(**JASON)
    assert User(**JASON) == got
    assert repr(got) == "User(name='Jason', age=10)"
    assert got.model_dump() == dict(got) == JASON
    assert got.model_dump_json() == User(**JASON).model_dump_json()
    assert got.model_fields_set == {"name", "age"}


@pytest.mark.parametrize("copied", [lambda u: pickle.loads(pickle.dumps(u)), copy.copy, copy.deepcopy, User.model_copy])
async def test_a_model_can_be_pickled_and_copied(harness: Harness, scripted_server: Any, copied: Any) -> None:
    got = await harness.create(harness.client(scripted_server([answer(JASON)])), User)
    again: Any = copied(got)
    assert again == got
    assert again.report.attempts == 1
    assert again._raw_response.choices[0].message.tool_calls
    assert dict(again) == JASON
    assert type(again) is User


async def test_what_rides_along(harness: Harness, scripted_server: Any) -> None:
    usage = Usage(11, 7, cached_tokens=3, reasoning_tokens=2)
    server = scripted_server([answer({"name": 1}, usage=usage), answer(JASON, usage=usage)])
    got = await harness.create(harness.client(server), User)
    raw = got._raw_response
    assert type(raw) is openai.types.chat.ChatCompletion
    assert raw._request_id == "req_2"
    assert raw.model_dump()["usage"]["total_tokens"] == 18  # the provider's own number, not the sum
    assert got._total_usage == got.report.usage == Usage(22, 14, 6, 4)
    assert got._total_usage.by_cause == {"first": usage, "reask": usage}
    assert (got.report.attempts, got.report.repaired, got.report.complete) == (2, 1, True)


async def test_a_list_is_a_list(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer({"tasks": [JASON]})])
    got = await harness.create(harness.client(server), Iterable[User])
    assert issubclass(type(got), list)
    assert got == [User(**JASON)]
    assert [type(user) for user in got] == [User]
    assert got.get_raw_response() is got._raw_response
    assert type(got.get_raw_response()) is openai.types.chat.ChatCompletion
    assert got.get_total_usage().total_tokens == got.report.usage.total_tokens > 0
    assert got[:1].get_raw_response() is got.get_raw_response()
    assert got[:1].report is got.report
    again = pickle.loads(pickle.dumps(got))
    assert again == got
    assert again.report.good == 1


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        (Frozen, {"name": "a", "more": 1}, {"name": "a", "more": 1}),
        (Reported, {"report": "the user's own"}, {"report": "the user's own"}),
        (Frozen, {"name": "a", "report": "the user's own"}, {"name": "a", "report": "the user's own"}),
    ],
)
async def test_frozen_models_and_fields_named_like_riders(
    harness: Harness, scripted_server: Any, kind: Any, given: Any, expected: Any
) -> None:
    got = await harness.create(harness.client(scripted_server([answer(given)])), kind)
    assert got == kind(**given)
    assert got.model_dump() == dict(got) == expected
    assert got._raw_response is not None
    assert "report" not in given or got.report == "the user's own"


async def test_a_model_that_refuses_new_attributes(harness: Harness, scripted_server: Any) -> None:
    class Guarded(BaseModel):
        name: str

        def __setattr__(self, name: str, value: Any) -> None:
            raise TypeError("no")

    got = await harness.create(harness.client(scripted_server([answer({"name": "a"})])), Guarded)
    assert got.report.complete


@pytest.mark.parametrize("extra", ["forbid", "allow", "ignore"])
async def test_a_model_that_is_read_again(harness: Harness, scripted_server: Any, extra: Any) -> None:
    class Strict(BaseModel):
        model_config = ConfigDict(extra=extra, revalidate_instances="always")
        name: str

    class Outer(BaseModel):
        inner: Strict

    got = await harness.create(harness.client(scripted_server([answer({"name": "a"})])), Strict)
    assert Outer(inner=got).model_dump() == {"inner": {"name": "a"}}
    assert hasattr(got, "report") is hasattr(got, "_raw_response") is (extra == "ignore")


async def test_values_with_no_room_for_riders(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer({"x": 1}), answer({"content": 5})])
    client = harness.client(server)
    assert await harness.create(client, Slotted) == Slotted(1)
    assert await harness.create(client, int) == 5


async def test_a_validator_may_give_an_object_of_its_own(harness: Harness, scripted_server: Any) -> None:
    class Interned(BaseModel):
        name: str

        @model_validator(mode="wrap")
        @classmethod
        def one(cls, value: Any, handler: Any) -> Interned:
            return ONLY if handler(value) == ONLY else handler(value)

    ONLY = Interned.model_construct(name="a")  # noqa: N806
    got = await harness.create(harness.client(scripted_server([answer({"name": "a"})])), Interned)
    assert got == ONLY
