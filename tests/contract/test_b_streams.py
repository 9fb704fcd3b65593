"""Appendix B of the contract, 15 to 22 and 44: streams, lists, and other types."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import json
from collections.abc import Iterable
from typing import Any

import pytest
from pydantic import BaseModel

from harness import Harness, asking
from instructor import Mode, Partial
from instructor.exceptions import IncompleteOutputException
from instructor.testing import Gate, ToolCall, content, tools


class User(BaseModel):
    name: str
    age: int


class Dog(BaseModel):
    barks: bool


class Team(BaseModel):
    lead: User
    size: int = 3


@dataclasses.dataclass
class Point:
    x: int


USER, OTHER = {"name": "a", "age": 1}, {"name": "b", "age": 2}
USERS = [User(**USER), User(**OTHER)]


@pytest.mark.parametrize("how", ["create_iterable", "create"])
async def test_15_items_come_before_the_stream_ends(harness: Harness, scripted_server: Any, how: str) -> None:
    gate = Gate()
    text = '{"tasks": [{"name": "a", "age": 1}, '
    server = scripted_server([tools({"tasks": [USER, OTHER]}, chunk=[len(text)], wait_after=3, gate=gate)])
    client = harness.client(server)
    kind = User if how == "create_iterable" else Iterable[User]
    options = {} if how == "create_iterable" else {"stream": True}
    stream = await harness.result(getattr(client, how)(**asking(response_model=kind, **options)))
    assert await harness.next(stream) == USERS[0]  # the server waits for the gate
    gate.open()
    assert await harness.items(stream) == USERS[1:]


async def test_16_snapshots_come_before_the_stream_ends(harness: Harness, scripted_server: Any) -> None:
    gate = Gate()
    server = scripted_server([tools(USER, chunk=[14], wait_after=3, gate=gate)])
    stream = harness.client(server).create_partial(**asking(response_model=User))
    first = await harness.next(stream)  # 1.x: sync clients wait for all of it
    assert (first.name, first.age) == ("a", None)
    gate.open()
    assert (await harness.items(stream))[-1] == User(**USER)


async def test_17_an_async_stream_is_iterated_as_it_is(scripted_server: Any) -> None:
    async with Harness("async") as harness:
        client = harness.client(scripted_server([tools({"tasks": [USER, OTHER]}), tools(USER)]))
        found = [user async for user in client.create_iterable(**asking(response_model=User))]
        assert found == USERS
        found = [user async for user in client.create_partial(**asking(response_model=User))]
        assert found[-1] == User(**USER)


async def test_18_snapshots_are_of_the_users_type(harness: Harness, scripted_server: Any) -> None:
    client = harness.client(scripted_server([tools({"lead": USER})]))
    call = asking(response_model=Partial[Team], stream=True)
    snapshots = await harness.items(client.create(**call))
    assert {type(snapshot) for snapshot in snapshots} == {Team}
    assert snapshots[0].size == 3
    assert snapshots[-1] == Team(lead=User(**USER))


@pytest.mark.parametrize("stream", ["create_iterable", "create_partial"])
async def test_19_a_stream_that_is_cut_says_so(harness: Harness, scripted_server: Any, stream: str) -> None:
    server = scripted_server([tools('{"tasks": [{"name": "a", "age": 1}, {"na', finish="length")])
    call = asking(response_model=User, max_retries=0)
    found: list[Any] = []
    with pytest.raises(IncompleteOutputException):  # 1.x: it ends as if it were complete
        await harness.collect(getattr(harness.client(server), stream)(**call), found)
    assert stream == "create_partial" or found == USERS[:1]


async def test_20_an_iterable_is_a_list_without_a_stream(harness: Harness, scripted_server: Any) -> None:
    client = harness.client(scripted_server([tools({"tasks": [USER, OTHER]})] * 2))
    assert await harness.create(client, Iterable[User]) == USERS  # 1.x, async: a generator
    stream = client.create(**asking(response_model=Iterable[User], stream=True))
    assert await harness.items(stream) == USERS


async def test_21_parallel_tools(harness: Harness, scripted_server: Any) -> None:
    dog = {"barks": True}
    calls = [
        ToolCall(json.dumps(USER), "User"),
        ToolCall(json.dumps(dog), "Dog"),
        ToolCall(json.dumps({}), "Unknown"),
        ToolCall(json.dumps({"name": 3}), "User"),
    ]
    server = scripted_server([tools(*calls), tools(ToolCall(json.dumps(OTHER), "User"))], strict=False)
    client = harness.client(server, Mode.PARALLEL_TOOLS)
    got = await harness.create(client, Iterable[User | Dog])
    assert got == [USERS[0], Dog(barks=True), USERS[1]]
    assert got.report.unknown_calls == 1
    _, assistant, *notes = server.requests[1].body["messages"]
    assert [note["tool_call_id"] for note in notes if note["role"] == "tool"] == [
        call["id"] for call in assistant["tool_calls"]
    ]


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (User | Dog, {"barks": True}, Dog(barks=True)),
        (dict[str, int], {"a": 1}, {"a": 1}),
        (tuple[int, str], [1, "a"], (1, "a")),
        (datetime.date, "2024-01-02", datetime.date(2024, 1, 2)),
    ],
)
async def test_22_other_types(harness: Harness, scripted_server: Any, kind: Any, value: Any, expected: Any) -> None:
    client = harness.client(scripted_server([tools({"content": value}), tools({"x": 1})]))
    assert await harness.create(client, kind) == expected  # 1.x: TypeError
    assert await harness.create(client, Point) == Point(1)


async def test_44_many_streams_of_one_class(scripted_server: Any) -> None:
    async with Harness("async") as harness:
        client = harness.client(scripted_server([content({"tasks": [USER, OTHER]})] * 50), Mode.JSON)
        streams = [client.create_iterable(**asking(response_model=User)) for _ in range(50)]
        assert await asyncio.gather(*map(harness.items, streams)) == [USERS] * 50
