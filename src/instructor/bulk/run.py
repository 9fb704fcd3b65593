"""What `client.map` returns: an iterator of rows that knows how the run goes."""

from __future__ import annotations

import asyncio
import contextvars
import queue
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping
from types import TracebackType
from typing import Any, Generic, TypeVar

from typing_extensions import Self

from instructor.bulk.engine import Calls
from instructor.bulk.job import Job
from instructor.bulk.limits import Limits
from instructor.bulk.prepared import Prepared
from instructor.bulk.rows import BulkReport, Estimate, Row
from instructor.bulk.store import Store
from instructor.core import observer
from instructor.exceptions import ConfigurationError

T = TypeVar("T")


class _Run(Generic[T]):
    """What both kinds of run have in common."""

    def __init__(self, calls: Calls, rows: Any, given: Mapping[str, Any]) -> None:
        self.prepared = Prepared(calls, rows, given)
        self.report = BulkReport(total=self.prepared.total)
        """The counts of the run."""

    @property
    def limits(self) -> Limits:
        """The limits of the run, with the prices of the model if they are known."""
        return self.prepared.limits

    @property
    def store(self) -> Store | None:
        """The store of the run; None if there is none."""
        return self.prepared.store

    def estimate(self) -> Estimate:
        """Return what the run would take: rows, tokens, money, time. No request is made.

        Raises:
            ConfigurationError: The rows can be read only once.
        """
        return self.prepared.estimate()


class AsyncBulkRun(_Run[T]):
    """A run of an async client: `async for row in run`. It can be read once.

    Leaving the loop does not end the run: `async with`, or `await run.aclose()`, cancels what is in flight. Rows that
    were committed stay in the store.
    """

    def __init__(self, calls: Calls, rows: Any, given: Mapping[str, Any]) -> None:
        super().__init__(calls, rows, given)
        self._outbox = _AsyncOutbox()
        self._task: asyncio.Task[None] | None = None
        self._running: Job | None = None

    def __aiter__(self) -> AsyncIterator[Row[T]]:
        return self

    async def __anext__(self) -> Row[T]:
        if self._task is None:
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                raise ConfigurationError(
                    "client.map of an async client needs asyncio: trio has no engine yet."
                ) from None
            self._running = self.prepared.job(self._outbox, self.report)
            self._task = loop.create_task(_watched(self._running, self._outbox, self.prepared.output))
        row = await self._outbox.get()
        if row is None:
            await asyncio.wait([self._task])
            if self._outbox.error is not None:
                error, self._outbox.error = self._outbox.error, None
                raise error
            raise StopAsyncIteration
        assert self._running is not None
        self._running.taken()
        return row

    def stop(self) -> None:
        """Ask no more rows. Those in flight are still yielded, then the iteration ends. Any thread may call it."""
        if self._running is not None and self._task is not None:
            _call(self._task.get_loop(), self._running.stop)

    async def aclose(self) -> None:
        """Cancel the calls in flight, and close the store."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._outbox.close(None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.aclose()


async def _watched(job: Job, outbox: Any, output: Any) -> None:
    """Run a job; whatever ends it ends the iteration, too."""
    observers = observer.installed
    try:
        if observers is None:
            await job.run()
        else:
            with observers.job(output, job.report):
                await job.run()
    except asyncio.CancelledError:
        outbox.close(None)
    except BaseException as error:
        outbox.close(error)


class _AsyncOutbox:
    """Rows for a reader on the same event loop."""

    def __init__(self) -> None:
        self._rows: deque[Row[Any]] = deque()
        self._arrived = asyncio.Event()
        self._ended = False
        self.error: BaseException | None = None

    def put(self, row: Row[Any]) -> None:
        self._rows.append(row)
        self._arrived.set()

    def close(self, error: BaseException | None) -> None:
        if not self._ended:
            self._ended, self.error = True, error
            self._arrived.set()

    async def get(self) -> Row[Any] | None:
        while not self._rows:
            if self._ended:
                return None
            self._arrived.clear()
            await self._arrived.wait()
        return self._rows.popleft()


class BulkRun(_Run[T]):
    """A run of a sync client: `for row in run`. It can be read once.

    The run has a thread with an event loop of its own, so it works where a loop is running already, as in notebooks.
    Leaving the loop ends the run and cancels what is in flight. Rows that were committed stay in the store.
    """

    def __init__(self, calls: Calls, rows: Any, given: Mapping[str, Any]) -> None:
        super().__init__(calls, rows, given)
        self._outbox = _Outbox()
        self._rows = self._iterate()
        self._thread: threading.Thread | None = None
        self._running: Job | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None

    def __iter__(self) -> Iterator[Row[T]]:
        yield from self._rows  # leaving the loop closes it

    def __next__(self) -> Row[T]:
        return next(self._rows)

    def _iterate(self) -> Any:
        job = self._running = self.prepared.job(self._outbox, self.report)
        started = threading.Event()

        async def main() -> None:
            self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
            started.set()
            await _watched(job, self._outbox, self.prepared.output)

        def thread() -> None:
            asyncio.run(main())

        run = contextvars.copy_context().run  # the span of the caller's, for one, is also that of the run
        self._thread = threading.Thread(target=run, args=(thread,), name="instructor-map", daemon=True)
        self._thread.start()
        started.wait()
        loop = self._loop
        assert loop is not None
        ended = False
        try:
            while (row := self._outbox.rows.get()) is not None:
                yield row
                if not self._outbox.ended:
                    _call(loop, job.taken)
            ended = True
        finally:
            if not ended and self._task is not None:
                _call(loop, self._task.cancel)
            self._thread.join()
        if self._outbox.error is not None:
            raise self._outbox.error

    def stop(self) -> None:
        """Ask no more rows. Those in flight are still yielded, then the iteration ends. Any thread may call it."""
        if self._running is not None and self._loop is not None:
            _call(self._loop, self._running.stop)

    def close(self) -> None:
        """Cancel the calls in flight, and close the store."""
        self._rows.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _call(loop: asyncio.AbstractEventLoop, function: Any) -> None:
    try:
        loop.call_soon_threadsafe(function)
    except RuntimeError:  # the loop is closed: the run has ended
        return


class _Outbox:
    """Rows for a reader in another thread."""

    def __init__(self) -> None:
        self.rows: queue.SimpleQueue[Row[Any] | None] = queue.SimpleQueue()
        self.ended = False
        self.error: BaseException | None = None

    def put(self, row: Row[Any]) -> None:
        self.rows.put(row)

    def close(self, error: BaseException | None) -> None:
        if not self.ended:
            self.ended, self.error = True, error
            self.rows.put(None)
