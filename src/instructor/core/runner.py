"""How an extraction proceeds: ask, read, judge, and ask again for what is missing. The only room that knows.

One flow serves every answer, streamed or not, one value or many items. Each request has a cause:

    first         the call itself
    reask         what came is wrong: for a list, only the wrong items are asked for again; for one value, all of it
    continuation  what came broke off: the list is to go on after its last item

What came of a list is remembered (`overlap.History`): a continuation that gives it again (`overlap.OverlapFilter`) and
a correction that equals one of its items (`overlap.match_corrections`) are known by it.

A flow is a generator that does no I/O: it yields the effects of `effects.py` and is sent their outcomes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from operator import itemgetter
from typing import Any

from tenacity import AsyncRetrying, DoAttempt, DoSleep, RetryCallState, RetryError, nap

from instructor.core import prompts
from instructor.core.effects import CLOSE, Do, Emit, Open, Read, Send, Steps, Wait
from instructor.core.events import KEPT, EventReader, ResponseAccumulator, spent
from instructor.core.logs import LOG
from instructor.core.overlap import (
    SHOWN,
    Correction,
    History,
    Item,
    Moved,
    OverlapFilter,
    Placed,
    Unsure,
    match_corrections,
)
from instructor.core.reask import (
    Action,
    Progress,
    decide,
    declined,
    format_errors,
    incomplete,
    missing_answer,
    unsure,
)
from instructor.core.retry_policy import RETRYABLE, Policy
from instructor.core.state import RunState, failed_items
from instructor.core.tool_names import Names, Naming
from instructor.core.types import (
    PROVEN,
    UNPROVEN,
    Answer,
    Call,
    Delta,
    Dialect,
    Finish,
    Invalid,
    Json,
    Outcome,
    Reply,
    ReplyParser,
    Request,
    Valid,
)
from instructor.core.watchdog import Watch, Watchdog
from instructor.exceptions import (
    ConfigurationError,
    FailedAttempt,
    RefusalError,
    ResponseParsingError,
    TokenBudgetError,
    is_lasting,
)
from instructor.hooks import HookName
from instructor.mode import Mode
from instructor.report import Cause

_OFF = Watchdog(0, 0)
_SLEEPS = (nap.sleep, AsyncRetrying().sleep)
"""How tenacity waits where the user says nothing."""
_names = lru_cache(maxsize=256)(Names)
_tuple = tuple.__new__  # a third of the price of Emit(...), for each snapshot


class Run:
    """One run of a call over a wire.

    Theory of operation. `run()` is a generator: it yields effects and is sent their results. Around each request:

        step         method           what it does
        policy       _attempts        asks the retry policy whether there is another request; sleeps as it says
        request      _ask             sends `_request`, which the step before has built
        reading      _stream, _whole  events -> deltas -> outcomes; valid items are emitted at once (`_deliver`)
        overlap      _place           at the start of a continuation: is an item new, a repeat, or a correction?
        decision     _follow          `reask.decide`: done, re-ask, continue, restart or give up; builds `_request`

    The state of a list. Every item that came has an index in `_history`.

        `_pending`    invalid items by index; empty when the answer is valid
        `_asked`      the request asks for just these; its outcomes are kept in `_answers` until it has ended
        `_repeats`    answers that equal an item of the list: no corrections, a note says so to the model, once
        `_doubts`     indices of items that may be repeats of others, because a reply was cut before that was certain
        `_delivered`  items that were emitted but have no index any more, for the same reason: they come again
        `_broke_off`  why the list must go on after the re-ask

    Never: an item emitted twice, an item lost, a request after `_hopeless`. The report is true at every moment, also if
    the user leaves the stream.
    """

    def __init__(self, call: Call, dialect: Dialect, policy: Policy, state: RunState) -> None:
        self._call, self._dialect, self._policy, self.state = call, dialect, policy, state
        self._output, self._report = call.output, state.report
        self.loads: Do | None = None
        """What loads the messages before the first request, if a file in them must be fetched."""
        self._first = self._request = self._sent = dialect.encode(call)
        self._cause: Cause = "first"
        self._pending: dict[int, Invalid] = {}  # the invalid items that are not corrected, by index
        self._first_wrong: dict[int, Invalid] = {}  # as it came first
        self._history = History()  # the items that came, the wrong ones included
        self._overlap: OverlapFilter  # of this reply to the items before
        self._asked = False  # whether the request asks for the wrong items again
        self._answers: list[Outcome] = []  # what came of them
        self._repeats: dict[int, Item] = {}  # those that were in the list already, by the places that they were for
        self._doubts: dict[int, set[int]] = {}  # places of items of which each may be a repeat of one of others
        self._delivered: list[Item] = []  # items whose places are not known yet
        self._again = 0  # of those, how many came again in this reply
        self._asks_first = False  # whether, before the list goes on, its wrong items are asked for again
        self._hears_items = False  # whether a hook is called for each item of this reply
        self._broke_off: Exception | None = None  # why the list goes on, once its wrong items were asked for again
        self._skips = policy.on_invalid == "skip" and call.output.many
        self._unpaid = False  # a stream is open whose tokens are not counted yet
        self._names = _names(
            tuple(tool.name for tool in self._output.tools), self._dialect.user_tool_names(call.options)
        )
        self._by_calls = call.mode is Mode.PARALLEL_TOOLS  # each item is a call of its own
        self._hopeless = False  # asking again cannot help
        self._paused: tuple[ReplyParser, Naming] | None = None  # what reads a reply that was paused, and reads on
        self._sdk_error: Exception | None = None
        self._kept: list[tuple[int, Valid]] | None = [] if state.tells(HookName.ANSWER) else None
        """What was delivered, with the indices, if a hook wants the answer."""
        self.replaced = False
        """Whether the last value is not the answer, but what the policy gives instead."""

    @property
    def starts_again(self) -> bool:
        """Return whether the next reply alone decides the answer: what came before is asked for again."""
        return self._cause != "continuation" and not self._output.many

    @property
    def streams(self) -> bool:
        """Return whether replies are streamed."""
        return self._call.stream

    @property
    def body(self) -> Mapping[str, Any]:
        """The first request's."""
        return self._first.body

    def run(self) -> Steps:
        """Ask until the answer is whole, or the policy says that it is enough."""
        try:
            if self.loads is not None:
                self._call = replace(self._call, messages=(yield self.loads))
                self._first = self._request = self._sent = self._dialect.encode(self._call)
            yield from self._attempts()
        finally:
            self._settle_account()

    def finalizer(self) -> Steps:
        """Call the hooks for the end of the call, however it ended."""
        if self._kept and self._report.complete and not self.replaced:
            parts = [good for _, good in sorted(self._kept, key=itemgetter(0))]
            reply = self._output.replay(parts, Mode.TOOLS)
            answer = Answer(self._call.messages, self._output.tools, reply.calls)
            yield from self.state.tell(HookName.ANSWER, answer)
        yield from self.state.tell(HookName.STREAM_END, self._report)

    def _settle_account(self) -> None:
        self._pay()
        self._report.failed_items = failed_items(self._pending)
        self._report.ended()

    def _attempts(self) -> Steps:
        retrying = self._policy.retrying.copy()
        retrying.begin()
        state = RetryCallState(retrying, None, (), {})
        while True:
            try:
                verdict = yield Do(retrying.iter, (state,))
                if isinstance(verdict, DoSleep):
                    state.prepare_for_next_attempt()
                    plain = retrying.sleep in _SLEEPS  # they would hold up an event loop, or go on when it is left
                    yield Wait(float(verdict)) if plain else Do(retrying.sleep, (verdict,))
                    continue
            except Exception as error:
                yield from self._give_up(error)
                raise  # it has raised; a type checker cannot see that
            if not isinstance(verdict, DoAttempt):  # a policy's own idea of a last result
                if self._output.many and self._call.stream:  # nothing takes back the items that were handed out
                    yield from self._give_up(self.state.failed[-1].exception)
                self.replaced = True
                yield Emit((verdict,))
                return
            problem = yield from self._attempt()
            if problem is None:
                self._report.complete = not (self._pending or self._report.doubted)
                return
            self._note_failure(problem)
            if self._hopeless:
                yield from self._give_up(problem)
            if (no_more := self._budget_is_spent(problem)) is not None:
                if self._output.many and self._call.stream:
                    yield from self._end_early(no_more)
                    return
                yield from self._give_up(no_more)
            state.set_exception((type(problem), problem, problem.__traceback__))

    def _attempt(self) -> Steps:
        """Ask once, and go on asking while a budget of its own pays for continuations; say what is lacking still."""
        budget = self._policy.max_continuations
        while True:
            try:
                problem = yield from self._ask()
            except Exception as error:
                problem = error  # its clause's name ends with it
                yield CLOSE
                self._pay()
                self._hopeless = self._hopeless or is_lasting(error)
                if error is not self._sdk_error and (self._asked or self._history.count):
                    self._plan_the_rest()  # what was handed out is not asked for again, should the policy go on
                return problem
            if problem is None or self._hopeless or self._cause != "continuation" or budget is None:
                return problem
            if self._report.continuations >= budget:
                self._hopeless = True
                return problem
            if self._budget_is_spent(problem) is not None:
                return problem
            self._note_failure(problem)

    def _budget_is_spent(self, problem: Exception) -> TokenBudgetError | None:
        """Return the error of the token budget if there may be no further request. A failed request took no tokens."""
        if self._policy.token_budget is None or problem is self._sdk_error:
            return None
        error = self._policy.spent(self._report.usage, estimates=self._call.stream)
        if error is not None:
            error.__cause__ = problem
        return error

    def _end_early(self, error: TokenBudgetError) -> Steps:
        """End the stream of a list with the items that it has: the report says that they are not all."""
        LOG.warning("A list ends before it is complete: %s", error)
        yield from self.state.tell(HookName.COMPLETION_LAST_ATTEMPT, error, about=self._about())

    def _ask(self) -> Steps:
        """Make the request that is due, deliver what is good in its reply, and say what is not; None when all is."""
        self._sent, report = self._request, self._report
        report.finish_reason = None
        if self._cause == "continuation":
            report.continuations += 1
            yield from self.state.tell(HookName.STREAM_CONTINUE, report)
        report.attempts += 1
        if self.state.observer is not None:
            self.state.observer.asks(self._cause)
        yield from self.state.tell(HookName.COMPLETION_KWARGS, keywords=self._sent.body)
        parser, naming = self._paused or self._reader()
        reply, broke = yield from (self._stream if self._call.stream else self._whole)(parser, naming)
        report.finish_reason = reply.finish
        if self._paused is not None:
            return incomplete(reply, broke)
        if self._output.many and self._overlap.compares:
            yield from self._place(self._overlap.close(ended=reply.finish in PROVEN and parser.closed))
            self._drop(self._overlap.dropped)
            self._doubts.update(self._overlap.doubts())
        if self._by_calls:
            yield from self._tell_of_strangers(reply)
        if parser.doubted:
            report.doubted += parser.doubted
            yield from self.state.tell(
                HookName.PARSE_ERROR, self._misread(unsure(parser.doubted), reply.text), about=self._about()
            )
        problem = yield from self._follow(reply, parser, broke)
        if problem is None or not is_lasting(broke):
            return problem
        self._hopeless = True
        return incomplete(reply, broke)

    def _reader(self) -> tuple[ReplyParser, Naming]:
        """Begin to read a reply."""
        if self._output.many:
            firsts = [index for index, here in self._doubts.items() if 0 in here]
            self._overlap = OverlapFilter(self._history, firsts)
        self._answers, self._again, self._asks_first = [], 0, False
        self._hears_items = self.state.tells(HookName.ITEM_GOOD)
        return self._output.parser(self._call), Naming(
            self._names, misnamed=self._output.distinct, named=self._by_calls
        )

    def _whole(self, parser: ReplyParser, naming: Naming) -> Steps:
        try:
            received = yield Send(self._sent)
        except Exception as error:
            yield from self._request_failed(error)
            raise
        self.state.raw, self.state.headers = received.raw, received.headers
        reply = self._names.resolved(self._dialect.decode(received.wire))
        self._pay(reply, received.wire)
        yield from self._tell_response(reply)
        yield from self._deliver(parser.feed(naming.whole(reply.deltas())))
        yield from self._deliver(self._last(parser, naming, reply))
        return reply, reply.broke

    def _stream(self, parser: ReplyParser, naming: Naming) -> Steps:
        try:
            self.state.headers = yield Open(self._sent)
        except Exception as error:
            yield from self._request_failed(error)
            raise
        accumulator = self.state.accumulator = ResponseAccumulator(
            KEPT if self._output.many else sys.maxsize, by_tool=self._call.mode.by_tool
        )
        self._unpaid = True
        watch = Watch(self._policy.watchdog or _OFF)
        reading = EventReader(self._dialect, parser, naming, joined=self._output.many)
        read, ended, broke = Read(reading.buffer), False, None
        while not (ended or broke):
            deltas: list[Delta] = []
            try:
                events = yield read
                reading.read(events or (), deltas)
                ended = events is None or reading.done
            except Exception as error:  # connection, time-out, bad event: what came before counts
                reading.flush(deltas)
                broke = error
            accumulator.head = reading.head or {}
            accumulator.add(deltas)
            heard = naming.heard(deltas) if naming.busy else deltas
            outcomes: Sequence[Outcome] = ()
            if not self._output.many:
                yield from self._show(parser, heard)
            elif outcomes := parser.feed(heard):
                yield from self._deliver(outcomes)
            broke = broke or watch.fault(deltas, outcomes)
        yield CLOSE
        self._pay()
        reply = accumulator.reply()
        if not (broke or reply.finish or reply.reason or accumulator.characters):
            reply = replace(reply, last_event=reading.passed_over)
        yield from self._tell_response(reply)
        if held := naming.rest():
            yield from self._deliver(parser.feed(held)) if self._output.many else self._show(parser, held)
        yield from self._deliver(self._last(parser, naming, reply))
        return reply, broke

    def _tell_response(self, reply: Reply) -> Steps:
        if self.state.observer is not None:
            self.state.observer.replied(reply)
        return self.state.tell_response(self._about, counted=reply.usage is not None)

    def _last(self, parser: ReplyParser, naming: Naming, reply: Reply) -> Sequence[Outcome]:
        """Close the sink; where the reply broke off, what is half there is neither right nor wrong."""
        if self._goes_on(reply):
            self._paused = (parser, naming)
            return ()
        self._paused = None
        if self._is_whole(parser, reply.finish):
            return parser.close(ended=True)
        return (
            [outcome for outcome in parser.close(ended=False) if isinstance(outcome, Valid)]
            if self._output.many
            else ()
        )

    def _goes_on(self, reply: Reply) -> bool:
        """Make the request by which a reply that was paused goes on; tell whether there is one."""
        request = self._dialect.resume(self._sent, reply) if reply.finish == "pause" else None
        if request is not None:
            self._cause, self._request = "continuation", request
        return request is not None

    def _is_whole(self, parser: ReplyParser, finish: Finish | None) -> bool:
        """Return whether a reply is complete; one value also by its last bracket, unless the wire says it was cut."""
        return finish in PROVEN or (finish in UNPROVEN and not self._output.many and parser.started and parser.closed)

    def _pay(self, reply: Reply | None = None, head: Json | None = None) -> None:
        """Count the tokens of a reply that came whole, or of the stream that is open, for as long as it was."""
        accumulator = self.state.accumulator
        if reply is not None:
            characters = len(reply.text) + sum(len(call.arguments) for call in reply.calls)
            usage = spent(self._sent, characters, reply.usage)
        elif self._unpaid and accumulator is not None:
            usage, head = spent(self._sent, accumulator.characters, accumulator.usage), accumulator.head
        else:
            return
        self._unpaid = False
        self._report.usage = self._report.usage.spent(self._cause, usage)
        if self.state.observer is not None:
            self.state.observer.used(usage, head or {})

    def _note_failure(self, problem: Exception) -> None:
        self.state.failed.append(FailedAttempt(self._report.attempts, problem, self.state.completion()))

    def _request_failed(self, error: Exception) -> Steps:
        self._sdk_error = error
        self._hopeless = isinstance(error, ConfigurationError)
        yield from self.state.tell(HookName.COMPLETION_ERROR, error, about=self._about(error))

    def _deliver(self, outcomes: Sequence[Outcome]) -> Steps:
        """Hand out what is good, and keep what is invalid."""
        if not self._output.many:
            for outcome in outcomes:
                if isinstance(outcome, Invalid) or outcome.final:
                    yield from self._deliver_at(0, outcome)
        elif self._asked:
            self._answers += outcomes  # which is which is known when all are there
        elif self._overlap.passed:
            add, plain = self._history.add, not (self._delivered or self._hears_items)
            for outcome in outcomes:
                if plain and type(outcome) is Valid:  # a generator an item is not for nothing
                    self._note_good(add(outcome), outcome)
                    yield _tuple(Emit, ((outcome.value,),))
                else:
                    yield from self._deliver_at(add(outcome), outcome)
        else:
            yield from self._place(self._overlap.take(outcomes))

    def _show(self, parser: ReplyParser, deltas: Sequence[Delta]) -> Steps:
        """Hand out each snapshot before the next is made: what only the one before last held can then grow in place."""
        report, feed = self._report, parser.feed
        for delta in deltas:
            for outcome in feed((delta,)):
                if isinstance(outcome, Invalid) or outcome.final:
                    yield from self._deliver_at(0, outcome)
                else:
                    if report.time_to_first_item is None:
                        report.first_seen()
                    yield _tuple(Emit, ((outcome.value,),))

    def _place(self, placed: Iterable[Placed]) -> Steps:
        """Deliver new items and corrections; move or take back what was uncertain."""
        for each in placed:
            if isinstance(each, Moved):
                self._move(each.indices)
            elif isinstance(each, Unsure):
                self._take_back(each.many)
            elif isinstance(each, Correction):
                yield from self._correct(each.index, each.outcome)
            else:
                yield from self._deliver_at(self._history.add(each), each)

    def _move(self, indices: Sequence[int]) -> None:
        """Count the last items, which were delivered as new ones, for those at whose indices they belong."""
        report, history = self._report, self._history
        for index in reversed(indices):
            outcome = history.take_back()
            if isinstance(outcome, Valid):
                self._repair(index)
                history.put(index, outcome)
            else:
                report.bad -= 1
                del self._pending[history.count]
        if self._skips:
            report.failed_items = failed_items(self._pending)

    def _take_back(self, count: int) -> None:
        """Forget where the last items stood: the right ones are delivered, and will be known when they come again.

        What comes a second time is believed to stand there, for a list must get on; but where it may be the correction
        of a wrong item, the wrong items are asked for again before the list goes on.
        """
        last, wrong_before = self._history.last(count), self._history.count - count
        if self._again >= sum(isinstance(outcome, Valid) for outcome in last) > 0:
            self._asks_first = not self._skips and any(index < wrong_before for index in self._pending)
            if not self._asks_first:
                return
        for outcome in reversed(last):
            self._history.take_back()
            if isinstance(outcome, Valid):
                self._delivered.append(Item(outcome))
            else:
                self._report.bad -= 1
                self._drop(1)
                del self._pending[self._history.count]
        if self._skips:
            self._report.failed_items = failed_items(self._pending)

    def _is_delivered(self, index: int, outcome: Outcome) -> bool:
        """Return whether an item was delivered before its index was known; it is counted now."""
        same = next((known for known in self._delivered if known.equals(Item(outcome))), None)
        if same is None or isinstance(outcome, Invalid):
            return False
        self._delivered.remove(same)
        self._again += 1
        self._repair(index)
        return True

    def _correct(self, index: int, outcome: Outcome) -> Steps:
        """Deliver an item in the place of a wrong one."""
        self._history.put(index, outcome)
        yield from self._deliver_at(index, outcome)
        if self._skips:
            self._report.failed_items = failed_items(self._pending)

    def _deliver_at(self, index: int, outcome: Outcome) -> Steps:
        """Hand out an item, by itself: whoever leaves after it has been given no other, and the report says so."""
        if self._delivered and self._is_delivered(index, outcome):
            return
        if isinstance(outcome, Valid):
            self._note_good(index, outcome)
            yield from self.state.tell(HookName.ITEM_GOOD, index, outcome.value)
            yield Emit((outcome.value,))
        else:
            yield from self._put_aside(index, outcome)

    def _note_good(self, index: int, good: Valid) -> None:
        report = self._report
        report.good += 1
        report.mended += good.mended
        if self._kept is not None:
            self._kept.append((index, good))
        if self._pending:
            self._repair(index)
        if report.time_to_first_item is None:
            report.first_seen()

    def _repair(self, index: int) -> None:
        """Count a valid item as repaired if it was invalid before."""
        if self._pending.pop(index, None) is not None:
            self._note_repaired(index)

    def _note_repaired(self, index: int) -> None:
        self._report.repaired += 1
        if self.state.observer is not None:
            self.state.observer.repaired(index)

    def _drop(self, count: int) -> None:
        """Count items that are repeats."""
        self._report.dropped_repeats += count
        if count and self.state.observer is not None:
            self.state.observer.dropped(count)

    def _put_aside(self, index: int, bad: Invalid) -> Steps:
        self._report.bad += index not in self._pending
        self._pending[index] = bad
        self._first_wrong.setdefault(index, bad)
        if isinstance(bad.error, ResponseParsingError) and bad.error.raw_response is None:
            bad.error.raw_response = self.state.completion()
        if self.state.observer is not None:
            self.state.observer.invalid(index, bad)
        yield from self.state.tell(HookName.ITEM_BAD, index, bad.text, bad.error)
        yield from self.state.tell(HookName.PARSE_ERROR, bad.error, about=self._about(bad.error))
        if self._policy.on_invalid == "raise":
            self._hopeless = True
        if self._hopeless or not isinstance(bad.error, RETRYABLE):  # a validator that fails in a way of its own
            raise bad.error
        if self._skips:
            self._report.failed_items += failed_items({index: bad})

    def _follow(self, reply: Reply, parser: ReplyParser, broke: Exception | None) -> Steps:
        """Carry out what `reask.decide` says: return the problem, if any, and build the request that follows."""
        progress = self._progress(reply, parser)
        if progress.asked and progress.has_answer:
            yield from self._take_answers(ended=progress.ended)
            progress = progress._replace(invalid=len(self._pending))
        action, missing = decide(progress)
        self._hopeless = self._hopeless or action is Action.GIVE_UP
        if missing == "consent":
            message, mode = declined(reply), self._call.mode.value
            return RefusalError(message, text=reply.refusal or "", mode=mode, raw_response=self.state.completion())
        if missing == "answer":
            return (yield from self._nothing_came(reply))
        problem: Exception
        if missing == "validity":
            problem, self._asked = self._pending[min(self._pending)].error, self._output.many
        elif missing == "end" and self._broke_off is not None:
            problem, self._broke_off, self._asked = self._broke_off, None, False
        elif missing == "end":
            problem = incomplete(reply, broke)
            if action is Action.REASK:
                self._asked, self._broke_off = True, problem
        else:
            return None
        self._cause = "reask"
        if self._output.many:
            self._plan_the_rest()
        if missing == "end" and not self._history.count:
            self._request = self._all_again(reply)
        elif not self._output.many:
            self._request = self._dialect.correct(self._sent, reply, prompts.wrong(format_errors(problem)))
        return problem

    def _progress(self, reply: Reply, parser: ReplyParser) -> Progress:
        is_later = self._cause == "continuation" and self._history.count > 0
        return Progress(
            many=self._output.many,
            finish=reply.finish,
            refused=bool(reply.refusal),
            started=parser.started,
            closed=(not self._output.many and reply.finish in PROVEN) or parser.closed,  # it may have to be looked for
            items=self._history.count,
            invalid=len(self._pending),
            asked=self._asked,
            list_waits=self._broke_off is not None,
            asks_first=self._asks_first,
            no_more=reply.finish in PROVEN and self._by_calls and is_later and not reply.calls,
            skips=self._skips,
        )

    def _take_answers(self, *, ended: bool) -> Steps:
        """Deliver the corrections; what was answered with an item of the list stays asked for, as it first came."""
        found = match_corrections(self._pending, self._answers, self._history, self._repeats, ended=ended)
        self._repeats = found.repeats if self._answers else self._repeats
        for index, outcome in found.corrections:
            yield from self._correct(index, outcome)
        for index, item in [*found.repeats.items()]:
            self._pending[index] = self._first_wrong.get(index, self._pending[index])
            for same in self._history.indices(item):
                if same in self._doubts.get(index, ()):  # it was no new item, but this one once more
                    self._report.bad -= 1
                    self._drop(1)
                elif index in self._doubts.get(same, ()):  # its correction was delivered already, as a new item
                    self._note_repaired(index)
                else:
                    continue
                del self._pending[index], self._repeats[index]
                break

    def _plan_the_rest(self) -> None:
        """Build the request for what a list misses: its invalid items, once the others are there, or how it goes on."""
        shape, mode, history, self._paused = self._output, self._call.mode, self._history, None
        if self._asked:
            self._cause = "reask"
            wrong = [bad for _, bad in sorted(self._pending.items())]
            repeats = [item.outcome.text for item in self._repeats.values() if history.holds(item)]
            notes = prompts.wrong_items([format_errors(bad.error) for bad in wrong], repeats)
            self._request = self._dialect.correct(self._first, shape.replay(wrong, mode), notes)
        elif history.count:
            self._cause, last = "continuation", history.last(SHOWN)
            notes = prompts.go_on(history.count, len(last), by_calls=self._by_calls)
            self._request = self._dialect.correct(self._first, shape.replay(last, mode), notes)
        else:
            self._cause, self._request = "continuation", self._first

    def _all_again(self, reply: Reply) -> Request:
        """Return the request that asks for all again, and tells the model why its answer was none, if that is said."""
        if reply.finish != "other" or not reply.reason:
            return self._first
        return self._dialect.correct(self._first, reply, prompts.ended_by(reply.reason))

    def _tell_of_strangers(self, reply: Reply) -> Steps:
        """Count calls of tools that nobody gave: they are no items, and nothing else says that they came."""
        there_are = ", ".join(self._names.answers)
        for call in reply.calls:
            if not self._names.of(call.name):
                self._report.unknown_calls += 1
                problem = self._misread(f"No tool is called {call.name!r}; there are {there_are}.", call.arguments)
                yield from self.state.tell(HookName.PARSE_ERROR, problem, about=self._about())

    def _misread(self, message: str, text: str) -> ResponseParsingError:
        mode = self._call.mode.value
        return ResponseParsingError(message, text=text, mode=mode, raw_response=self.state.completion())

    def _nothing_came(self, reply: Reply) -> Steps:
        what, text, notes = missing_answer(reply, self._names.answers, self._call.mode)
        problem = self._misread(f"The reply {what}", text)
        self._request = self._dialect.correct(self._sent, reply, notes)
        self._cause = "reask"
        yield from self.state.tell(HookName.PARSE_ERROR, problem, about=self._about())
        return problem

    def _give_up(self, error: Exception) -> Steps:
        self._hopeless = True
        if isinstance(error, RetryError) and isinstance(last := error.last_attempt.exception(), Exception):
            error = last  # the other is a spent policy's word for it
        yield from self.state.tell(HookName.COMPLETION_LAST_ATTEMPT, error, about=self._about())
        self._settle_account()
        self.state.fail(error, self._output.name, self._sent, many=self._output.many, is_sdks=error is self._sdk_error)

    def _about(self, error: Exception | None = None) -> dict[str, Any]:
        count, most = self._report.attempts, self._policy.most
        last = self._hopeless or (most is not None and count >= most) or self._policy.excludes(error)
        return {"attempt_number": count, "max_attempts": most, "is_last_attempt": last}
