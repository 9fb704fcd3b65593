"""Many async streams of one class at once, on one client: they have nothing to do with each other."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from persons import Person, tasks

from harness import Harness, asking
from instructor.exceptions import IncompleteOutputException, InstructorRetryException
from instructor.testing import Asked, Gate, Reply, Scripted, tools

_CROWD, _ITEMS = 50, 12
_WHOLE, _DROPPED, _CUT, _HELD, _WRONG = range(5)


def kind(number: int) -> int:
    """What becomes of a member of the crowd. The dropped may go on; the cut and the wrong have no budget."""
    return number % 5


def provider(gate: Gate) -> Callable[[Asked], Reply]:
    faults: dict[int, Any] = {
        _WHOLE: {},
        _DROPPED: {"drop_after": 30},
        _CUT: {"cut_after": 30},
        _HELD: {"wait_after": 30, "gate": gate},
        _WRONG: {"corrupt_item": 3},
    }

    def reply(asked: Asked) -> Reply:
        """Answer one member, whose number is in the message; a second request of his is a continuation."""
        number = int(asked.messages[0]["content"])
        items = [{"id": number * 100 + place, "name": f"of {number}"} for place in range(_ITEMS)]
        if len(asked.messages) == 1:
            return tools(tasks(*items), chunk=7).but(**faults[kind(number)])
        shown = json.loads(asked.messages[1]["tool_calls"][0]["function"]["arguments"])["tasks"]
        return tools(tasks(*items[shown[-1]["id"] % 100 + 1 :]))

    return reply


async def read(client: Any, number: int, found: list[Person]) -> None:
    stream = client.create_iterable(
        response_model=Person,
        max_retries=0 if kind(number) in (_CUT, _WRONG) else 2,
        **asking(messages=[{"role": "user", "content": str(number)}]),
    )
    async for person in stream:
        found.append(person)  # noqa: PERF401 - what came before an error counts


async def test_fifty_streams_do_not_mix(capfd: pytest.CaptureFixture[str]) -> None:
    gate = Gate()
    found: list[list[Person]] = [[] for _ in range(_CROWD)]
    async with Harness("async") as harness:
        with Scripted(provider(gate)) as server:
            client = harness.client(server)
            crowd = [asyncio.create_task(read(client, number, found[number])) for number in range(_CROWD)]
            for _ in range(_CROWD // 5):
                await harness.off_loop(gate.reached)
            outcomes = await asyncio.gather(
                *(crowd[n] for n in range(_CROWD) if kind(n) != _HELD), return_exceptions=True
            )
            for task in crowd[_HELD::5]:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
                assert task.cancelled()
            await harness.close(client.client)
            await harness.off_loop(server.wait_closed)
            assert server.open_connections == 0
            assert sum(served.client_left for served in server.served) == _CROWD // 5
    for number in range(_CROWD):
        here = [person.id - number * 100 for person in found[number]]
        if kind(number) in (_WHOLE, _DROPPED):
            assert here == list(range(_ITEMS))
        elif kind(number) == _WRONG:
            assert here == [place for place in range(_ITEMS) if place != 3]
        else:
            assert 0 < len(here) < _ITEMS
            assert here == list(range(len(here)))
    kinds = [type(outcome) for outcome in outcomes]
    assert kinds.count(IncompleteOutputException) == kinds.count(InstructorRetryException) == _CROWD // 5
    assert kinds.count(type(None)) == 2 * _CROWD // 5
    assert capfd.readouterr() == ("", "")
