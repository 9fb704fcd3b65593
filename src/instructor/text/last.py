"""One list out of a text that came whole and may hold several: drafts, examples, and the answer."""

from __future__ import annotations

from instructor.text.items import Items
from instructor.text.scan import Prose
from instructor.text.waiting import Slice


class _Fences(Prose):
    """Tells whether the prose before a bracket opened a fence."""

    __slots__ = ("fenced",)

    def __init__(self) -> None:
        super().__init__()
        self.fenced = False

    def _read(self, text: str, place: int, end: int) -> None:
        super()._read(text, place, end)
        if text.count("```", place, end) % 2:
            self.fenced = not self.fenced


class LastList(Items):
    """Cuts the items out of the likeliest list: in a fence before others, in a wrapper before others, then the last.

    The text comes in one piece, and without thoughts. Objects that stand by themselves count if there is no list.
    """

    __slots__ = ("_rank", "_worse")

    def __init__(self, opens: str, rivals: frozenset[str]) -> None:
        super().__init__(opens=opens, rivals=rivals)
        self._prose: _Fences = _Fences()
        self._rank = self._worse = -1  # the best list so far; where the items of one that is worse begin

    def _like(self) -> LastList:
        return type(self)("".join(self._opens), self._rivals)

    def _start_afresh(self) -> None:
        self._out.clear()
        self._rank = self._worse = -1
        self._prose.fenced = False
        super()._start_afresh()

    def _believe(self) -> None:
        rank = 2 * self._prose.fenced + self._wrapped
        if rank >= self._rank:
            self._rank = rank
            self._out.clear()
        else:
            self._worse = len(self._out)
        super()._believe()

    def _leave_list(self) -> None:
        super()._leave_list()
        if self._worse >= 0:
            del self._out[self._worse :]
            self._worse = -1

    def _read(self, text: str) -> list[Slice]:
        out = super()._read(text)
        self.edges.clear()  # one list counts: none is a repeat of another
        return out

    def _stood_alone(self, text: str, end: int) -> None:
        super()._stood_alone(text, end)
        if self.listed and self._fresh:
            del self._out[-1]
