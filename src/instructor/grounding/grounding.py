"""The evidence of all items of one call: their places are assigned together."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from instructor.core import prompts
from instructor.core.types import Invalid, Outcome, Valid
from instructor.grounding.assign import Candidate, in_any_order
from instructor.grounding.evidence import Evidence, Held, Span
from instructor.grounding.leaves import Leaf, leaves_of, rewritten
from instructor.grounding.matching import Matcher, Place
from instructor.grounding.sources import Sources
from instructor.grounding.tokens import Text

_REACH = 1000
"""How far from an item its short values may stand, in characters, if nothing else bounds it."""
_NEAR = 400
"""How far from the leading value other values of the item speak for a place."""
_BEFORE, _AFTER = 12, 20
"""How many places before and after the expected one may be an item's."""
_SPEAKING = 8
"""How many other values of the item speak for a place."""
_ENDS = (". ", "! ", "? ", ";", "\n", "\0", "。")
"""What ends a sentence or a line."""
_CLAIMED = 4
"""How many places on each side of an item a short value may claim."""
_OTHERS = 8
"""How many further places of a field are in the evidence."""
NONE, UNAVAILABLE = "none", "unavailable"


class _Group:
    """Values that stand together: those of an item, or of an element of a list inside an item."""

    __slots__ = ("found", "item", "lead", "leaves", "own", "path", "place", "places")

    def __init__(self, item: int, path: str, leaves: list[Leaf]) -> None:
        self.item, self.path, self.leaves = item, path, leaves
        self.places: list[list[Place]] = []
        """The places of each leaf."""
        self.lead: int | None = None
        """The leaf whose place is that of the group."""
        self.place: Place | None = None
        self.own = False
        """Whether no other group has the place."""
        self.found: dict[int, list[Place]] = {}
        """The places that were chosen, by leaf; the first is the leaf's own."""

    def is_kin(self, other: _Group) -> bool:
        """Return whether one of the groups is a part of the other."""
        if self.item != other.item:
            return False
        one, two = sorted((self.path, other.path), key=len)
        return not one or two == one or two.startswith(f"{one}.")

    @property
    def same(self) -> tuple[Any, ...]:
        """What is equal for groups that say the same."""
        return tuple((leaf.path[len(self.path) :] if self.path else leaf.path, leaf.written) for leaf in self.leaves)


class _Lead(NamedTuple):
    start: int
    end: int
    number: int


class Grounding:
    """Finds the evidence of the items of a call.

    Theory of operation. Each group of values has a leading value: one that no other group has, or else one that stands
    in the text as often as groups have it; of several the longest. Its places are the candidates of the group. Other
    values of the group that stand near one speak for it.

    Nothing is done before evidence is asked for: an extraction must not wait for what nobody reads.

        while the list is open    each item takes the best free place after the item before it
        when it is complete       all groups are assigned together (`assign.in_any_order`)

    Then, group by group in the order of the text: a long value takes the place that is nearest to the leading one. A
    short value must stand between the groups before and after, in a place that no other group has taken, or in one that
    they share: a heading, or the same sentence where the group has no number of its own.

    Args:
        sources: The user's texts.
        annotation: The type of an item.
        many: Whether the answer is a list.
        requires: Whether values without support are wrong.
        attach: Puts evidence on an item.
    """

    def __init__(
        self,
        sources: Sources,
        annotation: Any,
        *,
        many: bool,
        requires: bool = False,
        attach: Callable[[Any, Held], None],
    ) -> None:
        self._sources, self._annotation, self._many = sources, annotation, many
        self.requires, self._attach = requires, attach
        self._text = Text(sources.texts)
        self._matcher = Matcher(self._text)
        self.held: list[Held] = []
        """The evidence of each item, in the order in which they came."""
        self._indices: list[int] = []
        """Where each of them stands in the list: a corrected item comes late."""
        self._waiting: list[Valid] = []
        self._items: list[list[_Group]] = []
        self._shown: dict[int, Evidence] = {}
        """The provisional evidence that was asked for, by the index of the item."""
        self._closed = False
        self._groups: list[_Group] = []
        self._counts: Counter[tuple[str, str]] = Counter()
        self._leads: list[_Lead] = []
        self._taken: dict[int, _Group] = {}
        """The groups that have short values, by where these begin."""
        self._seen: Counter[tuple[Any, ...]] = Counter()
        self._cursor = 0

    @property
    def looked(self) -> int:
        """How many tokens of the text were looked at."""
        return self._text.looked

    def add(self, valid: Valid, index: int = 0) -> None:
        """Let an item that is delivered have evidence. Nothing is looked for before it is asked for.

        Args:
            valid: The item.
            index: Where it stands in the list.
        """
        if not self._many and self.held:  # the answer is asked for again: only the last one counts
            self._begin_again()
        held = Held(self, len(self.held))
        self.held.append(held)
        self._indices.append(index)
        self._waiting.append(valid)
        self._attach(valid.value, held)

    def evidence_of(self, index: int) -> Evidence:
        """Return the evidence of an item. While the list is open it is provisional."""
        if self._closed:
            self._decide()
            return self.held[index].evidence
        self._catch_up()
        if index not in self._shown:
            self._shown[index] = self._evidence(self._items[index], provisional=True)
        return self._shown[index]

    def refused(self, outcomes: Sequence[Outcome], name: str) -> list[Outcome]:
        """Return outcomes, in which items with a value that is not in the text are invalid."""
        return [self._judged(each, name) if isinstance(each, Valid) and each.final else each for each in outcomes]

    def close(self) -> None:
        """Note that the list is complete: from now on its evidence is final."""
        self._closed = True

    def moved(self) -> list[int]:
        """Return the indices of the items whose evidence was seen while the list was open, and is another now."""
        if not self._shown:
            return []
        self._decide()
        now = ((index, self._shown[index], self.held[index].evidence) for index in sorted(self._shown))
        return [index for index, one, two in now if (one.item, one.fields) != (two.item, two.fields)]

    def _decide(self) -> None:
        """Assign all places together, once."""
        self._take_waiting(resolve=False)
        self._assign()
        for item, held in zip(self._items, self.held, strict=True):
            held.settle(self._evidence(item, provisional=False))

    def _catch_up(self) -> None:
        self._take_waiting(resolve=True)

    def _take_waiting(self, *, resolve: bool) -> None:
        for valid in self._waiting:
            self._items.append(self._settled(valid, resolve=resolve))
        self._waiting.clear()

    def _begin_again(self) -> None:
        for kept in (self._waiting, self._items, self.held, self._indices, self._groups, self._leads):
            kept.clear()
        for counted in (self._counts, self._taken, self._seen, self._shown):
            counted.clear()
        self._cursor = 0

    def _judged(self, valid: Valid, name: str) -> Outcome:
        self._catch_up()
        cursor = self._cursor
        item = self._settled(valid, resolve=True)
        again = any(self._seen[group.same] > 1 for group in item if not group.path)
        faults: list[InitErrorDetails] = []
        for group in item:
            for index, leaf in sorted(enumerate(group.leaves), key=_is_short):
                if index not in group.found and not leaf.exempt and not (again and group.places[index]):
                    if leaf.short and faults and group.place is None:
                        continue  # nobody knows where it would have to stand
                    kind = PydanticCustomError("not_in_text", "{what}", {"what": prompts.NOT_IN_TEXT})
                    faults.append(InitErrorDetails(type=kind, loc=leaf.location, input=leaf.given))
        self._forget(item)
        self._cursor = cursor
        if not faults or self._sources.unavailable:
            return valid
        return Invalid(valid.at, valid.text, ValidationError.from_exception_data(name, faults), valid.tool)

    def _settled(self, valid: Valid, *, resolve: bool) -> list[_Group]:
        """Return an item that has taken the best places which are free now."""
        groups: dict[str, _Group] = {}
        for leaf in leaves_of(valid.value, self._annotation):
            group = groups.get(leaf.group)
            if group is None:
                group = groups[leaf.group] = _Group(len(self._items), leaf.group, [])
            group.leaves.append(leaf)
        for group in groups.values():
            for index, leaf in enumerate(group.leaves):
                places = self._matcher.places(leaf.kind, leaf.value, leaf.written, self._cursor)
                if not places and valid.text and (other := rewritten(leaf, valid.text)) is not None:
                    places = self._matcher.places(other.kind, other.value, other.written, self._cursor)
                    group.leaves[index] = other if places else leaf
                group.places.append(places)
                if not leaf.short:
                    self._counts[leaf.kind, leaf.written] += 1
            self._seen[group.same] += 1
            number = len(self._groups)
            self._groups.append(group)
            group.lead = self._lead_of(group)
            self._take_first(group, number)
        item = list(groups.values())
        for group in item if resolve else ():
            self._resolve(group, self._before(group))
        return item

    def _forget(self, item: list[_Group]) -> None:
        """Undo what `_settled` did for an item that is not delivered yet."""
        first = len(self._groups) - len(item)
        for number in range(first, len(self._groups)):
            place = self._groups[number].place
            if place is not None and self._groups[number].own:
                del self._leads[bisect_left(self._leads, (place.start, place.end, number))]
        del self._groups[first:]
        for group in item:
            self._seen[group.same] -= 1
            for leaf in group.leaves:
                if not leaf.short:
                    self._counts[leaf.kind, leaf.written] -= 1
            for places in group.found.values():
                if self._taken.get(places[0].start) is group:
                    del self._taken[places[0].start]

    def _lead_of(self, group: _Group) -> int | None:
        """Return which leaf decides where a group is."""
        best, score = None, (0, 0)
        for index, leaf in enumerate(group.leaves):
            places = group.places[index]
            if not places:
                continue
            if not leaf.short:
                count = self._counts[leaf.kind, leaf.written]
                rank = 5 if count == 1 else 4 if len(places) >= count else 3
            else:
                rank = 2 if leaf.kind == "text" else 1 if all(each.short for each in group.leaves) else 0
            if rank and (rank, leaf.weight) > score:
                best, score = index, (rank, leaf.weight)
        return best

    def _candidates(self, group: _Group, near: int) -> list[Candidate]:
        """Return the places that a group may have, and how much speaks for each, in half characters.

        A value of the group counts in full for the place that it stands nearest to, and half for others near it.
        """
        if group.lead is None:
            return []
        places = group.places[group.lead]
        if len(places) > _BEFORE + _AFTER:
            middle = bisect_left(places, (near, 0, ""))
            places = places[max(0, middle - _BEFORE) : middle + _AFTER]
        base = 2 * group.leaves[group.lead].weight
        if len(places) == 1:
            return [Candidate(places[0].start, places[0].end, base)]
        others = [index for index in range(len(group.leaves)) if index != group.lead and group.places[index]][
            :_SPEAKING
        ]
        found = []
        for place in places:
            weight = base
            for index in others:
                near_by = _nearest(group.places[index], place)
                if near_by is not None and _distance(near_by, place) <= _NEAR:
                    stands_with = _nearest(places, near_by) == place
                    weight += (2 if stands_with else 1) * group.leaves[index].weight
            found.append(Candidate(place.start, place.end, weight))
        return found

    def _take_first(self, group: _Group, number: int) -> None:
        """Take the best free place after the cursor, or else before it."""
        best: tuple[bool, int, int] | None = None
        chosen = None
        for each in self._candidates(group, self._cursor):
            if self._is_free(each):
                rank = (each.start >= self._cursor, each.weight, -each.start)
                if best is None or rank > best:
                    best, chosen = rank, each
        self._take(group, number, chosen, self._cursor)

    def _take(self, group: _Group, number: int, chosen: Candidate | None, near: int) -> None:
        group.place, group.own = None, chosen is not None
        if group.lead is None:
            return
        places = group.places[group.lead]
        if chosen is not None:
            group.place = places[bisect_left(places, (chosen.start, chosen.end, ""))]
            insort(self._leads, _Lead(chosen.start, chosen.end, number))
            self._cursor = chosen.end
        elif self._seen[group.same] < 2:  # it says something new, so it may share a place
            group.place = _nearest(places, Place(near, near, ""))
        if group.place is not None and self._matcher.frequent:
            for index in range(len(group.leaves)):
                if index != group.lead:
                    self._look_again(group, index, group.place.start)

    def _look_again(self, group: _Group, index: int, near: int) -> None:
        """Look up the places of a very frequent value near an item."""
        leaf = group.leaves[index]
        if (leaf.kind, leaf.value, leaf.written) in self._matcher.frequent:
            group.places[index] = self._matcher.places(leaf.kind, leaf.value, leaf.written, near)

    def _is_free(self, place: Candidate) -> bool:
        leads = self._leads
        after = bisect_right(leads, (place.start, place.end, -1))
        if after and leads[after - 1].end > place.start:
            return False
        return after == len(leads) or leads[after].start >= place.end

    def _assign(self) -> None:
        """Assign the places of all groups together, in the order of the list."""
        self._groups.sort(key=lambda group: self._indices[group.item])
        candidates, near = [], 0
        for group in self._groups:
            group.lead = self._lead_of(group)
            near = group.place.start if group.place is not None else near
            if group.lead is not None:
                self._look_again(group, group.lead, near)
            candidates.append(self._candidates(group, near))
        taken = in_any_order(candidates)
        self._leads, self._cursor = [], 0
        self._taken.clear()
        self._seen.clear()
        for number, (group, choice) in enumerate(zip(self._groups, taken, strict=True)):
            self._seen[group.same] += 1
            chosen = None if choice is None else candidates[number][choice]
            self._take(group, number, chosen, self._cursor)
        self._claim()
        before: _Group | None = None
        last = len(self._text.text)
        in_text = sorted(self._groups, key=lambda each: last if each.place is None else each.place.start)
        for group in in_text:
            self._resolve(group, before)
            before = group
        for group in in_text:  # what only a later group made known: "Ann and Bob, both 30"
            if len(group.found) < len(group.leaves):
                self._resolve(group, self._before(group))

    def _claim(self) -> None:
        """Give each place of a value to the group that it stands nearest to."""
        claims: list[tuple[int, int, int, int]] = []
        for number, group in enumerate(self._groups):
            if group.place is None:
                continue
            low, high = self._bounds(group)
            for index in range(len(group.leaves)):
                if index != group.lead:
                    inside = _around(_between(group.places[index], low, high), group.place)
                    claims += [(self._cost(group.place, place), number, index, place.start) for place in inside]
        settled = set[tuple[int, int]]()
        for _, number, index, start in sorted(claims):
            if (number, index) not in settled and start not in self._taken:
                settled.add((number, index))
                self._taken[start] = self._groups[number]

    def _cost(self, one: Place, two: Place) -> int:
        """Return how far apart two places are; the end of a sentence or a line between them counts much."""
        first, last = sorted((one, two))
        if last.start - first.end > _REACH:
            return last.start - first.end + 2 * _REACH
        between = self._text.text[first.end : last.start]
        return len(between) + _REACH * (any(sign in between for sign in _ENDS) + ("\n\n" in between))

    def _bounds(self, group: _Group) -> tuple[int, int]:
        """Return between which offsets the short values of a group may stand."""
        alone = not self._many and not group.path
        if group.place is None:
            return (0, len(self._text.text)) if alone else (0, 0)
        start, end = self._sources.bounds(group.place.start)
        at = bisect_left(self._leads, (group.place.start, group.place.end, -1))
        before, after = at - 1, at
        while before >= 0 and self._is_passed_over(group, self._leads[before]):
            before -= 1
        while after < len(self._leads) and self._is_passed_over(group, self._leads[after]):
            after += 1
        if before < 0 and after == len(self._leads):
            return (0, len(self._text.text)) if alone else (start, end)
        low = self._leads[before].end if before >= 0 else start
        high = self._leads[after].start if after < len(self._leads) else end
        return max(start, low, group.place.start - _REACH), min(end, high, group.place.end + _REACH)

    def _before(self, group: _Group) -> _Group | None:
        """Return the group before this one in the text."""
        if group.place is None:
            return None
        at = bisect_left(self._leads, (group.place.start, group.place.end, -1))
        return self._groups[self._leads[at - 1].number] if at else None

    def _is_passed_over(self, group: _Group, lead: _Lead) -> bool:
        assert group.place is not None
        other = self._groups[lead.number]
        return other is group or group.is_kin(other) or (lead.start < group.place.end and lead.end > group.place.start)

    def _resolve(self, group: _Group, before: _Group | None) -> None:
        """Choose the places of all values of a group. `before` is the group before it in the text."""
        low, high = self._bounds(group)
        group.found = {}
        repeats = group.place is None and self._seen[group.same] > 1
        for index, leaf in enumerate(group.leaves):
            places = group.places[index]
            if not places or repeats:
                continue
            if index == group.lead and group.place is not None:
                group.found[index] = [group.place, *self._further(places, group.place, low, high)]
            elif leaf.short:
                chosen = self._short(group, leaf, places, low, high, before)
                if chosen is not None:
                    group.found[index] = [chosen]
            else:
                own = self._long(group, places, low, high)
                group.found[index] = [own, *self._further(places, own, low, high)]

    def _long(self, group: _Group, places: list[Place], low: int, high: int) -> Place:
        """Return the place of a longer value: if possible one that no other group has, or else the nearest."""
        at = group.place or places[0]
        inside = [each for each in _around(_between(places, low, high), at) if not self._is_lead(each)]
        free = [each for each in inside if self._taken.get(each.start, group) is group]
        own = min(free or inside or _around(places, at), key=lambda each: self._cost(at, each))
        if free:
            self._taken[own.start] = group
        return own

    def _short(
        self, group: _Group, leaf: Leaf, places: list[Place], low: int, high: int, before: _Group | None
    ) -> Place | None:
        """Return the place of a short value, if there is one that can be this group's."""
        at = group.place or Place(low, low, "")
        inside = _around(_between(places, low, high), at)
        free = [each for each in inside if self._taken.get(each.start, group) is group]
        chosen = min(free, key=lambda each: self._cost(at, each), default=None)
        if chosen is not None:
            self._taken[chosen.start] = group
            return chosen
        if group.place is None:
            return None
        if before is not None and leaf.heads and not group.is_kin(before):
            name = leaf.path[len(group.path) :]
            for index, other in enumerate(before.leaves):
                if index in before.found and other.path[len(before.path) :] == name and other.written == leaf.written:
                    return before.found[index][0]
        shared = _nearest(places, group.place)
        if shared is not None and self._is_shared(group, shared, low, high):
            return shared
        return self._heading(group.place, places) if leaf.heads else None

    def _heading(self, place: Place, places: list[Place]) -> Place | None:
        """Return the last of these places before another one in its line."""
        at = bisect_left(places, (place.start, 0, ""))
        if not at or place.start - places[at - 1].end > _NEAR:
            return None
        between = self._text.text[places[at - 1].end : place.start]
        return None if "\n" in between or "\0" in between else places[at - 1]

    def _is_shared(self, group: _Group, place: Place, low: int, high: int) -> bool:
        """Return whether a value of another group may be this group's too: "Ann and Bob, both 30"."""
        assert group.place is not None
        if place.start not in self._taken or _distance(place, group.place) > _NEAR:
            return False
        first, last = sorted((place, group.place))
        between = self._text.text[first.end : last.start]
        if any(sign in between for sign in _ENDS):
            return False
        keys, starts = self._text.keys, self._text.starts
        inside = range(bisect_left(starts, max(low, group.place.start - _NEAR)), bisect_left(starts, high))
        return not any(keys[number][0].isdigit() and starts[number] != place.start for number in inside[:_NEAR])

    def _further(self, places: list[Place], own: Place, low: int, high: int) -> Iterator[Place]:
        """Yield other places of a value near an item, which are no other item's."""
        rest = [each for each in _between(places, low, high) if each != own and not self._is_lead(each)]
        yield from rest[:_OTHERS]

    def _is_lead(self, place: Place) -> bool:
        at = bisect_left(self._leads, (place.start, place.end, -1))
        return at < len(self._leads) and self._leads[at][:2] == place[:2]

    def _evidence(self, item: list[_Group], *, provisional: bool) -> Evidence:
        fields: dict[str, tuple[Span, ...]] = {}
        status: dict[str, str] = {}
        missing = UNAVAILABLE if self._sources.unavailable else NONE
        own: list[Place] = []
        make = self._sources.span
        for group in item:
            low, high = self._bounds(group)
            for index, leaf in enumerate(group.leaves):
                places = group.found.get(index)
                if places is None:
                    status[leaf.path] = missing
                    continue
                fields[leaf.path] = tuple(make(*place) for place in places)
                status[leaf.path] = places[0].status
                if group.place is not None and low <= places[0].start and places[0].end <= high:
                    own.append(places[0])
        return Evidence(self._hull(own), fields, status, provisional)

    def _hull(self, places: Sequence[Place]) -> Span | None:
        """Return the span from the first to the last of these places that are in one text."""
        if not places:
            return None
        start, end = self._sources.bounds(places[0].start)
        here = [place for place in places if start <= place.start and place.end <= end]
        found = {place.status for place in here}
        status = "fuzzy" if "fuzzy" in found else next((each for each in sorted(found) if each != "exact"), "exact")
        return self._sources.span(min(place.start for place in here), max(place.end for place in here), status)


def _is_short(numbered: tuple[int, Leaf]) -> bool:
    return numbered[1].short


def _between(places: list[Place], low: int, high: int) -> list[Place]:
    """Return the places between two offsets."""
    if not places or (places[0].start >= low and places[-1].end <= high):
        return places
    first, last = bisect_left(places, (low, 0, "")), bisect_left(places, (high, 0, ""))
    return [each for each in places[first:last] if each.end <= high]


def _around(places: list[Place], to: Place) -> list[Place]:
    """Return the places nearest to another."""
    at = bisect_left(places, (to.start, to.end, ""))
    return places[max(0, at - _CLAIMED) : at + _CLAIMED]


def _distance(one: Place, two: Place) -> int:
    return max(one.start - two.end, two.start - one.end, 0)


def _nearest(places: Sequence[Place], to: Place) -> Place | None:
    """Return the place nearest to another; None if there is none."""
    at = bisect_left(places, (to.start, to.end, ""))
    return min(places[max(0, at - 1) : at + 1], key=lambda each: _distance(each, to), default=None)
