"""Where the requests of a run are made. This is the engine of one process; `bulk.ray` has one of many.

A `Job` says which rows are asked, and keeps what came. An engine gets one row's request as a `Work`, a plain value that
can be sent to another process, and returns a `Done`.
"""

from __future__ import annotations

import json
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from pydantic_core import to_json

from instructor.bulk.journal import Answer, Attempt, Identity, Journal, error_json
from instructor.bulk.limiter import Limiter
from instructor.bulk.limits import Limits
from instructor.bulk.transport import First, Gate, Recorded, RowTransport, Threaded
from instructor.hooks import Hooks

EngineName = Literal["asyncio", "ray", "batch"]
UNREAD = object()
"""The value of an answer that must be read from its recorded replies."""
_limiters: weakref.WeakKeyDictionary[Any, tuple[Limiter, list[Gate]]] = weakref.WeakKeyDictionary()
"""The limiter of each SDK client, and the gates of its runs."""


class Calls(Protocol):
    """What a run needs of a client: `instructor.call.CallBuilder`."""

    @property
    def binding(self) -> Any: ...
    def over(self, transport: Any, hooks: Hooks | None = None) -> Calls: ...
    def prepare(self, response_model: Any, messages: Any, arguments: Mapping[str, Any]) -> Any: ...
    async def run(self, plan: Any, transport: Any, *, is_row: bool = False) -> Any: ...


class Work(NamedTuple):
    """The request of one row."""

    identity: Identity
    messages: list[dict[str, Any]]
    context: Mapping[str, Any] | None


class Done(NamedTuple):
    """What came of a row's request."""

    answer: Answer
    value: Any = UNREAD
    error: BaseException | None = None
    """The original error, if it was raised in this process."""


class Engine(Protocol):
    """Asks for rows, many at a time."""

    folder: Path | None
    """Where its workers keep answers until the run has ended; None if there are none."""

    async def start(self, changed: Callable[[], None], journal: Journal | None) -> None:
        """Begin, on the running loop. `changed` is called when `size`, `in_flight` or `parked` may have changed."""

    @property
    def most(self) -> int:
        """How many calls may be in flight at most, at any time of the run."""
        ...

    @property
    def size(self) -> int:
        """How many calls may be in flight now."""
        ...

    @property
    def in_flight(self) -> int:
        """How many calls are in flight."""
        ...

    @property
    def parked(self) -> int:
        """How many rows wait before their next attempt, and hold no place."""
        ...

    @property
    def rate_limited(self) -> int:
        """How many requests were refused because of rate limits."""
        ...

    async def ask(self, work: Work) -> Done:
        """Return the answer to a row's request. An error of the row is an answer, too.

        Raises:
            Stop: The run must end.
        """
        ...

    def ended(self) -> None:
        """Note that the source has no more rows."""

    def stop(self) -> None:
        """Let no row begin any more: `ask` raises Stop for rows that wait and have no reply yet."""

    async def close(self) -> None:
        """Let go of what the engine holds."""


class Reader:
    """Reads values from the replies that a store has of them, as if they came now. It makes no request."""

    def __init__(self, calls: Calls, response_model: Any, options: Mapping[str, Any]) -> None:
        self._transport = calls.binding.transport
        self._calls, self._model, self._options = calls.over(self._transport, Hooks()), response_model, options

    async def value(self, work: Work, answer: Answer) -> Any:
        """Return the value of an answer.

        Raises:
            Exception: Today's type refuses what that of the answer's day took.
        """
        plan = prepared(self._calls, self._model, self._options, work)
        return await self._calls.run(plan, Recorded(self._transport, json.loads(answer.replies or "[]")))


class AsyncioEngine:
    """Makes the requests on the loop of the run; those of a sync client in threads."""

    def __init__(self, calls: Calls, response_model: Any, options: Mapping[str, Any], limits: Limits) -> None:
        self._base, self._model, self._options, self._limits = calls, response_model, options, limits
        self._threads: ThreadPoolExecutor | None = None
        self.folder: Path | None = None

    async def start(self, changed: Callable[[], None], journal: Journal | None) -> None:
        del journal  # the run keeps the answers
        binding = self._base.binding
        limiter, self._gates = _limiter_of(binding.client if binding.client is not None else binding.transport)
        self._share = limiter.join(self._limits)
        self._gate = Gate(self._share, self._wake_others, changed)
        self._gates.append(self._gate)
        transport: Any = binding.transport
        if callable(without_retries := getattr(transport, "without_retries", None)):
            transport = without_retries()
        if not binding.is_async:
            self._threads = ThreadPoolExecutor(self._limits.concurrency, "instructor-bulk")
            transport = Threaded(transport, self._threads)
        self._transport, self._calls = transport, self._base.over(transport)

    @property
    def most(self) -> int:
        return self._limits.concurrency

    @property
    def size(self) -> int:
        return max(1, int(self._share.size))

    @property
    def spent(self) -> Literal["total_tokens", "max_cost"] | None:
        """Which budget is spent; None if there is money and tokens left."""
        return None if self._share.has_budget() else self._share.spent

    def ended(self) -> None: ...

    @property
    def in_flight(self) -> int:
        return self._share.in_flight

    @property
    def parked(self) -> int:
        return self._gate.parked

    @property
    def rate_limited(self) -> int:
        return self._gate.rate_limited

    async def ask(self, work: Work, first: First | None = None) -> Done:
        """Return the answer to a row's request. `first` answers its first one, instead of the provider."""
        started = time.monotonic()
        transport: RowTransport | None = None
        plan: Any = None
        try:
            try:
                plan = prepared(self._calls, self._model, self._options, work)
                transport = RowTransport(self._transport, self._gate, self._limits.attempts, plan.state.report, first)
                value = await self._calls.run(plan, transport, is_row=True)
            finally:
                if transport is not None:
                    transport.settle()
        except Exception as error:
            attempts = transport.attempts if transport is not None else ()
            done = failed(work.identity, error, self._last_text(transport), attempts)
        else:
            assert transport is not None
            done = _succeeded(work.identity, value, transport)
        if plan is not None:
            done.answer.usage = plan.state.report.usage
            done.answer.cost = None if self._limits.prices is None else self._limits.prices.of(done.answer.usage)
        done.answer.seconds = time.monotonic() - started
        return done

    def _last_text(self, transport: RowTransport | None) -> str:
        if transport is None or not transport.replies:
            return ""
        reply = self._base.binding.dialect.decode(transport.replies[-1])
        return reply.text or "\n".join(call.arguments for call in reply.calls)

    def _wake_others(self) -> None:
        if len(self._gates) > 1:
            for gate in self._gates:
                if gate is not self._gate:
                    gate.wake()

    def stop(self) -> None:
        self._gate.stop()

    async def close(self) -> None:
        self._share.leave()
        self._gates.remove(self._gate)
        if self._threads is not None:
            self._threads.shutdown(wait=False)


def prepared(calls: Calls, response_model: Any, options: Mapping[str, Any], work: Work) -> Any:
    """Return the call of a row."""
    if work.context is not None:
        options = {**options, "context": work.context}
    return calls.prepare(response_model, work.messages, options)


def failed(identity: Identity, error: Exception, text: str = "", attempts: Sequence[Attempt] = ()) -> Done:
    """Return what came of a row that has no answer; `text` is the last reply of the model."""
    message = str(error).partition("\n<failed_attempts>")[0] or type(error).__name__  # the attempts are kept apart
    return Done(Answer(identity, error=error_json(type(error).__name__, message, text), attempts=attempts), None, error)


def _succeeded(identity: Identity, value: Any, transport: RowTransport) -> Done:
    many = isinstance(value, list)
    answer = Answer(
        identity, to_json(value, fallback=str, inf_nan_mode="strings").decode(), many, len(value) if many else 1,
        json.dumps(transport.replies, separators=(",", ":")), attempts=transport.attempts,
    )  # fmt: skip
    return Done(answer, value)


def _limiter_of(client: Any) -> tuple[Limiter, list[Gate]]:
    try:
        if (found := _limiters.get(client)) is None:
            found = _limiters[client] = (Limiter(), [])
    except TypeError:  # a client that cannot be referred to weakly has a limiter for each run
        found = (Limiter(), [])
    return found
