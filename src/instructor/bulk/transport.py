"""The requests of a run: each attempt passes the limiter, and failures that pass are sent again here.

A `RowTransport` stands between one row's call and the SDK. The call sees a slow server that does not fail; re-asks and
continuations pass the limiter as any request does. What the provider sent is kept: the row is read from it again when
a run is resumed.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import math
import random
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from functools import partial
from typing import Any

from instructor.bulk.failures import failure_of, held_until
from instructor.bulk.journal import Attempt
from instructor.bulk.limiter import Share, Ticket
from instructor.bulk.rows import Stopped
from instructor.core.types import Arguments, AsyncConnection, AsyncTransport, Json, Received, Request, Transport
from instructor.report import Report
from instructor.usage import Usage, with_short_files

_SHORTEST, _LONGEST = 0.5, 60.0
"""Seconds between two attempts where the provider names none: they double from one to the other."""


First = Callable[[Request], Awaitable[Json | None]]
"""Returns the reply to the first request of a row; None if it must be sent after all."""


class Stop(BaseException):
    """Ends a row's call because the run ends. It is no Exception: no retry policy may catch it."""

    def __init__(self, reason: Stopped, cause: BaseException | None = None) -> None:
        self.reason: Stopped = reason
        self.cause = cause
        super().__init__(reason)


class Gate:
    """Lets the requests of one run through, in their order, on one event loop."""

    def __init__(
        self,
        share: Share,
        others: Callable[[], None],
        changed: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`others` wakes the runs that share the limiter; `changed` is called when a count of this run has changed."""
        self.share, self.clock, self._others, self._counts_changed = share, clock, others, changed
        self._line = asyncio.Lock()
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        self.rate_limited = self.parked = 0

    async def pass_(self, guess: int, *, begins: bool = False) -> Ticket:
        """Wait until a request may be sent. `begins` says that its row has no reply yet.

        Raises:
            Stop: The budget is spent, or the run is stopped and the row would begin.
        """
        async with self._line:
            while True:
                if begins and self._stopped.is_set():
                    raise Stop("cancelled")
                self._changed.clear()
                answer = self.share.admit(self.clock(), guess)
                if isinstance(answer, Ticket):
                    self._counts_changed()
                    return answer
                if answer is None:
                    raise Stop(self.share.spent)
                await self._wait(answer)

    async def _wait(self, seconds: float) -> None:
        timer = None if seconds == math.inf else self._loop.call_later(seconds, self._changed.set)
        try:
            await self._changed.wait()
        finally:
            if timer is not None:
                timer.cancel()

    def wake(self) -> None:
        """Let the first request in the line ask again: a place is free perhaps."""
        if self._line.locked():
            self._loop.call_soon_threadsafe(self._changed.set)

    async def pause(self, seconds: float, *, begins: bool) -> None:
        """Wait before the next attempt, without a place among the calls in flight.

        Raises:
            Stop: The run is stopped, and the row has no reply yet.
        """
        self.parked += 1
        self._counts_changed()
        try:
            if not begins:
                await asyncio.sleep(seconds)
                return
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), seconds)
                raise Stop("cancelled")
        finally:
            self.parked -= 1
            self._counts_changed()

    def stop(self) -> None:
        """Let no row begin any more. Rows that have a reply go on."""
        self._stopped.set()
        self._changed.set()

    def freed(self) -> None:
        if self._line.locked():
            self._changed.set()
        self._counts_changed()
        self._others()


class Replies:
    """Replies that were recorded, in their order."""

    def __init__(self, replies: list[Json]) -> None:
        self._left = replies[::-1]

    def next(self) -> Json:
        """Return the next reply.

        Raises:
            NothingRecorded: There is none.
        """
        if not self._left:
            raise NothingRecorded
        return self._left.pop()


class _WholeReplies:
    """A transport around another one, for rows: a row's call is never streamed."""

    def __init__(self, base: Any) -> None:
        self._base = base

    @property
    def create(self) -> Any:
        return self._base.create

    @property
    def arguments(self) -> Arguments | None:
        arguments: Arguments | None = self._base.arguments
        return arguments

    @property
    def functions(self) -> tuple[Any, ...]:
        functions: tuple[Any, ...] = getattr(self._base, "functions", ())
        return functions

    def response(self, wire: Json) -> Any:
        return self._base.response(wire)

    async def open(self, request: Request) -> AsyncConnection:
        raise TypeError(f"A row's call is not streamed, but the request is: {sorted(request.body)}")


class RowTransport(_WholeReplies):
    """Sends the requests of one row."""

    def __init__(
        self, base: AsyncTransport, gate: Gate, attempts: int, report: Report, first: First | None = None
    ) -> None:
        super().__init__(base)
        self._gate, self._most, self._report, self._first = gate, attempts, report, first
        self._has_batched = False
        """Whether the last reply came from a batch: it had no ticket."""
        self._unsettled: Ticket | None = None
        self._counted = Usage()
        self.attempts: list[Attempt] = []
        self.replies: list[Json] = []

    async def send(self, request: Request) -> Received:
        self.settle()
        if self._first is not None:
            first, self._first = self._first, None
            wall, started = time.time(), self._gate.clock()
            if (wire := await first(request)) is not None:
                self.attempts.append(Attempt(wall, self._gate.clock() - started, "ok"))
                self.replies.append(wire)
                self._has_batched = True
                return Received(wire, self.response(wire), {})
        gate, failures, refusals = self._gate, 0, 0
        guess = _guess(request)
        while True:
            ticket = await gate.pass_(guess, begins=not self.replies)
            wall, started = time.time(), gate.clock()
            try:
                received: Received = await self._base.send(request)
            except Exception as error:
                now = gate.clock()
                failure = failure_of(error, now=time.time())
                self.attempts.append(Attempt(wall, now - started, _STATUS[failure.kind], _short(error)))
                if failure.kind == "rate_limit":
                    gate.share.refused(ticket, now, failure.retry_after)
                else:
                    gate.share.failed(ticket, now)
                gate.freed()
                if failure.kind == "account":
                    raise Stop("account", error) from error
                if failure.kind == "rate_limit":
                    gate.rate_limited += 1
                    refusals += 1
                    await self._pause(failure.retry_after, refusals)
                    continue
                failures += 1
                if failure.kind == "row" or failures >= self._most:
                    raise
                await self._pause(failure.retry_after, failures)
            except BaseException:
                gate.share.failed(ticket, gate.clock())
                gate.freed()
                raise
            else:
                now = gate.clock()
                self.attempts.append(Attempt(wall, now - started, "ok"))
                hold = held_until(received.headers, now=time.time()) if received.headers else None
                gate.share.answered(ticket, now, None if hold is None else now + hold)
                gate.freed()
                self._unsettled = ticket
                self.replies.append(received.wire)
                return received

    def settle(self) -> None:
        """Count the tokens of the last reply: the call has read it by now."""
        if self._unsettled is not None or self._has_batched:
            total, before = self._report.usage, self._counted
            used = Usage(
                total.input_tokens - before.input_tokens,
                total.output_tokens - before.output_tokens,
                total.cached_tokens - before.cached_tokens,
            )
            if self._unsettled is None:
                self._gate.share.count(used)
            else:
                self._gate.share.settle(self._unsettled, self._gate.clock(), used)
            self._unsettled, self._counted, self._has_batched = None, total, False
            self._gate.freed()

    async def _pause(self, retry_after: float | None, number: int) -> None:
        """Wait before the next attempt: as long as the provider says, or longer each time."""
        if retry_after is None:
            retry_after = random.uniform(0.5, 1.0) * min(_LONGEST, _SHORTEST * 2.0 ** (number - 1))  # noqa: S311 - no secret
        await self._gate.pause(retry_after, begins=not self.replies)


_STATUS = {"rate_limit": "rate_limited", "transient": "failed", "account": "refused", "row": "refused"}


def _short(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:500]


def _guess(request: Request) -> int:
    """Return how many tokens a request has: a quarter of its characters, until the run has learned it from usage."""
    return max(1, len(str(with_short_files(request.body))) // 4)


class Threaded(_WholeReplies):
    """A sync client's transport, called in threads."""

    def __init__(self, base: Transport, threads: Executor) -> None:
        super().__init__(base)
        self._threads = threads

    async def send(self, request: Request) -> Received:
        loop = asyncio.get_running_loop()
        send = partial(contextvars.copy_context().run, self._base.send, request)
        return await loop.run_in_executor(self._threads, send)


class NothingRecorded(Exception):
    """A recorded answer is not enough: the call would send a request."""


class Recorded(_WholeReplies):
    """Answers requests from replies that were recorded."""

    def __init__(self, base: Any, replies: list[Json]) -> None:
        super().__init__(base)
        self._replies = Replies(replies)

    async def send(self, request: Request) -> Received:
        del request  # it is the one that was made then
        wire = self._replies.next()
        return Received(wire, self.response(wire), {})


class RecordedSync:
    """A sync transport that sends nothing."""

    create: Any = None
    arguments: Any = None

    def __init__(self, replies: list[Json]) -> None:
        self._replies = Replies(replies)

    def response(self, wire: Json) -> Any:
        return wire

    def open(self, request: Request) -> Any:
        raise TypeError(f"A recorded answer is not streamed, but the request is: {sorted(request.body)}")

    def interrupt_open(self, thread: int) -> bool:
        del thread
        return False

    def send(self, request: Request) -> Received:
        del request
        wire = self._replies.next()
        return Received(wire, wire, {})
