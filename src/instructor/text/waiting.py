"""Text that waits: unread until something can be decided, or read as a part of what is not whole yet."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import NamedTuple


class Slice(NamedTuple):
    """The text of one item. `loose`: it is an object that stood by itself, in no list."""

    text: str
    loose: bool


AFRESH = Slice("", loose=True)
"""Stands in the place of an item where the text tells that all before was a thought."""


class Waiting(abc.ABC):
    """What a reader of items keeps."""

    __slots__ = ("_from", "_held", "_hold", "_pieces", "awaits", "edges", "looked")

    def __init__(self) -> None:
        self.looked = 0
        """Characters looked at: read by the scanner, and copied into slices."""
        self.edges: list[int] = []
        """Before which item of those that are given next, counted from 1, a wrapper's list opens; negative: it ends."""
        # Inside brackets nothing is decided before the closing one comes, inside a string nothing before a quote.
        # Chunks without it are kept unread: to start the scanner for four characters costs ten times as much.
        self.awaits = ""
        self._held: list[str] = []
        self._hold = self._held.append
        self._pieces: list[str] = []  # the unfinished item, as far as it lies in texts already read
        self._from = -1  # where it goes on in the text being read, or -1: nothing is being kept

    def feed(self, text: str) -> Sequence[Slice]:
        """Take text; give the items that it closes."""
        if self.awaits not in text:
            self._hold(text)
            return ()
        if self._held:
            self._hold(text)
            text = "".join(self._held)
            self._held.clear()
        return self._read(text)

    def close(self, *, ended: bool = True) -> list[Slice]:
        """Read what is left; return the items that the end of the text decides. `ended`: the text was not cut."""
        del ended
        held = "".join(self._held)
        self._held.clear()
        return self._read(held)

    @abc.abstractmethod
    def _read(self, text: str) -> list[Slice]: ...

    def _keep(self, place: int) -> None:
        """Begin to keep the text of an item, or of an object that may be one."""
        self._from, self._pieces = place, []

    def _cut(self, text: str, end: int) -> str:
        """Give what was kept, up to `end`."""
        cut = text[self._from : end]
        if self._pieces:
            self._pieces.append(cut)
            cut = "".join(self._pieces)
            self._pieces = []
        self._from = -1
        self.looked += len(cut)
        return cut
