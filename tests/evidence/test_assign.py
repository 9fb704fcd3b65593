"""The assignment of places to items, compared with all choices that there are."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise

from instructor.grounding.assign import Candidate, in_any_order, in_order

CASES = 20_000


def best_by_trying_all(items: Sequence[Sequence[Candidate]], after: int = -1) -> int:
    """Return the most characters that any choice of places in order matches."""
    if not items:
        return 0
    best = best_by_trying_all(items[1:], after)
    for place in items[0]:
        if place.start >= after:
            best = max(best, place.weight + best_by_trying_all(items[1:], place.end))
    return best


def random_items(chance: random.Random) -> list[list[Candidate]]:
    def place() -> Candidate:
        start = chance.randrange(12)
        return Candidate(start, start + chance.randint(1, 4), chance.randint(1, 6))

    return [sorted(place() for _ in range(chance.randrange(4))) for _ in range(chance.randrange(6))]


def chosen(items: Sequence[Sequence[Candidate]], taken: Sequence[int | None]) -> list[Candidate]:
    return [items[item][choice] for item, choice in enumerate(taken) if choice is not None]


def test_the_most_characters_are_matched_in_order() -> None:
    chance = random.Random(15)
    for _ in range(CASES):
        items = random_items(chance)
        places = chosen(items, in_order(items))
        assert all(one.end <= two.start for one, two in pairwise(places)), items
        assert sum(place.weight for place in places) == best_by_trying_all(items), items


def test_in_any_order_no_places_overlap_and_no_item_with_a_free_place_is_left() -> None:
    chance = random.Random(51)
    for _ in range(2000):
        items = random_items(chance)
        taken = in_any_order(items)
        places = sorted(chosen(items, taken))
        assert all(one.end <= two.start for one, two in pairwise(places)), items
        assert sum(p.weight for p in places) >= best_by_trying_all(items)
        for item, choice in enumerate(taken):
            if choice is None:
                assert all(any(c.start < p.end and p.start < c.end for p in places) for c in items[item]), items


def test_items_in_reverse_order_all_find_their_places() -> None:
    items = [[Candidate(start, start + 2, 2)] for start in (8, 4, 0)]
    assert in_order(items).count(None) == 2
    assert in_any_order(items) == [0, 0, 0]


def test_two_items_exchange_their_places_where_that_gains_characters() -> None:
    first, second = (0, 4), (10, 14)
    items = [[Candidate(*first, 4), Candidate(*second, 6)], [Candidate(*first, 6), Candidate(*second, 4)]]
    assert in_order(items) == [0, 1]
    assert in_any_order(items) == [1, 0]


def test_the_second_of_two_equal_items_takes_the_second_place() -> None:
    both = [Candidate(0, 4, 4), Candidate(10, 14, 4)]
    assert in_order([both, both]) == [0, 1]


def test_a_thousand_equal_items_take_a_thousand_places() -> None:
    near = [[Candidate(i * 5, i * 5 + 4, 4) for i in range(max(0, n - 8), min(1000, n + 8))] for n in range(1000)]
    places = chosen(near, in_order(near))
    assert [place.start for place in places] == [n * 5 for n in range(1000)]
