"""What came of a list so far: what repeats and corrections are compared with. Bounded, for a list may be endless."""

from __future__ import annotations

import json
from itertools import chain
from typing import Any

from instructor.engine.ports import Bad, Good, Outcome

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
        """Whether the values are equal, or the texts are: values with an id of their own never equal others."""
        one, two = self.outcome, other.outcome
        if one.tool != two.tool:
            return False
        return one.text == two.text or _equal_values(one, two) or self.form == other.form


class History:
    """The items of a list by their places, the wrong ones included; of a long one the first and the last.

    Of right items that are not among the latest only the text is kept: values are objects that the garbage collector
    would look through, again and again, and that users may want to be rid of.
    """

    def __init__(self) -> None:
        self.count = 0
        """How many items came."""
        self._first: list[Outcome | str] = []  # of a long list
        self._last: list[Outcome | str] = []
        self._start = 0  # the place of the first of the last
        self._items: dict[int, Item] = {}

    def add(self, outcome: Outcome) -> int:
        """Append an item; return its place."""
        place = self.count
        self.count = place + 1
        self._last.append(outcome)
        if not self.count % _OFTEN:
            self._forget()
        return place

    def _forget(self) -> None:
        """Keep only the texts of what is not among the latest, and only the first and the last items."""
        last, old = self._last, slice(-_LATEST - _OFTEN, -_LATEST)
        last[old] = [each.text if type(each) is Good and not each.tool else each for each in last[old]]
        if (too_many := len(last) - LAST) > 0:
            self._first += last[: min(too_many, FIRST - len(self._first))]
            self._start += too_many
            del last[:too_many]
        self._items.clear()

    def _known(self, place: int) -> Outcome | str | None:
        if place >= self._start:
            return self._last[place - self._start] if place < self.count else None
        return self._first[place] if place < len(self._first) else None

    def put(self, place: int, outcome: Outcome) -> None:
        """Replace an item by its correction."""
        self._items.pop(place, None)
        if place >= self._start:
            self._last[place - self._start] = outcome
        elif place < len(self._first):
            self._first[place] = outcome

    def take_back(self) -> Outcome:
        """Remove the last item; return it."""
        self.count -= 1
        self._items.pop(self.count, None)
        return _outcome(self.count, self._last.pop())

    def at(self, place: int) -> Item | None:
        """Return the item at a place; None where it is not known any more."""
        if place not in self._items:
            known = self._known(place)
            if known is None:
                return None
            self._items[place] = Item(_outcome(place, known))
        return self._items[place]

    def last(self, most: int) -> list[Outcome]:
        """Return the last items, no more than `most`."""
        begin = max(self._start, self.count - most)
        return [_outcome(place, each) for place, each in enumerate(self._last[begin - self._start :], begin)]

    def places(self, item: Item) -> list[int]:
        """Return the places of the right items that equal this one."""
        known = chain(enumerate(self._first), enumerate(self._last, self._start))
        right = ((place, self.at(place)) for place, each in known if not isinstance(each, Bad))
        return [place for place, each in right if each is not None and each.equals(item)]

    def holds(self, item: Item) -> bool:
        """Whether a right item equals this one."""
        return bool(self.places(item))


def _outcome(place: int, known: Outcome | str) -> Outcome:
    return Good(place, _GONE, known) if isinstance(known, str) else known


def _equal_values(one: Outcome, two: Outcome) -> bool:
    if not (isinstance(one, Good) and isinstance(two, Good)) or type(one.value) is not type(two.value):
        return False
    if one.value is _GONE:
        return False
    try:
        return bool(one.value == two.value)
    except Exception:  # the user's own comparison fails: nothing says that they are equal
        return False
