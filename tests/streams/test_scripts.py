"""A list that goes wrong in every way at once: a state machine plays the provider, and knows what must come of it.

No network: the machine carries out the steps of the flow itself. Items are told apart by their number. What is expected
is kept beside what is written: which items closed, in which order, at which place, and which of them are wrong still.
"""

from __future__ import annotations

import contextlib
import json
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from pydantic import BaseModel
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

from instructor import Mode
from instructor.core import prompts
from instructor.core.effects import Do, Emit, Open, Read
from instructor.core.retry_policy import RETRYABLE, OnInvalid, Policy
from instructor.core.runner import Run
from instructor.core.state import RunState
from instructor.core.types import Call, Json
from instructor.exceptions import IncompleteOutputException, InstructorRetryException
from instructor.hooks import Hooks
from instructor.outputs import list_for
from instructor.providers.openai.chat import OpenAIChat

WRONG = ('{"was": %d}', '{"n": "it is %d"}', '{"n": %d %%}', "[%d]")
SHOWN = 3


class Item(BaseModel):
    n: int


class Script(RuleBasedStateMachine):
    """The provider writes items, in one channel or several, until it breaks off or ends; the library asks again."""

    @initialize(
        mode=st.sampled_from([Mode.TOOLS, Mode.JSON]),
        retries=st.integers(0, 6),
        continuations=st.none() | st.integers(0, 2),
        on_invalid=st.sampled_from(["reask", "reask", "skip"]),
    )
    def begin(self, mode: Mode, retries: int, continuations: int | None, on_invalid: OnInvalid) -> None:
        call = Call([{"role": "user", "content": "Count."}], list_for(Item), mode, {"model": "m"}, stream=True)
        ledger = RunState(OpenAIChat("any"), lambda wire: wire, Hooks())
        retrying = Retrying(
            stop=stop_after_attempt(retries + 1), retry=retry_if_exception_type(RETRYABLE), reraise=True
        )
        self.report = ledger.report
        self.flow = Run(call, OpenAIChat("any"), Policy(retrying, continuations, on_invalid), ledger).run()
        self.mode, self.skips = mode, on_invalid == "skip"
        self.retries, self.continuations = retries, continuations
        self.budget = 1 + retries + (continuations or 0)
        self.came: list[str] = []  # what closed, by place: its text as last seen
        self.numbers: list[int] = []  # its number
        self.right: dict[int, int] = {}  # place and number of what was delivered
        self.wrong: dict[int, int] = {}  # place and number of what is not right yet
        self.due, self.backlog = 0, list[int]()  # the next number, and those whose items were cut in the middle
        self.firsts: set[int] = set()  # places of items that may be the first one, given once more
        self.early: set[int] = set()  # numbers that were delivered, and will come again: their place was not certain
        self.failed: list[int] = []
        self.expected: list[int] = []
        self.delivered: list[int] = []
        self.asked: list[int] = []
        self.shown: list[str] = []
        self.requests = self.dropped = self.repaired = self.others = 0
        self.problem: Exception | None = None
        self.over = self.cut = self.waits = False  # `waits`: the list goes on when its wrong items were asked for
        self.run_on(None)

    # The library's side: steps are carried out until it waits for the network.

    def reads(self, events: list[bytes]) -> None:
        """Bring events, as a driver does: those that decide nothing are held back."""
        if not self.holds(events):
            self.run_on(events)

    def run_on(self, outcome: Any, error: Exception | None = None) -> None:
        try:
            while True:
                step = self.flow.throw(error) if error else self.flow.send(outcome)
                outcome = error = None
                if isinstance(step, Read):
                    self.holds = step.holds
                    return
                if isinstance(step, Emit):
                    self.delivered += [item.n for item in step.values]
                elif isinstance(step, Open):
                    self.opened(dict(step.request.body))
                    outcome = {}
                elif isinstance(step, Do):
                    try:
                        outcome = step.function(*step.arguments, **step.keywords)
                    except Exception as raised:
                        error = raised
        except StopIteration:
            self.over = True
        except (IncompleteOutputException, InstructorRetryException) as problem:
            self.over, self.problem = True, problem

    def opened(self, body: Json) -> None:
        """Read what the library asks for, as a model would."""
        self.requests += 1
        self.open: set[int] = set()  # channels whose list has begun
        self.halves: dict[int, tuple[int, str]] = {}  # numbers of unfinished items, and what is still to be written
        self.answers: list[tuple[str, int | None]] = []
        self.fresh, self.repeated = True, False
        self.base, self.again = len(self.came), 0
        said, notes = ({}, *body["messages"])[-2:]
        if notes["content"].startswith(("The answer did not call a tool", prompts.NO_JSON)):
            return  # the same again
        self.asked, self.shown = [], []
        if said.get("role") != "assistant":
            assert not self.came
            return
        shown = said["tool_calls"][0]["function"]["arguments"] if self.mode.by_tool else said["content"]
        if "was cut off" in notes["content"]:
            self.shown = self.came[-SHOWN:]
            assert shown == wrapped(self.shown)
            assert f"after {len(self.came)} item" in notes["content"]
        else:
            self.asked = sorted(self.wrong)
            assert shown == wrapped([self.came[place] for place in self.asked])

    # The provider's side.

    def write(self, channel: int, text: str) -> None:
        if channel not in self.open:
            self.open.add(channel)
            text = '{"tasks": [' + text
        elif text[:1] in ("{", "["):
            text = f", {text}"
        self.send(channel, text)

    def send(self, channel: int, text: str) -> None:
        function = {"index": channel, "function": {"name": "IterableItem", "arguments": text}}
        self.event({"tool_calls": [function]} if self.mode.by_tool else {"content": text})

    def event(self, delta: Json, finish: str | None = None) -> None:
        event = {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
        self.reads([json.dumps(event).encode()])

    def closes(self, number: int, text: str, *, right: bool) -> None:
        """Note an item whose last bracket is about to be written."""
        self.fresh = False
        if self.asked:
            self.answers.append((text, number if right else None))
            return
        place = len(self.came)
        self.came.append(text)
        self.numbers.append(number)
        if right:
            self.right[place] = number
            self.hand_out(number)
        elif self.skips:
            self.failed.append(place)
        else:
            self.wrong[place] = number

    def hand_out(self, number: int) -> None:
        if number in self.early:
            self.early.remove(number)
            self.again += 1
        else:
            self.expected.append(number)

    def is_uncertain(self) -> bool:
        """Whether all that came of a continuation may correct or repeat what was there, by nothing but its order."""
        new, old = range(self.base, len(self.came)), range(self.base)
        if self.repeated or not new or not old:
            return False
        starts = {0, *self.firsts, *old[-SHOWN:]}
        return any(
            start + len(new) <= self.base
            and all(start + at not in self.right or place not in self.right for at, place in enumerate(new))
            for start in starts
        )

    def forget(self) -> None:
        """Give what came of a continuation once more, but for items that came twice so.

        If one of those may be the correction of a wrong item, the wrong items are asked for first: it comes again, too.
        """
        goods = [place for place in range(self.base, len(self.came)) if place in self.right]
        asks_first = not self.skips and any(place < self.base for place in self.wrong)
        if self.again >= len(goods) > 0:
            if not asks_first:
                return
            self.waits = True
        for place in range(self.base, len(self.came)):
            if self.right.pop(place, None) is not None:
                self.early.add(self.numbers[place])
            else:
                self.wrong.pop(place, None)
                self.failed = [failed for failed in self.failed if failed != place]
                self.dropped += 1
        self.backlog += self.numbers[self.base :]
        del self.came[self.base :], self.numbers[self.base :]

    def next_number(self) -> int:
        if self.backlog:
            return self.backlog.pop(0)
        self.due += 1
        return self.due - 1

    def free_channel(self, wish: int) -> int | None:
        channel = wish if self.mode.by_tool else 0
        return None if channel in self.halves else channel

    @precondition(lambda self: not self.over and not self.asked)
    @rule(wish=st.integers(0, 2), form=st.sampled_from(['{"n": %d}', '{"n": %d,}', *WRONG]))
    def item(self, wish: int, form: str) -> None:
        channel = self.free_channel(wish)
        if channel is not None:
            number = self.next_number()
            self.closes(number, form % number, right=form not in WRONG)
            self.write(channel, form % number)

    @precondition(lambda self: not self.over and not self.asked)
    @rule(wish=st.integers(0, 2), at=st.integers(1, 6))
    def half_an_item(self, wish: int, at: int) -> None:
        channel = self.free_channel(wish)
        if channel is not None:
            number = self.next_number()
            text = f'{{"n": {number}}}'
            self.halves[channel] = (number, text[at:])
            self.write(channel, text[:at])

    @precondition(lambda self: not self.over and self.halves)
    @rule(which=st.integers(0, 2))
    def other_half(self, which: int) -> None:
        channel = sorted(self.halves)[which % len(self.halves)]
        number, rest = self.halves.pop(channel)
        self.closes(number, f'{{"n": {number}}}', right=True)
        self.send(channel, rest)

    @precondition(lambda self: not self.over and self.shown and self.fresh and not self.halves)
    @rule(count=st.integers(1, SHOWN))
    def repeat(self, count: int) -> None:
        """Say again what is there already, some of it spaced in another way."""
        again = self.shown[-count:]
        self.fresh, self.repeated = False, True
        self.dropped += len(again)
        self.write(0, ",".join(respaced(text) for text in again))

    @precondition(lambda self: not self.over and self.asked and len(self.answers) < len(self.asked))
    @rule(right=st.booleans())
    def answer(self, right: bool) -> None:
        """Give the next of the items that were asked for again."""
        number = self.wrong[self.asked[len(self.answers)]]
        text = f'{{"n": {number}}}' if right else WRONG[0] % number
        self.closes(number, text, right=right)
        self.write(0, text)

    @precondition(lambda self: not self.over and self.asked and not self.answers)
    @rule()
    def answer_with_the_whole_list(self) -> None:
        for number in self.numbers:
            self.closes(number, f'{{"n": {number}}}', right=True)
            self.write(0, f'{{"n": {number}}}')

    @precondition(lambda self: not self.over and self.asked)
    @rule()
    def answer_with_something_else(self) -> None:
        self.others -= 1
        self.closes(self.others, f'{{"n": {self.others}}}', right=True)
        self.write(0, f'{{"n": {self.others}}}')

    # Endings.

    def settle(self, *, ended: bool) -> None:
        """Work out what this reply has come to."""
        self.cut = self.waits if self.asked else not ended
        self.waits = False
        new = range(self.base, len(self.came))
        pairs = list(zip(range(self.base), new, strict=False))
        if pairs and not any(old in self.right and place in self.right for old, place in pairs):
            self.firsts.add(self.base)
        if self.cut and not self.asked and self.is_uncertain():
            self.forget()
        for place, (text, number) in self.matched(ended=ended):
            self.came[place] = text
            if number is not None:
                self.wrong.pop(place)
                self.right[place] = number
                self.hand_out(number)
                self.repaired += 1
        self.backlog = sorted([*self.backlog, *(number for number, _ in self.halves.values())])

    def matched(self, *, ended: bool) -> list[tuple[int, tuple[str, int | None]]]:
        """Tell which asked item each answer is for: in turn, if they are as many, or fewer because they were cut.

        Where the whole list came, which the right ones tell, it is those at the asked places. Answers that were cut and
        are all wrong correct nothing: what they are for is not certain, and no item is gained.
        """
        again = [place for place in range(len(self.answers)) if place in self.right]
        whole = again and len(self.answers) <= len(self.came)
        if whole and all(self.answers[place][1] == self.right[place] for place in again):
            return [(place, self.answers[place]) for place in self.asked]
        is_cut = not ended and len(self.answers) < len(self.asked)
        if len(self.answers) == len(self.asked) or (is_cut and any(number is not None for _, number in self.answers)):
            return list(zip(self.asked, self.answers, strict=False))
        return []

    @precondition(lambda self: not self.over)
    @rule(how=st.sampled_from(["length", "silence", "drop", "error"]))
    def break_off(self, how: str) -> None:
        self.settle(ended=False)
        if how == "length":
            self.event({}, "length")
            self.run_on(None)
        elif how == "error":
            self.reads([b'{"error": {"message": "overloaded"}}'])
        else:
            self.run_on(None, ConnectionError("gone") if how == "drop" else None)

    @precondition(lambda self: not self.over and not self.halves and (self.asked or not self.backlog))
    @rule(lost=st.booleans())
    def end(self, lost: bool) -> None:
        for channel in sorted(self.open) or [0]:
            self.write(channel, "]}")
        self.settle(ended=True)
        self.event({}, "stop")
        self.run_on(None, ConnectionError("gone") if lost else None)

    @precondition(lambda self: not self.over and not self.open)
    @rule()
    def end_without_a_list(self) -> None:
        self.cut = False
        self.event({"content": "There is nothing [to say]."})
        self.event({}, "stop")
        self.run_on(None)

    @precondition(lambda self: self.over)
    @rule()
    def rest(self) -> None:
        """There is nothing more to do."""

    # What must hold.

    @invariant()
    def each_item_once_at_the_event_that_closes_it(self) -> None:
        assert self.delivered == self.expected
        assert len(set(self.delivered)) == len(self.delivered)

    @invariant()
    def the_budget_holds(self) -> None:
        assert self.requests == self.report.attempts <= self.budget

    def teardown(self) -> None:
        with contextlib.suppress(AttributeError):  # it never began
            self.flow.close()
            self.check_the_account()

    def check_the_account(self) -> None:
        report = self.report
        assert report.good == len(self.delivered)
        assert report.repaired == self.repaired
        assert [failed.index for failed in report.failed_items] == sorted([*self.failed, *self.wrong])
        assert [failed.text for failed in report.failed_items] == [self.came[f.index] for f in report.failed_items]
        assert report.bad == report.repaired + len(report.failed_items)
        assert report.good + len(report.failed_items) == len(self.came) + len(self.early)
        assert sum(usage.total_tokens for usage in report.usage.by_cause.values()) == report.usage.total_tokens
        if not self.over:
            assert not report.complete
            return
        assert report.dropped_repeats == self.dropped
        if self.problem is None:
            assert not self.wrong
            assert not self.backlog
            assert report.complete is not bool(self.failed)
            return
        assert not report.complete
        assert isinstance(self.problem, IncompleteOutputException) is self.cut
        assert getattr(self.problem, "report", None) is report
        spent = report.continuations if self.cut and self.continuations is not None else report.attempts - 1
        assert spent >= (self.retries if self.continuations is None or not self.cut else self.continuations)


def wrapped(items: list[str]) -> str:
    return f'{{"tasks": [{", ".join(items)}]}}'


def respaced(text: str) -> str:
    try:
        return json.dumps(json.loads(text), indent=1)
    except ValueError:
        return text


TestScript = Script.TestCase
TestScript.settings = settings(
    max_examples=150,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
