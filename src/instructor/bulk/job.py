"""The run itself, on one event loop: rows are pulled, asked, committed and delivered.

Theory of operation. Four kinds of tasks share the state of a `Job`:

    puller      takes a row of the source when there is room; looks its request up in the journal
    row tasks   one for each row that must be asked; the engine makes its requests
    committer   writes what has ended, all that has gathered in some milliseconds at once; then delivers it
    reader      the user, who takes rows from the outbox

A row is in one of these states, and moves down only:

    pulled      `_backlog` counts it from here on
    followed    its request is the same as one that is on its way (`_leaders`): it waits for that answer
    asked       a task waits for the engine; of these some are parked: they wait for a rate limit, and hold no place
    ended       in `_ended`, until the committer has written it
    delivered   in the outbox, until the reader takes it; then it leaves the backlog

There is room for a row if fewer rows are asked than calls may be in flight, and the backlog is bounded: so a slow
reader, a slow row of an ordered run, or an endless source do not fill the memory.

A run stops early (`_stop`) by the user, by an error that no other row can escape, or by a budget. Then no row is pulled
any more, calls in flight end, and rows that have no answer are left for the next run. So are rows that waited for the
limits: the engine lets none of them begin.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, Protocol

from instructor.bulk.engine import UNREAD, Engine, Reader, Work, failed
from instructor.bulk.inputs import Source, Unreadable
from instructor.bulk.journal import Answer, Journal, Line
from instructor.bulk.limits import Limits
from instructor.bulk.requests import Keys, Prompt, Rendered, Requests, shown
from instructor.bulk.rows import BudgetReachedError, BulkReport, JobStoppedError, Row, RowError, Stopped
from instructor.bulk.shards import absorb
from instructor.bulk.transport import Stop
from instructor.exceptions import InstructorError

_GATHER = 0.004
"""Seconds for which results gather before they are written together."""
_SLACK = 4
"""Rows that are asked beyond the calls in flight, so that a free place is taken at once."""
_FIRST_ROWS = 50
"""Rows after which the share of failed ones may stop a run."""
_PROGRESS = 0.1


class Outbox(Protocol):
    """Where delivered rows wait for the reader."""

    def put(self, row: Row[Any]) -> None: ...
    def close(self, error: BaseException | None) -> None: ...


@dataclass(frozen=True)
class Settings:
    """The arguments of `client.map`, checked."""

    response_model: Any
    limits: Limits
    key: Any = None
    on_error: Literal["collect", "skip", "raise"] = "collect"
    ordered: bool = False
    dedupe: bool = True
    retry_failed: bool = False
    reuse: Literal["exact", "compatible"] = "exact"
    limit: int | None = None
    positions: frozenset[int] | None = None
    """Which rows of the source are asked; None for all."""
    on_row: Callable[[Row[Any]], object] | None = None
    on_progress: Callable[[BulkReport], object] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


class Pulled(NamedTuple):
    """A row on its way."""

    number: int
    """Its place among the rows of this run."""
    line: Line
    input: Any
    rendered: Rendered | None


class Ended(NamedTuple):
    """A row whose answer is known. `answer` is what must be written; None if it is in the journal."""

    pulled: Pulled
    row: Row[Any]
    answer: Answer | None
    is_linked: bool = False


class Job:
    """One run of `client.map`."""

    def __init__(
        self,
        engine: Engine,
        reader: Reader,
        source: Source,
        settings: Settings,
        prompt: Prompt,
        requests: Requests,
        journal: Journal,
        outbox: Outbox,
        report: BulkReport,
    ) -> None:
        self._engine, self._reader, self._source, self._settings, self._prompt = (
            engine, reader, source, settings, prompt,
        )  # fmt: skip
        self._requests, self._journal, self._outbox, self.report = requests, journal, outbox, report
        self._limits = settings.limits
        self._keys = Keys(settings.key, source.key_field)
        self._backlog = self._asked = self._failed = self._ended_asked = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._leaders: dict[tuple[bytes, bytes], list[Pulled]] = {}
        self._ended: list[Ended] = []
        self._early: dict[int, Row[Any]] = {}  # of an ordered run, rows that others must precede
        self._next = 0
        self._stopped: Stopped | None = None
        self._cause: BaseException | None = None
        self._error: BaseException | None = None
        self._last_progress = 0.0
        self._pulls, self._started = True, False
        self._changed, self._work = asyncio.Event(), asyncio.Event()

    # The life of a run

    async def run(self) -> None:
        """Run until the source is at its end, or the run is stopped."""
        loop = self._loop = asyncio.get_running_loop()
        self._main = asyncio.current_task()
        self._writing = ThreadPoolExecutor(1, "instructor-journal")
        try:
            await self._engine.start(self._engine_changed, self._journal)
            self._started = True
            if self._stopped is not None:
                self._engine.stop()
        except BaseException:
            await self._engine.close()
            self._journal.close()
            raise
        committer = loop.create_task(self._commit())
        try:
            await self._pull()
            self._engine.ended()
            while self._tasks:
                await asyncio.wait(set(self._tasks))
        except asyncio.CancelledError:
            if self._error is None:
                raise
        except BaseException as error:
            self._error = error
        finally:
            self._pulls = False
            for task in self._tasks:
                task.cancel()
            if self._tasks:
                await asyncio.gather(*self._tasks, return_exceptions=True)
            self._work.set()
            try:
                await committer
            finally:
                await self._close()
        self._outbox.close(self._error or self._stop_error())

    async def _close(self) -> None:
        await self._engine.close()
        if self._engine.folder is not None:
            absorb(self._journal, self._engine.folder)
        self._keys.close()
        self._writing.shutdown()
        self.report.stopped = self._stopped
        self._progress(now=float("inf"))
        self._journal.end(self._stopped or (None if self._error is None else type(self._error).__name__))
        self._journal.close()

    def stop(self, reason: Stopped = "cancelled", cause: BaseException | None = None) -> None:
        """Pull no more rows. What is in flight ends, and is delivered."""
        if self._stopped is None:
            self._stopped, self._cause = reason, cause
            if self._started:
                self._engine.stop()
        self._changed.set()

    def _stop_error(self) -> JobStoppedError | None:
        if self._stopped in (None, "cancelled"):
            return None
        if self._stopped in ("max_cost", "total_tokens"):
            limit = getattr(self._limits, self._stopped)
            error: JobStoppedError = BudgetReachedError(
                f"{self._stopped}={limit} is spent after {self.report.rows} rows. The same call with a store and a "
                "larger limit goes on after them.",
                self.report, reason=self._stopped,
            )  # fmt: skip
        elif self._stopped == "error_rate":
            error = JobStoppedError(
                f"{self._failed} of {self._ended_asked} rows failed, which is more than max_error_rate="
                f"{self._limits.max_error_rate}. The last error: {self._cause}",
                self.report, reason="error_rate",
            )  # fmt: skip
        else:
            error = JobStoppedError(
                f"No other row can succeed: {self._cause}. When that is mended, the same call with a store goes on "
                f"after the {self.report.rows} rows that are done.",
                self.report, reason="account",
            )  # fmt: skip
        error.__cause__ = self._cause
        return error

    def _fail(self, error: BaseException) -> None:
        """End the run by an error."""
        if self._error is None:
            self._error = error
        if self._pulls and self._main is not None:  # afterwards it waits for the committer alone
            self._main.cancel()

    # Pulling

    async def _pull(self) -> None:
        settings, number = self._settings, 0
        position, is_checked = -1, False
        async for row in _each(self._source.rows):
            position += 1
            if not await self._has_room():
                return
            if not is_checked and not isinstance(row, Unreadable):
                is_checked = True
                self._prompt.check(row)
                self._prompt.of(row)  # an error of the first row is an error of the prompt
            key = self._keys.of(row)
            if settings.positions is not None and position not in settings.positions:
                continue
            self._backlog += 1
            await self._take(number, position, key, row)
            number += 1
            if settings.limit is not None and number >= settings.limit:
                return

    async def _has_room(self) -> bool:
        """Wait until another row may be asked; return False if the run is stopped."""
        most = self._engine.most
        turns = 0
        while self._stopped is None:
            size = min(most, self._engine.size) + _SLACK
            if (
                self._asked - self._engine.parked < size
                and self._asked < 2 * most + _SLACK
                and self._backlog < 8 * most + 64
            ):
                if turns == 0 and self._backlog % 64 == 63:
                    await asyncio.sleep(0)  # rows of the store come without waiting: let the others have their turn
                return self._stopped is None
            turns += 1
            self._changed.clear()
            await self._changed.wait()
        return False

    async def _take(self, number: int, position: int, key: str, row: Any) -> None:
        settings = self._settings
        try:
            rendered = self._prompt.of(row)
            identity = self._requests.identity(rendered.final(), "" if settings.dedupe else key)
        except Exception as error:  # the user's function failed for this row: that is the row's own
            identity = self._requests.identity([{"row": shown(row)}], "unrendered")
            pulled = Pulled(number, Line(key, position, shown(row), identity), row, None)
            answer = failed(identity, error).answer
            assert answer.error is not None
            failure = _row_error(answer.error)
            failure.__cause__ = error
            self._end(Ended(pulled, Row(key, row, error=failure), answer))
            return
        pulled = Pulled(number, Line(key, position, shown(row), identity), row, rendered)
        name = (identity.request, identity.schema)
        if (followers := self._leaders.get(name)) is not None:
            followers.append(pulled)
            return
        found = self._journal.find(identity, compatible=settings.reuse == "compatible")
        if found is not None and (ended := await self._reused(pulled, found)) is not None:
            self._end(ended)
            return
        self._leaders[name] = []
        self._asked += 1
        task = self._loop.create_task(self._ask(pulled))
        self._tasks.add(task)
        task.add_done_callback(self._done)

    async def _reused(self, pulled: Pulled, answer: Answer) -> Ended | None:
        """Return a row with an answer that is in the journal; None if it must be asked after all."""
        if answer.error is not None and self._settings.retry_failed:
            return None
        line = pulled.line._replace(identity=answer.identity)
        row: Row[Any]
        if answer.error is not None:
            row = Row(line.key, pulled.input, error=_row_error(answer.error), reused=True)
        else:
            try:
                row = Row(line.key, pulled.input, await self._reader.value(_work(pulled), answer), reused=True)
            except (InstructorError, ValueError, TypeError):  # today's validators refuse what those of that day took
                return None
        return Ended(pulled._replace(line=line), row, None, self._journal.linked(line.key, line.identity))

    # Asking

    async def _ask(self, pulled: Pulled) -> None:
        identity = pulled.line.identity
        try:
            done = await self._engine.ask(_work(pulled))
        except Stop as stop:
            self._leaders.pop((identity.request, identity.schema), None)
            self.stop(stop.reason, stop.cause)
            return
        answer = done.answer
        self._ended_asked += 1
        if answer.error is not None:
            self._failed += 1
            error = _row_error(answer.error)
            error.__cause__ = done.error
            row: Row[Any] = Row(pulled.line.key, pulled.input, None, error)
        else:
            value = await self._reader.value(_work(pulled), answer) if done.value is UNREAD else done.value
            row = Row(pulled.line.key, pulled.input, value)
        row = replace(row, usage=answer.usage, attempts=len(answer.attempts), cost=answer.cost)
        self._end(Ended(pulled, row, answer))
        most = self._limits.max_error_rate
        if self._ended_asked >= _FIRST_ROWS and self._failed / self._ended_asked > most and most < 1:
            self.stop("error_rate", done.error or row.error)

    def _engine_changed(self) -> None:
        self.report.in_flight = self._engine.in_flight
        self._changed.set()

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._asked -= 1
        self._changed.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)

    # Committing and delivering

    def _end(self, ended: Ended) -> None:
        self._ended.append(ended)
        self._work.set()

    async def _commit(self) -> None:
        try:
            while (self._pulls or self._tasks or self._ended) and self._error is None:
                if not self._ended:
                    self._work.clear()
                    await self._work.wait()
                    continue
                if self._pulls or self._tasks:
                    await asyncio.sleep(_GATHER)
                await self._commit_batch()
        except BaseException as error:
            self._fail(error)

    async def _commit_batch(self) -> None:
        batch, self._ended = self._ended, []
        answers = [ended.answer for ended in batch if ended.answer is not None]
        lines = [ended.pulled.line for ended in batch if not ended.is_linked]
        if answers or lines:
            await self._loop.run_in_executor(self._writing, self._journal.commit, answers, lines)
        for ended in batch:
            identity = ended.pulled.line.identity
            followers = self._leaders.pop((identity.request, identity.schema), ()) if ended.answer is not None else ()
            await self._deliver(ended)
            for follower in followers:
                await self._follow(follower)
        self._progress(time.monotonic())

    async def _follow(self, follower: Pulled) -> None:
        """Answer a row whose request was made for another one."""
        answer = self._journal.find(follower.line.identity)
        assert answer is not None
        row: Row[Any]
        if answer.error is not None:
            row = Row(follower.line.key, follower.input, error=_row_error(answer.error), reused=True)
        else:
            row = Row(follower.line.key, follower.input, await self._reader.value(_work(follower), answer), reused=True)
        self._end(Ended(follower, row, None))

    async def _deliver(self, ended: Ended) -> None:
        report, row = self.report, ended.row
        report.rows += 1
        report.attempts += row.attempts
        report.rate_limited = self._engine.rate_limited
        report.usage = report.usage + row.usage
        report.reused += row.reused
        if row.cost is not None:
            report.cost = (report.cost or 0.0) + row.cost
        if row.error is None:
            report.ok += 1
            report.items += len(row.value) if isinstance(row.value, list) else 1
        else:
            report.failed += 1
        if self._settings.on_row is not None:
            result = self._settings.on_row(row)
            if inspect.isawaitable(result):
                await result
        if not self._settings.ordered:
            self._hand_over(row)
            return
        self._early[ended.pulled.number] = row
        while (early := self._early.pop(self._next, None)) is not None:
            self._next += 1
            self._hand_over(early)

    def _hand_over(self, row: Row[Any]) -> None:
        if row.error is not None and self._settings.on_error != "collect":
            if self._settings.on_error == "raise":
                raise row.error
            self.taken()
            return
        self._outbox.put(row)

    def taken(self) -> None:
        """Count a row that the reader has taken."""
        self._backlog -= 1
        self._changed.set()

    def _progress(self, now: float) -> None:
        if self._settings.on_progress is not None and now - self._last_progress >= _PROGRESS:
            self._last_progress = now
            self._settings.on_progress(self.report)


async def _each(rows: Any) -> AsyncIterator[Any]:
    if isinstance(rows, AsyncIterable):
        async for row in rows:
            yield row
    else:
        for row in rows:
            yield row


def _work(pulled: Pulled) -> Work:
    assert pulled.rendered is not None
    return Work(pulled.line.identity, pulled.rendered.messages, pulled.rendered.context)


def _row_error(error: str) -> RowError:
    fields = json.loads(error)
    return RowError(fields["message"], kind=fields["kind"], text=fields["text"])
