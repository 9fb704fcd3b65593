"""What the tests of streams ask for, and the texts that a provider answers with."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from typing_extensions import Unpack

from harness import Harness, asking
from instructor import Mode
from instructor.testing import Faults, Reply, Scripted, content, tools


class Person(BaseModel):
    id: int
    name: str = ""


def tasks(*items: Any) -> str:
    """Write a wrapped list; an item that is a string stands as it is."""
    return f'{{"tasks": [{", ".join(item if isinstance(item, str) else json.dumps(item) for item in items)}]}}'


def people(*ids: int) -> str:
    return tasks(*({"id": each} for each in ids))


def said(text: str, mode: Mode = Mode.TOOLS, **faults: Unpack[Faults]) -> Reply:
    """Reply with one text by the channel that a mode uses."""
    return tools(text, **faults) if mode.by_tool else content(text, **faults)


def stream_of(harness: Harness, server: Scripted, kind: Any = Person, mode: Mode = Mode.TOOLS, **options: Any) -> Any:
    """Ask for a list, as a stream."""
    return harness.client(server, mode).create_iterable(response_model=kind, **asking(**options))


async def taken(harness: Harness, stream: Any) -> tuple[list[Any], Exception | None]:
    """Collect what a stream gives, and the error that it ends with."""
    found: list[Any] = []
    try:
        await harness.collect(stream, found)
    except Exception as error:
        return found, error
    return found, None


def ids(found: Iterable[Any]) -> list[int]:
    return [person.id for person in found]


def adds_up(report: Any, came: int) -> None:
    """Assert that the account of a list of so many items is right."""
    assert report.bad == report.repaired + len(report.failed_items)
    assert report.good + len(report.failed_items) == came
