"""How an extraction proceeds: ask, read, judge, and ask again for what is missing. The only room that knows.

One flow serves every answer, streamed or not, one value or many items. Each request has a cause:

    first         the call itself
    reask         what came is wrong: for a list, only the wrong items are asked for again; for one value, all of it
    continuation  what came broke off: the list is to go on after its last item

A flow is a generator that does no I/O: it yields the steps of `steps.py` and is sent their outcomes.
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import ValidationError
from tenacity import BaseRetrying, DoAttempt, DoSleep, RetryCallState, RetryError

from instructor.engine import faults, prompts
from instructor.engine.assembly import Assembly, estimated
from instructor.engine.call import Call, Json, Reply, Request, ToolCall
from instructor.engine.ports import Bad, Dialect, Good, Outcome, Sink
from instructor.engine.seam import SHOWN, Seam
from instructor.engine.steps import CLOSE, READ, Do, Emit, Open, Send, Step, Wait
from instructor.exceptions import (
    FailedAttempt,
    IncompleteOutputException,
    InstructorRetryException,
    RefusalError,
    ResponseParsingError,
    joined_failure,
)
from instructor.hooks import HookName, Hooks, accepted
from instructor.report import Cause, FailedItem, Report

OnInvalid = Literal["reask", "skip", "raise"]
RETRYABLE = (ValidationError, ResponseParsingError, IncompleteOutputException)
"""What an int `max_retries` tries again after. A request that fails is the SDK's to repeat: it has its own retries."""

Steps = Generator[Step, Any, Any]


@dataclass(frozen=True, slots=True)
class Policy:
    """How often, and after what, to ask again."""

    retrying: BaseRetrying
    max_continuations: int | None = None
    on_invalid: OnInvalid = "reask"


@dataclass(slots=True)
class Ledger:
    """What the user may look at while an extraction runs and after it: shared by the flow and the façade."""

    report: Report = field(default_factory=Report)
    headers: Any = None
    raw: Any = None
    """The SDK's object of the last whole response; None for a stream."""
    assembly: Assembly | None = None
    """The last stream, put together."""
    failed: list[FailedAttempt] = field(default_factory=list)


class Extraction:
    """One run of a call over a wire."""

    def __init__(
        self,
        call: Call,
        dialect: Dialect,
        response: Callable[[Json], Any],
        policy: Policy,
        hooks: Hooks,
        ledger: Ledger,
    ) -> None:
        self._call, self._dialect, self._response = call, dialect, response
        self._policy, self._hooks, self._ledger = policy, hooks, ledger
        self._report = ledger.report
        self._first = self._request = self._sent = dialect.encode(call)
        self._cause: Cause = "first"
        self._pending: dict[int, Bad] = {}
        self._asked: list[int] = []
        self._count = 0
        self._tail: deque[str] = deque(maxlen=SHOWN)
        self._hopeless = False

    def run(self) -> Steps:
        """Ask until the answer is whole, or the policy says that it is enough."""
        try:
            yield from self._attempts()
            self._report.complete = not self._report.failed_items
        finally:
            self._report.failed_items += self._failed_items()
            self._pending.clear()
            self._report.ended()
        yield from self._tell(HookName.STREAM_END, self._report)

    def _attempts(self) -> Steps:
        retrying = self._policy.retrying.copy()
        retrying.begin()
        state = RetryCallState(retrying, None, (), {})
        while True:
            try:
                verdict = yield Do(retrying.iter, (state,))
            except Exception as error:
                yield from self._give_up(error)
            if isinstance(verdict, DoSleep):
                state.prepare_for_next_attempt()
                yield Wait(float(verdict))
                continue
            if not isinstance(verdict, DoAttempt):  # a policy's own idea of a last result
                return
            try:
                error = yield from self._attempt()
            except Exception as unforeseen:
                error = unforeseen
            if error is None:
                return
            self._ledger.failed.append(FailedAttempt(self._report.attempts, error, self.completion()))
            if self._hopeless:
                yield from self._give_up(error)
            state.set_exception((type(error), error, error.__traceback__))

    def _attempt(self) -> Steps:
        """Ask once, and go on asking while a budget of its own pays for continuations."""
        while True:
            error = yield from self._ask()
            own_budget = self._policy.max_continuations
            if error is None or self._hopeless or self._cause != "continuation" or own_budget is None:
                return error
            if self._report.continuations >= own_budget:
                self._hopeless = True
                return error

    def _ask(self) -> Steps:
        """Make the request that is due, deliver what is good in its reply, and say what is not; None when all is."""
        self._sent, report = self._request, self._report
        if self._cause == "continuation":
            report.continuations += 1
            yield from self._tell(HookName.STREAM_CONTINUE, report)
        report.attempts += 1
        yield from self._tell(HookName.COMPLETION_KWARGS, keywords=dict(self._sent.body))
        sink = self._call.output.sink(self._call)
        self._seam = Seam(self._tail if self._cause == "continuation" else ())
        self._met = 0
        reply, broke = yield from (self._stream(sink) if self._call.stream else self._whole(sink))
        yield from self._deliver(self._seam.close())
        report.dropped_repeats += self._seam.dropped
        report.finish_reason = None if broke else reply.finish
        report.usage = report.usage.spent(self._cause, reply.usage or estimated(self._sent, reply))
        yield from self._tell_response(reply)
        return (yield from self._judged(reply, sink, broke))

    def _whole(self, sink: Sink) -> Steps:
        try:
            received = yield Send(self._sent)
        except Exception as error:
            raise (yield from self._request_failed(error)) from error
        self._ledger.raw, self._ledger.headers = received.raw, received.headers
        reply = self._dialect.decode(received.wire)
        yield from self._deliver(sink.feed(reply.deltas()))
        yield from self._deliver(sink.close())
        return reply, None

    def _stream(self, sink: Sink) -> Steps:
        try:
            self._ledger.headers = yield Open(self._sent)
        except Exception as error:
            raise (yield from self._request_failed(error)) from error
        assembly = self._ledger.assembly = Assembly()
        decode, add, feed = self._dialect.delta, assembly.add, sink.feed
        broke: Exception | None = None
        while broke is None:
            deltas = []
            try:
                events = yield READ
                if events is None:
                    break
                assembly.head = assembly.head or (events[0] if events else {})
                for event in events:
                    deltas += decode(event)
            except Exception as error:  # connection, time-out, bad event: what came before counts
                broke = error
            add(deltas)
            outcomes = feed(deltas)
            if outcomes:
                yield from self._deliver(outcomes)
        yield CLOSE
        yield from self._deliver(sink.close())
        return assembly.reply(), broke

    def _deliver(self, outcomes: Sequence[Outcome]) -> Steps:
        """Hand out what is good, and put what is bad aside."""
        if not self._call.output.many:
            yield from self._deliver_one(outcomes)
            return
        values = []
        for outcome in self._seam.passed(outcomes):
            place = self._place(outcome)
            if isinstance(outcome, Good):
                values.append(outcome.value)
                self._report.mended += outcome.mended
                if self._pending.pop(place, None) is not None:
                    self._report.repaired += 1
                yield from self._tell(HookName.ITEM_GOOD, place, outcome.value)
            else:
                yield from self._put_aside(place, outcome)
        if values:
            self._report.delivered(len(values))
            yield Emit(values)

    def _deliver_one(self, outcomes: Sequence[Outcome]) -> Steps:
        for outcome in outcomes:
            if isinstance(outcome, Bad):
                yield from self._put_aside(0, outcome)
            elif outcome.final:
                self._report.mended += outcome.mended
                self._report.repaired += self._pending.pop(0, None) is not None
                self._report.delivered(1)
                yield Emit((outcome.value,))
            elif self._call.stream:
                self._report.first_seen()
                yield Emit((outcome.value,))

    def _place(self, outcome: Outcome) -> int:
        """Find an item's place in the whole list: the place of the one asked for, or the next."""
        met, self._met = self._met, self._met + 1
        if self._cause == "reask":
            return self._asked[met] if met < len(self._asked) else self._grown()
        self._tail.append(outcome.text)
        return self._grown()

    def _grown(self) -> int:
        self._count += 1
        return self._count - 1

    def _put_aside(self, place: int, bad: Bad) -> Steps:
        if place not in self._pending:
            self._report.bad += 1
        self._pending[place] = bad._replace(index=place)
        yield from self._tell(HookName.ITEM_BAD, place, bad.text, bad.error)
        yield from self._tell(HookName.PARSE_ERROR, bad.error, about=self._about())
        if self._policy.on_invalid == "raise":
            yield from self._give_up(bad.error)
        if self._policy.on_invalid == "skip" and self._call.output.many:
            self._report.failed_items += self._failed_items()
            self._pending.clear()

    def _judged(self, reply: Reply, sink: Sink, broke: Exception | None) -> Steps:
        """Say what the reply lacks, and make the request that asks for it."""
        if reply.refusal:
            self._hopeless = True
            return RefusalError(
                f"The model declined: {reply.refusal}", text=reply.refusal, raw_response=self.completion()
            )
        ended = broke is None and reply.finish in ("stop", "tool")
        if ended and not sink.started:
            by_tool = self._call.mode.by_tool
            error = ResponseParsingError(
                f"The reply holds no {'tool call' if by_tool else 'JSON'}: {reply.text[:200]!r}",
                text=reply.text, mode=self._call.mode.value, raw_response=self.completion(),
            )  # fmt: skip
            notes = prompts.MISSING_CALL if by_tool else prompts.NO_JSON
            self._request = self._dialect.correct(self._sent, reply, notes)
            yield from self._tell(HookName.PARSE_ERROR, error, about=self._about())
            return error
        if not self._call.output.many:
            return self._judged_one(reply, ended, broke)
        if self._cause != "reask" and not (ended and sink.closed):
            self._cause, self._request = "continuation", self._continuation()
            self._hopeless = reply.finish == "filter"
            return self._cut(reply, broke)
        if not self._pending:
            return None
        self._cause, self._request = "reask", self._reask()
        return self._pending[self._asked[0]].error

    def _judged_one(self, reply: Reply, ended: bool, broke: Exception | None) -> Exception | None:
        if not ended:
            # A length limit cuts the same answer again; a lost connection may not.
            self._hopeless = reply.finish in ("length", "filter")
            self._request, self._cause = self._first, "reask"
            return self._cut(reply, broke)
        if not self._pending:
            return None
        error = self._pending[0].error
        self._request = self._dialect.correct(self._sent, reply, prompts.wrong(faults.lines(error)))
        self._cause = "reask"
        return error

    def _cut(self, reply: Reply, broke: Exception | None) -> IncompleteOutputException:
        reasons = {"length": "at the length limit", "filter": "by the provider's content filter"}
        how = f"by {type(broke).__name__}: {broke}" if broke else reasons.get(reply.finish or "", "without an end")
        error = IncompleteOutputException(f"The answer was cut {how}.", text=reply.text)
        error.__cause__ = broke
        return error

    def _continuation(self) -> Request:
        if not self._tail:
            return self._first
        return self._dialect.correct(self._first, self._replay(self._tail), prompts.go_on(self._count, len(self._tail)))

    def _reask(self) -> Request:
        self._asked = sorted(self._pending)
        wrong = [self._pending[place] for place in self._asked]
        notes = prompts.wrong_items([faults.lines(bad.error) for bad in wrong])
        return self._dialect.correct(self._first, self._replay([bad.text for bad in wrong]), notes)

    def _replay(self, items: Sequence[str]) -> Reply:
        """Make the reply that would have held just these items."""
        output = self._call.output
        text = output.joined(list(items))
        return Reply(calls=(ToolCall("call_1", output.name, text),)) if self._call.mode.by_tool else Reply(text=text)

    def _request_failed(self, error: Exception) -> Steps:
        self._failed_request: Exception | None = error
        yield from self._tell(HookName.COMPLETION_ERROR, error, about=self._about())
        return error

    def _give_up(self, error: Exception) -> Steps:
        """Raise what says how the extraction ended, with all that is known."""
        self._hopeless = True
        if isinstance(error, RetryError):
            error = error.last_attempt.exception() or error  # type: ignore[assignment] # only Exceptions are set above
        if isinstance(error, (IncompleteOutputException, InstructorRetryException)) and error.report is not None:
            raise error
        yield from self._tell(HookName.COMPLETION_LAST_ATTEMPT, error, about=self._about())
        known: dict[str, Any] = {
            "last_completion": self.completion(),
            "n_attempts": self._report.attempts,
            "total_usage": self._report.usage,
            "create_kwargs": dict(self._sent.body),
            "failed_attempts": self._ledger.failed,
            "failed_items": [*self._report.failed_items, *self._failed_items()],
            "report": self._report,
        }
        if isinstance(error, IncompleteOutputException):
            raise IncompleteOutputException(str(error), text=error.text, **known) from error.__cause__ or error
        if isinstance(error, RefusalError) or error is getattr(self, "_failed_request", None):
            raise joined_failure(error, **known) from error
        count = self._report.attempts
        said = "; ".join(faults.lines(error))
        raise InstructorRetryException(
            f"No valid {self._call.output.name} after {count} attempt{'s' if count != 1 else ''}: {said}", **known
        ) from error

    def _failed_items(self) -> list[FailedItem]:
        return [FailedItem(at, bad.text, faults.lines(bad.error)) for at, bad in sorted(self._pending.items())]

    def completion(self) -> Any:
        """Give the SDK's object of the last response; that of a stream is put together, when asked for."""
        assembly = self._ledger.assembly
        if assembly is None:
            return self._ledger.raw
        return self._response(self._dialect.assemble(assembly.reply(), assembly.head))

    def _about(self) -> dict[str, Any]:
        stop = getattr(self._policy.retrying.stop, "max_attempt_number", None)
        last = self._hopeless or (stop is not None and self._report.attempts >= stop)
        return {"attempt_number": self._report.attempts, "max_attempts": stop, "is_last_attempt": last}

    def _tell_response(self, reply: Reply) -> Steps:
        yield from self._tell(HookName.COMPLETION_RESPONSE, self.completion())
        if reply.usage is not None:
            about = {"attempt_number": self._report.attempts}
            yield from self._tell(HookName.COMPLETION_USAGE, self._report.usage, about=about)

    def _tell(
        self,
        name: HookName,
        *arguments: Any,
        about: dict[str, Any] | None = None,
        keywords: dict[str, Any] | None = None,
    ) -> Steps:
        """Call the user's hooks; one that fails is warned of, and breaks nothing."""
        for hook in self._hooks.at(name):
            taken = keywords if keywords is not None else accepted(hook, arguments, about or {})
            try:
                yield Do(hook, arguments, taken)
            except Exception as error:
                warnings.warn(f"The hook {hook!r} for {name.value} failed: {error!r}", stacklevel=2)
