"""Validators that ask a model or a service, and those that are awaited."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError

import instructor
from harness import Harness, asking
from instructor import Partial, llm_validator, openai_moderation
from instructor.exceptions import AsyncValidationError, ConfigurationError, InstructorRetryException
from instructor.testing import answer, tools
from instructor.validators import (
    AsyncValidationContext,
    async_field_validator,
    async_model_validator,
    run_async_validators,
)

VALID = {"is_valid": True, "reason": None, "fixed_value": None}
BAD = {"is_valid": False, "reason": "It is rude.", "fixed_value": "Hello."}


def polite(client: Any, **options: Any) -> Any:
    class Note(BaseModel):
        text: Annotated[str, BeforeValidator(llm_validator("The text is polite.", client, **options))]

    return Note


def sync_client(server: Any) -> Any:
    return Harness("sync").client(server)


def test_a_model_judges(scripted_server: Any) -> None:
    server = scripted_server([answer(VALID), answer(BAD), answer({**BAD, "reason": None}), answer(BAD)])
    client = sync_client(server)
    assert polite(client)(text="Good day.").text == "Good day."
    with pytest.raises(ValidationError, match=r"It is rude\."):
        polite(client)(text="Hey!")
    with pytest.raises(ValidationError, match="breaks the rule: The text is polite"):
        polite(client)(text="Hey!")
    assert polite(client, allow_override=True, model="judge")(text="Hey!").text == "Hello."
    client.client.close()
    system, user = server.requests[1].body["messages"]
    assert system["role"] == "system"
    assert json.loads(user["content"]) == {"rule": "The text is polite.", "value": "Hey!"}
    assert [request.body["model"] for request in server.requests] == ["gpt-3.5-turbo"] * 3 + ["judge"]
    assert server.requests[0].body["temperature"] == 0


def test_the_clients_own_model_judges(scripted_server: Any) -> None:
    server = scripted_server([answer(VALID), answer(VALID)])
    sdk = Harness("sync").sdk(server)
    assert polite(instructor.from_openai(sdk, model="mine"))(text="Good day.")
    assert polite(instructor.patch(sdk))(text="Good day.")
    sdk.close()
    assert [request.body["model"] for request in server.requests] == ["mine", "gpt-3.5-turbo"]


def test_a_judged_answer_is_asked_for_again(scripted_server: Any) -> None:
    server = scripted_server([answer({"text": "Hey!"}), answer(BAD), answer({"text": "Good day."}), answer(VALID)])
    client = sync_client(server)
    assert client.create(**asking(response_model=polite(client))).text == "Good day."
    client.client.close()
    assert "It is rude." in server.requests[2].body["messages"][-1]["content"]


def test_moderation() -> None:
    def create(input: str) -> Any:  # noqa: A002 - the SDK's name
        categories = {"hate": "hate" in input, "violence": "blow" in input, "sexual": False}
        return SimpleNamespace(results=[SimpleNamespace(flagged=any(categories.values()), categories=categories)])

    client = SimpleNamespace(moderations=SimpleNamespace(create=create))

    class Note(BaseModel):
        text: Annotated[str, AfterValidator(openai_moderation(client))]

    assert Note(text="Good day.").text == "Good day."
    with pytest.raises(ValidationError, match=r"flagged for hate, violence\."):
        Note(text="hate and blow")


async def test_async_clients_are_refused(scripted_server: Any) -> None:
    async with Harness("async") as harness:
        client = harness.client(scripted_server([]))
        with pytest.raises(ConfigurationError, match="llm_validator needs a sync client"):
            llm_validator("x", client)
        with pytest.raises(ConfigurationError, match="openai_moderation needs a sync client"):
            openai_moderation(harness.sdk(scripted_server([])))
        with pytest.raises(ConfigurationError, match="needs a sync client"):
            llm_validator("x", instructor.patch(harness.sdk(scripted_server([]))))


class User(BaseModel):
    model_config = ConfigDict(frozen=True)
    name: str
    age: int

    @async_field_validator("name")
    async def is_known(self, name: str, info: AsyncValidationContext) -> str:
        await asyncio.sleep(0)
        if name not in (info.context or {}).get("known", ("a", "b", "c")):
            raise ValueError(f"{name} is not known")
        return name.upper()

    @async_model_validator()
    async def is_grown(self) -> None:
        await asyncio.sleep(0)
        assert self.age > 0, f"{self.name} is not born"


@dataclasses.dataclass
class Team:
    lead: User
    others: dict[str, list[User]]


A, B, C, X = ({"name": name, "age": 1} for name in "abcx")


async def test_they_run_and_the_model_is_asked_again(scripted_server: Any) -> None:
    async with Harness("async") as harness:
        server = scripted_server([answer(X), answer({"name": "a", "age": 0}), answer(A)])
        got = await harness.create(harness.client(server), User)
        assert (got.name, got.age, got.report.attempts) == ("A", 1, 3)
        notes = [request.body["messages"][-1]["content"] for request in server.requests[1:]]
        assert "x is not known @ $.name" in notes[0]
        assert "A is not born" in notes[1]


async def test_they_run_on_the_items_of_lists_and_streams(scripted_server: Any) -> None:
    async with Harness("async") as harness:
        for stream in (False, True):
            server = scripted_server([answer({"tasks": [A, X, C]}), answer({"tasks": [B]})])
            got = await harness.create(harness.client(server), Iterable[User], stream=stream)
            users = await harness.items(got) if stream else got
            assert sorted(user.name for user in users) == ["A", "B", "C"]
            assert (got.report.repaired, got.report.complete) == (1, True)


async def test_they_run_on_the_last_snapshot_only(scripted_server: Any) -> None:
    async with Harness("async") as harness:
        server = scripted_server([answer(A)])
        stream = await harness.create(harness.client(server), Partial[User], stream=True)
        names = [user.name for user in await harness.items(stream)]
        assert names[-1] == "A"
        assert "A" not in names[:-1]


async def test_they_run_wherever_a_model_is(scripted_server: Any) -> None:
    team = {"lead": A, "others": {"here": [B, X]}}
    async with Harness("async") as harness:
        server = scripted_server([answer(team), answer({**team, "others": {"here": [B]}})])
        got = await harness.create(harness.client(server), Team)
        assert (got.lead.name, got.others["here"][0].name) == ("A", "B")
        assert "x is not known @ $.others.here[1].name" in server.requests[1].body["messages"][-1]["content"]


async def test_they_see_the_context(scripted_server: Any) -> None:
    async with Harness("async") as harness:
        server = scripted_server([answer(X)])
        assert (await harness.create(harness.client(server), User, context={"known": ["x"]})).name == "X"


async def test_they_run_concurrently(scripted_server: Any) -> None:
    met = 0
    both = asyncio.Event()

    class Meeting(BaseModel):
        one: str
        two: str

        @async_field_validator("*")
        async def meet(cls, value: str) -> None:  # noqa: N805 - as it is written for pydantic
            nonlocal met
            met += 1
            if met == 6:
                both.set()
            await both.wait()

    async with Harness("async") as harness:
        server = scripted_server([answer({"tasks": [{"one": "1", "two": "2"}] * 3})])
        got = await asyncio.wait_for(harness.create(harness.client(server), list[Meeting]), 30)
        assert [meeting.one for meeting in got] == ["1"] * 3


async def test_a_validator_that_fails_in_its_own_way(scripted_server: Any) -> None:
    class Broken(BaseModel):
        name: str

        @async_field_validator("name")
        async def fail(self, name: str) -> None:
            raise RuntimeError("no network")

    async with Harness("async") as harness:
        with pytest.raises(InstructorRetryException) as failed:
            await harness.create(harness.client(scripted_server([answer({"name": "a"})])), Broken)
    assert isinstance(failed.value.__cause__, RuntimeError)


async def test_sync_clients_refuse_them(scripted_server: Any) -> None:
    server = scripted_server([])
    async with Harness("sync") as harness:
        client = harness.client(server)
        for kind in (User, list[User], Team, User | None, Partial[User], dict[str, User], tuple[int, User]):
            with pytest.raises(ConfigurationError, match="asynchronous validators, which a sync client cannot await"):
                client.create(**asking(response_model=kind))
        with pytest.raises(ConfigurationError, match="asynchronous validators"):
            client.create_iterable(**asking(response_model=User))
    assert server.requests == []


async def test_they_run_by_hand() -> None:
    users = [User(**A), User(name="x", age=0), User(name="y", age=1)]
    with pytest.raises(ValidationError) as failed:
        await run_async_validators(users)
    assert [fault["loc"] for fault in failed.value.errors()] == [(1, "name"), (2, "name")]
    await run_async_validators([User(**A)])


async def test_several_validators_and_errors(scripted_server: Any) -> None:
    class Base(BaseModel):
        name: str

        @async_field_validator("name")
        @classmethod
        async def strip(cls, name: str, *, info: AsyncValidationContext) -> str:
            assert info.field_name == "name"
            return name.strip()

    class Derived(Base):
        other: int

        @async_field_validator("name")
        async def add(self, name: str) -> str:
            return f"{name}!"

        @async_model_validator()
        async def refuse(self, info: AsyncValidationContext) -> None:
            if info.data["other"] > 1:
                raise AsyncValidationError("too many", errors=[ValueError("2")])

    async with Harness("async") as harness:
        server = scripted_server([tools({"name": " a ", "other": 2}), tools({"name": " a ", "other": 1})])
        assert (await harness.create(harness.client(server), Derived)).name == "a!"
        assert "too many" in server.requests[1].body["messages"][-1]["content"]


def test_marks_that_cannot_work() -> None:
    with pytest.raises(ConfigurationError, match="must be an async function"):
        async_field_validator("name")(lambda self, name: None)
    with pytest.raises(ConfigurationError, match="needs names of fields"):
        async_field_validator()

    class Odd(BaseModel):
        name: str

        @async_field_validator("nam")
        async def check(self, name: str) -> None: ...

    with pytest.raises(ConfigurationError, match=r"Odd\.check validates 'nam', which is not a field"):
        sync_client("http://127.0.0.1:9").create(**asking(response_model=Odd))
