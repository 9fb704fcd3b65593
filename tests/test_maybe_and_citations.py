"""Answers that may not be there, and answers with quotes."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from harness import Harness, asking
from instructor import CitationMixin, Maybe, Mode
from instructor.parsing import fuzzy
from instructor.testing import answer


class User(BaseModel):
    name: str


class Fact(CitationMixin):
    fact: str


class Strict(CitationMixin):
    model_config = ConfigDict(frozen=True, validate_assignment=True)


TEXT = "Jason is ten years old, and lives in Toronto. Jason\u2019s dog is two."


@pytest.mark.parametrize("mode", [Mode.TOOLS, Mode.TOOLS_STRICT, Mode.JSON_SCHEMA, Mode.MD_JSON])
async def test_there_is_one(harness: Harness, scripted_server: Any, mode: Mode) -> None:
    reply = {"result": {"name": "Jason"}, "error": False, "message": None}
    got = await harness.create(harness.client(scripted_server([answer(reply)]), mode), Maybe(User))
    assert got
    assert (got.result, got.error, got.message) == (User(name="Jason"), False, None)
    assert isinstance(got, Maybe(User))


async def test_there_is_none(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer({"error": True, "message": "Nobody is named."})])
    got = await harness.create(harness.client(server), Maybe(User))
    assert not got
    assert (got.result, got.error, got.message) == (None, True, "Nobody is named.")
    function = server.requests[0].body["tools"][0]["function"]
    assert (function["name"], function["parameters"]["required"]) == ("MaybeUser", [])
    assert all(field["description"] for field in function["parameters"]["properties"].values())


async def test_it_grows(harness: Harness, scripted_server: Any) -> None:
    client = harness.client(scripted_server([answer({"result": {"name": "Jason"}}, chunk=1)]))
    shown = await harness.items(client.create_partial(response_model=Maybe(User), **asking()))
    assert not shown[0]
    assert shown[-1] == Maybe(User)(result=User(name="Jason"))


def test_of_anything() -> None:
    assert Maybe(int)(result=0)
    assert Maybe(int).__name__ == "Maybeint"


async def test_quotes_become_the_places_they_are_from(harness: Harness, scripted_server: Any) -> None:
    quotes = ["ten years old", "lives in Torronto", "Jason's dog is  two", "he is eleven years of age"]
    server = scripted_server([answer({"fact": "?", "substring_quotes": quotes})] * 2)
    client = harness.client(server)
    told = await harness.create(client, Fact, context={"context": TEXT})
    assert told.substring_quotes == ["ten years old", "lives in Toronto", "Jason\u2019s dog is two"]
    assert [TEXT[start:end] for start, end in told.get_spans(TEXT)] == told.substring_quotes
    assert (await harness.create(client, Fact)).substring_quotes == quotes


@pytest.mark.parametrize("quote", ["", "xyz", "dog dog dog dog", "J" * 1000])
def test_a_quote_from_nowhere_is_left_out(quote: str) -> None:
    given = {"substring_quotes": [quote, "dog"]}
    assert Strict.model_validate(given, context={"context": TEXT}).substring_quotes == ["dog"]


@pytest.mark.parametrize("context", [None, {}, {"context": None}, {"context": ["not", "a", "text"]}])
def test_without_a_text_quotes_stay(context: Any) -> None:
    assert Strict.model_validate({"substring_quotes": ["xyz"]}, context=context).substring_quotes == ["xyz"]


def edits(one: str, other: str) -> int:
    """Count by the book the edits from one text to another."""
    row = list(range(len(other) + 1))
    for at, left in enumerate(one, 1):
        before, row = row, [at]
        for to, right in enumerate(other, 1):
            row.append(min(before[to] + 1, row[-1] + 1, before[to - 1] + (left != right)))
    return row[-1]


@given(st.text("ab ", min_size=1, max_size=30), st.text("ab ", min_size=1, max_size=24))
def test_the_place_found_is_the_most_like_one(text: str, quote: str) -> None:
    fewest = min(edits(quote, text[i:j]) for i in range(len(text)) for j in range(i + 1, len(text) + 1))
    spans = list(CitationMixin(substring_quotes=[quote]).get_spans(text))
    if fewest > min(5, len(quote) // 4):
        assert spans == []
    else:
        ((start, end),) = spans
        assert edits(quote, text[start:end]) == fewest


def by_the_whole_text(quote: str, text: str) -> tuple[int, int] | None:
    """Find a quote by counting its errors everywhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fuzzy, "_likely", lambda _quote, text, _allowed: [(0, text)])
        return fuzzy.place_of(quote, text)


@given(st.text("abc", max_size=150), st.text("abc", max_size=40), st.integers(0, 150), st.integers(4, 60))
@example("xabcdx" * 20, "", 3, 50)
def test_the_place_is_the_same_as_if_errors_were_counted_everywhere(text: str, more: str, at: int, size: int) -> None:
    for quote in (more, text[at : at + size], text[at : at + size][::2], text[at : at + size].replace("ab", "b", 2)):
        assert fuzzy.place_of(quote, text) == by_the_whole_text(quote, text)


WORDS = ["".join(random.Random(seed).choices("etaoinshrdlu", k=2 + seed % 8)) for seed in range(3000)]


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the characters around which errors are counted."""
    counts: list[int] = []
    distances = fuzzy._distances

    def counting(quote: str, text: str, *, anchored: bool) -> Any:
        counts.append(len(text))
        return distances(quote, text, anchored=anchored)

    monkeypatch.setattr(fuzzy, "_distances", counting)
    return counts


@pytest.mark.parametrize("size", [20, 40, 80, 400])
@pytest.mark.parametrize("text", [" ".join(random.Random(1).choices(WORDS, k=33_000)), "The fox is quick. " * 11_700])
def test_errors_are_counted_around_pieces_only(size: int, text: str, counted: list[int]) -> None:
    chance = random.Random(size)
    quotes = [" ".join(chance.choices(WORDS, k=size))[:size] for _ in range(10)]
    assert list(CitationMixin(substring_quotes=quotes).get_spans(text)) == []
    assert sum(counted) < len(text) / 4  # of ten times the text


@pytest.mark.parametrize("quote", ["a" * 50 + "b" * 10, "a" * 5000 + "b" * 6, "ab" * 30])
def test_errors_are_never_counted_twice_in_a_place(quote: str, counted: list[int]) -> None:
    fuzzy.place_of(quote, "a" * 20_000)
    assert sum(counted) <= 20_000
