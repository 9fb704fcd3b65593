"""Conversations that are refused on the wires whose turns are lists of blocks: blank texts, calls without results.

Each wire reads its messages as `Turn` and `Part`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from instructor.testing.replies import Json


class Part(NamedTuple):
    """A block: a text, a call, the result of one, or another thing."""

    kind: str
    id: str = ""
    text: str = ""
    wrong: str = ""
    """What is wrong with it by itself."""


class Turn(NamedTuple):
    """What one side says."""

    ours: bool
    parts: Sequence[Part]


def refused(turns: Sequence[Turn], *, ids: str, alternate: bool = False) -> str:
    """Return what is wrong with a conversation; `ids`: the pattern of calls' ids, `alternate`: no side speaks twice."""
    if turns and not turns[0].ours:
        return "a conversation must start with a user message"
    for at, turn in enumerate(turns):
        if not turn.parts:
            return f"messages.{at}: a message must have content"
        wrong = next(filter(None, (_wrong(part, ids) for part in turn.parts)), "")
        if wrong:
            return f"messages.{at}: {wrong}"
        if alternate and at and turn.ours == turns[at - 1].ours:
            return f"messages.{at}: roles must alternate between user and assistant"
    return _unanswered(_joined(turns))


def blank(texts: Iterable[Any]) -> str:
    """Return an error if one of the texts is blank."""
    return "" if all(isinstance(text, str) and text.strip() for text in texts) else "text blocks must not be blank"


def _wrong(part: Part, ids: str) -> str:
    if part.wrong:
        return part.wrong
    if part.kind == "text":
        return blank([part.text])
    if part.kind in ("call", "result") and not re.fullmatch(ids, part.id):
        return f"the id of a call must match {ids!r}, got {part.id!r}"
    return ""


def _joined(turns: Sequence[Turn]) -> list[Turn]:
    """Join consecutive turns of one side."""
    joined: list[Turn] = []
    for turn in turns:
        if joined and joined[-1].ours == turn.ours:
            turn = Turn(turn.ours, [*joined.pop().parts, *turn.parts])
        joined.append(turn)
    return joined


def _unanswered(turns: Sequence[Turn]) -> str:
    """Return which call has no result in the turn after it, or which result no call in the turn before it."""
    calls: list[str] = []
    for at, turn in enumerate(turns):
        results = [part.id for part in turn.parts if part.kind == "result"]
        if sorted(results) != sorted(calls):
            return f"messages.{at}: the results must be those of the calls before, {calls}, got {results}"
        if any(part.kind != "result" for part in turn.parts[: len(results)]):
            return f"messages.{at}: results must come before all else"
        calls = [part.id for part in turn.parts if part.kind == "call"]
        if len(set(calls)) < len(calls):
            return f"messages.{at}: ids of calls must be unique, got {calls}"
    return f"the calls {calls} have no results" if calls else ""


def as_call(use: Any, id_key: str) -> Part:
    """Read a call."""
    call = use if isinstance(use, Mapping) else {}
    wrong = "" if re.fullmatch("[a-zA-Z0-9_-]{1,128}", str(call.get("name"))) else f"no name of a tool in {use!r}"
    if not isinstance(call.get("input"), Mapping):
        wrong = f"the input of a call must be an object, got {call.get('input')!r}"
    return Part("call", str(call.get(id_key)), wrong=wrong)


def nulls(block: Json) -> str:
    """Return an error if a field of a block is null."""
    found = [name for name, value in block.items() if value is None]
    return f"{found[0]}: must not be null" if found else ""
