"""What `client.map` returns: an iterator of rows that knows how the run goes."""

from __future__ import annotations

import asyncio
import queue
import random
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any, Generic, TypeVar, get_args

from typing_extensions import Self

from instructor._install import install_command
from instructor.bulk.configuration import configuration
from instructor.bulk.engine import AsyncioEngine, Calls, Reader
from instructor.bulk.estimate import estimate
from instructor.bulk.inputs import Source, source_of
from instructor.bulk.job import Job, Settings
from instructor.bulk.journal import Journal
from instructor.bulk.limits import Limits, Prices
from instructor.bulk.requests import Prompt, Requests, checked_keys
from instructor.bulk.rows import BulkReport, Estimate, OnError, Row
from instructor.bulk.store import Store
from instructor.exceptions import ConfigurationError

T = TypeVar("T")
_NOT_FOR_ROWS = {
    "stream": "a bulk run gives whole rows.",
    "cache": "the store keeps the answers: pass store=.",
    "hooks": "pass on_row= and on_progress=, or add hooks to the client.",
}
_SAMPLE = [{"role": "user", "content": ""}]


class _Prepared(Generic[T]):
    """The arguments of a run, checked, and all that can be known before it starts."""

    def __init__(self, calls: Calls, rows: Any, given: Mapping[str, Any]) -> None:
        options: dict[str, Any] = {**calls.binding.defaults, **given["options"]}
        for name, why in _NOT_FOR_ROWS.items():
            if options.get(name):
                raise ConfigurationError(f"map() does not take {name}=: {why}")
        _check(given)
        self._calls = calls
        self._source = source_of(rows)
        self._context = options.pop("context", None)
        if self._context is not None and not isinstance(self._context, Mapping):
            raise ConfigurationError(f"context must be a dict, got {self._context!r}.")
        options.pop("cache", None)
        self._messages = given["messages"]
        self._prompt = Prompt(self._messages, self._source.text_field, self._context)
        binding = calls.binding
        plan = calls.over(binding.transport).prepare(given["response_model"], _SAMPLE, options)
        own = {name: options[name] for name in options if name in plan.run.body or name in ("model", "extra_headers")}
        self._requests = Requests(
            provider=binding.provider, client=binding.client or binding.transport.create, mode=str(binding.mode),
            options=own, context=self._context, strict=options.get("strict", True), output=plan.output,
        )  # fmt: skip
        limits: Limits = given["limits"] or Limits()
        if limits.prices is None:
            limits = replace(limits, prices=Prices.of_model(binding.provider, options.get("model")))
        if limits.max_cost is not None and limits.prices is None:
            raise ConfigurationError(
                f"max_cost needs to know the prices of {options.get('model')!r}: pass "
                "Limits(prices=Prices(input=..., output=...)), for a million tokens. "
                f"For those of well-known models: {install_command('prices')}"
            )
        self.limits = limits
        """The limits of the run, with the prices of the model if they are known."""
        self._given = {**given, "options": options}
        checked_keys(self._source, given["key"])
        store = given["store"]
        self.store: Store | None = store if store is None or isinstance(store, Store) else Store(store)
        """The store of the run; None if there is none."""
        self.report = BulkReport(total=_total(self._source, given))
        """The counts of the run."""
        self._configuration = configuration(
            binding, options.get("model"), self._requests.options, self._prompt.describe(), plan.output
        )

    def estimate(self) -> Estimate:
        """Return what the run would take: rows, tokens, money, time. No request is made.

        Raises:
            ConfigurationError: The rows can be read only once.
        """
        return estimate(
            self._source, self._settings(), self._prompt, self._requests,
            self.store, self._configuration,
        )  # fmt: skip

    def _settings(self) -> Settings:
        given = self._given
        return Settings(
            given["response_model"], self.limits, given["key"], given["on_error"], given["ordered"], given["dedupe"],
            given["retry_failed"], given["reuse"], given["limit"], self._positions(), given["on_row"],
            given["on_progress"], {name: value for name, value in given["options"].items() if name != "messages"},
        )  # fmt: skip

    def _positions(self) -> frozenset[int] | None:
        count: int | None = self._given["sample"]
        if count is None:
            return None
        rows = self._source.again("sample")
        total = self._source.total
        if total is None:
            total = sum(1 for _ in rows)
        chance = random.Random(self._given["seed"])  # noqa: S311 - no secret
        return frozenset(chance.sample(range(total), min(count, total)))

    def _job(self, outbox: Any) -> Job:
        store = self.store
        journal = Journal(None) if store is None else Journal(store.path, durable=store.durable)
        job = self._configuration
        journal.begin(job.job, job.text)
        settings = self._settings()
        about_call = (self._calls, settings.response_model, settings.options)
        return Job(
            AsyncioEngine(*about_call, self.limits), Reader(*about_call), self._source, settings, self._prompt,
            self._requests, journal, outbox, self.report,
        )  # fmt: skip


def _check(given: Mapping[str, Any]) -> None:
    for name, known in (("on_error", get_args(OnError)), ("reuse", ("exact", "compatible")), ("engine", ("asyncio",))):
        if given[name] not in known:
            raise ConfigurationError(f"{name} must be one of {', '.join(known)}, got {given[name]!r}.")
    for name in ("limit", "sample"):
        value = given[name]
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise ConfigurationError(f"{name} must be a number of rows (1, 2 ...), got {value!r}.")
    if given["limits"] is not None and not isinstance(given["limits"], Limits):
        raise ConfigurationError(f"limits must be an instructor.bulk.Limits, got {given['limits']!r}.")
    if given["key"] is not None and not (isinstance(given["key"], str) or callable(given["key"])):
        raise ConfigurationError(f"key must be the name of a field or a function of the row, got {given['key']!r}.")


def _total(source: Source, given: Mapping[str, Any]) -> int | None:
    counts = [count for count in (source.total, given["limit"], given["sample"]) if count is not None]
    return min(counts) if source.total is not None else None


class AsyncBulkRun(_Prepared[T]):
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
            self._running = self._job(self._outbox)
            self._task = loop.create_task(_watched(self._running, self._outbox))
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
        """Ask no more rows. Those in flight are still yielded, then the iteration ends."""
        if self._running is not None:
            self._running.stop()

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


async def _watched(job: Job, outbox: Any) -> None:
    """Run a job; whatever ends it ends the iteration, too."""
    try:
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


class BulkRun(_Prepared[T]):
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
        job = self._running = self._job(self._outbox)
        started = threading.Event()

        async def main() -> None:
            self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
            started.set()
            await _watched(job, self._outbox)

        def thread() -> None:
            asyncio.run(main())

        self._thread = threading.Thread(target=thread, name="instructor-map", daemon=True)
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
