"""Names of tools are legal on every wire, and no two tools of a request share one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Generic, Literal, TypeVar

import pytest
from pydantic import BaseModel, create_model

from instructor.outputs import list_for, output_for, parallel_for

T = TypeVar("T")


class Box(BaseModel, Generic[T]):
    inside: T


KINDS: tuple[Any, ...] = (
    Box[int],
    Box[Box[list[str]]],
    create_model("Größe", x=(int, ...)),
    create_model("日本", x=(int, ...)),
    create_model("A" * 90, x=(int, ...)),
    int | str,
    Literal["a", "b"],
    dict[str, int],
)


@pytest.mark.parametrize("kind", KINDS, ids=repr)
@pytest.mark.parametrize("output", [output_for, list_for])
def test_names_are_legal(kind: Any, output: Any) -> None:
    shape = output(kind)
    for name in (shape.name, *(tool.name for tool in shape.tools)):
        assert re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_-]{0,63}", name)


def test_types_of_one_name_are_tools_of_their_own() -> None:
    fields: list[Any] = [{key: (int, ...)} for key in "abc"]
    users: list[Any] = [create_model("User", **each) for each in fields]
    many: Any = Iterable
    tools = parallel_for(many[users[0] | users[1] | users[2]]).tools
    assert [tool.name for tool in tools] == ["User", "User_2", "User_3"]
    assert [list(tool.schema["properties"]) for tool in tools] == [["a"], ["b"], ["c"]]
