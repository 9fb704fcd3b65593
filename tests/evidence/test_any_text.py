"""Any text and any answer: no error, and what is said of a place is true."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from fuzzing import fuzzed
from instructor.core.types import Valid
from instructor.grounding.evidence import Evidence
from instructor.grounding.grounding import Grounding
from instructor.grounding.sources import Sources


class Thing(BaseModel):
    name: str
    size: int | float | None = None
    tags: list[str] = []
    parts: list[Thing] = []


PIECES = [
    "Ann", "Ann Lee", "7", "17", "1.250,00", "no", "東京", "서울", "é", "e\u0301", "ﬁ", "İ", "ß", "😀", "👩‍👩‍👧",
    "\0", "\f", "\n\n", "3 March",
    "2024", "(", "-", "€", "%", "\u00ad", "٣", "ا", "ก", "\u0301", "\u200d", "_", "C++", "thirty", "it's", "#", ".",
]  # fmt: skip
TEXT = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=3)), max_size=25).flatmap(
    lambda pieces: st.sampled_from(["", " "]).map(lambda gap: gap.join(pieces))
)
NUMBER = st.one_of(st.none(), st.integers(-20, 2000), st.sampled_from([0.15, 1.25, 1e300, -0.5]))
LEAF = st.builds(Thing, name=TEXT, size=NUMBER, tags=st.lists(TEXT, max_size=2))
THING = st.builds(Thing, name=TEXT, size=NUMBER, parts=st.lists(LEAF, max_size=2))


def ground(texts: list[str], things: list[Any], *, read: bool, requires: bool = False) -> Grounding:
    sources = Sources([{"role": "user", "content": text} for text in texts])
    grounds = Grounding(sources, Thing, many=True, requires=requires, attach=lambda value, held: None)
    for index, thing in enumerate(things):
        valid = Valid(index, thing, thing.model_dump_json())
        if requires:
            assert len(grounds.refused([valid], "Thing")) == 1
        grounds.add(valid)
        if read:
            assert grounds.held[index].evidence.provisional
    grounds.close()
    return grounds


def check(found: Evidence, texts: list[str]) -> None:
    json.dumps(found.to_dict())
    assert found.fields.keys() <= found.status.keys()
    for path, status in found.status.items():
        assert (path in found.fields) == (status != "none"), path
        for span in found.fields.get(path, ()):
            assert span.source.text in texts
            assert 0 <= span.start < span.end <= len(span.source.text)
            start, end = span.utf16()
            units = span.source.text.encode("utf-16-le", "surrogatepass")
            assert units[start * 2 : end * 2] == span.text.encode("utf-16-le", "surrogatepass")


@fuzzed
@given(st.lists(TEXT, min_size=1, max_size=3), st.lists(THING, max_size=4))
def test_every_place_is_in_a_text_and_exact_means_equal(texts: list[str], things: list[Thing]) -> None:
    for grounds in (ground(texts, things, read=False), ground(texts, things, read=True)):
        grounds.moved()
        for thing, held in zip(things, grounds.held, strict=True):
            found = held.evidence
            assert not found.provisional
            check(found, texts)
            if found.status.get("name") == "exact":
                assert found.fields["name"][0].text == thing.name.strip()


@fuzzed
@given(st.lists(TEXT, min_size=1, max_size=2), st.lists(THING, max_size=4))
def test_reading_early_changes_nothing_at_the_end(texts: list[str], things: list[Thing]) -> None:
    late = [held.evidence for held in ground(texts, things, read=False).held]
    assert [held.evidence for held in ground(texts, things, read=True).held] == late
    assert [held.evidence for held in ground(texts, things, read=False, requires=True).held] == late


@fuzzed
@given(st.lists(st.sampled_from(["Ann Lee", "Bob Ray", "Cid Moe"]), min_size=1, max_size=8), st.data())
def test_names_in_a_text_have_places_of_their_own(names: list[str], data: Any) -> None:
    text = ", ".join(names)
    things = [Thing(name=name) for name in data.draw(st.permutations(names))]
    places = sorted(held.evidence.fields["name"][0].start for held in ground([text], things, read=False).held)
    assert len(places) == len(names)
    assert all(one < two for one, two in pairwise(places))
