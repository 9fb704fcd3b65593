"""How many events pass between an item's last bracket and the item: an HTTP client that counts what was taken."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import httpx2
from documents import document
from wire import cut, events


class Counted(httpx2.BaseTransport, httpx2.SyncByteStream):
    """Answers every request with one stream, an event a read."""

    def __init__(self, name: str, chunk: int) -> None:
        self.name, self.chunk, self.taken = name, chunk, 0
        self.found: Iterable[bytes] = ()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        tool = json.loads(request.content)["tools"][0]["function"]["name"]
        self.taken, self.found = 0, events(cut(document(self.name), self.chunk), tool)
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=self)

    def __iter__(self) -> Iterator[bytes]:
        for event in self.found:
            self.taken += 1
            yield event

    def closing(self) -> list[int]:
        """Give the number of the event that closes each item: those are flat objects here."""
        text = document(self.name)
        ends = [at for at, mark in enumerate(text) if mark == "}"][:-1]
        return [end // self.chunk + 2 for end in ends]  # counted from 1; the first event has no text


def lags(url: str, stream: Callable[[httpx2.Client], Iterable[Any]]) -> Callable[[], dict[str, int]]:
    """Make a run that gives the longest lag. The URL only tells the document and the size of an event."""
    name, chunk = url.split("/")[3:5]

    def run() -> dict[str, int]:
        transport = Counted(name, int(chunk))
        taken = [transport.taken for _ in stream(httpx2.Client(transport=transport))]
        closing = transport.closing()
        assert len(taken) == len(closing)
        return {"count": len(taken), "lag": max(a - b for a, b in zip(taken, closing, strict=True))}

    return run
