"""The reading of events: the short way says what the long way says, and what is held back decides nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instructor.core.events import EventReader
from instructor.core.types import TEXT, Delta, Json, Outcome
from instructor.exceptions import ResponseParsingError
from instructor.providers.openai.chat import OpenAIChat

FRAMES: tuple[Json, ...] = (
    {"id": "c", "choices": [{"index": 0, "delta": {"content": "@"}, "finish_reason": None}]},
    {"id": "c", "choices": [{"index": 0, "delta": {"content": "@"}, "finish_reason": None}], "obfuscation": "#"},
    {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": "@"}}]}}], "created": 1},
    {"choices": [{"delta": {"tool_calls": [{"index": 1, "function": {"arguments": "@"}}]}}], "created": 1},
    {"choices": [{"delta": {"content": "@", "role": "assistant"}}]},
    {"choices": [{"delta": {"content": "x", "refusal": "@"}}]},
    {"choices": [{"delta": {"content": "@"}, "finish_reason": "stop"}]},
    {"id": "c", "choices": [{"index": 0, "delta": {"content": "@"}, "finish_reason": "ab"}]},
    {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}},
)
TEXTS = st.sampled_from(["", "a", '"', "\\", '{"n": ', "}", '"},"finish_reason":"stop"', "é\U0001f3f0", "\n", "x" * 50])


def event(frame: Json, text: str, padding: str, *, dense: bool) -> bytes:
    filled = json.dumps(frame).replace('"@"', json.dumps(text)).replace('"#"', json.dumps(padding))
    return (json.dumps(json.loads(filled), separators=(",", ":"), ensure_ascii=False) if dense else filled).encode()


@st.composite
def streams(draw: st.DrawFn) -> list[bytes]:
    """Give a stream as streams are: long runs of one frame, now and then another."""
    found: list[bytes] = []
    for _ in range(draw(st.integers(1, 4))):
        frame, dense = draw(st.sampled_from(FRAMES)), draw(st.booleans())
        padded = draw(st.lists(st.tuples(TEXTS, st.sampled_from(["", "p", "xY9", 'q"'])), max_size=8))
        found += [event(frame, text, padding, dense=dense) for text, padding in padded]
    return found


def told(deltas: Sequence[Delta]) -> list[Any]:
    """Give what deltas tell, however neighbouring texts are cut."""
    found: list[Any] = []
    for delta in deltas:
        if delta == Delta(delta.channel, ""):
            continue
        if found and all(each == Delta(delta.channel, each.text) for each in (found[-1], delta)):
            found[-1] = Delta(delta.channel, found[-1].text + delta.text)
        else:
            found.append(delta)
    return found


class Waiting:
    """A sink that waits for a brace."""

    waits_for = "}"
    doubted = 0
    started = closed = True
    looked = 0

    def feed(self, deltas: Sequence[Delta]) -> list[Outcome]:
        return []

    def close(self, *, ended: bool = True) -> list[Outcome]:
        return []


@settings(max_examples=300, deadline=None)
@given(streams(), st.integers(1, 5), st.booleans(), st.booleans())
def test_the_short_way_reads_what_the_long_way_reads(
    events: list[bytes], together: int, joined: bool, holding: bool
) -> None:
    dialect = OpenAIChat("openai")
    expected = [delta for each in events for delta in dialect.delta(json.loads(each))]
    reading, found = EventReader(dialect, Waiting(), joined=joined), list[Delta]()
    for at in range(0, len(events), together):
        read = events[at : at + together]
        if holding and reading.buffer(read):
            assert all(b"}" not in delta.text.encode() for each in read for delta in dialect.delta(json.loads(each)))
            continue
        reading.read(read, found)
    reading.flush(found)
    assert told(found) == told(expected)
    if not joined and not holding:
        assert [delta for delta in found if delta.text] == [delta for delta in expected if delta.text]


def test_a_bad_event_lets_those_before_it_count() -> None:
    reading, found = EventReader(OpenAIChat("openai"), Waiting(), joined=True), list[Delta]()
    good = [event(FRAMES[0], text, "", dense=True) for text in "abcd"]
    with pytest.raises(ResponseParsingError, match="not JSON"):
        reading.read([*good, b'{"choices": [{"delta": {"content": "e'], found)
    assert "".join(delta.text for delta in found) == "abcd"
    assert found[-1].channel == TEXT


def test_runs_without_end_are_not_held_back_for_ever() -> None:
    reading = EventReader(OpenAIChat("openai"), Waiting(), joined=True)
    reading.read([event(FRAMES[0], text, "", dense=True) for text in "ab"], [])
    held = [reading.buffer([event(FRAMES[0], " ", "", dense=True)]) for _ in range(100)]
    assert held[0]
    assert not all(held)


class Own:
    """A dialect in which a string may mean more than its text."""

    sees_all = False

    def reader(self) -> Any:
        return self.delta

    def delta(self, event: Json) -> Sequence[Delta]:
        kind, text = event["kind"], event["text"]
        if kind == "silent":
            return ()
        return (Delta(TEXT, json.dumps(text) if isinstance(text, dict) else text * 2 if kind == "twice" else text),)


def both_ways(kinds_and_texts: Sequence[tuple[str, Any]]) -> tuple[str, str]:
    """Read events of one's own by the short way, and by the dialect alone."""
    dialect: Any = Own()
    events = [{"text": text, "kind": kind, "end": None} for kind, text in kinds_and_texts]
    found: list[Delta] = []
    reading = EventReader(dialect, Waiting(), joined=True)
    reading.read([json.dumps(each).encode() for each in events], found)
    return "".join(d.text for d in found), "".join(d.text for each in events for d in dialect.delta(each))


@pytest.mark.parametrize(
    "events",
    [
        [("plain", "a"), ("plain", "b"), ("plain", {"c": 1}), ("plain", "d")],
        [("twice", "a"), ("twice", "b"), ("twice", "c")],
        [("plain", "a"), ("other", "b"), ("silent", "c"), ("plain", "d")],
        [("plain", "a"), ("plain", "a"), ("plain", "b"), ("silent", "c"), ("twice", "d"), ("plain", "")],
    ],
)
def test_nothing_is_taken_for_a_text_that_is_none(events: list[tuple[str, Any]]) -> None:
    short, long = both_ways(events)
    assert short == long
