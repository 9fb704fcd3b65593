"""Bytes of an event stream in, the data of its events out.

This file does not know what the data means, but for two things. An event that is named `error` is handed on as JSON
that says so, whatever its data is; the other names are not handed on, for every wire that is read here repeats them
inside its JSON. And where a server has forgotten what the format asks for (the word `data:`, the blank line after an
event), JSON that is whole is an event all the same.
"""

from __future__ import annotations

import json
import re
from typing import Any

from instructor.exceptions import EventTooLargeError

MOST = 64 << 20
"""How many bytes an event may have, unless the client says otherwise."""
BOM = b"\xef\xbb\xbf"
_DATA = re.compile(rb"^data(?:: ?(.*))?$", re.MULTILINE)
_ERROR = re.compile(rb"^event: ?error *$", re.MULTILINE)
_ERRORS_DATA = re.compile(rb"^error: ?(.*)$", re.MULTILINE)
_FIELD = re.compile(rb"^(?:data|event|id|retry|error)?:|^(?:data|event|id|retry)$", re.MULTILINE)
_DONE = b"[DONE]"


class EventStream:
    """Cuts a `text/event-stream` into the data of its events, however the bytes are cut.

    An EventTooLargeError tells of an event of more than `most` bytes, of which no more than that are kept.
    """

    __slots__ = ("_begun", "_bound", "_most", "_pieces", "_return", "_size")

    def __init__(self, most: int = MOST) -> None:
        self._bound = self._most = most  # the latter is negative when an event was longer
        self._pieces: list[bytes] = []  # of events that are not complete yet, with "\n" as the only line end
        self._size = 0  # of the pieces
        self._begun = False
        self._return = False  # the last byte was a "\r": a "\n" right after it belongs to it

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes, return the data of each event that they complete. Events with empty data are left out."""
        if b"\r" in data or self._return:
            data = self._plain(data)
        pieces, size = self._pieces, len(data)
        if self._begun and not pieces and data.endswith(b"\n\n") and size <= self._most:  # nearly always
            if data.find(b"\n") == size - 2 and data.startswith(b"data: "):
                return [data[6:-2]]
            return _events(data)
        # A blank line ends events; it may lie across the seam between two reads.
        cut = data.rfind(b"\n\n") + 2
        if cut == 1:
            if not (pieces and data[:1] == b"\n" and pieces[-1][-1:] == b"\n"):
                if data:
                    self._keep(data)
                return []
            cut = 1
        return self._ended(data[:cut], data[cut:])

    def end(self, *, lost: bool = False) -> list[bytes]:
        """Return what is there when the stream is over, or `lost`: whole JSON needs no blank line after it."""
        if self._most < 0:
            self._refuse()
        block = self._all()
        whole = [data for data in _events(block + b"\n\n", cut=True) if _is_whole(data)]
        if whole or lost or self._begun or not block.strip() or _FIELD.search(block):
            return whole
        return [block.strip()]  # no event stream at all: whoever reads it says so

    def _ended(self, head: bytes, rest: bytes) -> list[bytes]:
        """Read events that are complete, and keep what comes after them."""
        if self._most < 0:
            self._refuse()
        if self._pieces:
            self._pieces.append(head)
            head = self._all()
        if not self._begun:
            self._begun = True
            head = head.removeprefix(BOM)
        if len(head) > self._most:
            events = head.split(b"\n\n")
            within = next((at for at, event in enumerate(events) if len(event) > self._most), len(events))
            if within < len(events):
                head, rest = b"\n\n".join([*events[:within], b""]), events[within]
        found = _events(head) if head else []
        if rest:
            self._keep(rest, refuse=not found)
        return found

    def _keep(self, data: bytes, *, refuse: bool = True) -> None:
        self._size += len(data)
        if self._size <= self._most:
            self._pieces.append(data)
        elif refuse:
            self._refuse()
        else:  # the events before it are to be read first
            self._most = -1

    def _all(self) -> bytes:
        block = b"".join(self._pieces)
        self._pieces, self._size = [], 0
        return block if self._begun else block.removeprefix(BOM)

    def _refuse(self) -> None:
        self._pieces, self._size, self._most = [], 0, -1
        raise EventTooLargeError(
            f"An event of the stream must be at most {self._bound} bytes, got more: max_event_bytes= sets the bound."
        )

    def _plain(self, data: bytes) -> bytes:
        if self._return and data:
            data = data.removeprefix(b"\n")
            self._return = False
        if data:
            self._return = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _events(block: bytes, *, cut: bool = False) -> list[bytes]:
    """Read whole events; `cut`: the last one may not be whole.

    Nearly all streams are `data: ...`, blank line, `data: ...`, ...: two calls split those.
    """
    if block.startswith(b"data: "):
        events = block[6:-2].split(b"\n\ndata: ")
        if block.count(b"\n") == 2 * len(events):
            return events if b"" not in events else [event for event in events if event]
    found: list[bytes] = []
    for event in block.split(b"\n\n"):
        lines = _DATA.findall(event)
        if b"error" in event and _ERROR.search(event):
            found.append(_error(b"\n".join(lines)))
        elif len(lines) > 1:
            found += _several(lines, cut)
        elif lines:
            if lines[0]:
                found.append(lines[0])
        elif b"{" in event or b"error" in event:
            found += _unmarked(event)
    return found


def _several(lines: list[bytes], cut: bool) -> list[bytes]:
    """Read an event of several lines: one, or as many as there are lines, where each by itself is whole."""
    last = len(lines) - cut
    if all(map(_is_whole, lines[:last])):
        return lines[:last] + [line for line in lines[last:] if _is_whole(line)]
    return [b"\n".join(lines)]


def _unmarked(event: bytes) -> list[bytes]:
    """Read JSON that no `data:` stands before: over all lines or one in each, and what is called an error."""
    if _is_object(event):
        return [event.strip()]
    errors = [_error(data) for data in _ERRORS_DATA.findall(event)]
    return errors or [line for line in event.split(b"\n") if _is_object(line)]


def _error(data: bytes) -> bytes:
    """Write what an event named `error` says as the JSON of an error."""
    report = _read(data)
    if isinstance(report, dict) and "error" in report:
        return json.dumps({"type": "error", **report}).encode()
    if isinstance(report, dict) and report.get("type") == "error":
        return data
    words = data.decode("utf-8", "replace") or "an error without words"
    return json.dumps({"type": "error", "error": report or words}).encode()


def _is_whole(data: bytes) -> bool:
    return data == _DONE or _is_object(data)


def _is_object(data: bytes) -> bool:
    return data.strip()[:1] == b"{" and isinstance(_read(data), dict)


def _read(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None
