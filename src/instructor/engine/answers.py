"""Which of the items asked for again each answer corrects; without certainty none, and all stay asked for."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from instructor.engine.ports import Good, Outcome


def matched(
    asked: Sequence[int], answers: Sequence[Outcome], count: int, tail: Collection[Outcome], *, ended: bool
) -> list[tuple[int, Outcome]]:
    """Give the answers with their places in a list of `count` items, of which those in `tail` came last.

    `ended`: the reply came to its end, so no further answer was on its way.
    """
    if ended and _is_whole_list(answers, count, tail):
        return [(place, answers[place]) for place in asked]
    if len(answers) == len(asked) or (not ended and len(answers) < len(asked)):
        return list(zip(asked, answers, strict=False))
    return []


def _is_whole_list(answers: Sequence[Outcome], count: int, tail: Collection[Outcome]) -> bool:
    """Whether all was given again: as many items, and the last good ones, which are known still, the same."""
    if len(answers) != count:
        return False
    known = [(now, was) for now, was in zip(answers[-len(tail) :], tail, strict=True) if isinstance(was, Good)]
    return bool(known) and all(isinstance(now, Good) and now.value == was.value for now, was in known)
