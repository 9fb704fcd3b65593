"""What is promised of every provider, through its real SDK: each test runs for all `cases`, modes, sync and async.

A test asks for a feature; where a wire cannot have it, its case says why, and `docs/providers.md` repeats it.
"""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel, Field

import instructor
from cases import Case, cases
from harness import Harness
from instructor import Mode, providers
from instructor.cache import AutoCache
from instructor.exceptions import InstructorRetryException, RefusalError
from instructor.testing import Gate, Reply, Served, ToolCall, answer, content, error, refusal, tools
from instructor.testing.typed import as_requested, requested_schema
from instructor.testing.wires import wire_of
from instructor.usage import Usage

CASES = cases()
QUICK, SLOW = ("openai", "anthropic"), pytest.mark.slow
"""`make test-quick` tries these two only."""
PEOPLE = [{"name": f"Person {n} é", "age": n} for n in range(10)]
ASKED = [{"role": "system", "content": "Be exact."}, {"role": "user", "content": "Extract all the people."}]


class User(BaseModel):
    name: str
    age: int = Field(ge=0)


class Place(BaseModel):
    city: str


USERS = [User(**each) for each in PEOPLE]


@dataclass
class Stage:
    """A provider's client and the server that it speaks with."""

    case: Case
    mode: Mode
    harness: Harness
    server: Any
    client: Any

    def call(self, method: str, response_model: Any, **options: Any) -> Any:
        return getattr(self.client, method)(response_model=response_model, messages=ASKED, **options)

    async def create(self, response_model: Any, **options: Any) -> Any:
        return await self.harness.result(self.call("create", response_model, **options))

    async def items(self, response_model: Any = User, **options: Any) -> list[Any]:
        return await self.harness.items(self.call("create_iterable", response_model, **options))

    async def length_of(self, reply: Reply) -> int:
        """Say how many events a reply has on this wire, by streaming it once."""
        self.server.add(reply)
        assert await self.items() == USERS
        served: Served = self.server.served[-1]
        return served.events


def for_modes(feature: str, *, every: bool = True, only: Mode | None = None) -> Callable[[Any], Any]:
    """Run a test for each case that has the feature: in all its modes but the parallel one, or in one for each wire."""

    def chosen(case: Case) -> Iterable[Mode]:
        shaped = [mode for mode in case.row.modes if (mode is only if only else mode is not Mode.PARALLEL_TOOLS)]
        whole = every and (feature == "create" or not case.twin)
        return shaped if whole else [shaped[0], *(mode for mode in shaped if mode in case.row.other_wires)]

    given = [(case, mode) for case in CASES for mode in chosen(case) if case.can(feature, mode)]
    params = [
        pytest.param(case, mode, id=f"{case.name}-{mode.name}", marks=() if case.name in QUICK else SLOW)
        for case, mode in given
    ]
    return pytest.mark.parametrize(("case", "mode"), params)


@pytest.fixture
async def stage(case: Case, mode: Mode, harness: Harness) -> AsyncIterator[Stage]:
    async with AsyncExitStack() as made:
        server = made.enter_context(case.server())
        client = instructor.from_provider(
            f"{case.name}/{case.model}", harness.is_async, mode=mode, **case.options(server)
        )
        made.push_async_callback(close, case, harness, client.client)
        yield Stage(case, mode, harness, server, client)


async def close(case: Case, harness: Harness, client: Any) -> None:
    await harness.result(case.close(client) if case.close else harness.close(client))


@for_modes("create")
async def test_create(stage: Stage) -> None:
    stage.server.add(answer({"name": "Jörg", "age": 10}))
    user = await stage.create(User)
    assert user == User(name="Jörg", age=10)
    assert type(user) is User
    assert len(stage.server.requests) == 1


@for_modes("create")
async def test_a_list(stage: Stage) -> None:
    stage.server.add(answer({"tasks": PEOPLE}))
    assert await stage.create(list[User]) == USERS


@for_modes("create")
async def test_typed_values_are_written_as_the_request_asks(stage: Stage) -> None:
    if (stage.case.name, stage.mode) == ("cohere", Mode.JSON_SCHEMA):
        pytest.skip("no unions there")
    values = [USERS[0], Place(city="Köln")]
    stage.server.add(answer(values))
    assert await stage.create(list[User | Place]) == values
    (asked,) = stage.server.requests
    tool = next(iter(wire_of(asked.path).tools(asked)), "")
    assert as_requested(values, requested_schema(asked.body, tool)) == {
        "tasks": [{"kind": "User", **PEOPLE[0]}, {"kind": "Place", "city": "Köln"}]
    }


@for_modes("reask")
async def test_a_wrong_answer_is_asked_for_again(stage: Stage) -> None:
    stage.server.add(answer({"name": "Jörg", "age": -10}), answer({"name": "Jörg", "age": 10}))
    before = copy.deepcopy(ASKED)
    user = await stage.create(User)
    assert user == User(name="Jörg", age=10)
    assert user.report.attempts == 2
    first, second = (json.dumps(asked.body, ensure_ascii=False) for asked in stage.server.requests)
    assert "$.age" in second
    assert "-10" in second
    assert "-10" not in first
    assert before == ASKED


@for_modes("reask", every=False)
async def test_prose_is_answered_with_the_request_to_do_as_asked(stage: Stage) -> None:
    stage.server.add(content("I would rather talk."), answer({"name": "Jörg", "age": 10}))
    assert (await stage.create(User)).report.attempts == 2
    assert "I would rather talk." in json.dumps(stage.server.requests[1].body)


@for_modes("create", every=False)
async def test_a_second_call_is_answered_from_a_cache(stage: Stage) -> None:
    stage.server.add(answer({"tasks": PEOPLE}))
    cache = AutoCache()
    first, second = [await stage.create(list[User], cache=cache) for _ in range(2)]
    assert first == second == USERS
    assert (second.report.cached, len(stage.server.requests)) == (True, 1)
    assert type(second.get_raw_response()) is type(first.get_raw_response())


@for_modes("stream", every=False)
async def test_a_second_stream_is_answered_from_a_cache(stage: Stage) -> None:
    stage.server.add(answer({"tasks": PEOPLE}))
    cache = AutoCache()
    assert await stage.items(cache=cache) == USERS
    stream = stage.call("create_iterable", User, cache=cache)
    assert await stage.harness.next(stream) == USERS[0]
    assert stream.report.good == 1
    assert await stage.harness.items(stream) == USERS[1:]
    assert len(stage.server.requests) == 1


@for_modes("stream")
async def test_items_of_a_stream(stage: Stage) -> None:
    stage.server.add(answer({"tasks": PEOPLE}))
    assert await stage.items() == USERS


@for_modes("gradual")
async def test_items_come_before_the_last_is_sent(stage: Stage) -> None:
    reply, gate = answer({"tasks": PEOPLE}), Gate()
    half = await stage.length_of(reply) // 2
    stage.server.add(reply.but(wait_after=half, gate=gate))
    stream = stage.call("create_iterable", User)
    assert await stage.harness.next(stream) == USERS[0]
    await stage.harness.off_loop(gate.reached)
    assert stage.server.served[-1].sent <= half
    gate.open()
    assert await stage.harness.items(stream) == USERS[1:]


@for_modes("repair")
async def test_one_wrong_item_is_asked_for_again(stage: Stage) -> None:
    wrong = [*PEOPLE[:3], {"name": "Person 3 é", "age": -1}, *PEOPLE[4:]]
    stage.server.add(answer({"tasks": wrong}), answer({"tasks": [PEOPLE[3]]}))
    stream = stage.call("create_iterable", User)
    assert await stage.harness.items(stream) == [*USERS[:3], *USERS[4:], USERS[3]]
    assert stream.report.repaired == 1
    assert stream.report.complete
    assert "Person 5" not in json.dumps(stage.server.requests[1].body)


@for_modes("continuation")
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_a_cut_list_goes_on(stage: Stage, streamed: bool) -> None:
    begun = json.dumps({"tasks": PEOPLE}, ensure_ascii=False).partition(', {"name": "Person 6')[0]
    stage.server.add(answer(begun).but(finish=stage.case.length), answer({"tasks": PEOPLE[6:]}))
    if streamed:
        stream = stage.call("create_iterable", User)
        found, report = await stage.harness.items(stream), stream.report
    else:
        found = await stage.create(list[User])
        report = found.report
    assert found == USERS
    assert (report.continuations, report.attempts, report.complete) == (1, 2, True)
    second = json.dumps(stage.server.requests[1].body)
    assert "Person 5" in second
    assert "Person 1" not in second


@for_modes("snapshots")
async def test_snapshots(stage: Stage) -> None:
    stage.server.add(answer({"name": "Jörg", "age": 10}))
    seen = await stage.harness.items(stage.call("create_partial", User))
    assert seen[-1] == User(name="Jörg", age=10)
    if stage.case.can("gradual", stage.mode):
        assert seen[0].age is None


@for_modes("parallel", only=Mode.PARALLEL_TOOLS)
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_parallel_tools(stage: Stage, streamed: bool) -> None:
    calls = [ToolCall('{"name": "Jörg", "age": 10}', "User"), ToolCall('{"city": "Köln"}', "Place")]
    stage.server.add(tools(*calls))
    found = await (stage.items(User | Place) if streamed else stage.create(Iterable[User | Place]))
    assert list(found) == [User(name="Jörg", age=10), Place(city="Köln")]


@for_modes("parallel", only=Mode.PARALLEL_TOOLS)
async def test_one_of_the_parallel_calls_is_wrong(stage: Stage) -> None:
    wrong, right = ToolCall('{"name": "Jörg", "age": -10}', "User"), ToolCall('{"name": "Jörg", "age": 10}', "User")
    stage.server.add(tools(wrong, ToolCall('{"city": "Köln"}', "Place")), tools(right))
    found = await stage.create(Iterable[User | Place])
    assert sorted(map(repr, found)) == ["Place(city='Köln')", "User(name='Jörg', age=10)"]


@for_modes("raw", every=False)
async def test_no_response_model_gives_the_sdks_own(stage: Stage) -> None:
    stage.server.add(content("Hello"), content("Hello to you"))
    raw = await stage.create(None)
    assert type(raw).__module__.partition(".")[0] != "instructor"
    assert stage.case.text(raw) == "Hello"
    chunks = await stage.harness.items(stage.create(None, stream=True))
    assert "".join(map(stage.case.text, chunks)) == "Hello to you"


@for_modes("raw")
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_the_response_is_within_reach(stage: Stage, streamed: bool) -> None:
    stage.server.add(answer({"tasks": PEOPLE}))
    if streamed:
        stream = stage.call("create_iterable", User)
        await stage.harness.items(stream)
        completion = stream.completion
    else:
        completion = (await stage.create(list[User])).get_raw_response()
    assert isinstance(completion, dict) != stage.case.objects
    shown = completion.model_dump_json() if isinstance(completion, BaseModel) else str(completion)  # some cut their str
    assert "Person 9" in shown


@for_modes("refusal", every=False)
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_a_refusal(stage: Stage, streamed: bool) -> None:
    stage.server.add(refusal("I cannot do that."))
    with pytest.raises(RefusalError):
        await (stage.items() if streamed else stage.create(User))
    assert len(stage.server.requests) == 1


@for_modes("errors", every=False)
@pytest.mark.parametrize("status", [401, 429, 500])
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_the_sdks_errors_keep_their_type(stage: Stage, status: int, streamed: bool) -> None:
    stage.server.add(error(status))
    with pytest.raises(InstructorRetryException) as failed:
        await (stage.items() if streamed else stage.create(User))
    cause = failed.value.__cause__
    assert isinstance(failed.value, type(cause))
    assert stage.case.status(cause) == stage.case.status(failed.value) == status
    assert len(stage.server.requests) == 1


@for_modes("leaving", every=False)
async def test_leaving_early_closes_the_connection(stage: Stage) -> None:
    reply, gate = answer({"tasks": PEOPLE}), Gate()
    half = await stage.length_of(reply) // 2
    stage.server.add(reply.but(wait_after=half, gate=gate))
    stream = stage.call("create_iterable", User)
    assert await stage.harness.next(stream) == USERS[0]
    await stage.harness.close(stream)
    assert (await stage.harness.off_loop(stage.server.served[-1].wait)).client_left


@for_modes("leaving", every=False)
async def test_a_cancelled_task_closes_the_connection(stage: Stage) -> None:
    if not stage.harness.is_async:
        return
    reply, gate = answer({"tasks": PEOPLE}), Gate()
    half = await stage.length_of(reply) // 2
    stage.server.add(reply.but(wait_after=half, gate=gate))
    task = asyncio.ensure_future(stage.items())
    await stage.harness.off_loop(gate.reached)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await stage.harness.off_loop(stage.server.served[-1].wait)).client_left


@for_modes("usage")
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_tokens(stage: Stage, streamed: bool) -> None:
    stage.server.add(answer({"tasks": PEOPLE}, usage=Usage(100, 20, 30, 4)))
    if streamed:
        stream = stage.call("create_iterable", User)
        await stage.harness.items(stream)
        report = stream.report
    else:
        report = (await stage.create(list[User])).report
    told = {"input_tokens": 100, "output_tokens": 20, "cached_tokens": 30, "reasoning_tokens": 4}
    wanted = {name: told[name] for name in ("input_tokens", "output_tokens", *stage.case.counts)}
    assert {name: getattr(report.usage, name) for name in wanted} == wanted
    assert report.usage.exact


def test_every_provider_has_a_case() -> None:
    apart = {"local", "litellm"}  # the embedded model has tests of its own; litellm an environment of its own
    assert {case.name for case in CASES} == set(providers.names()) - apart
