"""The bytes of a streamed body, unpacked, and cut into events; of a body that is no event stream all is one event."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import jiter

from instructor.text.sse import BOM, EventStream

_PIECE = 1 << 16
"""How many bytes are unpacked at once: a few packed ones may stand for very many."""
_WINDOWS = {"gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}

_HEAD = 2
"""The bytes by which zlib's format names itself, as a number of two bytes that 31 divides."""


def blocking_body(response: Any) -> Iterator[bytes]:
    """Return the reads of a body: as they come if it is not compressed, which spares a read four generators."""
    unpack = _unpacker(response)
    if unpack is None:
        return iter(_plain(response))
    return (piece for data in response.http_response.stream for piece in unpack(data))


def awaiting_body(response: Any) -> AsyncIterator[bytes]:
    """Return the same, awaiting."""
    unpack = _unpacker(response)
    if unpack is None:
        return aiter(_plain(response))
    return _unpacked(response.http_response.stream, unpack)


async def _unpacked(stream: Any, unpack: Callable[[bytes], Iterator[bytes]]) -> AsyncIterator[bytes]:
    async for data in stream:
        for piece in unpack(data):
            yield piece


def _plain(response: Any) -> Any:
    http = response.http_response
    if http.headers.get("content-encoding") or http.is_stream_consumed:  # a hook of the user's may have read it
        return response.iter_bytes()
    return http.stream


def _unpacker(response: Any) -> Callable[[bytes], Iterator[bytes]] | None:
    """Return what unpacks a body piece by piece; None where that is not needed, or is the HTTP client's to do."""
    http = response.http_response
    window = _WINDOWS.get(http.headers.get("content-encoding", "").strip().lower())
    if window is None or http.is_stream_consumed:
        return None
    unpacker = None if window == zlib.MAX_WBITS else zlib.decompressobj(window)
    head = b""

    def unpack(data: bytes) -> Iterator[bytes]:
        nonlocal unpacker, head
        if unpacker is None:
            head += data
            if len(head) < _HEAD:
                return
            data, named = head, int.from_bytes(head[:_HEAD], "big") % 31 == 0 and head[0] & 15 == zlib.DEFLATED
            unpacker = zlib.decompressobj(window if named else -window)  # some servers leave out what names it
        while True:
            piece = unpacker.decompress(data, _PIECE)
            if piece:
                yield piece
            data = unpacker.unconsumed_tail
            if not data and len(piece) < _PIECE:
                return

    return unpack


class Events:
    """Cuts a body into events. Where it is called something else its first byte decides: some call their streams JSON.

    An event of more than `most` bytes is refused.
    """

    def __init__(self, response: Any, most: int) -> None:
        self._stream = EventStream(most)
        self.feed: Callable[[bytes], list[bytes]] = self._stream.feed
        self._parts: list[bytes] = []
        if response.headers.get("content-type", "").startswith(("application/json", "text/html")):
            self.feed = self._first

    def _first(self, data: bytes) -> list[bytes]:
        self._parts.append(data)
        start = b"".join(self._parts)
        if BOM.startswith(start[:3]) and start[:3] != BOM:
            return []
        text = start.removeprefix(BOM).lstrip()
        if text.startswith((b"{", b"[", b"<")):
            self.feed = self._more
            return []
        if text:
            self._parts.clear()
            self.feed = self._stream.feed
            return self._stream.feed(start)
        return []

    def _more(self, data: bytes) -> list[bytes]:
        self._parts.append(data)
        return []

    def end(self, *, lost: bool = False) -> list[bytes]:
        """Return what is whole though no more comes; `lost`: the connection is."""
        body = b"".join(self._parts).removeprefix(BOM).strip()
        self._parts.clear()
        if body:
            return [body] if not lost or _is_json(body) else []
        return self._stream.end(lost=lost)


def _is_json(body: bytes) -> bool:
    try:
        jiter.from_json(body)
    except ValueError:
        return False
    return True
