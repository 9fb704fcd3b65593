"""A transport that stands between the engine and the SDK, and tells what goes through: requests, and text as it comes.

It can also stop a run, so that it can go on. To stop, it ends the stream that is open as if the connection had broken
off. The engine then wants to continue the list after its last item, or to ask again, as it always does. That request is
held back here until somebody lets it go on, or until the run is thrown away.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from instructor.core.events import read_json
from instructor.core.types import Arguments, AsyncConnection, AsyncTransport, Delta, Dialect, Json, Received, Request
from instructor.exceptions import InstructorError

_WIRE = 4_000_000
"""How many bytes of a reply's events are kept, as they came."""


class Sent:
    """A request as the SDK's HTTP client has sent it."""

    def __init__(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> None:
        self.method, self.url, self.headers, self.body = method, url, headers, body


class Watcher(Protocol):
    """Hears of what goes through."""

    def asked(self, body: Mapping[str, Any]) -> None:
        """Note that a request is made."""

    def sent(self, sent: Sent) -> None:
        """Note what the SDK sends for it."""

    def came(self, deltas: Sequence[Delta]) -> None:
        """Note what came in one read."""

    def reply_ended(self, error: Exception | None) -> None:
        """Note that no more comes of a reply."""


class Valve:
    """Stops what goes through, and lets it go on."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self._waiting: asyncio.Future[Any] | None = None
        self._is_thrown_away = False

    @property
    def is_open(self) -> bool:
        return self._open.is_set()

    def close(self) -> None:
        """End the stream that is open, at once, and hold back the next request."""
        self._open.clear()
        if self._waiting is not None:
            self._waiting.cancel()

    def open(self) -> None:
        """Let the next request go."""
        self._open.set()

    def throw_away(self) -> None:
        """Let no request go any more: whoever waits for it is cancelled."""
        self._is_thrown_away = True
        self.close()
        self.open()

    async def passed(self) -> None:
        """Wait until the valve is open."""
        await self._open.wait()
        if self._is_thrown_away:
            raise asyncio.CancelledError

    async def unless_closed(self, function: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
        """Return what a function returns that is awaited, or raise a StoppedError as soon as the valve is closed."""
        if not self.is_open:
            raise StoppedError
        self._waiting = waiting = asyncio.create_task(_called(function, arguments))
        try:
            return await waiting
        except asyncio.CancelledError:
            if self.is_open or not waiting.cancelled():
                raise
            raise StoppedError from None
        finally:
            self._waiting = None
            if not waiting.done():  # this task itself is cancelled
                waiting.cancel()


class StoppedError(Exception):
    """The valve was closed."""


class TappedTransport:
    """An async transport that tells what goes through it."""

    def __init__(self, inner: AsyncTransport, dialect: Dialect, watcher: Watcher, valve: Valve) -> None:
        self._inner, self._dialect, self._watcher, self._valve = inner, dialect, watcher, valve
        self.wire: list[bytearray] = []
        """The events of each reply, as they came; of a long one the first four million bytes."""

    @property
    def create(self) -> Callable[..., Awaitable[Any]]:
        return self._inner.create

    @property
    def arguments(self) -> Arguments | None:
        return self._inner.arguments

    def response(self, wire: Json) -> Any:
        return self._inner.response(wire)

    async def send(self, request: Request) -> Received:
        """Pass on a request whose response comes whole: a page's calls are streams, but for what validators ask."""
        return await self._inner.send(request)

    async def open(self, request: Request) -> AsyncConnection:
        await self._valve.passed()
        self._watcher.asked(request.body)
        self.wire.append(bytearray())
        token = _heard.set(self._watcher.sent)
        try:
            inner = await self._valve.unless_closed(self._inner.open, request)
        except StoppedError:
            self._watcher.reply_ended(None)
            return _Nothing()
        except Exception as error:
            self._watcher.reply_ended(error)
            raise
        finally:
            _heard.reset(token)
        return _Tapped(inner, self._dialect, self._watcher, self._valve, self.wire[-1])


async def _called(function: Callable[..., Awaitable[Any]], arguments: Sequence[Any]) -> Any:
    """Call a function and await it, in one: a task that is cancelled before it begins leaves nothing half done."""
    return await function(*arguments)


class _Nothing:
    """A stream that has ended before it began."""

    headers: Mapping[str, str] = {}

    async def read(self) -> None:
        return None

    async def close(self) -> None:
        """There is nothing to close."""


class _Tapped:
    """A stream that tells what comes."""

    def __init__(
        self, inner: AsyncConnection, dialect: Dialect, watcher: Watcher, valve: Valve, wire: bytearray
    ) -> None:
        self._inner, self._watcher, self._valve, self._wire = inner, watcher, valve, wire
        self._read_event = dialect.reader()
        self._ended = False

    @property
    def headers(self) -> Mapping[str, str]:
        return self._inner.headers

    async def read(self) -> Sequence[Json | bytes] | None:
        try:
            events = await self._valve.unless_closed(self._inner.read)
        except StoppedError:
            self._end(None)
            return None
        except Exception as error:
            self._end(error)
            raise
        if events is None:
            self._end(None)
            return None
        self._watcher.came(self._deltas(events))
        return events  # type: ignore[no-any-return]

    def _deltas(self, events: Sequence[Json | bytes]) -> list[Delta]:
        found: list[Delta] = []
        for event in events:
            if len(self._wire) < _WIRE:
                self._wire += (event if isinstance(event, bytes) else json.dumps(event).encode()) + b"\n"
            # What is wrong with an event, the engine finds out and says.
            with contextlib.suppress(ValueError, LookupError, TypeError, InstructorError):
                value = read_json(event) if isinstance(event, bytes) else event
                if isinstance(value, list) and len(value) == 1:
                    value = value[0]
                if isinstance(value, dict):
                    found += self._read_event(value)
        return found

    def _end(self, error: Exception | None) -> None:
        if not self._ended:
            self._ended = True
            self._watcher.reply_ended(error)

    async def close(self) -> None:
        self._end(None)
        await self._inner.close()


_heard: contextvars.ContextVar[Callable[[Sent], None]] = contextvars.ContextVar("instructor_heard")


def listen(client: Any) -> list[Any]:
    """Hear what an SDK's HTTP clients send, and return those that can be heard.

    The clients of httpx, and those that are made like them, have `event_hooks`. They are found by looking through the
    SDK's client: each SDK keeps its own elsewhere.
    """
    found = _http_clients(client)
    for http in found:
        hooks = http.event_hooks
        if not any(hook is _hear for hook in hooks.get("request", ())):
            http.event_hooks = {**hooks, "request": [*hooks.get("request", ()), _hear]}
    return found


async def _hear(request: Any) -> None:
    heard = _heard.get(None)
    if heard is not None:
        heard(Sent(request.method, str(request.url), dict(request.headers), await request.aread()))


_DEPTH = 5


def _http_clients(client: Any) -> list[Any]:
    seen: set[int] = set()
    found: list[Any] = []

    def walk(value: Any, depth: int) -> None:
        if id(value) in seen or depth > _DEPTH or isinstance(value, (type, str, bytes, int, float, dict, list, tuple)):
            return
        seen.add(id(value))
        if hasattr(type(value), "event_hooks"):
            if hasattr(type(value), "aclose"):
                found.append(value)
            return
        for part in list(getattr(value, "__dict__", {}).values()):
            walk(part, depth + 1)

    walk(client, 0)
    return found
