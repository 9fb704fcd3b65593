"""What happened in a run: a list of numbered events that only grows, and those who follow it.

An event is written once, as the bytes that every follower gets. A *notice* has no number: the newest one takes the
place of the one before, and a follower who comes later is sent only the last. It is for what is of no interest any more
when the next comes: the item that is being written.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

Json = dict[str, Any]
_BATCH = 1_000
"""The most events that a follower is sent in one write."""
_HEARTBEAT = 15.0
"""Seconds of silence after which a comment is sent: it is how a server hears that a follower has left."""


class EventLog:
    """The events of one run. All methods belong to one event loop."""

    def __init__(self) -> None:
        self._events: list[tuple[str, Json]] = []
        self._written: list[bytes] = []
        self._notice = b""
        self._notices = 0
        self._ended = False
        self._changed = asyncio.Event()

    @property
    def count(self) -> int:
        """The number of events so far. It is also the number of the last one: the first is 1."""
        return len(self._events)

    def add(self, kind: str, data: Json) -> None:
        """Append an event."""
        self._events.append((kind, data))
        self._written.append(b"id: %d\n" % len(self._events) + _written(kind, data))
        self._wake()

    def notice(self, kind: str, data: Json) -> None:
        """Replace the notice."""
        self._notice = _written(kind, data)
        self._notices += 1
        self._wake()

    def end(self) -> None:
        """Let all followers go once they have had everything."""
        self._ended = True
        self._wake()

    def of_kind(self, *kinds: str) -> list[Json]:
        """Return the data of all events of these kinds, in order."""
        return [data for kind, data in self._events if kind in kinds]

    async def follow(self, after: int = 0) -> AsyncGenerator[bytes, None]:
        """Yield the events after a number, then those that come, in the form of `text/event-stream`, until the end."""
        at, noticed = max(0, min(after, self.count)), 0
        yield b"retry: 1000\n\n"
        while True:
            changed = self._changed
            pieces = self._written[at : at + _BATCH]
            at += len(pieces)
            if noticed != self._notices and at == self.count:
                noticed = self._notices
                pieces.append(self._notice)
            if pieces:
                yield b"".join(pieces)
            elif self._ended:
                yield b"event: end\ndata: {}\n\n"
                return
            else:
                try:
                    await asyncio.wait_for(changed.wait(), _HEARTBEAT)
                except asyncio.TimeoutError:
                    yield b": still here\n\n"

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def _written(kind: str, data: Json) -> bytes:
    # ASCII only: half a surrogate pair, which a model may write, has no bytes of its own in UTF-8.
    return f"event: {kind}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()
