"""What traces cost: calls and streams over a transport that answers at once, with traces on and off in turn.

Without HTTP, whose cost varies by more than a trace costs.
"""

from __future__ import annotations

import gc
import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import openai
from documents import document
from models import MESSAGES, MODEL
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from participants.bare import OPTIONS
from wire import cut

import instructor
from instructor import observe
from instructor.core.types import Received

_CALLS, _TURNS = 200, 9
_RIGHT = '{"name": "Ann", "age": 1}'


def _event(**delta: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": None if delta else "tool_calls"}
    return json.dumps({"id": "chatcmpl-1", "model": MODEL, "choices": [choice]}).encode()


def _call(arguments: str, name: str | None = None) -> list[dict[str, Any]]:
    return [{"index": 0, "id": "call_1", "function": {"name": name, "arguments": arguments}}]


class Canned:
    """The transport of a client, whose requests are answered without a network."""

    def __init__(self, transport: Any, replies: Callable[[], str], reads: Sequence[Sequence[bytes]]) -> None:
        self._transport, self._replies, self._reads = transport, replies, reads

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def send(self, _request: Any) -> Received:
        arguments = self._replies()
        called = {"tool_calls": _call(arguments, "User")} if arguments else {"content": "There is nobody."}
        message = {"role": "assistant", **called}
        choices = [{"index": 0, "message": message, "finish_reason": "tool_calls"}]
        usage = {"prompt_tokens": 100, "completion_tokens": 10}
        return Received({"id": "chatcmpl-1", "model": MODEL, "choices": choices, "usage": usage}, None, {})

    def open(self, _request: Any) -> Connection:
        return Connection(iter(self._reads))


class Connection:
    def __init__(self, reads: Iterator[Sequence[bytes]]) -> None:
        self._reads = reads
        self.headers: dict[str, str] = {}

    def read(self) -> Sequence[bytes] | None:
        return next(self._reads, None)

    def interrupt(self) -> bool:
        return True

    def close(self) -> None:
        """There is nothing to close."""


def traced(url: str, model: Any, **_: Any) -> Callable[[], dict[str, float]]:
    """Return what measures a call of one request, a request more (a re-ask), and an item, in microseconds."""
    client = instructor.from_openai(openai.OpenAI(base_url=url, **OPTIONS), model=MODEL)
    builder, replies = client._caller, iter("")
    text = document("users-1000")
    events = [_event(tool_calls=_call("", "IterableUser"))]
    events += [_event(tool_calls=[{"index": 0, "function": {"arguments": piece}}]) for piece in cut(text, 4)]
    events.append(_event())
    reads = [events[at : at + 16] for at in range(0, len(events), 16)]
    builder.transport = Canned(builder.transport, lambda: next(replies), reads)
    builder.binding = replace(builder.binding, transport=builder.transport)
    traces = TracerProvider()
    traces.add_span_processor(
        BatchSpanProcessor(InMemorySpanExporter(), 2**20, schedule_delay_millis=1e7, max_export_batch_size=2**20)
    )

    def calls(*each: str) -> Callable[[], None]:
        def run() -> None:
            nonlocal replies
            replies = iter(each * _CALLS)
            for _ in range(_CALLS):
                client.create(model, MESSAGES)

        return run

    def items() -> None:
        assert sum(1 for _ in client.create_iterable(MESSAGES, model)) == 1000

    def beyond(run: Callable[[], None], count: int) -> float:
        """Return what one of `count` costs more with traces on."""
        off, on = [], []
        for _ in range(_TURNS):
            observe.disable()
            off.append(spent(run))
            observe.enable(tracer_provider=traces)
            on.append(spent(run))
        observe.disable()
        return (statistics.median(on) - statistics.median(off)) / count * 1e6

    def measure() -> dict[str, float]:
        items()
        one, two = beyond(calls(_RIGHT), _CALLS), beyond(calls("", _RIGHT), _CALLS)
        return {"count": _CALLS, "call_us": one, "request_us": two - one, "item_us": beyond(items, 1000)}

    return measure


def spent(run: Callable[[], None]) -> float:
    """Return the CPU seconds that something takes."""
    gc.collect()
    begin = time.process_time()
    run()
    return time.process_time() - begin
