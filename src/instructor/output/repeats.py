"""The same list, sent twice: some servers close a stream of arguments with all of them once more.

Within one call or text a second wrapper whose items are the first one's, all of them and no other, is a repeat. One
that differs anywhere is a list of its own, as models write them: so its items wait as long as they are the same. Texts
are compared by their hashes, for to keep the texts of a list costs more than to read it.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from instructor.text.waiting import Slice

MOST = 10_000
"""Items of the first wrapper that are known, about. Of a longer list no repeat is known."""


class Repeats:
    """Leaves the repeats out of the items of one channel."""

    def __init__(self) -> None:
        self.first = array("q")
        """The hashes of the first wrapper's items."""
        self.in_first = False
        """Whether the first wrapper is open: all that comes before it closes is new, and is to be noted in `first`."""
        self._wrappers = 0  # how many were opened
        self._held: list[Slice] = []  # the items of a further wrapper, the same so far
        self._alike = False

    def without(self, slices: Sequence[Slice], edges: list[int]) -> Sequence[Slice]:
        """Return the items that are certain to be no repeat; `edges`: before which of them a wrapper opens or ends."""
        found: list[Slice] = []
        at = 0
        for edge in edges:
            self._take(slices[at : abs(edge) - 1], found)
            at = abs(edge) - 1
            if edge > 0:
                self._open(found)
            else:
                self._leave(found)
        edges.clear()
        self._take(slices[at:], found)
        return found

    def rest(self) -> list[Slice]:
        """Return what waits when the text is over: it is no whole repeat."""
        held, self._held = self._held, []
        return held

    def _open(self, found: list[Slice]) -> None:
        found += self.rest()
        self._wrappers += 1
        self.in_first = self._wrappers == 1
        self._alike = self._wrappers > 1 and 0 < len(self.first) < MOST

    def _leave(self, found: list[Slice]) -> None:
        if len(self._held) < len(self.first):
            found += self._held
        self._held = []
        self.in_first = self._alike = False

    def _take(self, slices: Sequence[Slice], found: list[Slice]) -> None:
        if self.in_first and len(self.first) < MOST:
            self.first.extend(map(hash, slices))
        for at, item in enumerate(slices):
            if not self._alike:
                found += slices[at:]
                return
            place = len(self._held)
            self._held.append(item)
            if place == len(self.first) or hash(item) != self.first[place]:
                self._alike = False
                found += self.rest()
