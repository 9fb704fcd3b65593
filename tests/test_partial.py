"""One value as it grows: snapshots, the last of which is whole and validated."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest
from pydantic import BaseModel, field_validator
from typing_extensions import TypedDict

import instructor
from harness import Harness, asking
from instructor import Mode, Partial
from instructor.exceptions import IncompleteOutputException, InstructorRetryException
from instructor.testing import Gate, answer, content, count_events, tools


class User(BaseModel):
    name: str
    age: int


class Team(BaseModel):
    name: str
    lead: User
    members: list[User] = []
    note: str = "none"


class Movie(TypedDict):
    title: str


@dataclasses.dataclass
class Point:
    x: int
    y: int


USER = {"name": "Jason", "age": 10}
TEAM = {"name": "red", "lead": USER, "members": [USER, {"name": "John", "age": 30}], "note": 'ü\n"q"'}
MODES = [Mode.TOOLS, Mode.TOOLS_STRICT, Mode.JSON, Mode.JSON_SCHEMA, Mode.MD_JSON]


@pytest.mark.parametrize("mode", MODES)
async def test_every_spelling(harness: Harness, scripted_server: Any, mode: Mode) -> None:
    server = scripted_server([answer(TEAM)] * 4)
    client = harness.client(server, mode)
    for stream in (
        client.create_partial(Team, **asking()),
        client.create_partial(Partial[Team], **asking()),
        client.create(Partial[Team], **asking(stream=True)),
        client.create(Team, **asking(stream=True)),
    ):
        snapshots = await harness.items(stream)
        assert {type(snapshot) for snapshot in snapshots} == {Team}
        assert snapshots[-1] == Team(**TEAM)
        assert len(snapshots) > 10
    assert all(asked.body["stream"] is True for asked in server.requests)


async def test_snapshots_grow(harness: Harness, scripted_server: Any) -> None:
    snapshots = await harness.items(
        harness.client(scripted_server([answer(TEAM, chunk=1)])).create_partial(Team, **asking())
    )
    names = [snapshot.name for snapshot in snapshots if snapshot.name is not None]
    assert all(later.startswith(earlier) for earlier, later in pairwise(names))
    assert {"r", "re", "red"} <= set(names)
    counts = [len(snapshot.members) for snapshot in snapshots]
    assert counts == sorted(counts)
    first = snapshots[0]
    assert (first.members, first.note) == ([], "none")  # defaults stand for what has not come
    leads = [snapshot.lead for snapshot in snapshots]
    assert all(isinstance(lead, User) for lead in leads)
    closed = [lead for lead in leads if lead == User(**USER)]
    assert len({id(lead) for lead in closed[:-1]}) == 1  # a closed part is shared, not built again


@pytest.mark.parametrize("mode", [Mode.TOOLS, Mode.JSON])
async def test_the_first_snapshot_comes_before_a_tenth_of_the_answer(
    harness: Harness, scripted_server: Any, mode: Mode
) -> None:
    gate, given = Gate(), {**TEAM, "members": [USER] * 50}
    reply = tools(given) if mode is Mode.TOOLS else content(given)
    held = count_events(reply) // 10
    client = harness.client(scripted_server([reply.but(wait_after=held, gate=gate)]), mode)
    stream = client.create_partial(Team, **asking())
    assert (await harness.next(stream)).name in (None, "", "r", "re", "red")
    await harness.off_loop(gate.reached)
    gate.open()
    assert (await harness.items(stream))[-1] == Team(**given)
    assert stream.report.complete


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        (int, {"content": 5}, 5),
        (str, {"content": "some words"}, "some words"),
        (list[int], {"content": [1, 2]}, [1, 2]),
        (list[User], {"content": [USER]}, [User(**USER)]),
        (dict[str, int], {"content": {"a": 1}}, {"a": 1}),
        (Movie, {"title": "Up"}, {"title": "Up"}),
        (Point, {"x": 1, "y": 2}, Point(1, 2)),
        (User | Team, {"content": {"kind": "User", **USER}}, User(**USER)),
    ],
)
async def test_other_types_grow_too(
    harness: Harness, scripted_server: Any, kind: Any, given: Any, expected: Any
) -> None:
    snapshots = await harness.items(harness.client(scripted_server([answer(given)])).create_partial(kind, **asking()))
    assert snapshots[-1] == expected


async def test_validators_speak_at_the_end_and_are_asked_again(harness: Harness, scripted_server: Any) -> None:
    class Shouted(BaseModel):
        name: str

        @field_validator("name")
        @classmethod
        def loud(cls, name: str) -> str:
            if not name.isupper():
                raise ValueError("write it in capitals")
            return name

    server = scripted_server([answer({"name": "jason"}), answer({"name": "JASON"})])
    snapshots = await harness.items(harness.client(server).create_partial(Shouted, **asking(max_retries=1)))
    assert snapshots[0].name in (None, "", "j", "ja", "jas")
    assert snapshots[-1].name == "JASON"
    assert "write it in capitals @ $.name" in server.requests[1].messages[-1]["content"]


@pytest.mark.parametrize("fault", [{"cut_after": 8}, {"drop_after": 8}, {"finish": "length", "cut_after": 8}])
async def test_a_broken_stream_is_never_taken_for_whole(harness: Harness, scripted_server: Any, fault: Any) -> None:
    got: list[Any] = []
    client = harness.client(scripted_server([tools(TEAM, **fault)]))
    with pytest.raises(IncompleteOutputException) as failed:
        await harness.collect(client.create_partial(Team, **asking(max_retries=0)), got)
    assert got
    assert got[-1] != Team(**TEAM)
    assert failed.value.report is not None
    assert not failed.value.report.complete


async def test_a_lost_connection_is_asked_again(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([tools(TEAM, drop_after=8), tools(TEAM)])
    snapshots = await harness.items(harness.client(server).create_partial(Team, **asking()))
    assert snapshots[-1] == Team(**TEAM)
    assert server.requests[1].messages == server.requests[0].messages


async def test_wrong_types_are_told_at_the_end(harness: Harness, scripted_server: Any) -> None:
    client = harness.client(scripted_server([answer({"name": "a", "age": "old"})]))
    with pytest.raises(InstructorRetryException, match=r"valid integer @ \$\.age"):
        await harness.items(client.create_partial(User, **asking(max_retries=0)))


async def test_leaving_early_closes_the_connection(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([tools(TEAM, wait_after=12, gate=Gate())])
    stream = harness.client(server).create_partial(Team, **asking())
    await harness.next(stream)
    await harness.close(stream)
    await harness.off_loop(server.wait_closed)
    assert server.served[0].client_left


async def test_the_whole_at_the_end_has_its_riders_in_the_stream(harness: Harness, scripted_server: Any) -> None:
    stream = harness.client(scripted_server([answer(USER)])).create_partial(User, **asking())
    await harness.items(stream)
    assert stream.completion.choices[0].message.tool_calls
    assert stream.report.usage.total_tokens == stream.completion.usage.total_tokens


async def test_a_partial_list_field_streams_its_items(harness: Harness, scripted_server: Any) -> None:
    class Users(BaseModel):
        users: list[User]

    client = harness.client(scripted_server([answer({"users": [USER, USER]})]))
    counts = [len(each.users or ()) for each in await harness.items(client.create_partial(Users, **asking()))]
    assert set(counts) == {0, 1, 2}


async def test_iterable_with_create_partial_grows_as_one_list(harness: Harness, scripted_server: Any) -> None:
    client = harness.client(scripted_server([answer({"content": [USER, USER]})]))
    snapshots = await harness.items(client.create_partial(Iterable[User], **asking()))
    assert snapshots[-1] == [User(**USER)] * 2


def test_partial_is_the_same_by_its_old_path() -> None:
    from instructor.dsl.partial import Partial as Old  # type: ignore[import-not-found]

    assert Old is instructor.Partial


class Settings(BaseModel):
    depth: int = 1


@pytest.mark.parametrize("stream", [False, True])
async def test_a_tool_called_without_arguments_is_an_answer_of_defaults(
    harness: Harness, scripted_server: Any, stream: bool
) -> None:
    server = scripted_server([tools("")])
    client = harness.client(server)
    got = await harness.create(client, response_model=Settings, stream=stream)
    assert (await harness.items(got) if stream else [got]) == [Settings()]
