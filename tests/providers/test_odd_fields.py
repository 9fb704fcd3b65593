"""Any field of a chunk or a response may be odd: it is passed over, or told by an error of this library's own."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from instructor import providers
from instructor.core.events import EventReader, ResponseAccumulator, spent
from instructor.core.types import Call, Delta, Dialect, Json, Request
from instructor.exceptions import ProviderError, ResponseParsingError
from instructor.mode import Mode
from instructor.outputs import list_for
from instructor.usage import Usage

pytestmark = pytest.mark.slow

ODD: tuple[Any, ...] = (
    None, True, 0, 5, -1, 1.5, 1e400, "", "x", "7", [], {}, [None], ["x"], [[]], {"a": 1}, {"message": None}, "\ud83d",
)  # fmt: skip
CALL = {"index": 0, "id": "call_a", "type": "function", "function": {"name": "Iterableint", "arguments": "[1, 2]"}}
USAGE = {
    "prompt_tokens": 3,
    "completion_tokens": 2,
    "total_tokens": 5,
    "prompt_tokens_details": {"cached_tokens": 1},
    "completion_tokens_details": {"reasoning_tokens": 1},
}
SAID = {"role": "assistant", "content": [{"type": "text", "text": "a"}], "refusal": None, "tool_calls": [CALL]}
CHUNK = {
    "id": "c",
    "object": "chat.completion.chunk",
    "choices": [{"index": 0, "delta": SAID, "finish_reason": "tool_calls", "logprobs": None}],
    "usage": USAGE,
    "error": None,
    "x_groq": {"usage": USAGE},
    "base_resp": {"status_code": 0, "status_msg": ""},
}
WHOLE = {**CHUNK, "choices": [{"index": 0, "message": SAID, "finish_reason": "tool_calls"}]}
OLDER = {**CHUNK, "choices": [{"index": 0, "delta": {"function_call": CALL["function"]}, "finish_reason": "stop"}]}
NAMES = ("openai", "groq", "together")


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    for key, part in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from paths(part, (*path, key))


def odd_ones(event: Json) -> Iterator[Any]:
    """Give an event with each of its parts, and the whole of it, replaced by each odd value, or left out."""
    for path in paths(event):
        for odd in ODD:
            if not path:
                yield odd
                continue
            made = copy.deepcopy(event)
            *above, last = path
            inner: Any = made
            for key in above:
                inner = inner[key]
            inner[last] = odd
            yield made
        if path and isinstance(path[-1], str):
            made = copy.deepcopy(event)
            inner = made
            for key in path[:-1]:
                inner = inner[key]
            del inner[path[-1]]
            yield made


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("event", [CHUNK, OLDER, WHOLE], ids=["chunk", "older", "whole"])
def test_a_stream_with_an_odd_field(name: str, event: Json) -> None:
    dialect: Dialect = providers.load(name).wire.dialect
    output = list_for(int)
    call = Call([], output, Mode.TOOLS, stream=True)
    tried = 0
    for odd in odd_ones(event):
        sink, found, gathered = output.parser(call), list[Delta](), ResponseAccumulator()
        events = [odd, event, odd]
        for form in (events, [json.dumps(each).encode() for each in events]):
            if form is events and not all(isinstance(each, dict) for each in form):
                continue  # the transports of SDKs give objects
            with contextlib.suppress(ProviderError, ResponseParsingError):
                EventReader(dialect, sink, joined=True).read(form, found)
            gathered.add(found)
            reply = gathered.reply()
            assert isinstance(spent(Request({}), 1, reply.usage), Usage)
            json.dumps(dialect.assemble(reply, {}), ensure_ascii=False).encode()
            sink.feed(found)
            sink.close(ended=False)
        tried += 1
    assert tried > 300


@pytest.mark.parametrize("name", NAMES)
def test_a_response_with_an_odd_field(name: str) -> None:
    dialect: Dialect = providers.load(name).wire.dialect
    for odd in odd_ones(WHOLE):
        if not isinstance(odd, dict):
            continue
        try:
            reply = dialect.decode(odd)
        except (ProviderError, ResponseParsingError):
            continue
        assert isinstance(spent(Request({}), 1, reply.usage), Usage)
        json.dumps(dialect.assemble(reply, {}))
