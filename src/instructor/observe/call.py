"""What one call becomes: a span for it, one for each request, and events for items that are not right at once.

Theory of operation. `ObservedCall.steps` is a generator between the flow of a call and its driver. The flow runs while
the call's span is current, so what a validator or a hook asks of a model nests below it. A request is sent while its
own span is current, so the spans of the HTTP client nest below that. While the user has a value, neither is current.

    the flow yields    what is done
    Send, Open         the span of a request begins; the flow has said before why it is made (`asks`)
    Read               the first one is the time to the first chunk; the call's span is current again
    Emit               the time since the value before is counted
    its end            both spans end, also if the user leaves the stream or the task is cancelled

The flow itself tells (`core.observer`) when a reply has ended, what it took, and which items are not right at once. A
request that a cache answers is no effect, so it has no span.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Mapping
from math import inf
from time import perf_counter
from typing import TYPE_CHECKING, Any

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode
from pydantic import ValidationError

from instructor.core.effects import Do, Emit, Open, Read, Send, Steps
from instructor.core.reask import format_errors
from instructor.core.types import Invalid, Json, Output, Reply, Request
from instructor.mode import Mode
from instructor.observe import conventions
from instructor.observe.tracers import is_traced
from instructor.report import Cause, Report
from instructor.usage import Usage

if TYPE_CHECKING:
    from instructor.observe.instruments import Instruments

MOST_EVENTS = 100
"""How many events a call may write. Those beyond it are counted."""
BOUNDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Upper bounds, in seconds, of the counts of `instructor.items.interval.counts`. The last count has no bound."""
_WARN, _INFO = 13, 9
"""Severities, by the numbers of OpenTelemetry."""
_UNKNOWN = Reply()


class ObservedCall:
    """Makes the spans of one call."""

    def __init__(
        self,
        instruments: Instruments,
        output: Output,
        mode: Mode,
        report: Report,
        *,
        stream: bool,
        turns_key: str,
        binding: Any,
        is_row: bool,
    ) -> None:
        self._to, self._mode, self._report = instruments, mode, report
        self._stream, self._turns_key, self._binding, self._is_row = stream, turns_key, binding, is_row
        self._type = type_name(output)
        self._span: Span = trace.INVALID_SPAN
        self._context: Any = None
        self._request: Span | None = None  # the span of the request that is on its way
        self._around: Any = None  # the context in which it is made
        self._body: Mapping[str, Any] = {}
        self._cause: Cause = "first"
        self._asked_at = 0.0
        self._usage: Usage | None = None
        self._head: Json = {}
        self._fault: Exception | None = None
        self._counts = stream and output.many
        self._gaps = [0] * (len(BOUNDS) + 1)  # how many times between two items were how long
        self._events = 0

    # The effects of the call

    def steps(self, steps: Steps) -> Steps:
        """Return the effects of the call, and see them go by."""
        self._begin()
        attach, detach = contexts.attach, contexts.detach
        here, counts = self._context, self._counts
        clock, gaps, shortest = perf_counter, self._gaps, BOUNDS[0]
        first = last = -inf
        outcome: Any = None
        failure: Exception | None = None
        error: Exception | None = None
        inner: Any = None
        outer: Any = attach(here)
        try:
            while True:
                try:
                    step = steps.send(outcome) if failure is None else steps.throw(failure)
                except StopIteration:
                    return
                outcome = failure = None
                kind = type(step)
                if kind is Emit:
                    if counts:  # written out here, for an item may cost a microsecond at most
                        now = clock()
                        gap, last = now - last, now
                        if gap < shortest:
                            gaps[0] += 1
                        elif gap == inf:
                            first = now
                        else:
                            gaps[bisect(BOUNDS, gap)] += 1
                    detach(outer)
                    outer = None
                    yield step
                    outer = attach(here)
                    continue
                if isinstance(step, (Send, Open)):
                    self._begin_request(step.request, stream=kind is Open)
                    inner = attach(self._around)
                try:
                    outcome = yield step
                except Exception as raised:
                    failure = raised
                if inner is not None:
                    detach(inner)
                    inner = None
                if failure is not None or self._asked_at:
                    self._note(kind, failure)
        except Exception as raised:
            error = raised
            raise
        finally:
            around = self._around
            steps.close()
            self._end(error, last - first)
            _leave(inner, around)
            _leave(outer, here)

    def _begin(self) -> None:
        current = contexts.get_current()
        links: list[Link] = []
        if self._is_row:  # a trace of its own: a job of many rows would be too large a trace
            job = trace.get_current_span(current).get_span_context()
            current = trace.set_span_in_context(trace.INVALID_SPAN, current)
            links = [Link(job)] if job.is_valid else []
        self._span = self._to.tracer.start_span(
            f"extract {self._type}", current, SpanKind.INTERNAL, {"instructor.type": self._type}, links
        )
        self._context = self._around = trace.set_span_in_context(self._span, current)

    def _begin_request(self, request: Request, *, stream: bool) -> None:
        self._end_request(_UNKNOWN)
        self._body, self._head, self._fault, self._usage = request.body, {}, None, None
        binding = self._binding
        if is_traced(binding.transport, binding.client):  # the SDK's own instrumentation makes its span
            return
        latest = self._to.latest
        attributes = conventions.identity(binding.provider, request.body, binding.client, latest=latest)
        name = f"{attributes['gen_ai.operation.name']} {attributes.get('gen_ai.request.model', '')}".rstrip()
        self._request = span = self._to.tracer.start_span(name, self._context, SpanKind.CLIENT, attributes)
        self._around = trace.set_span_in_context(span, self._context)
        self._asked_at = perf_counter() if stream else 0.0

    def _note(self, kind: type[Any], failure: Exception | None) -> None:
        """Note how an effect failed, or that the first chunk of a stream came."""
        if failure is not None:
            if kind is not Do:  # a hook that fails is none of the request's
                self._fault = failure
            if kind is Send or kind is Open:
                self._end_request(_UNKNOWN)
        elif kind is Read:
            span, seconds, self._asked_at = self._request, perf_counter() - self._asked_at, 0.0
            if span is not None and self._to.latest:
                span.set_attribute("gen_ai.response.time_to_first_chunk", seconds)

    # What the flow tells

    def asks(self, cause: Cause) -> None:
        self._cause = cause

    def used(self, usage: Usage, head: Json) -> None:
        self._usage, self._head = usage, head

    def replied(self, reply: Reply) -> None:
        self._end_request(reply)

    def invalid(self, index: int, invalid: Invalid) -> None:
        if not self._may_write():
            return
        written: dict[str, Any] = {"instructor.item.errors": _errors(invalid.error, content=self._to.content)}
        if self._to.content:
            written["instructor.item.text"] = invalid.text
        self._write("instructor.item.bad", _WARN, {"instructor.item.index": index, **written})

    def repaired(self, index: int) -> None:
        if self._may_write():
            self._write("instructor.item.repaired", _INFO, {"instructor.item.index": index})

    def dropped(self, count: int) -> None:
        if self._may_write():
            self._write("instructor.item.dropped", _INFO, {"instructor.item.count": count})

    def _may_write(self) -> bool:
        self._events += 1
        return self._events <= MOST_EVENTS

    def _write(self, name: str, severity: int, attributes: dict[str, Any]) -> None:
        self._to.event(
            name, severity, {**attributes, "instructor.request": self._report.attempts}, context=self._context
        )

    # The ends

    def _end_request(self, reply: Reply) -> None:
        """End the span of the request that is on its way, if there is one."""
        span, self._request = self._request, None
        if span is None:
            return
        around, self._around = self._around, self._context
        latest, stream = self._to.latest, self._stream
        if span.is_recording():
            attributes = dict(conventions.of_request(self._body, stream=stream, latest=latest))
            attributes.update(conventions.of_reply(reply, self._head))
            if self._usage is not None:
                attributes.update(conventions.of_usage(self._usage, latest=latest))
            attributes["instructor.cause"] = self._cause
            attributes["instructor.request"] = self._report.attempts
            fault = self._fault or reply.broke
            if fault is not None:
                attributes["error.type"] = type(fault).__qualname__
                span.set_status(Status(StatusCode.ERROR, type(fault).__qualname__))
            if self._to.content:
                self._write_content(attributes, reply, around)
            span.set_attributes(attributes)
        span.end()

    def _write_content(self, attributes: dict[str, Any], reply: Reply, context: Any) -> None:
        if self._to.latest:
            attributes.update(conventions.content_of(self._body, self._turns_key, reply))
            return
        system = conventions.identity(self._binding.provider, {}, None, latest=False)["gen_ai.system"]
        for name, body in conventions.events_of_content(self._body, self._turns_key, reply):
            self._to.event(name, _INFO, {"gen_ai.system": system}, body, context)

    def _end(self, error: Exception | None, seconds: float) -> None:
        """End the span of the call. `seconds` are from its first item to its last."""
        self._end_request(_UNKNOWN)
        span = self._span
        if span.is_recording():
            if error is not None:
                span.set_status(Status(StatusCode.ERROR, type(error).__qualname__))
                span.set_attribute("error.type", type(error).__qualname__)
            span.set_attributes(self._attributes())
        if gaps := sum(self._gaps):
            self._to.interval.record(seconds / gaps, {"instructor.type": self._type}, self._context)
        span.end()

    def _attributes(self) -> dict[str, Any]:
        report = self._report
        usage = report.usage
        found: dict[str, Any] = {
            "instructor.mode": self._mode.value,
            "instructor.stream": self._stream,
            "instructor.complete": report.complete,
            "instructor.requests": report.attempts,
            "instructor.items.good": report.good,
            "instructor.usage.input_tokens": usage.input_tokens,
            "instructor.usage.output_tokens": usage.output_tokens,
        }
        seldom = {
            "instructor.items.bad": report.bad,
            "instructor.items.repaired": report.repaired,
            "instructor.items.dropped": report.dropped_repeats,
            "instructor.items.mended": report.mended,
            "instructor.cached": report.cached,
            "instructor.usage.estimated": not usage.exact,
            "instructor.events.left_out": max(self._events - MOST_EVENTS, 0),
        }
        found.update({name: value for name, value in seldom.items() if value})
        if report.time_to_first_item is not None:
            found["instructor.time_to_first_item"] = report.time_to_first_item
        if any(self._gaps):
            found["instructor.items.interval.counts"] = self._gaps
            found["instructor.items.interval.bounds"] = BOUNDS
        return found


def type_name(output: Output) -> str:
    """Return the name of the type of an answer, or of its items."""
    return str(getattr(output.kind, "__name__", output.name))


def _errors(error: Exception, *, content: bool) -> list[str]:
    """Return what is wrong with an item. Messages may have words of the model's: they are content."""
    if content:
        return format_errors(error)
    if not isinstance(error, ValidationError):
        return [type(error).__qualname__]
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    return [f"{fault['type']} @ {'.'.join(['$', *map(str, fault['loc'])])}" for fault in faults]


def _leave(token: Any, expected: Any) -> None:
    """Restore the context that was current before. One that is no longer current was left by another thread or task."""
    if token is not None and contexts.get_current() is expected:
        contexts.detach(token)
