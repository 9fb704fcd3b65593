"""The list of events, and those who follow it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from instructor.web.events import EventLog


async def taken(log: EventLog, after: int = 0) -> str:
    return b"".join([piece async for piece in log.follow(after)]).decode()


async def test_followers_of_all_times_get_the_same() -> None:
    log = EventLog()
    early = asyncio.create_task(taken(log))
    for number in range(3000):
        log.add("item", {"n": number})
        if number % 500 == 0:
            await asyncio.sleep(0)
    late = asyncio.create_task(taken(log))
    log.end()
    first, second = await asyncio.gather(early, late)
    assert first == second == await taken(log)
    assert first.count("event: item") == 3000
    assert first.endswith("event: end\ndata: {}\n\n")
    assert (await taken(log, 2999)).count("event: item") == 1


async def test_only_the_last_notice_is_sent_and_after_the_events() -> None:
    log = EventLog()
    log.notice("draft", {"n": 1})
    log.add("item", {"n": 1})
    log.notice("draft", {"n": 2})
    log.end()
    text = await taken(log)
    assert text.count("event: draft") == 1
    assert text.index("event: item") < text.index('event: draft\ndata: {"n":2}')
    assert "id:" not in text.partition("event: draft")[2]


@pytest.mark.parametrize("value", ["a\nb\r\nc", "data: x\n\nid: 7", "\u2028", "\ud83d", "\x00"])
async def test_no_value_can_make_an_event(value: str) -> None:
    log = EventLog()
    log.add("item", {"value": value})
    log.end()
    text = await taken(log)
    assert len(text.split("\n\n")) == 4  # retry, the event, the end, nothing
    text.encode("ascii")


async def test_silence_is_broken_by_comments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("instructor.web.events._HEARTBEAT", 0.0)
    log = EventLog()
    followed: Any = log.follow()
    assert await anext(followed) == b"retry: 1000\n\n"
    assert (await anext(followed)).startswith(b":")
    await followed.aclose()
