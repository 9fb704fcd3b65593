"""Rows that are answered in batches of the provider: for half the price, within a day.

    client.map(rows, response_model=Person, store="people.sqlite", engine="batch")

Theory of operation. The call of a row runs as on any engine, but its first request waits here:

    gathered     it is a line of the next batch
    submitted    its batch has an id, which is in the store before anything else happens
    answered     the batch has ended: the call reads its reply. A row that the batch has no reply for, or a wrong
                 one, is asked live from there on, within the limits of the run

A batch is submitted when it is full, or when no other row can come. A run may end at any time: the next run with the
same store finds the batches of its rows by their names, and does not submit them again. The name of a line is the
identity of its request.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from instructor.batch_services import BatchStatus, Steps, service_of
from instructor.bulk.engine import AsyncioEngine, Calls, Done, Work
from instructor.bulk.failures import failure_of
from instructor.bulk.journal import Identity, Journal
from instructor.bulk.limits import Limits
from instructor.bulk.transport import Stop
from instructor.core.types import Json, Request
from instructor.exceptions import ConfigurationError, ProviderError

_MOST_BYTES = 90_000_000
"""The size of a file from which it is submitted: the least that a provider takes is 100 MB."""


@dataclass(frozen=True)
class Batches:
    """The engine of `client.map` that asks in batches of the provider: OpenAI, Anthropic, Mistral, Google.

    Args:
        rows: The most rows of a batch.
        at_once: How many batches may run at the same time. So many rows, times `rows`, are in memory.
        poll: Seconds after which a batch is asked again whether it has ended.

    Example:
        >>> from instructor.bulk import Batches
        >>> run = client.map(rows, response_model=Person, store="people.sqlite", engine=Batches(poll=300))
    """

    rows: int = 10_000
    at_once: int = 4
    poll: float = 60.0

    def __post_init__(self) -> None:
        for name in ("rows", "at_once"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ConfigurationError(f"{name} must be a number, 1 or more, got {value!r}.")
        if isinstance(self.poll, bool) or not isinstance(self.poll, (int, float)) or not self.poll > 0:
            raise ConfigurationError(f"poll must be a number of seconds above 0, got {self.poll!r}.")


class BatchEngine:
    """Answers the first request of each row from a batch, and makes the others itself."""

    def __init__(
        self, batches: Batches, calls: Calls, response_model: Any, options: Mapping[str, Any], limits: Limits
    ) -> None:
        binding = calls.binding
        if binding.client is None:
            raise ConfigurationError('engine="batch" needs a client of an SDK: this one calls a function.')
        if "RESPONSES" in binding.mode.name:
            raise ConfigurationError(
                f"Batches are made of chat completions: use another mode than {binding.mode.name}, for example "
                "Mode.JSON_SCHEMA."
            )
        self._batches, self._limits, self._model = batches, limits, ""
        self._live = AsyncioEngine(calls, response_model, options, limits)
        self._provider: str = binding.provider
        self._is_async = binding.is_async
        self._service = service_of(binding.provider)(lambda: binding.client, is_async=binding.is_async)
        self.folder: Path | None = None
        self._lines: dict[str, bytes] = {}  # of the next batch, by their names
        self._waiting: dict[str, asyncio.Future[Json | None]] = {}
        self._batch_of: dict[str, str] = {}  # names that an earlier run has submitted
        self._found: dict[str, Json | None] = {}  # replies of those batches for which no row has asked yet
        self._followed: set[str] = set()
        self._coming = self._bytes = 0  # rows on their way to their first request; the size of the next batch
        self._has_all = self._is_stopped = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._submitting: set[asyncio.Task[str]] = set()  # these end first: a batch whose id nobody has is paid twice

    async def start(self, changed: Callable[[], None], journal: Journal | None) -> None:
        await self._live.start(changed, journal)
        self._journal, self._loop = journal, asyncio.get_running_loop()
        self._slots = asyncio.Semaphore(self._batches.at_once)
        if journal is not None:
            self._batch_of = {
                name: batch.id for batch in journal.batches() if batch.provider == self._provider
                for name in batch.names
            }  # fmt: skip

    @property
    def most(self) -> int:
        return self._batches.rows * self._batches.at_once

    @property
    def size(self) -> int:
        return self.most

    @property
    def in_flight(self) -> int:
        return self._live.in_flight

    @property
    def parked(self) -> int:
        return self._live.parked

    @property
    def rate_limited(self) -> int:
        return self._live.rate_limited

    async def ask(self, work: Work) -> Done:
        name = _name(work.identity)
        self._coming += 1
        is_coming = True

        def arrived() -> None:
            nonlocal is_coming
            if is_coming:
                is_coming = False
                self._coming -= 1

        async def first(request: Request) -> Json | None:
            reply = self._reply(name, request.body)
            arrived()
            self._submit_the_last()
            return await reply

        try:
            return await self._live.ask(work, first)
        finally:
            arrived()  # also if no request could be made
            self._submit_the_last()

    def ended(self) -> None:
        self._loop.call_soon(self._note_end)  # after the first steps of all rows: then they are counted as coming

    def _note_end(self) -> None:
        self._has_all = True
        self._submit_the_last()

    def stop(self) -> None:
        self._is_stopped = True
        self._lines.clear()
        self._live.stop()
        self._fail([*self._waiting], Stop("cancelled"))

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._submitting, return_exceptions=True)
        await self._live.close()

    # Rows

    def _reply(self, name: str, body: Mapping[str, Any]) -> asyncio.Future[Json | None]:
        """Return what will be the reply to a row's first request; None if its batch has none."""
        reply: asyncio.Future[Json | None] = self._loop.create_future()
        if self._is_stopped:
            reply.set_exception(Stop("cancelled"))
        elif name in self._found:
            reply.set_result(self._found.pop(name))
        elif (batch := self._batch_of.get(name)) is not None:
            self._waiting[name] = reply
            if batch not in self._followed:
                self._followed.add(batch)
                names = [each for each, its in self._batch_of.items() if its == batch]
                self._begin(self._resume(batch, names), names)
        else:
            self._waiting[name], self._model = reply, str(body.get("model", ""))
            self._lines[name] = json.dumps(self._service.line(name, dict(body)), ensure_ascii=False).encode() + b"\n"
            self._bytes += len(self._lines[name])
            if len(self._lines) >= self._batches.rows or self._bytes >= _MOST_BYTES:
                self._submit()
        return reply

    def _submit_the_last(self) -> None:
        """Submit what has gathered if no other row can come."""
        if self._has_all and not self._coming and self._lines:
            self._submit()

    def _submit(self) -> None:
        lines, self._lines, self._bytes = self._lines, {}, 0
        self._begin(self._run(b"".join(lines.values()), [*lines]), [*lines])

    def _begin(self, run: Any, names: Sequence[str]) -> None:
        task = self._loop.create_task(self._watched(run, names))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _watched(self, run: Any, names: Sequence[str]) -> None:
        """Run a batch. What ends it ends the run: no other batch can succeed."""
        try:
            await run
        except Exception as error:
            self._fail(names, Stop("account", error))

    def _fail(self, names: Sequence[str], stop: Stop) -> None:
        for name in names:
            reply = self._waiting.pop(name, None)
            if reply is not None and not reply.done():
                reply.set_exception(stop)

    # Batches

    async def _run(self, content: bytes, names: Sequence[str]) -> None:
        async with self._slots:
            if spent := self._live.spent:
                self._fail(names, Stop(spent))
                return
            submitting = self._loop.create_task(self._submitted(content, names))
            self._submitting.add(submitting)
            submitting.add_done_callback(self._submitting.discard)
            await self._follow(await asyncio.shield(submitting), names)

    async def _submitted(self, content: bytes, names: Sequence[str]) -> str:
        """Submit a batch, and return its id, which the store has by then."""
        batch: str = await self._patiently(partial(self._service.submit, content, self._model, None))
        if self._journal is not None:
            await self._loop.run_in_executor(None, self._journal.add_batch, batch, self._provider, names)
        return batch

    async def _resume(self, batch: str, names: Sequence[str]) -> None:
        async with self._slots:
            await self._follow(batch, names)

    async def _follow(self, batch: str, names: Sequence[str]) -> None:
        """Wait until a batch has ended, and hand out its replies."""
        while True:
            info = self._service.info(await self._patiently(partial(self._once, batch)))
            if info.status not in (BatchStatus.PENDING, BatchStatus.PROCESSING):
                break
            await asyncio.sleep(self._batches.poll)
        replies: dict[str, Json | None] = {}
        if info.status is not BatchStatus.FAILED:
            for line in await self._patiently(partial(self._service.results, batch)):
                name, wire, _, _ = self._service.read(line)
                replies[name] = wire
        is_over = info.status in (BatchStatus.FAILED, BatchStatus.CANCELLED)
        for name in names:
            if is_over and name not in replies:
                continue
            if (reply := self._waiting.pop(name, None)) is None:
                self._found[name] = replies.get(name)
            elif not reply.done():
                reply.set_result(replies.get(name))
        if is_over:
            if self._journal is not None:  # its rows may be submitted again
                await self._loop.run_in_executor(None, self._journal.forget_batch, batch)
            raise ProviderError(self._provider, f"The batch {batch!r} is {info.status.value}")

    def _once(self, batch: str) -> Steps:
        return (yield lambda: self._service.retrieve(batch))

    async def _patiently(self, steps: Callable[[], Steps]) -> Any:
        """Run steps, again after a failure that passes. A batch that runs for hours is not lost by one of a minute."""
        tries = 0
        while True:
            try:
                return await self._run_steps(steps())
            except Exception as error:
                failure, tries = failure_of(error, now=time.time()), tries + 1
                if failure.kind not in ("rate_limit", "transient") or tries >= self._limits.attempts:
                    raise
                await asyncio.sleep(self._batches.poll if failure.retry_after is None else failure.retry_after)

    async def _run_steps(self, steps: Steps) -> Any:
        outcome: Any = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as end:
                return end.value
            outcome = step() if self._is_async else await asyncio.to_thread(step)
            if hasattr(outcome, "__await__"):
                outcome = await outcome


def _name(identity: Identity) -> str:
    """Return the name of a row's line: 64 characters, which is the most that each provider takes."""
    return identity.request.hex() + identity.schema.hex()
