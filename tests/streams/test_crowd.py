"""Many awaiting streams of one class at once, on one client: they have nothing to do with each other."""

from __future__ import annotations

import asyncio
import contextlib
import json

import pytest
from people import Person, tasks

from colours import Colour, asking
from instructor.exceptions import IncompleteOutputException, InstructorRetryException
from instructor.testing import Asked, Gate, Reply, Scripted, tools

_CROWD, _ITEMS = 50, 12


async def test_fifty_streams_do_not_mix(capfd: pytest.CaptureFixture[str]) -> None:
    held = Gate()

    def reply(asked: Asked) -> Reply:
        """Answer one of the crowd, whose number is in its message; by it the reply is whole, held, cut or wrong."""
        number = int(asked.messages[0]["content"])
        items = [{"id": number * 100 + place, "name": f"of {number}"} for place in range(_ITEMS)]
        whole = tools(tasks(*items), chunk=7)
        if len(asked.messages) > 1:
            done = json.dumps(asked.messages[1]).count("of ")
            return tools(tasks(*items[_place_after(asked) :])) if done else whole
        kinds = {1: {"drop_after": 30}, 2: {"cut_after": 30}, 3: {"wait_after": 30, "gate": held}}
        if number % 5 == 4:
            return whole.but(corrupt_item=3)
        return whole.but(**kinds.get(number % 5, {}))  # type: ignore[arg-type]

    def _place_after(asked: Asked) -> int:
        shown = json.loads(asked.messages[1]["tool_calls"][0]["function"]["arguments"])["tasks"]
        return shown[-1]["id"] % 100 + 1

    found: dict[int, list[Person]] = {number: [] for number in range(_CROWD)}

    async with Colour("awaiting") as colour:
        with Scripted(reply) as server:
            client = colour.client(server)

            async def read(number: int) -> None:
                retries = 0 if number % 5 in (2, 4) else 2
                message = {"role": "user", "content": str(number)}
                stream = client.create_iterable(
                    **asking(messages=[message]), response_model=Person, max_retries=retries
                )
                async for person in stream:
                    found[number].append(person)

            tasks_ = [asyncio.create_task(read(number)) for number in range(_CROWD)]
            for _ in range(_CROWD // 5):
                await colour.off_loop(held.reached)
            others = [task for number, task in enumerate(tasks_) if number % 5 != 3]
            outcomes = await asyncio.gather(*others, return_exceptions=True)
            for task in tasks_[3::5]:
                task.cancel()
            for task in tasks_[3::5]:
                with contextlib.suppress(asyncio.CancelledError):
                    await task
                assert task.cancelled()
            await colour.close(client.client)
            await colour.off_loop(server.wait_closed)
            assert server.open_connections == 0
            assert sum(served.client_left for served in server.served) == _CROWD // 5
    kinds = [type(outcome) for outcome in outcomes]
    for number in range(_CROWD):
        here = [person.id - number * 100 for person in found[number]]
        if number % 5 in (0, 1):
            assert here == list(range(_ITEMS))
        elif number % 5 == 4:
            assert here == [place for place in range(_ITEMS) if place != 3]
        else:
            assert 0 < len(here) < _ITEMS
            assert here == list(range(len(here)))
    assert kinds.count(IncompleteOutputException) == kinds.count(InstructorRetryException) == _CROWD // 5
    assert kinds.count(type(None)) == 2 * _CROWD // 5
    assert capfd.readouterr() == ("", "")
