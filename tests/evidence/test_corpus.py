"""How well evidence is found, on a labelled corpus. A field counts only if its value and its place are right."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import pytest
from corpus import Document, Person, corpus

from instructor.core.types import Invalid, Valid
from instructor.grounding.evidence import Evidence, Held
from instructor.grounding.grounding import Grounding
from instructor.grounding.sources import Sources

ROUNDS = 40
OVERLAP = 0.5
"""The share of characters that a place and the labelled one must have in common."""


@dataclass
class Counts:
    """What was found, of what there is."""

    right: int = 0
    """Values of the answers that are the text's."""
    accepted: int = 0
    """Of those, with evidence."""
    placed: int = 0
    """Of those, in the right place."""
    invented: int = 0
    """Values with evidence that are not the text's."""
    wrong: int = 0
    """Values that are not the text's."""
    borrowed: int = 0
    """Values that are another item's."""
    lent: int = 0
    """Of those, with evidence."""
    refused: int = 0
    """Right values that `ground="require"` refuses."""

    def f1(self, found: int) -> float:
        return 2 * found / (self.right + self.accepted + self.invented + self.lent)


def overlap(one: tuple[int, int], two: tuple[int, int]) -> float:
    common = min(one[1], two[1]) - max(one[0], two[0])
    return max(0, common) / (max(one[1], two[1]) - min(one[0], two[0]))


def grounding(made: Document, *, requires: bool) -> Grounding:
    sources = Sources([{"role": "user", "content": made.text}])
    return Grounding(sources, made.model, many=True, requires=requires, attach=lambda value, held: None)


def valid(made: Document, index: int) -> Valid:
    value = made.model.model_construct(**made.answer[index])
    return Valid(index, value, made.model.model_validate(made.answer[index]).model_dump_json())


def found(made: Document) -> list[Evidence]:
    grounds = grounding(made, requires=False)
    for index in range(len(made.answer)):
        grounds.add(valid(made, index))
    grounds.close()
    return [held.evidence for held in grounds.held if isinstance(held, Held)]


def refused(made: Document) -> list[set[str]]:
    """Return the fields that `ground="require"` refuses, for each item of the answer."""
    grounds, all_of = grounding(made, requires=True), list[set[str]]()
    for index in range(len(made.answer)):
        outcome = grounds.refused([valid(made, index)], "item")[0]
        faults = outcome.error.errors() if isinstance(outcome, Invalid) else []  # type: ignore[attr-defined]
        all_of.append({str(fault["loc"][0]) for fault in faults})
        if isinstance(outcome, Valid):
            grounds.add(outcome)
    return all_of


def count(made: Document, counts: Counts) -> None:
    for index, (evidence, no) in enumerate(zip(found(made), refused(made), strict=True)):
        places = made.places[made.of[index]]
        for name, is_right in made.right[index].items():
            spans = evidence.fields.get(name, ())
            counts.right += is_right
            borrowed = name in made.borrowed[index]
            counts.borrowed += borrowed
            counts.lent += borrowed and bool(spans)
            counts.wrong += not (is_right or borrowed)
            counts.accepted += is_right and bool(spans)
            counts.invented += not (is_right or borrowed) and bool(spans)
            counts.refused += is_right and name in no
            counts.placed += (
                is_right
                and bool(spans)
                and max(overlap((spans[0].start, spans[0].end), place) for place in places[name]) >= OVERLAP
            )


@pytest.mark.parametrize(
    ("order", "rows"),
    [("same", 3000), ("reversed", 3000), ("plain", 3000), pytest.param("plain", 28_000, marks=pytest.mark.slow)],
)
def test_work_is_linear_in_the_text_and_every_item_is_in_its_line(order: str, rows: int) -> None:
    """To 1 MB: every line has a value that all have, and a short one that many have."""
    made = Document(order, Person)
    for number in range(rows):
        name, age = "John Smith" if order == "same" else f"Person{number} Smith", number % 90
        made.write(("name", name, name), ", aged ", ("age", age, str(age)), ", in ", ("city", "Paris", "Paris"), ".\n")
    made.of = list(range(rows))[:: -1 if order == "reversed" else 1]
    made.answer = [made.items[index] for index in made.of]
    grounds = grounding(made, requires=False)
    for index in range(rows):
        grounds.add(valid(made, index))
    grounds.close()
    for index, held in enumerate(grounds.held):
        there = {name: [(spans[0].start, spans[0].end)] for name, spans in held.evidence.fields.items()}
        assert there == made.places[made.of[index]]
    assert grounds.looked < 8 * len(made.text)


def test_evidence_is_right_on_a_labelled_corpus(capsys: pytest.CaptureFixture[str]) -> None:
    kinds: dict[str, Counts] = defaultdict(Counts)
    for made in corpus(4711, ROUNDS):
        for kind in (made.kind, "all"):
            count(made, kinds[kind])
    with capsys.disabled():
        print(f"\n{'':22}values  value F1  grounding F1  invented, accepted  another's, accepted  wrongly refused")
        for kind, c in kinds.items():
            print(
                f"{kind:22}{c.right + c.wrong + c.borrowed:6}  {c.f1(c.accepted):8.3f}  {c.f1(c.placed):12.3f}"
                f"  {c.invented:10} of {c.wrong:4}  {c.lent:11} of {c.borrowed:4}  {c.refused / c.right:15.2%}"
            )
    every = kinds["all"]
    assert every.right > 5000
    assert every.wrong > 200
    assert every.f1(every.accepted) >= 0.98
    assert every.f1(every.placed) >= 0.97
    assert every.invented <= 0.05 * every.wrong
    assert every.refused <= 0.01 * every.right
    assert all(c.refused <= 0.03 * c.right for c in kinds.values())
