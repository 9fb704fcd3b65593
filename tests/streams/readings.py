"""A list of two persons, and its reading in all ways: streamed, cut in several ways, and whole."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from harness import Harness, asking
from instructor import Mode
from instructor.testing import Scripted, content, tools


class Person(BaseModel):
    name: str
    age: int


A, B = '{"name": "Ann", "age": 1}', '{"name": "Bob", "age": 2}'
WRAPPED, BARE = f'{{"tasks": [{A}, {B}]}}', f"[{A}, {B}]"
PEOPLE = [Person(name="Ann", age=1), Person(name="Bob", age=2)]


async def read_in_all_ways(harness: Harness, text: str, kind: Any, mode: Mode) -> list[Any]:
    """Read a text streamed, cut in several ways, and whole, with no request to spare; all must give the same."""
    say = tools if mode.by_tool else content
    found: list[list[Any]] = []
    for chunk in (1, 7, 100_000):
        with Scripted([say(text, chunk=chunk)]) as server:
            stream = harness.client(server, mode).create_iterable(response_model=kind, **asking(max_retries=0))
            found.append(await harness.items(stream))
            assert stream.report.complete
    with Scripted([say(text)]) as server:
        found.append(await harness.create(harness.client(server, mode), response_model=list[kind], max_retries=0))
    assert all(each == found[0] for each in found)
    return found[0]
