"""What a stream may cost: one event has a bound, on what it is unpacked to; what came before a loss counts."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from pydantic import BaseModel

import instructor
from harness import Harness, asking
from instructor.exceptions import ConfigurationError, EventTooLargeError, IncompleteOutputException
from instructor.parsing.sse import EventStream
from instructor.providers import sdk
from instructor.testing import Asked
from instructor.testing.loopback import Link, Loopback

BOUND = 1000


class User(BaseModel):
    name: str


class Raw(Loopback):
    """Answer each request with the same bytes, and end the body properly or not."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []
        self.headers: dict[str, str] = {}
        self.ends = True
        self.asked = 0

    def serve(self, link: Link, asked: Asked) -> bool:
        self.asked += 1
        link.head(200, {"content-type": "text/event-stream", **self.headers}, None)
        for piece in self.pieces:
            link.write(piece)
        if self.ends:
            link.end()
        return self.ends


@pytest.fixture
def server() -> Iterator[Raw]:
    started = Raw()
    started.start()
    yield started
    started.stop()


def event(delta: dict[str, Any], finish: str | None = None) -> bytes:
    return b"data: %b" % json.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}).encode()


def called(text: str) -> bytes:
    function = {"name": "IterableUser", "arguments": text}
    return event({"tool_calls": [{"index": 0, "id": "call_a", "function": function}]})


FIRST, END = called('{"tasks": [{"name": "Ann"}, {"name": "Bob"}]}'), event({}, "tool_calls")
LONG = b"data: " + b"x" * (5 * BOUND)


def client(harness: Harness, server: Raw, **options: Any) -> Any:
    return instructor.from_openai(harness.sdk(f"{server.root}/v1"), **options)


async def read(harness: Harness, made: Any, **options: Any) -> tuple[list[User], Any, Exception | None]:
    found: list[User] = []
    stream = await harness.result(made.create(Iterable[User], stream=True, **asking(**options)))
    try:
        await harness.collect(stream, found)
    except IncompleteOutputException as error:
        return found, stream.report, error
    return found, stream.report, None


@pytest.mark.parametrize("size", [1, 7, 900, 100_000])
@pytest.mark.parametrize("rest", [LONG, LONG + b"\n\n" + END + b"\n\n", b": " + LONG, b"data: {}\n" * BOUND])
async def test_an_event_beyond_the_bound_ends_the_call(harness: Harness, server: Raw, rest: bytes, size: int) -> None:
    body = FIRST + b"\n\n" + rest
    server.pieces = [body[at : at + size] for at in range(0, len(body), size)]
    server.ends = False
    found, report, error = await read(harness, client(harness, server, max_event_bytes=BOUND), max_retries=3)
    assert isinstance(error, IncompleteOutputException)
    cause = error.__cause__
    while cause is not None and not isinstance(cause, EventTooLargeError):
        cause = cause.__cause__
    assert "at most 1000 bytes" in str(cause)
    assert "max_event_bytes=" in str(error)
    assert [user.name for user in found] == ["Ann", "Bob"]
    assert (server.asked, report.complete) == (1, False)


async def test_many_events_within_the_bound_are_no_long_one(harness: Harness, server: Raw) -> None:
    event_ = called("")
    server.pieces = [b"\n\n".join([event_] * 20), b"\n\n" + FIRST + b"\n\n" + END + b"\n\n"]
    found, report, error = await read(harness, client(harness, server, max_event_bytes=len(FIRST) + 2))
    assert (len(found), error, report.complete) == (2, None, True)


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


PACKERS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("gzip", gzip.compress),
    ("deflate", zlib.compress),
    ("deflate", raw_deflate),
]


@pytest.mark.parametrize(("encoding", "pack"), PACKERS)
async def test_the_bound_is_on_what_is_unpacked_which_is_done_in_pieces(
    harness: Harness, server: Raw, encoding: str, pack: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    fed: list[int] = []
    feed = EventStream.feed

    def counted(stream: EventStream, data: bytes) -> list[bytes]:
        fed.append(len(data))
        return feed(stream, data)

    monkeypatch.setattr(EventStream, "feed", counted)
    packed = pack(FIRST + b"\n\ndata: " + b"x" * (30 << 20))
    assert len(packed) < 100_000
    server.pieces, server.headers = [packed], {"content-encoding": encoding}
    found, _, error = await read(harness, client(harness, server, max_event_bytes=1 << 20))
    assert "max_event_bytes=" in str(error)
    assert [user.name for user in found] == ["Ann", "Bob"]
    assert max(fed) <= sdk._PIECE
    assert sum(fed) < (2 << 20)
    assert server.asked == 1


@pytest.mark.parametrize(("encoding", "pack"), PACKERS)
@pytest.mark.parametrize("size", [1, 50, 10_000])
async def test_packed_streams_are_read_like_others(
    harness: Harness, server: Raw, encoding: str, pack: Callable[[bytes], bytes], size: int
) -> None:
    packed = pack(b"\n\n".join([FIRST, *[called("")] * 2000, END, b""]))
    server.pieces = [packed[at : at + size] for at in range(0, len(packed), size)]
    server.headers = {"content-encoding": encoding}
    found, report, error = await read(harness, client(harness, server))
    assert (len(found), report.complete, error) == (2, True, None)


@pytest.mark.parametrize("tail", [b"", b"\n"])
async def test_a_whole_last_event_counts_though_the_connection_is_lost(
    harness: Harness, server: Raw, tail: bytes
) -> None:
    server.pieces, server.ends = [FIRST + b"\n\n" + END + tail], False
    found, report, error = await read(harness, client(harness, server), max_retries=0)
    assert (len(found), report.complete, error) == (2, True, None)


async def test_half_of_an_event_does_not_count_when_the_connection_is_lost(harness: Harness, server: Raw) -> None:
    server.pieces, server.ends = [FIRST + b"\n\n" + END[:-1]], False
    found, report, error = await read(harness, client(harness, server), max_retries=0)
    assert (len(found), report.complete) == (2, False)
    assert "APIConnectionError" in str(error)


@pytest.mark.parametrize("most", [0, -1, True, "1000", 1.5])
def test_bounds_that_are_none(most: Any) -> None:
    with pytest.raises(ConfigurationError, match="max_event_bytes must be a number of bytes"):
        instructor.from_provider("openai/scripted", api_key="none", max_event_bytes=most)


def test_a_bound_for_streams_that_the_sdk_reads() -> None:
    with pytest.raises(ConfigurationError, match="max_event_bytes must be left out for mistral"):
        instructor.from_provider("mistral/scripted", api_key="none", max_event_bytes=1000)
