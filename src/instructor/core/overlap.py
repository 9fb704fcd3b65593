"""What came of a list so far: what repeats and corrections are compared with. Bounded, for a list may be endless."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

from instructor.core.types import Invalid, Outcome, Valid

FIRST, LAST = 64, 256
"""How many of the first and of the last items are known still, at least."""
_LATEST = 32
"""How many of the last items are known with their values, at least."""
_OFTEN = 64
"""After how many items those that are old are looked for: to look after each costs more than to add it."""
_GONE: Any = object()
"""Stands for a value that is not kept."""


class Item:
    """An outcome, and its text in a form that is the same for equal JSON values, written once and when needed."""

    __slots__ = ("_form", "outcome")

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self._form: str | None = None

    @property
    def form(self) -> str:
        """The text, however it was spaced and its keys were ordered; text that is no JSON stands for itself."""
        if self._form is None:
            text = self.outcome.text
            try:
                self._form = json.dumps(json.loads(text), sort_keys=True)
            except (ValueError, RecursionError):
                self._form = text.strip()
        return self._form

    def equals(self, other: Item) -> bool:
        """Return whether the values are equal, or the texts are: values with an id of their own never equal others."""
        one, two = self.outcome, other.outcome
        if one.tool != two.tool:
            return False
        return one.text == two.text or _equal_values(one, two) or self.form == other.form


class History:
    """The items of a list by index, the wrong ones included; of a long list only the first and the last.

    Of right items that are not among the latest only the text is kept: values are objects that the garbage collector
    would look through, again and again, and that users may want to be rid of.
    """

    def __init__(self) -> None:
        self.count = 0
        """How many items came."""
        self._first: list[Outcome | str] = []  # of a long list
        self._last: list[Outcome | str] = []
        self._start = 0  # the index of the first of the last
        self._items: dict[int, Item] = {}

    def add(self, outcome: Outcome) -> int:
        """Append an item; return its place."""
        index = self.count
        self.count = index + 1
        self._last.append(outcome)
        if not self.count % _OFTEN:
            self._forget()
        return index

    def _forget(self) -> None:
        """Keep only the texts of what is not among the latest, and only the first and the last items."""
        last, old = self._last, slice(-_LATEST - _OFTEN, -_LATEST)
        last[old] = [each.text if type(each) is Valid and not each.tool else each for each in last[old]]
        if (too_many := len(last) - LAST) > 0:
            self._first += last[: min(too_many, FIRST - len(self._first))]
            self._start += too_many
            del last[:too_many]
        self._items.clear()

    def _known(self, index: int) -> Outcome | str | None:
        if index >= self._start:
            return self._last[index - self._start] if index < self.count else None
        return self._first[index] if index < len(self._first) else None

    def put(self, index: int, outcome: Outcome) -> None:
        """Replace an item by its correction."""
        self._items.pop(index, None)
        if index >= self._start:
            self._last[index - self._start] = outcome
        elif index < len(self._first):
            self._first[index] = outcome

    def take_back(self) -> Outcome:
        """Remove the last item; return it."""
        self.count -= 1
        self._items.pop(self.count, None)
        return _outcome(self.count, self._last.pop())

    def at(self, index: int) -> Item | None:
        """Return the item at an index; None where it is not known any more."""
        if index not in self._items:
            known = self._known(index)
            if known is None:
                return None
            self._items[index] = Item(_outcome(index, known))
        return self._items[index]

    def last(self, most: int) -> list[Outcome]:
        """Return the last items, no more than `most`."""
        begin = max(self._start, self.count - most)
        return [_outcome(index, each) for index, each in enumerate(self._last[begin - self._start :], begin)]

    def indices(self, item: Item) -> list[int]:
        """Return the indices of the right items that equal this one."""
        known = chain(enumerate(self._first), enumerate(self._last, self._start))
        right = ((index, self.at(index)) for index, each in known if not isinstance(each, Invalid))
        return [index for index, each in right if each is not None and each.equals(item)]

    def holds(self, item: Item) -> bool:
        """Return whether a right item equals this one."""
        return bool(self.indices(item))


def _outcome(index: int, known: Outcome | str) -> Outcome:
    return Valid(index, _GONE, known) if isinstance(known, str) else known


def _equal_values(one: Outcome, two: Outcome) -> bool:
    if not (isinstance(one, Valid) and isinstance(two, Valid)) or type(one.value) is not type(two.value):
        return False
    if one.value is _GONE:
        return False
    try:
        return bool(one.value == two.value)
    except Exception:  # the user's own comparison fails: nothing says that they are equal
        return False


SHOWN = 3
"""How many of the last items a model is shown when it is asked to go on."""


@dataclass(frozen=True, slots=True)
class Correction:
    """An item that is no new one, but what was wanted in the place of a wrong one."""

    index: int
    outcome: Outcome


class Moved(NamedTuple):
    """The items that were delivered last, as new ones, belong at these indices."""

    indices: Sequence[int]


class Unsure(NamedTuple):
    """Of the items that were delivered last, as new ones, so many may be repeats, and it will not be known."""

    many: int


Placed = Outcome | Correction | Moved | Unsure
"""What is known of an item; an outcome by itself is a new one."""


class _Run:
    """The items from an index to the end of the list."""

    __slots__ = ("likely", "proven", "refuted", "start")

    def __init__(self, start: int) -> None:
        self.start = start
        self.proven = False
        """Whether an item came again, right or wrong, by its value or its text."""
        self.refuted = False
        """Whether an item came that stands for none of it: what came before repeats it no more."""
        self.likely = True
        """Whether all that came is a repeat by what it says, or there is evidence for it."""

    def length(self, end: int) -> int:
        """How many items it has in a list of so many."""
        return end - self.start

    def goes_on(self, history: History, index: int, item: Item) -> bool:
        """Return whether the run is still repeated by an item that stands for the one at `index`."""
        now, known = item.outcome, history.at(index)
        if known is None:  # the list is long, and this one of its items forgotten
            return self.proven
        was = known.outcome
        if type(now) is type(was):
            if item.equals(known):
                self.proven = self.likely = True
                return True
            if isinstance(now, Valid):
                return False
        elif isinstance(was, Invalid) and history.holds(item):
            return False  # it is another item, and no correction of this one
        self.likely = self.proven
        return True


class OverlapFilter:
    """Takes the first items of a continuation, and tells which of them are new. Where there was no list, all are."""

    def __init__(self, history: History, firsts: Iterable[int] = ()) -> None:
        """`firsts`: indices of items that may be the first one, which came wrong, given once more."""
        self._history, self._end = history, history.count
        starts = {*range(self._end)[:1], *firsts, *range(self._end)[-SHOWN:]}
        self._runs = [_Run(start) for start in sorted(starts)]
        self.compares = bool(self._runs)
        """Whether there is anything that an item of this reply may repeat."""
        self._early: list[Outcome] = []  # delivered as new ones, without certainty
        self._held: list[Outcome] = []
        self._best: _Run | None = None  # the longest run that was repeated to its end
        self._going: list[list[_Run]] = []  # for each item, the runs that it went on with
        self.dropped = 0

    @property
    def passed(self) -> bool:
        """Return whether it is decided, so that all further items are new."""
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
        sure = not self._early or count > len(self._early) or not self._indices(count - 1)
        self._runs = []
        if not (ended or sure):
            yield Unsure(len(self._early))

    def doubts(self) -> dict[int, set[int]]:
        """Return the indices of items that were delivered without certainty, and of those that they may stand for."""
        indices = range(self._end, min(self._end + len(self._early), self._history.count))
        found = {index: self._indices(index - self._end) for index in indices}
        return {index: here for index, here in found.items() if here}

    def _indices(self, which: int) -> set[int]:
        """Return the indices of the items that one of this reply may be a repeat of."""
        return {run.start + which for run in self._going[which] if not run.refuted}

    def _waits(self, outcome: Outcome) -> bool:
        """Compare the next item; return whether it has to wait."""
        item, at = Item(outcome), len(self._early) + len(self._held)
        self._held.append(outcome)
        going = []
        for run in self._runs:
            if run.goes_on(self._history, run.start + at, item):
                going.append(run)
            else:
                run.refuted = True
        self._going.append(going)
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
        indices = range(run.start, self._end)
        if self._early and all(map(self._corrects, self._early, indices)):
            self.dropped += sum(isinstance(each, Invalid) for each in self._early)
            yield Moved(indices[: len(self._early)])
        indices = indices[len(self._early) :]
        self._early = []
        for index, outcome in zip(indices, held, strict=False):
            if isinstance(outcome, Valid) and self._corrects(outcome, index):
                yield Correction(index, outcome)
            else:
                self.dropped += 1
        yield from held[len(indices) :]

    def _corrects(self, outcome: Outcome, index: int) -> bool:
        """Return whether an item that proved to stand for the one at an index takes nothing away if it goes there."""
        known = self._history.at(index)
        return isinstance(outcome, Invalid) or (known is not None and isinstance(known.outcome, Invalid))


class Matched(NamedTuple):
    """The answers with the indices that they correct, and by index those that are not believed yet."""

    corrections: list[tuple[int, Outcome]]
    repeats: dict[int, Item]


def match_corrections(
    wrong: Mapping[int, Invalid],
    answers: Sequence[Outcome],
    history: History,
    before: Mapping[int, Item],
    *,
    ended: bool,
) -> Matched:
    """Match answers with the wrong items, which were asked for in order.

    `before`: the answers that were not believed the last time. `ended`: no further answer was on its way.
    """
    requested = sorted(wrong)
    items = [Item(answer) for answer in answers]
    in_turn = list(zip(requested, items, strict=False))
    if len(items) > len(requested) or (len(items) < len(requested) and (ended or _all_wrong(items))):
        in_turn = []
    starts = len(items) <= history.count and _agree(items, history, 0)
    by_index = [(index, items[index]) for index in requested if index < len(items)] if starts else []
    again = bool(in_turn) and all(index in before and before[index].equals(item) for index, item in in_turn)
    if by_index and in_turn and not again:
        return Matched([], dict(in_turn))
    if by_index:
        return _without_repeats(by_index, wrong, history, before if len(items) == history.count else {})
    if in_turn and not again and _is_elsewhere(items, history):
        return Matched([], dict(in_turn))
    if starts and not all(len(history.indices(item)) > 1 for item in items):
        return Matched([], dict(in_turn))
    return _without_repeats(in_turn, wrong, history, before)


def _without_repeats(
    pairs: Sequence[tuple[int, Item]], wrong: Mapping[int, Invalid], history: History, before: Mapping[int, Item]
) -> Matched:
    """Leave out what equals another item, right or wrong, or the answer for another wrong text, if not said before."""
    found: list[tuple[int, Outcome]] = []
    corrected: dict[str, str] = {}  # the wrong text that each answer stands for
    repeats: dict[int, Item] = {}
    has_wrong = any(isinstance(item.outcome, Invalid) for _, item in pairs)
    wrong_forms = {Item(bad).form for bad in wrong.values()} if has_wrong else set()
    for index, item in pairs:
        text = wrong[index].text
        if isinstance(item.outcome, Valid):
            repeated = history.holds(item) or corrected.get(item.form, text) != text
        else:
            repeated = item.form in wrong_forms and item.form != Item(wrong[index]).form
        if repeated and not (index in before and before[index].equals(item)):
            repeats[index] = item
        else:
            found.append((index, item.outcome))
            corrected[item.form] = text
    return Matched(found, repeats)


def _all_wrong(items: Sequence[Item]) -> bool:
    return all(isinstance(item.outcome, Invalid) for item in items)


def _is_elsewhere(items: Sequence[Item], history: History) -> bool:
    """Return whether all may be a part of the list that has a wrong item in it, and so answer others than in turn."""
    first = next((at for at, item in enumerate(items) if history.holds(item)), None)
    if first is None:
        return False
    starts = [index - first for index in history.indices(items[first])]
    return any(start >= 0 and _agree(items, history, start) and _has_wrong(items, history, start) for start in starts)


def _agree(items: Sequence[Item], history: History, start: int) -> bool:
    """Return whether no item contradicts the list from an index on, and a right one agrees with it."""
    evidence = False
    for index, item in enumerate(items, start):
        known = history.at(index)
        if index >= history.count:
            return False
        if known is None or isinstance(known.outcome, Invalid) or isinstance(item.outcome, Invalid):
            continue
        if not item.equals(known):
            return False
        evidence = True
    return evidence


def _has_wrong(items: Sequence[Item], history: History, start: int) -> bool:
    known = [history.at(index) for index in range(start, start + len(items))]
    return any(item is not None and isinstance(item.outcome, Invalid) for item in known)
