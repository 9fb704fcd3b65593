"""Which of the items asked for again each answer corrects; without certainty none, and all stay asked for.

    the answers are                                        each corrects
    as many as were asked for, or fewer and then cut       the item asked for in its turn, unless it is cut and all wrong
    the whole list, or its start                           the item in its own place
    both may be                                            none, until the model says the same again
    anything else                                          none

An answer that equals an item of the list is a repeat, and no correction: the item stays asked for, and the model is
told why. But lists may hold equal items. So where the model gives the same answer once more, having been told, it is
believed, unless all that it gives is the start of the list, whose items come but once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from instructor.engine.history import History, Item
from instructor.engine.ports import Bad, Good, Outcome


class Matched(NamedTuple):
    """The answers with the places that they correct, and by place those that are not believed yet."""

    corrections: list[tuple[int, Outcome]]
    repeats: dict[int, Item]


def matched(
    wrong: Mapping[int, Bad],
    answers: Sequence[Outcome],
    history: History,
    before: Mapping[int, Item],
    *,
    ended: bool,
) -> Matched:
    """Match answers with the wrong items, which were asked for in order.

    `before`: the answers that were not believed the last time. `ended`: no further answer was on its way.
    """
    asked = sorted(wrong)
    items = [Item(answer) for answer in answers]
    in_turn = list(zip(asked, items, strict=False))
    if len(items) > len(asked) or (len(items) < len(asked) and (ended or _all_wrong(items))):
        in_turn = []
    starts = len(items) <= history.count and _agree(items, history, 0)
    in_place = [(place, items[place]) for place in asked if place < len(items)] if starts else []
    again = bool(in_turn) and all(place in before and before[place].equals(item) for place, item in in_turn)
    if in_place and in_turn and not again:
        return Matched([], dict(in_turn))
    if in_place:
        return _without_repeats(in_place, wrong, history, before if len(items) == history.count else {})
    if in_turn and not again and _is_elsewhere(items, history):
        return Matched([], dict(in_turn))
    if starts and not all(len(history.places(item)) > 1 for item in items):
        return Matched([], dict(in_turn))
    return _without_repeats(in_turn, wrong, history, before)


def _without_repeats(
    pairs: Sequence[tuple[int, Item]], wrong: Mapping[int, Bad], history: History, before: Mapping[int, Item]
) -> Matched:
    """Leave out what equals another item, right or wrong, or the answer for another wrong text, if not said before."""
    found: list[tuple[int, Outcome]] = []
    said: dict[str, str] = {}  # the wrong text that each answer stands for
    repeats: dict[int, Item] = {}
    has_wrong = any(isinstance(item.outcome, Bad) for _, item in pairs)
    asked_for = {Item(bad).form for bad in wrong.values()} if has_wrong else set()
    for place, item in pairs:
        text = wrong[place].text
        if isinstance(item.outcome, Good):
            repeated = history.holds(item) or said.get(item.form, text) != text
        else:
            repeated = item.form in asked_for and item.form != Item(wrong[place]).form
        if repeated and not (place in before and before[place].equals(item)):
            repeats[place] = item
        else:
            found.append((place, item.outcome))
            said[item.form] = text
    return Matched(found, repeats)


def _all_wrong(items: Sequence[Item]) -> bool:
    return all(isinstance(item.outcome, Bad) for item in items)


def _is_elsewhere(items: Sequence[Item], history: History) -> bool:
    """Whether all may be a part of the list that has a wrong item in it, and so answer others than in turn."""
    first = next((at for at, item in enumerate(items) if history.holds(item)), None)
    if first is None:
        return False
    starts = [place - first for place in history.places(items[first])]
    return any(start >= 0 and _agree(items, history, start) and _has_wrong(items, history, start) for start in starts)


def _agree(items: Sequence[Item], history: History, start: int) -> bool:
    """Whether no item contradicts the list from a place on, and a right one agrees with it."""
    evidence = False
    for place, item in enumerate(items, start):
        known = history.at(place)
        if place >= history.count:
            return False
        if known is None or isinstance(known.outcome, Bad) or isinstance(item.outcome, Bad):
            continue
        if not item.equals(known):
            return False
        evidence = True
    return evidence


def _has_wrong(items: Sequence[Item], history: History, start: int) -> bool:
    known = [history.at(place) for place in range(start, start + len(items))]
    return any(item is not None and isinstance(item.outcome, Bad) for item in known)
