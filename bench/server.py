"""The provider, in a process of its own: it sends bytes prepared before, the same to everyone.

    POST /DOCUMENT/CHUNK/TOGETHER/v1/chat/completions

DOCUMENT is a name that `documents.document` knows, or `flood-100`; CHUNK the characters in an event, TOGETHER the
events in a network write. CHUNK may be `hold-N`: the reply is whole, and waits until N requests are there; or
`wait-N`: it comes after N milliseconds. It prints its port.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sys
from collections.abc import Iterable
from functools import lru_cache
from typing import ClassVar

from documents import document, flood
from wire import cut, events, whole, written

_PATIENCE = 60.0
"""Seconds after which requests that are held are answered all the same."""


class Provider(asyncio.Protocol):
    """One connection."""

    waiting: ClassVar[dict[str, list[asyncio.Event]]] = {}
    """The requests that are held, by their path."""
    streaming = 0
    """How many streams there are: they take turns."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport, self.data = transport, b""
        self.free = asyncio.Event()
        self.free.set()
        self.answering: asyncio.Task[None] | None = None
        transport.set_write_buffer_limits(high=0)  # what the network does not take is not heaped up here
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def pause_writing(self) -> None:
        self.free.clear()

    def resume_writing(self) -> None:
        self.free.set()

    def connection_lost(self, _: Exception | None) -> None:
        if self.answering is not None:
            self.answering.cancel()

    def data_received(self, data: bytes) -> None:
        self.data += data
        head, _, body = self.data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        size = next((int(line[15:]) for line in lines if line.lower().startswith("content-length:")), 0)
        if b"\r\n\r\n" in self.data and len(body) >= size:
            self.data = b""
            self.answering = asyncio.ensure_future(self.answer(lines[0].split()[1], json.loads(body)))

    async def answer(self, path: str, asked: dict[str, object]) -> None:
        name, chunk, together = path.split("/")[1:4]
        tool = _tool(asked)
        if not asked.get("stream"):
            if chunk.startswith("hold-"):
                await self.hold(path, int(chunk[5:]))
            elif chunk.startswith("wait-"):
                await asyncio.sleep(int(chunk[5:]) / 1000)
            self.transport.write(_whole(name, tool))
            return
        self.transport.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
            b"x-request-id: req_bench\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        Provider.streaming += 1
        try:
            for write in _streamed(name, int(chunk), int(together), tool):
                self.transport.write(write)
                if not self.free.is_set():
                    await self.free.wait()
                elif Provider.streaming > 1:
                    await asyncio.sleep(0)
        finally:
            Provider.streaming -= 1

    async def hold(self, path: str, count: int) -> None:
        here = asyncio.Event()
        held = self.waiting.setdefault(path, [])
        held.append(here)
        if len(held) == count:
            for event in self.waiting.pop(path):
                event.set()
        try:
            await asyncio.wait_for(here.wait(), _PATIENCE)
        except TimeoutError:
            self.waiting.pop(path, None)


def _tool(asked: dict[str, object]) -> str | None:
    tools = asked.get("tools")
    return tools[0]["function"]["name"] if isinstance(tools, list) and tools else None


@lru_cache(maxsize=16)
def _whole(name: str, tool: str | None) -> bytes:
    body = whole(document(name), tool)
    head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req_bench\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


def _streamed(name: str, chunk: int, together: int, tool: str | None) -> Iterable[bytes]:
    if name.startswith("flood-"):
        return written(events(flood(int(name[6:])), tool), together)
    return _prepared(name, chunk, together, tool)


@lru_cache(maxsize=6)
def _prepared(name: str, chunk: int, together: int, tool: str | None) -> list[bytes]:
    return list(written(events(cut(document(name), chunk), tool), together))


async def serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Provider, "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    loop.add_reader(sys.stdin, server.close)  # the parent has gone, or wants us to
    with contextlib.suppress(asyncio.CancelledError):
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
