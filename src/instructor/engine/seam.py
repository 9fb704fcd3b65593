"""The seam between a broken list and its continuation: where, and only where, an item may be a repeat.

A model that is asked to go on may begin with items that are there already: with the last ones, which it was shown, or
with the whole list once more. So the start of a continuation is compared with each *run* of items that ends at the end
of the list: from one of the last three on, or from the first. If the first one came wrong, an item that may be the
first one given again begins a run, too. The longest run that the continuation repeats is dropped. Equal items elsewhere
are real.

    the place holds    the continuation gives    it is
    a right item       an equal one              a repeat, and evidence for the run
    a right item       another right one         no repeat: the run is not repeated here
    a wrong item       a right one               the correction of that place, if there is evidence in the run
    a wrong item       the same text again       a repeat, and evidence for the run
    anything else                                a repeat, if there is evidence in the run

Items wait while all of them may be a repeat for which there is evidence. An item for which there is none yet is
delivered at once. If it proves to be the correction of a place, it moves there: nobody gets it twice. If the reply is
cut before anything is proven, it does not count as an item of the list until it comes again.

If the reply was cut inside of a run, the items that wait are dropped: they will be given again, for the next request
asks for what follows the last delivered item. If the reply ended there, they are real.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from instructor.engine.history import History, Item
from instructor.engine.ports import Bad, Good, Outcome

SHOWN = 3
"""How many of the last items a model is shown when it is asked to go on."""


class Correction(NamedTuple):
    """An item that is no new one, but what was wanted in the place of a wrong one."""

    place: int
    outcome: Outcome


class Moved(NamedTuple):
    """The items that were delivered last, as new ones, belong in these places."""

    places: Sequence[int]


class Unsure(NamedTuple):
    """Of the items that were delivered last, as new ones, so many may be repeats, and it will not be known."""

    many: int


Placed = Outcome | Correction | Moved | Unsure
"""What is known of an item; an outcome by itself is a new one."""


class _Run:
    """The items from a place to the end of the list."""

    __slots__ = ("likely", "proven", "start")

    def __init__(self, start: int) -> None:
        self.start = start
        self.proven = False
        """Whether an item came again, right or wrong, by its value or its text."""
        self.likely = True
        """Whether all that came is a repeat by what it says, or there is evidence for it."""

    def length(self, end: int) -> int:
        """How many items it has in a list of so many."""
        return end - self.start

    def goes_on(self, history: History, place: int, item: Item) -> bool:
        """Whether the run is still repeated by an item that stands for the one at `place`."""
        now, known = item.outcome, history.at(place)
        if known is None:  # the list is long, and this one of its items forgotten
            return self.proven
        was = known.outcome
        if type(now) is type(was):
            if item.equals(known):
                self.proven = self.likely = True
                return True
            if isinstance(now, Good):
                return False
        elif isinstance(was, Bad) and history.holds(item):
            return False  # it is another item, and no correction of this one
        self.likely = self.proven
        return True


class Seam:
    """Takes the first items of a continuation, and tells which of them are new. Where there was no list, all are."""

    def __init__(self, history: History, firsts: Iterable[int] = ()) -> None:
        """`firsts`: places of items that may be the first one, which came wrong, given once more."""
        self._history, self._end = history, history.count
        starts = {*range(self._end)[:1], *firsts, *range(self._end)[-SHOWN:]}
        self._runs = [_Run(start) for start in sorted(starts)]
        self._early: list[Outcome] = []  # delivered as new ones, without certainty
        self._held: list[Outcome] = []
        self._best: _Run | None = None  # the longest run that was repeated to its end
        self._places: list[set[int]] = []  # for each item, the places of those that it may be a repeat of
        self.dropped = 0

    @property
    def passed(self) -> bool:
        """Whether it is decided, so that all further items are new."""
        return not (self._runs or self._held)

    def take(self, outcomes: Sequence[Outcome]) -> Iterator[Placed]:
        """Yield what is known by now; each is to be carried out before the next is asked for."""
        for outcome in outcomes:
            if self.passed:
                yield outcome
            elif not self._waits(outcome):
                yield from self._decided(self._best)

    def close(self, *, ended: bool) -> Iterator[Placed]:
        """Decide, now that no more comes. `ended`: the list came to its end, and was not cut."""
        likely = [] if ended else [run for run in self._runs if run.likely]
        best = self._best
        if likely and best is None and len(likely) == 1:
            best = likely[0]
        elif likely:  # what is left over repeats a part of a longer run
            kept = best.length(self._end) - len(self._early) if best is not None else 0
            self.dropped += len(self._held) - kept
            del self._held[kept:]
        yield from self._decided(best)
        count = self._history.count - self._end
        sure = not self._early or count > len(self._early) or not self._places[count - 1]
        self._runs = []
        if not (ended or sure):
            yield Unsure(len(self._early))

    def doubts(self) -> dict[int, set[int]]:
        """Return the places of items that were delivered without certainty, and of those that they may stand for."""
        places = range(self._end, min(self._end + len(self._early), self._history.count))
        return {place: here for place, here in zip(places, self._places, strict=False) if here}

    def _waits(self, outcome: Outcome) -> bool:
        """Compare the next item; return whether it has to wait."""
        item, at = Item(outcome), len(self._early) + len(self._held)
        self._held.append(outcome)
        going = [run for run in self._runs if run.goes_on(self._history, run.start + at, item)]
        self._places.append({run.start + at for run in going})
        self._runs = []
        for run in going:
            if run.start + at + 1 < self._end:
                self._runs.append(run)
            elif run.likely:
                self._best = run  # a longer one than those before
        return any(run.likely for run in self._runs)

    def _decided(self, run: _Run | None) -> Iterator[Placed]:
        """Take what waits for a repeat of a run, as far as it goes; without one, all is new, so far."""
        held, self._held = self._held, []
        if run is None:
            self._early += held
            yield from held
            return
        self._runs = []
        places = range(run.start, self._end)
        if self._early and all(map(self._corrects, self._early, places)):
            self.dropped += sum(isinstance(each, Bad) for each in self._early)
            yield Moved(places[: len(self._early)])
        places = places[len(self._early) :]
        self._early = []
        for place, outcome in zip(places, held, strict=False):
            if isinstance(outcome, Good) and self._corrects(outcome, place):
                yield Correction(place, outcome)
            else:
                self.dropped += 1
        yield from held[len(places) :]

    def _corrects(self, outcome: Outcome, place: int) -> bool:
        """Whether an item that proved to stand for the one at a place takes nothing away if it goes there."""
        known = self._history.at(place)
        return isinstance(outcome, Bad) or (known is not None and isinstance(known.outcome, Bad))
