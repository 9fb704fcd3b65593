"""Halves of characters: joined where both came, shown as unreadable where one stays alone, however texts are cut."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import jiter
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from instructor.core.events import EventReader, read_json, without_halves
from instructor.core.types import TEXT, Delta, Json, Outcome
from instructor.providers.openai.chat import OpenAIChat

EMOJI = "\U0001f600"
UNITS = st.text(st.sampled_from('ab"\\é\ud83d\ude00'), max_size=12)


class Waiting:
    """A sink that waits for nothing."""

    waits_for = ""
    doubted = 0
    started = closed = True
    looked = 0

    def feed(self, deltas: Sequence[Delta]) -> list[Outcome]:
        return []

    def close(self, *, ended: bool = True) -> list[Outcome]:
        return []


def in_utf16(text: str) -> str:
    """Return a text of whole characters as its halves."""
    return "".join(chr(int.from_bytes(pair, "little")) for pair in _pairs(text.encode("utf-16-le")))


def _pairs(data: bytes) -> list[bytes]:
    return [data[at : at + 2] for at in range(0, len(data), 2)]


def seen(text: str) -> str:
    """Return what is to be read of a text with halves in it."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def read(texts: list[str], *, channel: int = TEXT, together: int = 1, as_bytes: bool = True) -> str:
    reading, found = EventReader(OpenAIChat("openai"), Waiting(), joined=True), list[Delta]()
    events: list[Json] = [_event(text, channel) for text in texts]
    for at in range(0, len(events), together):
        part = events[at : at + together]
        reading.read([json.dumps(event).encode() for event in part] if as_bytes else part, found)
    return "".join(delta.text for delta in found if delta.channel == channel)


def _event(text: str, channel: int) -> Json:
    said: Json = {"content": text}
    if channel != TEXT:
        said = {"tool_calls": [{"index": channel, "function": {"arguments": text}}]}
    return {"choices": [{"index": 0, "delta": said}]}


@settings(max_examples=200, deadline=None)
@given(data=st.data(), text=st.text(st.sampled_from(f'ab"\\é{EMOJI}'), max_size=12))
def test_halves_are_joined_however_a_text_is_cut(data: st.DataObject, text: str) -> None:
    halves = in_utf16(text)
    at = sorted(data.draw(st.lists(st.integers(0, len(halves)), max_size=6)))
    texts = [halves[a:b] for a, b in zip([0, *at], [*at, len(halves)], strict=True)]
    options: dict[str, Any] = {
        "together": data.draw(st.integers(1, 3)),
        "channel": data.draw(st.sampled_from([TEXT, 0, 2])),
    }
    assert read([*texts, "."], **options, as_bytes=data.draw(st.booleans())) == text + "."


@settings(max_examples=200, deadline=None)
@given(st.lists(UNITS, max_size=6))
@example(["a", "b", "c\ud83d", "\ude00", "d", "e", "f"])
@example(["a", "b", "c\ud83d", "d", "\ude00", "e", "f"])
@example(["\ud83d", "\ud83d", "\ude00"])
def test_what_stays_alone_is_shown_as_unreadable(texts: list[str]) -> None:
    found = read([*texts, "."])
    assert found == seen("".join([*texts, "."]))
    found.encode()


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (rb'["\ud83d"]', ["\ufffd"]),
        (rb'["\ud83d\ude00"]', [EMOJI]),
        (rb'["\ude00\ud83d"]', ["\ufffd\ufffd"]),
        (rb'["\\ud83d"]', ["\\ud83d"]),
        (rb'["\\\ud83d\n"]', ["\\\ufffd\n"]),
        (rb'["\uD83Dx", "\u00e9"]', ["\ufffdx", "é"]),
        (rb'["\ud83d\u00e9"]', ["\ufffdé"]),
    ],
)
def test_a_body_without_halves(body: bytes, value: list[str]) -> None:
    assert jiter.from_json(without_halves(body)) == value


@given(st.lists(UNITS))
def test_any_body_can_be_read(texts: list[str]) -> None:
    body = json.dumps(texts).encode()
    assert jiter.from_json(without_halves(body)) == [seen(text) for text in texts]
    assert read_json(body) == json.loads(body)


def test_what_is_no_json_stays_none() -> None:
    for body in (b'{"a": "\\ud83d"', b"[" * 100_000, b"\xff", b""):
        with pytest.raises(ValueError, match="column"):
            read_json(body)
