"""Lists: at once or streamed, of anything, in every spelling."""

from __future__ import annotations

import asyncio
import enum
import json
import pickle
import typing
from collections import deque
from collections.abc import Collection, Iterable, MutableSequence, Sequence
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, model_validator
from typing_extensions import TypedDict

import instructor
from harness import Harness, asking
from instructor import IterableModel, Mode
from instructor.exceptions import ConfigurationError, IncompleteOutputException, InstructorRetryException
from instructor.testing import Gate, answer, content, count_events, tools


class User(BaseModel):
    name: str
    age: int


class Pet(BaseModel):
    name: str
    legs: int


class Movie(TypedDict):
    title: str


class Size(enum.Enum):
    BIG = "big"


A, B = {"name": "a", "age": 1}, {"name": "b", "age": 2}
USERS = [User(**A), User(**B)]
MODES = [Mode.TOOLS, Mode.TOOLS_STRICT, Mode.JSON, Mode.JSON_SCHEMA, Mode.MD_JSON]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "kind",
    [
        Iterable[User],
        typing.Iterable[User],
        list[User],
        typing.List[User],  # noqa: UP006 - the older spelling
        Sequence[User],
        typing.Sequence[User],
        Collection[User],
        MutableSequence[User],
        IterableModel(User, name="People", description="All of them."),
    ],
)
async def test_every_spelling_of_a_list(harness: Harness, scripted_server: Any, mode: Mode, kind: Any) -> None:
    server = scripted_server([answer({"tasks": [A, B]})] * 3)
    client = harness.client(server, mode)
    at_once = await harness.create(client, kind)
    assert at_once == USERS
    assert isinstance(at_once, list)
    assert await harness.items(client.create(kind, **asking(stream=True))) == USERS
    assert await harness.items(client.create_iterable(response_model=kind, **asking())) == USERS


async def test_a_container_of_a_class_of_its_own_is_one_value(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer({"content": [A, B]}), answer({"tasks": [[A], [B]]})])
    client = harness.client(server)
    assert await harness.create(client, deque[User]) == deque(USERS)
    got = await harness.items(client.create_iterable(response_model=deque[User], **asking()))
    assert got == [deque([user]) for user in USERS]


async def test_create_iterable_takes_an_items_type(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer({"tasks": [A, B]})] * 2)
    client = harness.client(server)
    assert await harness.items(client.create_iterable(response_model=User, **asking())) == USERS
    assert await harness.items(client.chat.completions.create_iterable(asking()["messages"], User, model="m")) == USERS
    assert server.requests[0].body["tools"][0]["function"]["name"] == "IterableUser"


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (int, [1, -2, 30]),
        (str, ["a", 'b "quoted", [x]', "ü"]),
        (float, [0.5, 1e9]),
        (bool, [True, False]),
        (type(None), [None, None]),
        (int | None, [1, None]),
        (list[int], [[1], [], [2, 3]]),
        (dict[str, int], [{"a": 1}, {}]),
        (Literal["a", "b"], ["a", "b"]),
        (Annotated[int, Field(gt=0)], [1, 2]),
        (Movie, [{"title": "Up"}]),
    ],
)
async def test_lists_of_other_things(harness: Harness, scripted_server: Any, kind: Any, given: Any) -> None:
    server = scripted_server([answer({"tasks": given}), answer({"tasks": given}, chunk=1)])
    client = harness.client(server)
    assert await harness.create(client, list[kind]) == given
    assert await harness.items(client.create(Iterable[kind], **asking(stream=True))) == given


async def test_enums_become_themselves(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer({"tasks": ["big"]})])
    assert await harness.create(harness.client(server), list[Size]) == [Size.BIG]


async def test_an_empty_list_is_an_answer(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer({"tasks": []})] * 2)
    client = harness.client(server)
    got = await harness.create(client, list[User])
    assert got == []
    assert got.report.complete
    assert await harness.items(client.create(list[User], **asking(stream=True))) == []


async def test_unions_are_told_apart_by_their_tag(harness: Harness, scripted_server: Any) -> None:
    given = [{"kind": "Pet", "name": "rex", "legs": 4}, {"kind": "User", **A}, {"legs": 3, "name": "untagged"}]
    server = scripted_server([answer({"tasks": given})] * 2)
    client = harness.client(server)
    expected = [Pet(name="rex", legs=4), User(**A), Pet(name="untagged", legs=3)]
    assert await harness.create(client, Iterable[User | Pet]) == expected
    assert await harness.items(client.create_iterable(response_model=User | Pet, **asking())) == expected
    assert '"kind"' in json.dumps(server.requests[0].body["tools"])


@pytest.mark.parametrize("mode", [Mode.JSON, Mode.MD_JSON])
@pytest.mark.parametrize(
    "text",
    [
        json.dumps([A, B]),
        f"```json\n{json.dumps({'tasks': [A, B]})}\n```",
        f"I found [2] of them:\n{json.dumps([A, B])}\nThat is all.",
        f"{json.dumps(A)}\n{json.dumps(B)}\n",
        json.dumps({"note": [1, 2], "tasks": [A, B]}),
    ],
)
async def test_wherever_the_list_sits(harness: Harness, scripted_server: Any, mode: Mode, text: str) -> None:
    server = scripted_server([content(text), content(text, chunk=1)])
    client = harness.client(server, mode)
    assert await harness.create(client, list[User], max_retries=0) == USERS
    assert await harness.items(client.create_iterable(response_model=User, **asking(max_retries=0))) == USERS


async def test_a_list_spread_over_tool_calls(harness: Harness, scripted_server: Any) -> None:
    reply = tools({"tasks": [A]}, {"tasks": [B]})
    server = scripted_server([reply, reply.but(interleave=True)])
    client = harness.client(server)
    assert await harness.create(client, list[User]) == USERS
    assert await harness.items(client.create_iterable(response_model=User, **asking())) == USERS


@pytest.mark.parametrize("mode", [Mode.TOOLS, Mode.JSON, Mode.MD_JSON])
async def test_the_first_item_comes_before_a_tenth_of_the_answer(
    harness: Harness, scripted_server: Any, mode: Mode
) -> None:
    gate = Gate()
    reply = answer({"tasks": [{"name": f"n{age}", "age": age} for age in range(100)]}, gate=gate)
    with_tools = tools if mode is Mode.TOOLS else content
    held = count_events(with_tools(reply.answer.calls[0].arguments)) // 10  # type: ignore[union-attr]
    client = harness.client(scripted_server([reply.but(wait_after=held)]), mode)
    stream = client.create_iterable(response_model=User, **asking())
    assert await harness.next(stream) == User(name="n0", age=0)
    await harness.off_loop(gate.reached)
    gate.open()
    assert len(await harness.items(stream)) == 99


async def test_awaited_create_gives_something_to_iterate(scripted_server: Any) -> None:
    async with Harness("async") as harness:
        client = harness.client(scripted_server([answer({"tasks": [A, B]})] * 2))
        stream = await client.create(Iterable[User], **asking(stream=True))
        assert [user async for user in stream] == USERS
        assert await client.create(Iterable[User], **asking()) == USERS


async def test_a_truncated_list_goes_on(harness: Harness, scripted_server: Any) -> None:
    for stream in (False, True):
        server = scripted_server([
            tools(json.dumps({"tasks": [A, B]})[:45], finish="length"), tools({"tasks": [B]}),
        ])  # fmt: skip
        client = harness.client(server)
        if stream:
            assert await harness.items(client.create_iterable(response_model=User, **asking())) == USERS
        else:
            assert await harness.create(client, list[User]) == USERS
        assert len(server.requests) == 2


async def test_a_truncated_list_without_a_budget(harness: Harness, scripted_server: Any) -> None:
    got: list[Any] = []
    client = harness.client(scripted_server([tools(json.dumps({"tasks": [A, B]})[:45], finish="length")]))
    with pytest.raises(IncompleteOutputException, match="length limit") as failed:
        await harness.collect(client.create_iterable(response_model=User, **asking(max_retries=0)), got)
    assert got == USERS[:1]
    assert failed.value.report is not None
    assert failed.value.report.good == 1


async def test_bad_items_left_out_or_raised(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer({"tasks": [A, {"name": 1}, B]})] * 2)
    client = harness.client(server)
    got = await harness.create(client, list[User], on_invalid="skip")
    assert got == USERS
    assert [item.index for item in got.report.failed_items] == [1]
    with pytest.raises(InstructorRetryException) as failed:
        await harness.create(client, list[User], on_invalid="raise")
    assert [item.index for item in failed.value.failed_items] == [1]
    assert len(server.requests) == 2


async def test_partial_items_are_no_items(harness: Harness, scripted_server: Any) -> None:
    client = harness.client(scripted_server())
    with pytest.raises(ConfigurationError, match="a list gives whole items"):
        client.create_iterable(response_model=instructor.Partial[User], **asking())
    with pytest.raises(ConfigurationError, match="a list gives whole items"):
        await harness.create(client, Iterable[instructor.Partial[User]])


async def test_leaving_early_closes_the_connection(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([tools({"tasks": [A, B]}, wait_after=14, gate=Gate())])
    stream = harness.client(server).create_iterable(response_model=User, **asking())
    assert await harness.next(stream) == USERS[0]
    await harness.close(stream)
    await harness.off_loop(server.wait_closed)
    assert server.served[0].client_left
    assert (stream.report.good, stream.report.complete) == (1, False)


async def test_as_a_context_manager(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([tools({"tasks": [A, B]}, wait_after=14, gate=Gate())])
    stream = harness.client(server).create_iterable(response_model=User, **asking())
    if harness.is_async:
        async with stream:
            await anext(stream)
    else:
        with stream:
            next(stream)
    await harness.off_loop(server.wait_closed)
    assert server.served[0].client_left


async def test_a_cancelled_stream_closes_the_connection(scripted_server: Any) -> None:
    server = scripted_server([tools({"tasks": [A, B]}, wait_after=14, gate=(gate := Gate()))])
    async with Harness("async") as harness:
        got: list[Any] = []
        task = asyncio.create_task(
            harness.collect(harness.client(server).create_iterable(response_model=User, **asking()), got)
        )
        await harness.off_loop(gate.reached)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await harness.off_loop(server.wait_closed)
    assert server.served[0].client_left


def test_an_iterable_model_says_what_it_is() -> None:
    model = IterableModel(User, name="Zed", description="DD")
    assert (model.__name__, model.__doc__, model.task_type) == ("IterableZed", "DD", User)
    assert list(model.model_fields) == ["tasks"]
    assert IterableModel(User | Pet).__name__ == "IterableUserOrPet"
    assert "Correct segmentation" in (IterableModel(User).__doc__ or "")


async def test_a_wrapper_with_more_than_a_list_is_a_value(harness: Harness, scripted_server: Any) -> None:
    class Crowd(instructor.IterableModel(User)):  # type: ignore[misc]  # pyright: ignore
        place: str

        @model_validator(mode="after")
        def not_alone(self) -> Any:
            if len(self.tasks) < 2:
                raise ValueError("a crowd is two at least")
            return self

    class Named(instructor.IterableModel(User)):  # type: ignore[misc]  # pyright: ignore
        """A list, by another name."""

    one = {"name": "a", "age": 1}
    two = {"tasks": [one, one], "place": "Bath"}
    server = scripted_server([answer({**two, "tasks": [one]}), answer(two), answer({"tasks": [one]})])
    crowd = await harness.create(harness.client(server), Crowd)
    assert (type(crowd), crowd.place, len(crowd.tasks), len(server.requests)) == (Crowd, "Bath", 2, 2)
    assert await harness.create(harness.client(server), Named) == [User(name="a", age=1)]


async def test_a_list_that_fails_leaves_its_good_items(harness: Harness, scripted_server: Any) -> None:
    wrong = {"name": "c", "age": "x"}
    for mode in (Mode.TOOLS, Mode.PARALLEL_TOOLS):
        whole = [A, wrong, B] if mode is Mode.PARALLEL_TOOLS else [{"tasks": [A, wrong, B]}]
        again = [wrong] if mode is Mode.PARALLEL_TOOLS else [{"tasks": [wrong]}]
        script = [tools(*whole, name="User"), tools(*again, name="User")]
        with pytest.raises(InstructorRetryException) as failed:
            await harness.create(harness.client(scripted_server(script), mode), Iterable[User], max_retries=1)
        assert failed.value.items == USERS
        assert [item.index for item in failed.value.failed_items] == [1]
        assert pickle.loads(pickle.dumps(failed.value)).items == USERS
    client = harness.client(scripted_server([answer(json.dumps({"tasks": [A, B]})[:-3], finish="length")] * 2))
    with pytest.raises(IncompleteOutputException) as cut:
        await harness.create(client, list[User], max_retries=0)
    assert cut.value.items == USERS[:1]
    handed_out: list[User] = []
    with pytest.raises(IncompleteOutputException) as cut:
        await harness.collect(client.create_iterable(response_model=User, **asking(max_retries=0)), handed_out)
    assert (handed_out, cut.value.items) == (USERS[:1], [])


async def test_one_value_that_fails_is_no_item(harness: Harness, scripted_server: Any) -> None:
    client = harness.client(scripted_server([answer({"name": "a"})]))
    with pytest.raises(InstructorRetryException) as failed:
        await harness.create(client, User, max_retries=0)
    assert failed.value.items == []


async def test_the_error_of_a_list_names_its_items(harness: Harness, scripted_server: Any) -> None:
    class Row(BaseModel):
        n: int

    rows = {"tasks": [{"n": 0}, {"n": "a"}, {"n": 2}, {"n": "b"}, {"n": "c"}, {"n": "d"}]}
    client = harness.client(scripted_server([answer(rows)]))
    with pytest.raises(
        InstructorRetryException, match=r"No valid IterableRow after 1 attempt: item 2: .*n, not 'a'"
    ) as failed:
        await harness.create(client, list[Row], max_retries=0)
    for words in (
        "No valid IterableRow after 1 attempt: item 2: ",
        ".n, not 'a'",
        "item 4: ",
        "item 5: ",
        "and 1 more. 2 items are valid.",
    ):
        assert words in str(failed.value)


async def test_a_misspelled_argument_of_ours_is_named(harness: Harness, scripted_server: Any) -> None:
    client = harness.client(scripted_server([]))
    with pytest.raises(ConfigurationError, match=r"Unknown argument 'max_retrys': .* Did you mean 'max_retries'\?"):
        await harness.create(client, int, max_retrys=3)
