"""How an extraction proceeds: ask, read, judge, and ask again for what is missing. The only room that knows.

One flow serves every answer, streamed or not, one value or many items. Each request has a cause:

    first         the call itself
    reask         what came is wrong: for a list, only the wrong items are asked for again; for one value, all of it
    continuation  what came broke off: the list is to go on after its last item

A flow is a generator that does no I/O: it yields the steps of `steps.py` and is sent their outcomes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from tenacity import DoAttempt, DoSleep, RetryCallState

from instructor.engine import faults, prompts
from instructor.engine.assembly import Assembly, estimated
from instructor.engine.call import Call, Delta, Reply
from instructor.engine.ledger import Ledger, failed_items
from instructor.engine.policy import Policy
from instructor.engine.ports import Bad, Dialect, Good, Outcome, Sink
from instructor.engine.seam import SHOWN, Seam
from instructor.engine.steps import CLOSE, READ, Do, Emit, Open, Send, Steps, Wait
from instructor.engine.watchdog import Watch, Watchdog
from instructor.exceptions import FailedAttempt, IncompleteOutputException, RefusalError, ResponseParsingError
from instructor.hooks import HookName
from instructor.report import Cause

_OFF = Watchdog(0, 0)


class Extraction:
    """One run of a call over a wire."""

    def __init__(self, call: Call, dialect: Dialect, policy: Policy, ledger: Ledger) -> None:
        self._call, self._dialect, self._policy, self.ledger = call, dialect, policy, ledger
        self._output, self._report = call.output, ledger.report
        self._first = self._request = self._sent = dialect.encode(call)
        self._cause: Cause = "first"
        self._pending: dict[int, Bad] = {}  # what is wrong and not put right, by its place in the list
        self._count = 0  # items that came, the wrong ones included
        self._tail: deque[Outcome] = deque(maxlen=SHOWN)
        self._seam = Seam(())
        self._answers: list[Outcome] = []  # what a re-ask brought
        self._hopeless = False  # asking again cannot help
        self._sdk_error: Exception | None = None

    def run(self) -> Steps:
        """Ask until the answer is whole, or the policy says that it is enough."""
        try:
            yield from self._attempts()
            self._report.complete = not self._report.failed_items and not self._pending
        finally:
            self._settle_account()

    def farewell(self) -> Steps:
        """Tell the hooks that it has ended, in whichever way."""
        return self.ledger.tell(HookName.STREAM_END, self._report)

    def _settle_account(self) -> None:
        self._report.failed_items += failed_items(self._pending)
        self._pending.clear()
        self._report.ended()

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
            problem = yield from self._attempt()
            if problem is None:
                return
            self.ledger.failed.append(FailedAttempt(self._report.attempts, problem, self.ledger.completion()))
            if self._hopeless:
                yield from self._give_up(problem)
            state.set_exception((type(problem), problem, problem.__traceback__))

    def _attempt(self) -> Steps:
        """Ask once, and go on asking while a budget of its own pays for continuations; say what is lacking still."""
        budget = self._policy.max_continuations
        while True:
            try:
                problem = yield from self._ask()
            except Exception as unforeseen:
                return unforeseen
            if problem is None or self._hopeless or self._cause != "continuation" or budget is None:
                return problem
            if self._report.continuations >= budget:
                self._hopeless = True
                return problem

    def _ask(self) -> Steps:
        """Make the request that is due, deliver what is good in its reply, and say what is not; None when all is."""
        self._sent, report = self._request, self._report
        if self._cause == "continuation":
            report.continuations += 1
            yield from self.ledger.tell(HookName.STREAM_CONTINUE, report)
        report.attempts += 1
        yield from self.ledger.tell(HookName.COMPLETION_KWARGS, keywords=self._sent.body)
        sink = self._output.sink(self._call)
        self._seam = Seam(self._tail if self._cause == "continuation" else ())
        self._answers = []
        reply, broke = yield from (self._stream(sink) if self._call.stream else self._whole(sink))
        yield from self._deliver_all(self._seam.close())
        report.dropped_repeats += self._seam.dropped
        report.finish_reason = None if broke else reply.finish
        report.usage = report.usage.spent(self._cause, reply.usage or estimated(self._sent, reply))
        yield from self.ledger.tell_response(self._about(), counted=reply.usage is not None)
        return (yield from self._judged(reply, sink, broke))

    def _whole(self, sink: Sink) -> Steps:
        try:
            received = yield Send(self._sent)
        except Exception as error:
            yield from self._request_failed(error)
            raise
        self.ledger.raw, self.ledger.headers = received.raw, received.headers
        reply = self._dialect.decode(received.wire)
        yield from self._deliver(sink.feed(reply.deltas()))
        yield from self._deliver(sink.close())
        return reply, None

    def _stream(self, sink: Sink) -> Steps:
        try:
            self.ledger.headers = yield Open(self._sent)
        except Exception as error:
            yield from self._request_failed(error)
            raise
        assembly = self.ledger.assembly = Assembly()
        watch = Watch(self._policy.watchdog or _OFF)
        decode, broke = self._dialect.delta, None
        while broke is None:
            deltas: list[Delta] = []
            try:
                events = yield READ
                if events is None:
                    break
                assembly.head = assembly.head or (events[0] if events else {})
                for event in events:
                    deltas += decode(event)
            except Exception as error:  # connection, time-out, bad event: what came before counts
                broke = error
            assembly.add(deltas)
            outcomes = sink.feed(deltas)
            if outcomes:
                yield from self._deliver(outcomes)
            broke = broke or watch.fault(deltas, outcomes)
        yield CLOSE
        yield from self._deliver(sink.close())
        return assembly.reply(), broke

    def _request_failed(self, error: Exception) -> Steps:
        self._sdk_error = error
        yield from self.ledger.tell(HookName.COMPLETION_ERROR, error, about=self._about())

    def _deliver(self, outcomes: Sequence[Outcome]) -> Steps:
        """Hand out what is good, and put what is bad aside."""
        if not self._output.many:
            for outcome in outcomes:
                yield from self._deliver_one(outcome)
        elif self._cause == "reask":
            self._answers += outcomes  # which is which is known when all are there
        else:
            yield from self._deliver_all(self._seam.passed(outcomes))

    def _deliver_all(self, outcomes: Sequence[Outcome]) -> Steps:
        values = []
        for outcome in outcomes:
            place, self._count = self._count, self._count + 1
            self._tail.append(outcome)
            if isinstance(outcome, Good):
                values.append(outcome.value)
                yield from self._note_good(place, outcome)
            else:
                yield from self._put_aside(place, outcome)
        if values:
            yield Emit(values)

    def _deliver_one(self, outcome: Outcome) -> Steps:
        if isinstance(outcome, Bad):
            yield from self._put_aside(0, outcome)
        elif outcome.final:
            yield from self._note_good(0, outcome)
            yield Emit((outcome.value,))
        elif self._call.stream:
            self._report.first_seen()
            yield Emit((outcome.value,))

    def _note_good(self, place: int, good: Good) -> Steps:
        report = self._report
        report.good += 1
        report.mended += good.mended
        report.repaired += self._pending.pop(place, None) is not None
        report.first_seen()
        yield from self.ledger.tell(HookName.ITEM_GOOD, place, good.value)

    def _put_aside(self, place: int, bad: Bad) -> Steps:
        self._report.bad += place not in self._pending
        self._pending[place] = bad
        if isinstance(bad.error, ResponseParsingError) and bad.error.raw_response is None:
            bad.error.raw_response = self.ledger.completion()
        yield from self.ledger.tell(HookName.ITEM_BAD, place, bad.text, bad.error)
        yield from self.ledger.tell(HookName.PARSE_ERROR, bad.error, about=self._about())
        if self._policy.on_invalid == "raise":
            self._hopeless = True
            raise bad.error
        if self._policy.on_invalid == "skip" and self._output.many:
            self._report.failed_items += failed_items(self._pending)
            self._pending.clear()

    def _judged(self, reply: Reply, sink: Sink, broke: Exception | None) -> Steps:
        """Say what the reply lacks, and make the request that asks for it."""
        if reply.refusal:
            self._hopeless = True
            said = f"The model declined: {reply.refusal}"
            return RefusalError(said, text=reply.refusal, raw_response=self.ledger.completion())
        ended = broke is None and reply.finish in ("stop", "tool")
        if ended and not sink.started:
            return (yield from self._nothing_came(reply))
        if not self._output.many:
            return self._judged_one(reply, broke, ended)
        if self._cause == "reask":
            yield from self._match_answers(ended=ended)
        elif not (ended and sink.closed):
            return self._broken_off(reply, broke)
        if not self._pending:
            return None
        wrong = [self._pending[place] for place in sorted(self._pending)]
        notes = prompts.wrong_items([faults.lines(bad.error) for bad in wrong])
        self._request = self._dialect.correct(self._first, self._output.replay(wrong, self._call.mode), notes)
        self._cause = "reask"
        return wrong[0].error

    def _nothing_came(self, reply: Reply) -> Steps:
        by_tool = self._call.mode.by_tool
        missing = "tool call" if by_tool else "JSON"
        problem = ResponseParsingError(
            f"The reply holds no {missing}: {reply.text[:200]!r}",
            text=reply.text,
            mode=self._call.mode.value,
            raw_response=self.ledger.completion(),
        )
        notes = prompts.MISSING_CALL if by_tool else prompts.NO_JSON
        self._request = self._dialect.correct(self._sent, reply, notes)
        if self._cause == "first":
            self._cause = "reask" if not self._output.many else "first"
        yield from self.ledger.tell(HookName.PARSE_ERROR, problem, about=self._about())
        return problem

    def _judged_one(self, reply: Reply, broke: Exception | None, ended: bool) -> Exception | None:
        self._cause = "reask"
        if not ended:
            # A length limit cuts the same answer again; a lost connection may not.
            self._hopeless = reply.finish in ("length", "filter")
            self._request = self._first
            return self._cut(reply, broke)
        if not self._pending:
            return None
        error = self._pending[0].error
        self._request = self._dialect.correct(self._sent, reply, prompts.wrong(faults.lines(error)))
        return error

    def _broken_off(self, reply: Reply, broke: Exception | None) -> Exception:
        """Ask for the rest of the list, the last items on view."""
        self._cause, self._hopeless = "continuation", reply.finish == "filter"
        if not self._tail:
            self._request = self._first
        else:
            notes = prompts.go_on(self._count, len(self._tail))
            shown = self._output.replay(self._tail, self._call.mode)
            self._request = self._dialect.correct(self._first, shown, notes)
        return self._cut(reply, broke)

    def _cut(self, reply: Reply, broke: Exception | None) -> IncompleteOutputException:
        reasons = {"length": "at the length limit", "filter": "by the provider's content filter"}
        how = f"by {type(broke).__name__}: {broke}" if broke else reasons.get(reply.finish or "", "without an end")
        problem = IncompleteOutputException(f"The answer was cut {how}.", text=reply.text)
        problem.__cause__ = broke
        return problem

    def _match_answers(self, *, ended: bool) -> Steps:
        """Find out which asked item each answer corrects; without certainty none, and all stay asked for."""
        asked, answers = sorted(self._pending), self._answers
        if ended and len(answers) == self._count:  # the whole list was given again
            matched = [(place, answers[place]) for place in asked]
        elif len(answers) == len(asked) or (not ended and len(answers) < len(asked)):
            matched = list(zip(asked, answers, strict=False))
        else:
            matched = []
        values = []
        for place, outcome in matched:
            if isinstance(outcome, Good):
                values.append(outcome.value)
                yield from self._note_good(place, outcome)
            else:
                yield from self._put_aside(place, outcome)
        if values:
            yield Emit(values)

    def _give_up(self, error: Exception) -> Steps:
        self._hopeless = True
        yield from self.ledger.tell(HookName.COMPLETION_LAST_ATTEMPT, error, about=self._about())
        self._settle_account()
        self.ledger.fail(error, self._output.name, self._sent, is_sdks=error is self._sdk_error)

    def _about(self) -> dict[str, Any]:
        most = getattr(self._policy.retrying.stop, "max_attempt_number", None)
        last = self._hopeless or (most is not None and self._report.attempts >= most)
        return {"attempt_number": self._report.attempts, "max_attempts": most, "is_last_attempt": last}
