"""Bytes of an event stream in, the data of its events out.

This file does not know what the data means. The names of events are not handed on: every wire that is read here repeats
them inside its JSON.
"""

from __future__ import annotations

import re

_BOM = b"\xef\xbb\xbf"
_DATA = re.compile(rb"^data(?:: ?(.*))?$", re.MULTILINE)


class EventStream:
    """Cuts a `text/event-stream` into the data of its events, however the bytes are cut."""

    __slots__ = ("_begun", "_pieces", "_return")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []  # of events that are not complete yet, with "\n" as the only line end
        self._begun = False
        self._return = False  # the last byte was a "\r": a "\n" right after it belongs to it

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes; give the data of each event that they complete. Events with empty data tell nothing: left out."""
        if b"\r" in data or self._return:
            data = self._plain(data)
        pieces = self._pieces
        if self._begun and not pieces and data.endswith(b"\n\n"):  # nearly always
            if data.find(b"\n") == len(data) - 2 and data.startswith(b"data: "):
                return [data[6:-2]]
            return _events(data)
        # A blank line ends events; it may lie across the seam between two reads.
        cut = data.rfind(b"\n\n") + 2
        if cut == 1:
            if not (pieces and data[:1] == b"\n" and pieces[-1][-1:] == b"\n"):
                if data:
                    pieces.append(data)
                return []
            cut = 1
        head = data[:cut]
        if pieces:
            pieces.append(head)
            head = b"".join(pieces)
            self._pieces = pieces = []
        if cut < len(data):
            pieces.append(data[cut:])
        if not self._begun:
            self._begun = True
            head = head.removeprefix(_BOM)
        return _events(head)

    def _plain(self, data: bytes) -> bytes:
        if self._return and data:
            data = data.removeprefix(b"\n")
            self._return = False
        if data:
            self._return = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _events(block: bytes) -> list[bytes]:
    """Read whole events. Nearly all streams are `data: ...`, blank line, `data: ...`, ...: two calls split those."""
    if block.startswith(b"data: "):
        events = block[6:-2].split(b"\n\ndata: ")
        if block.count(b"\n") == 2 * len(events):
            return events if b"" not in events else [event for event in events if event]
    found = []
    for event in block.split(b"\n\n"):
        lines = _DATA.findall(event)
        if len(lines) > 1:
            found.append(b"\n".join(lines))
        elif lines and lines[0]:
            found.append(lines[0])
    return found
