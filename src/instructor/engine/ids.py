"""Ids and names of tool calls as every wire takes them, for calls that are sent back: the one place that makes ids."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from instructor.engine.call import ToolCall

_KEYS = ("id", "call_id", "tool_call_id", "tool_use_id", "toolUseId")
"""Where the wires have the ids of a conversation's calls."""
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]")


def identified(calls: Iterable[ToolCall], taken: Iterable[str] = ()) -> list[ToolCall]:
    """Return the calls, each with an id of its own: those that have none, or one that is taken, get a new one.

    A new id is nine letters and digits, because one wire takes no other; all others take those, too.
    """
    used, found, number = set(taken), list[ToolCall](), 0
    calls = list(calls)
    given = {call.id for call in calls}
    for call in calls:
        call_id = call.id
        while not call_id or call_id in used:
            number += 1
            call_id = f"call{number:05}"
            if call_id in given:
                call_id = ""
        used.add(call_id)
        found.append(call if call_id == call.id else call._replace(id=call_id))
    return found


def presentable(calls: Sequence[ToolCall], conversation: Any) -> list[ToolCall]:
    """Return the calls as they can be sent after a conversation: with ids of their own, and with names that fit."""
    named = [call._replace(name=_NOT_IN_NAMES.sub("_", call.name)[:64] or "unnamed") for call in calls]
    return identified(named, _ids(conversation))


def _ids(part: Any) -> Iterator[str]:
    if isinstance(part, (list, tuple)):
        for each in part:
            yield from _ids(each)
    elif isinstance(part, Mapping):
        for key, value in part.items():
            if key in _KEYS and isinstance(value, str):
                yield value
            elif not isinstance(value, str):
                yield from _ids(value)
