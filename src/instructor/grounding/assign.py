"""Which place belongs to which item: among all items together, each place once."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Sequence
from typing import NamedTuple


class Candidate(NamedTuple):
    """A place that may be an item's, and how many characters of the item are found there."""

    start: int
    end: int
    weight: int


_PASSES = 4
"""How often all items are asked whether an exchange of places gains characters."""


class _Node(NamedTuple):
    item: int
    choice: int
    before: _Node | None


def in_order(candidates: Sequence[Sequence[Candidate]]) -> list[int | None]:
    """Return which candidate each item takes, so that places follow each other and the most characters are matched.

    An item may take none. Places do not overlap. Of equal choices the one that ends first is taken.

    Theory of operation. `ends` and `weights` are a staircase: the best weight of a choice for the items so far
    whose last place ends at `ends[i]` or before. Each candidate looks up the step before its start, and adds a step
    of its own unless a step before it is as high; steps behind it that are not higher go. So the work is n log n for
    n candidates.
    """
    ends, weights, nodes = [-1], [0], list[_Node | None]([None])
    for item, choices in enumerate(candidates):
        steps = []
        for choice, (start, end, weight) in enumerate(choices):
            step = bisect_right(ends, start) - 1
            steps.append((weights[step] + weight, end, _Node(item, choice, nodes[step])))
        for weight, end, node in steps:
            step = bisect_right(ends, end)
            if weights[step - 1] >= weight:
                continue
            first = step - 1 if ends[step - 1] == end else step
            last = step
            while last < len(ends) and weights[last] <= weight:
                last += 1
            ends[first:last], weights[first:last], nodes[first:last] = [end], [weight], [node]
    taken: list[int | None] = [None] * len(candidates)
    final = nodes[-1]
    while final is not None:
        taken[final.item], final = final.choice, final.before
    return taken


def in_any_order(candidates: Sequence[Sequence[Candidate]]) -> list[int | None]:
    """Return which candidate each item takes: first as `in_order`, then the other items, wherever there is room.

    At last two items change their places where more characters are matched so.
    """
    taken = in_order(candidates)
    used = sorted(candidates[item][choice][:2] for item, choice in enumerate(taken) if choice is not None)
    for item, choice in enumerate(taken):
        if choice is None:
            best = None
            for index, each in enumerate(candidates[item]):
                if (best is None or each.weight > candidates[item][best].weight) and _is_free(used, each):
                    best = index
            if best is not None:
                taken[item] = best
                insort(used, candidates[item][best][:2])
    return _exchanged(candidates, taken)


def _exchanged(candidates: Sequence[Sequence[Candidate]], taken: list[int | None]) -> list[int | None]:
    """Exchange the places of two items as long as that gains characters, in a few passes at most."""
    holders = {candidates[item][choice][:2]: item for item, choice in enumerate(taken) if choice is not None}
    for _ in range(_PASSES):
        gained = False
        for item, choices in enumerate(candidates):
            for new, (start, end, weight) in enumerate(choices):
                own, other = taken[item], holders.get((start, end), item)
                others = taken[other]
                if own is None or others is None or other == item:
                    continue
                place, before = choices[own][:2], choices[own].weight + candidates[other][others].weight
                back = next((at for at, each in enumerate(candidates[other]) if each[:2] == place), None)
                if back is not None and weight + candidates[other][back].weight > before:
                    taken[item], taken[other] = new, back
                    holders[start, end], holders[place] = item, other
                    gained = True
        if not gained:
            break
    return taken


def _is_free(used: Sequence[tuple[int, int]], place: Candidate) -> bool:
    after = bisect_right(used, (place.start, place.end))
    if after and used[after - 1][1] > place.start:
        return False
    return after == len(used) or used[after][0] >= place.end
