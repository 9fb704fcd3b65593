"""Leaving a stream at an awkward moment: while somebody else leaves it, or in the middle of an SDK's own work."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

import pytest
from persons import ids, people, stream_of

import instructor
from harness import Harness
from instructor.core.drivers import Escape, StreamCloser, shut_socket
from instructor.testing import Gate, Scripted, tools

pytestmark = pytest.mark.filterwarnings("error")


@pytest.mark.parametrize("by_next", [False, True])
async def test_who_goes_on_while_another_closes_is_at_the_end(harness: Harness, by_next: bool) -> None:
    gate = Gate()
    one = 1 + len(people(1))
    with Scripted([tools(people(1, 2), chunk=1, wait_after=one, gate=gate)]) as server:
        closes, went_on, hooks = threading.Event(), threading.Event(), instructor.Hooks()

        def told(report: Any) -> None:
            closes.set()
            assert went_on.wait(30)

        async def told_later(report: Any) -> None:
            await asyncio.to_thread(told, report)

        hooks.on("stream:end", told_later if harness.is_async else told)
        stream = stream_of(harness, server, hooks=hooks)
        found = [await harness.next(stream)]
        closing = asyncio.ensure_future(stream.aclose() if harness.is_async else asyncio.to_thread(stream.close))
        assert await asyncio.to_thread(closes.wait, 30)
        if by_next:
            assert (await anext(stream, None) if harness.is_async else next(stream, None)) is None
        else:
            found += await harness.items(stream)
        await harness.close(stream)
        went_on.set()
        await closing
        gate.open()
    assert ids(found) == [1]


def test_a_stream_that_was_left_is_not_opened() -> None:
    class Transport:
        def open(self, request: Any) -> Any:
            raise AssertionError("nobody wants it")

        def interrupt_open(self, thread: int) -> bool:
            return False

    way_out = StreamCloser()
    way_out.close()
    transport: Any = Transport()
    assert way_out.opened(transport, None) is None


class Lock:
    """A lock as SDKs have them: taken and returned in functions of Python's."""

    def __init__(self) -> None:
        self.lock, self.wanted = threading.Lock(), threading.Event()

    def __enter__(self) -> None:
        self.wanted.set()
        self.lock.acquire()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.lock.release()


def elsewhere(function: Callable[..., Any], *arguments: Any) -> tuple[threading.Thread, list[Any]]:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(function(*arguments)))
    thread.start()
    return thread, found


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair()
    with one, other:
        yield one, other


def test_a_call_that_is_ended_leaves_no_lock_taken(pair: tuple[socket.socket, socket.socket]) -> None:
    guard, escape = Lock(), Escape()

    def call(connection: socket.socket) -> bytes:
        with guard:
            return connection.recv(1)

    guard.lock.acquire()
    caller, found = elsewhere(escape.call, call, pair[0])
    assert guard.wanted.wait(30)
    leaver, _ = elsewhere(escape.end)
    leaver.join(0.05)  # it has to wait: nothing tells when it began to
    guard.lock.release()
    leaver.join(30)
    caller.join(30)
    assert not caller.is_alive()
    assert found in ([None], [b""])
    assert guard.lock.acquire(blocking=False)


class Response:
    """A response as HTTP clients have them."""

    status_code = 200

    def __init__(self) -> None:
        self.is_closed = False

    def close(self) -> None:
        self.is_closed = True


def test_a_response_that_an_ended_call_had_in_its_hands_is_closed(pair: tuple[socket.socket, socket.socket]) -> None:
    response, escape, begun = Response(), Escape(), threading.Event()

    def call(connection: socket.socket) -> bytes:
        received = response
        begun.set()
        return connection.recv(received.status_code)

    caller, found = elsewhere(escape.call, call, pair[0])
    assert begun.wait(30)
    escape.end()
    caller.join(30)
    assert response.is_closed or found == [b""]


def test_a_response_is_closed_when_the_user_interrupts() -> None:
    response = Response()

    def interrupted(received: Response) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Escape().call(interrupted, response)
    assert response.is_closed


def test_only_the_sockets_of_the_calls_that_are_left_are_shut(pair: tuple[socket.socket, socket.socket]) -> None:
    begun = threading.Event()

    def users_own(connection: socket.socket) -> bytes:
        begun.set()
        return connection.recv(1)

    thread, found = elsewhere(users_own, pair[0])
    assert begun.wait(30)
    assert not shut_socket(thread.ident or 0, Escape.call.__code__)
    pair[1].sendall(b"x")
    thread.join(30)
    assert found == [b"x"]
