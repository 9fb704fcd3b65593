"""Runs: one extraction each, as a list of events. docs/howto/play.md describes the events."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from pydantic_core import to_jsonable_python

from instructor import redaction
from instructor.binding import Binding
from instructor.bulk.limits import Prices
from instructor.client import AsyncInstructor
from instructor.core.reask import format_errors
from instructor.core.types import Delta
from instructor.hooks import HookName, Hooks
from instructor.report import Report
from instructor.web.curl import curl_of
from instructor.web.events import EventLog, Json
from instructor.web.open_item import OpenItem
from instructor.web.plain import for_page
from instructor.web.spans import PlacedText
from instructor.web.tap import Sent, TappedTransport, Valve

State = Literal["running", "stopped", "ended", "failed"]
CONTINUATIONS = 3
"""How often a list that is cut off is continued before the run stops and waits for somebody to say "go on"."""
_ENDLESS = 1_000_000


@dataclass(frozen=True)
class Wanted:
    """What a run is asked for."""

    text: str
    schema: Json
    """As it was sent: kind and text."""
    kind: Any
    """The type that it means."""
    columns: Sequence[str]
    many: bool
    instruction: str
    model: str

    @property
    def messages(self) -> list[Json]:
        """The messages of the call."""
        before = [{"role": "system", "content": self.instruction}] if self.instruction else []
        return [*before, {"role": "user", "content": self.text}]


@dataclass
class Row:
    """An item that came."""

    index: int
    value: Any
    """The item itself."""
    plain: Any
    """As JSON holds it."""
    spans: list[Json] = field(default_factory=list)


class Run:
    """One extraction. It belongs to an event loop, goes on while nobody looks, and waits where it was stopped."""

    def __init__(self, wanted: Wanted, binding: Binding, variable: str) -> None:
        self.id = secrets.token_hex(8)
        self.wanted, self._variable = wanted, variable
        self.log = EventLog()
        self.state: State = "running"
        self.error = ""
        self.rows: list[Row] = []
        self.report = Report()
        self.began = time.time()
        self._clock = time.perf_counter()
        self._prices = Prices.of_model(binding.provider, wanted.model.partition("/")[2] or None)
        self._places = PlacedText(wanted.text, len(wanted.messages) - 1)
        self._valve = Valve()
        self.tap = TappedTransport(binding.transport, binding.dialect, self, self._valve)
        self._requests = 0
        self._cause = "first"
        self._automatic = 0  # continuations since somebody said "go on"
        self._good: int | None = None  # the index of the item that is delivered next
        self._mended = 0
        self._wrong: dict[int, Exception] = {}
        self._open_items: dict[int, OpenItem] = {}
        self._shows_open = False
        client = AsyncInstructor(replace(binding, transport=self.tap, hooks=self._hooks()))
        arguments: Json = {"ground": True, **({"max_continuations": _ENDLESS} if wanted.many else {})}
        create = client.create_iterable if wanted.many else client.create_partial
        self._stream: Any = create(response_model=wanted.kind, messages=wanted.messages, **arguments)
        self.report = self._stream.report
        self.log.add("run", self.describe())
        self._task = asyncio.create_task(self._extract())

    def describe(self) -> Json:
        """Return what the run is, and how far it is."""
        wanted = self.wanted
        return {
            "id": self.id, "state": self.state, "error": self.error, "began": self.began, "text": wanted.text,
            "schema": wanted.schema, "columns": list(wanted.columns), "many": wanted.many,
            "instruction": wanted.instruction, "model": wanted.model, "items": len(self.rows),
        }  # fmt: skip

    def stop(self) -> None:
        """End the request that is open, at once. What came stays, and the run can go on."""
        if self.state == "running":
            self._set("stopped")
            self._valve.close()

    def go_on(self) -> None:
        """Let a run go on that was stopped."""
        if self.state == "stopped":
            self._automatic = 0
            self._set("running")
            self._valve.open()

    def throw_away(self) -> None:
        """End the run for good."""
        self._valve.throw_away()
        self._task.cancel()
        self.log.end()

    async def ended(self) -> None:
        """Wait for the end of the run."""
        await asyncio.wait([self._task])

    async def _extract(self) -> None:
        try:
            async for value in self._stream:
                self._deliver(value)
        except Exception as error:  # those of SDKs have no class in common
            self.error = redaction.text(f"{error}" if str(error) else type(error).__name__)
            self._set_ended("failed")
        else:
            self._set_ended("ended")

    def _set(self, state: State) -> None:
        self.state = state
        self.log.add("state", {"state": state, "error": self.error, "at": self._now()})

    def _set_ended(self, state: State) -> None:
        self._forget_open()
        self._count()
        self._set(state)
        self.log.end()

    def _now(self) -> float:
        return round(time.perf_counter() - self._clock, 4)

    def _hooks(self) -> Hooks:
        hooks = Hooks()
        hooks.on(HookName.ITEM_GOOD, self._note_good)
        hooks.on(HookName.ITEM_BAD, self._note_wrong)
        hooks.on(HookName.PARSE_ERROR, self._note_problem)
        hooks.on(HookName.STREAM_CONTINUE, self._note_continuation)
        hooks.on(HookName.EVIDENCE_MOVED, self._note_moved)
        return hooks

    def _note_good(self, index: int, _value: Any) -> None:
        self._good = index

    def _deliver(self, value: Any) -> None:
        if self._good is None:  # a snapshot: the page has it from the text
            return
        index, self._good = self._good, None
        plain = to_jsonable_python(value, by_alias=True, inf_nan_mode="strings", fallback=str)
        row = Row(index, value, plain, self._places.spans_of(value))
        state = "good"
        if self._wrong.pop(index, None) is not None:
            state = "repaired"
        elif self.report.mended > self._mended:
            state = "mended"
        self._mended = self.report.mended
        self._forget_open()
        self.log.add("item", {
            "row": len(self.rows), "index": index, "value": for_page(plain), "state": state, "spans": row.spans,
            "request": self._requests, "at": self._now(),
        })  # fmt: skip
        self.rows.append(row)

    def _note_wrong(self, index: int, text: str, error: Exception) -> None:
        self._wrong[index] = error
        self._forget_open()
        self.log.add("wrong", {
            "index": index, "text": text, "errors": format_errors(error), "request": self._requests, "at": self._now()
        })  # fmt: skip

    def _note_problem(self, error: Exception) -> None:
        if not any(error is known for known in self._wrong.values()):
            self.log.add("problem", {"errors": format_errors(error), "request": self._requests, "at": self._now()})

    def _note_continuation(self, _report: Report) -> None:
        self._cause = "continuation"
        self._automatic += 1
        self._count()  # the request may have to wait
        if self._automatic > CONTINUATIONS:
            self.stop()

    def _note_moved(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            row = self.rows[number]
            row.spans = self._places.spans_of(row.value)
            self.log.add("spans", {"row": number, "spans": row.spans})

    def asked(self, body: Mapping[str, Any]) -> None:
        """Note that a request is made."""
        self._requests += 1
        self._open_items = {}
        if self._cause == "reask":
            self._count()
        self.log.add("request", {
            "request": self._requests, "cause": self._cause, "at": self._now(),
            "body": to_jsonable_python(redaction.request(body), inf_nan_mode="strings", fallback=str),
        })  # fmt: skip
        self._cause = "reask"

    def sent(self, sent: Sent) -> None:
        """Note what the SDK sends for a request."""
        self.log.add("sent", {"request": self._requests, "curl": curl_of(sent, self._variable)})

    def came(self, deltas: Sequence[Delta]) -> None:
        """Note the text that came in one read."""
        texts: dict[int, str] = {}
        for delta in deltas:
            if delta.text:
                texts[delta.channel] = texts.get(delta.channel, "") + delta.text
        for channel, text in texts.items():
            self.log.add("text", {"request": self._requests, "channel": channel, "text": text, "at": self._now()})
            item = self._open_items.setdefault(channel, OpenItem(many=self.wanted.many))
            item.feed(text)
            value = item.value()
            if value is not None:
                self._shows_open = True
                self.log.notice("draft", {"value": for_page(value)})

    def reply_ended(self, error: Exception | None) -> None:
        """Note that no more comes of a reply."""
        self.log.add("reply", {
            "request": self._requests, "at": self._now(),
            "error": None if error is None else redaction.text(f"{type(error).__name__}: {error}"),
        })  # fmt: skip

    def _forget_open(self) -> None:
        if self._shows_open:
            self._shows_open = False
            self.log.notice("draft", {"value": None})

    def _count(self) -> None:
        report, usage = self.report, self.report.usage
        self.log.add("counts", {
            "good": report.good, "bad": report.bad, "repaired": report.repaired, "mended": report.mended,
            "failed": len(report.failed_items), "repeats": report.dropped_repeats, "complete": report.complete,
            "requests": report.attempts, "finish": report.finish_reason, "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens, "exact": usage.exact,
            "cost": None if self._prices is None else self._prices.of(usage), "at": self._now(),
        })  # fmt: skip


class TooManyRunsError(Exception):
    """So many runs are open that no other is begun."""


class Runs:
    """The runs of this process. Of those that have ended only the last ones are kept."""

    def __init__(self, kept: int = 50, open_at_once: int = 8) -> None:
        self._kept, self._open_at_once = kept, open_at_once
        self._runs: dict[str, Run] = {}
        self._by_key: dict[str, Run] = {}

    def __iter__(self) -> Any:
        return iter(self._runs.values())

    def get(self, name: str) -> Run | None:
        return self._runs.get(name)

    def known(self, key: str | None) -> Run | None:
        """Return the run that was begun with this key."""
        return None if key is None else self._by_key.get(key)

    def check_room(self) -> None:
        """Raise a TooManyRunsError if no other run may begin."""
        running = sum(run.state == "running" for run in self)
        if running >= self._open_at_once:
            raise TooManyRunsError(f"{running} runs are open at once. Stop one, or wait.")

    def add(self, run: Run, key: str | None) -> None:
        """Keep a run. The oldest that is not running makes room for it."""
        self._runs[run.id] = run
        if key is not None:
            self._by_key[key] = run
        for old in [each for each in self if each.state != "running"][: max(0, len(self._runs) - self._kept)]:
            old.throw_away()
            del self._runs[old.id]
            self._by_key = {name: each for name, each in self._by_key.items() if each is not old}

    async def close(self) -> None:
        """End all runs."""
        for run in self:
            run.throw_away()
        for run in self:
            await run.ended()
