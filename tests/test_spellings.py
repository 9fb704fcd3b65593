"""Types in other spellings: aliases, old TypedDicts, lists that are bound as a whole, iterables inside a type."""

from __future__ import annotations

import collections.abc
import typing
from collections.abc import Iterable
from typing import Annotated, Any, Literal, NewType, Optional, Union

import pytest
import typing_extensions
from pydantic import AfterValidator, BaseModel, Field
from typing_extensions import TypeAliasType

from harness import Harness, asking
from instructor import IterableModel, ListResponse
from instructor.exceptions import ConfigurationError
from instructor.testing import answer


class User(BaseModel):
    name: str
    age: int


class Row(typing.TypedDict):
    name: typing_extensions.Required[str]
    tags: typing_extensions.NotRequired[list[str]]


class Wide(Row, total=False):
    """A row and what is inside it."""

    inner: Row
    numbers: Optional[Iterable[int]]  # noqa: UP045 - read at run time, on every Python


def first_two(users: list[User]) -> list[User]:
    return users[:2]


A, B, C = ({"name": name, "age": 1} for name in "abc")
USERS = [User(name=name, age=1) for name in "abc"]
Users = TypeAliasType("Users", list[User])
Perhaps = TypeAliasType("Perhaps", Iterable[User] | None)
Nested = TypeAliasType("Nested", "int | list[Nested]")
Name = NewType("Name", str)


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        (Row, {"name": "a"}, {"name": "a"}),
        (Wide, {"name": "a", "inner": {"name": "b"}, "numbers": [1]},
         {"name": "a", "inner": {"name": "b"}, "numbers": [1]}),
        (list[Name], {"tasks": ["a"]}, ["a"]),
        (list[Row], {"tasks": [{"name": "a", "tags": ["x"]}]}, [{"name": "a", "tags": ["x"]}]),
        (IterableModel(Row), {"tasks": [{"name": "a"}]}, [{"name": "a"}]),
        (Union[Row, int], {"content": {"name": "a"}}, {"name": "a"}),  # noqa: UP007
        (Optional[Iterable[User]], {"content": [A, B]}, USERS[:2]),  # noqa: UP045
        (Iterable[Iterable[int]], {"tasks": [[1, 2], []]}, [[1, 2], []]),
        (dict[str, collections.abc.Collection[User]], {"content": {"x": [A]}}, {"x": USERS[:1]}),
        (tuple[Iterable[int], Literal["x"]], {"content": [[1], "x"]}, ([1], "x")),
        (Users, {"tasks": [A, B]}, USERS[:2]),
        (Perhaps, {"content": [A]}, USERS[:1]),
        (Nested, {"content": [1, [2]]}, [1, [2]]),
        (Annotated[list[User], Field(description="All of them.")], {"tasks": [A]}, USERS[:1]),
        (Annotated[list[User], AfterValidator(first_two)], {"content": [A, B, C]}, USERS[:2]),
    ],
    ids=lambda value: str(value)[:50],
)  # fmt: skip
async def test_a_type_in_another_spelling(
    harness: Harness, scripted_server: Any, kind: Any, given: Any, expected: Any
) -> None:
    got = await harness.create(harness.client(scripted_server([answer(given)])), kind, max_retries=0)
    assert got == expected
    if isinstance(got, list):
        assert isinstance(got, ListResponse)
        assert got.report.complete


async def test_what_is_inside_is_validated(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer({"content": [{"name": "a"}]}), answer({"content": [A]})])
    assert await harness.create(harness.client(server), Optional[Iterable[User]]) == USERS[:1]  # noqa: UP045
    assert "Field required @ $.content[0].age" in server.requests[1].messages[-1]["content"]


@pytest.mark.parametrize("missing", [{"tags": ["a"]}, {"name": "a", "inner": {}}])
async def test_keys_stay_required(harness: Harness, scripted_server: Any, missing: Any) -> None:
    server = scripted_server([answer(missing), answer({"name": "a"})])
    assert await harness.create(harness.client(server), Wide) == {"name": "a"}
    function = server.requests[0].body["tools"][0]["function"]
    assert function["parameters"]["required"] == ["name"]
    assert (function["name"], function["description"]) == ("Wide", "A row and what is inside it.")


async def test_a_list_is_bound_as_a_whole(harness: Harness, scripted_server: Any) -> None:
    kind = Annotated[list[User], Field(min_length=3)]
    server = scripted_server([answer({"content": [A, B]}), answer({"content": [A, B, C]})] * 2)
    client = harness.client(server)
    assert await harness.create(client, kind) == USERS
    assert "at least 3 items" in server.requests[1].messages[-1]["content"]
    assert (await harness.items(client.create_partial(kind, **asking())))[-1] == USERS


async def test_a_stream_cannot_bind_a_list_as_a_whole(harness: Harness, scripted_server: Any) -> None:
    client = harness.client(scripted_server())
    kind = Annotated[list[User], Field(min_length=3)]
    with pytest.raises(ConfigurationError, match="binds the list as a whole"):
        await harness.items(client.create_iterable(response_model=kind, **asking()))
    with pytest.raises(ConfigurationError, match="binds the list as a whole"):
        await harness.items(client.create(kind, **asking(stream=True)))


@pytest.mark.parametrize("kind", [typing.Generator[User, None, None], collections.abc.Iterator[User] | None])
async def test_what_can_be_read_once_is_refused(harness: Harness, scripted_server: Any, kind: Any) -> None:
    with pytest.raises(ConfigurationError, match="gives its parts once"):
        await harness.create(harness.client(scripted_server()), kind)
