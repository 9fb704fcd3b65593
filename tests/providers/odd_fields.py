"""Every field of an event, replaced by what no provider should send and some do."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

ABSENT = object()
ODD = {"absent": ABSENT, "null": None, "number": 5, "list": [], "list of null": [None], "text": "x", "object": {}}


def mutations(event: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Give an event with each of its fields, however deep, replaced by each odd value, one at a time."""
    fields = event.items() if isinstance(event, dict) else enumerate(event) if isinstance(event, list) else ()
    for key, value in fields:
        for name, odd in ODD.items():
            changed = copy.copy(event)
            if odd is not ABSENT:
                changed[key] = odd
            elif isinstance(event, dict):
                del changed[key]
            else:
                continue
            yield f"{'.'.join(map(str, (*path, key)))} {name}", changed
        for label, inner in mutations(value, (*path, key)):
            changed = copy.copy(event)
            changed[key] = inner
            yield label, changed


def scripts(events: list[Any]) -> Iterator[tuple[str, list[Any]]]:
    """Give a script of events with one field of one event replaced."""
    for at, event in enumerate(events):
        for label, changed in mutations(event):
            yield f"{at}.{label}", [*events[:at], changed, *events[at + 1 :]]
