"""Halves of characters: JSON may hold one half of an emoji (`\\ud83d`), where a server has cut a text between tokens.

Python's own parser reads such texts, the quick one refuses them. Two halves that come one after the other are joined;
one that stays alone is written as the sign for what cannot be read, as browsers do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import jiter

from instructor.engine.call import Delta

_HALF = re.compile("[\ud800-\udfff]")
_FIRST = re.compile("[\ud800-\udbff]$")
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)


def read_json(data: bytes) -> Any:
    """Read JSON as the quick parser does, and also what it refuses and Python's own reads; otherwise a ValueError."""
    try:
        return jiter.from_json(data)
    except ValueError as error:
        try:
            return json.loads(data, strict=False)
        except (ValueError, RecursionError):
            raise error from None


def without_halves(body: bytes) -> bytes:
    """Write a JSON text so that the quick parser takes it: halves that are alone become the sign for what they are."""
    return _ESCAPE.sub(lambda escape: rb"\ufffd" if escape[1] else escape[0], body)


class Halves:
    """Joins the halves that lie in two deltas of one channel."""

    def __init__(self) -> None:
        self._waiting: dict[int, str] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def joined(self, deltas: Sequence[Delta]) -> list[Delta]:
        """Return the deltas with whole characters; a first half at the end of a text waits for the second one."""
        return [self._whole(delta) for delta in deltas]

    def _whole(self, delta: Delta) -> Delta:
        text = delta.text
        if text and delta.channel in self._waiting:
            text = self._waiting.pop(delta.channel) + text
        if _FIRST.search(text):
            self._waiting[delta.channel] = text[-1]
            text = text[:-1]
        call_id, name, refusal = (each and _mended(each) for each in (delta.id, delta.name, delta.refusal))
        reason = _mended(delta.reason)
        return delta._replace(text=_mended(text), id=call_id, name=name, refusal=refusal, reason=reason)


def _mended(text: str) -> str:
    if not _HALF.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
