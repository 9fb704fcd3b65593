"""Streams that break before their first event, or are left while they wait: the same on every SDK."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import Any, cast

import pytest
from pydantic import BaseModel

import instructor
from cases import Case, cases
from harness import Harness
from instructor.exceptions import InstructorRetryException
from instructor.testing import Faults, Gate, Reply, answer, error, silence
from instructor.testing.replies import Asked
from scripted_grpc import ScriptedGrpc

pytestmark = pytest.mark.slow

CASES = [case for case in cases() if not case.twin]
every = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
PEOPLE = [{"name": f"Person {n} é"} for n in range(6)]
REPLY = answer({"tasks": PEOPLE})
ASKED: dict[str, Any] = {"messages": [{"role": "user", "content": "Extract all the people."}]}


class User(BaseModel):
    name: str


USERS = [User(**each) for each in PEOPLE]


class Stage:
    """A provider's client in its first mode, and the server that it speaks with."""

    def __init__(self, case: Case, harness: Harness, replies: Any) -> None:
        self.case, self.harness, self.server = case, harness, case.server(replies)

    def client(self) -> Any:
        options = self.case.options(self.server)
        return instructor.from_provider(f"{self.case.name}/scripted", self.harness.is_async, **options)


@pytest.fixture
async def staged(harness: Harness) -> AsyncIterator[Any]:
    async with AsyncExitStack() as made:

        def begun(case: Case, replies: Any) -> tuple[Stage, Any]:
            stage = Stage(case, harness, replies)
            made.enter_context(stage.server)
            client = stage.client()
            sdk = client.client
            made.push_async_callback(lambda: harness.result(case.close(sdk) if case.close else harness.close(sdk)))
            return stage, client

        yield begun


def skip_where_metadata_may_be_lost(case: Case, harness: Harness) -> None:
    """Skip what cannot be known: gRPC's asyncio may lose the metadata of a stream if an error comes right with it."""
    if case.server is ScriptedGrpc and harness.is_async:
        pytest.skip("an error right after the metadata may come without it")


@every
@pytest.mark.parametrize("fault", ["drop_after", "error_after", "cut_after"])
async def test_what_breaks_before_the_first_event_is_a_broken_stream(
    staged: Any, harness: Harness, case: Case, fault: Any
) -> None:
    if fault == "error_after":
        skip_where_metadata_may_be_lost(case, harness)
    stage, client = staged(case, [REPLY.but(**cast("Faults", {fault: 0})), REPLY])
    stream = client.create_iterable(response_model=User, max_retries=1, **ASKED)
    assert await harness.items(stream) == USERS
    assert (stream.report.complete, len(stage.server.requests)) == (True, 2)


@every
async def test_its_budget_is_the_calls_own(staged: Any, harness: Harness, case: Case) -> None:
    skip_where_metadata_may_be_lost(case, harness)
    stage, client = staged(case, [REPLY.but(error_after=0)] * 2)
    with pytest.raises(instructor.exceptions.IncompleteOutputException):
        await harness.items(client.create_iterable(response_model=User, max_retries=1, **ASKED))
    assert len(stage.server.requests) == 2


@every
async def test_a_request_that_is_refused_is_not_made_again(staged: Any, harness: Harness, case: Case) -> None:
    stage, client = staged(case, [error(429)])
    with pytest.raises(InstructorRetryException) as failed:
        await harness.items(client.create_iterable(response_model=User, max_retries=3, **ASKED))
    assert case.status(failed.value.__cause__) == 429
    assert len(stage.server.requests) == 1


def waiting_for(case: Case, place: str, gate: Gate, arrived: threading.Event) -> Any:
    """Give a script whose reply waits before its headers, before its first event, or in the middle."""

    def reply(asked: Asked) -> Reply:
        arrived.set()
        if place == "headers" and case.server is not ScriptedGrpc:
            return silence()
        return REPLY.but(wait_after={"headers": 0, "first": 0, "middle": 1}[place], gate=gate)

    return reply


@every
@pytest.mark.parametrize("place", ["headers", "first", "middle"])
async def test_who_waits_is_let_go_at_once(staged: Any, harness: Harness, case: Case, place: str) -> None:
    gate, arrived = Gate(), threading.Event()
    stage, client = staged(case, waiting_for(case, place, gate, arrived))
    ended: list[Any] = []
    client.on("stream:end", ended.append)
    stream = client.create_iterable(response_model=User, **ASKED)
    found: list[Any] = []
    reading = harness.collect(stream, found)
    task = asyncio.ensure_future(reading if harness.is_async else asyncio.to_thread(asyncio.run, reading))
    await harness.off_loop(arrived.wait if place == "headers" else gate.reached)
    await harness.close(stream)
    await task
    served = await harness.off_loop(stage.server.served[0].wait)
    assert served.client_left
    assert (ended, len(stage.server.requests), stream.report.complete) == ([stream.report], 1, False)
    assert await harness.items(stream) == []


@every
async def test_the_readers_own_cancellation_is_seen(staged: Any, harness: Harness, case: Case) -> None:
    """Cancelled first, and left then: the task was cancelled."""
    if not harness.is_async:
        return
    gate, arrived = Gate(), threading.Event()
    _, client = staged(case, waiting_for(case, "first", gate, arrived))
    stream = client.create_iterable(response_model=User, **ASKED)
    task = asyncio.ensure_future(harness.collect(stream, []))
    await harness.off_loop(gate.reached)
    task.cancel()
    await stream.aclose()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.fixture
def frozen_heap() -> Iterator[None]:
    """Spare what is alive already the garbage collection: of all SDKs it takes a second."""
    gc.freeze()
    yield
    gc.unfreeze()


@every
@pytest.mark.usefixtures("frozen_heap")
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # what SDKs leave open when nobody closes their clients
async def test_a_stream_outlives_its_client(harness: Harness, case: Case) -> None:
    replies = [REPLY.but(cut_after=2), REPLY] if case.name not in ("google", "vertexai") else [REPLY]
    stage = Stage(case, harness, replies)

    def asked() -> Any:
        return stage.client().create_iterable(response_model=User, **ASKED)

    with stage.server:
        stream = asked()
        gc.collect()
        found = [await harness.next(stream)]
        gc.collect()
        found += await harness.items(stream)
        assert found == USERS
        assert stream.report.complete
        del stream
        gc.collect()
        await asyncio.sleep(0)
