"""Where one value is found, and how: in many scripts, by value, and not where it only looks alike."""

from __future__ import annotations

import datetime as dt
import random
import unicodedata
from decimal import Decimal
from typing import Any

import pytest

from instructor.grounding.matching import Matcher
from instructor.grounding.tokens import Text


def found(text: str, value: Any) -> list[tuple[str, str]]:
    kind = {str: "text", Decimal: "number", dt.time: "time"}.get(type(value), "date")
    places = Matcher(Text([text])).places(kind, value, value.isoformat() if kind == "date" else str(value), 0)
    return [(text[place.start : place.end], place.status) for place in places]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Take 250 mg daily.", "350 mg"),
        ("Take 250 mg daily.", "250 g"),
        ("She has no history of asthma.", "has history of asthma"),
        ("The patient has no history of severe bronchial asthma as a child.",
         "The patient has a history of severe bronchial asthma as a child."),
        ("It was -5 degrees.", "5 degrees"),
        ("It was 5 degrees.", "-5 degrees"),
        ("It was -5", "5"),
        ("It was 5", "-5"),
        ("They saw temperatures of -5 degrees in the morning.", "They saw temperatures of 5 degrees in the morning."),
        ("It made -€500 last year.", "€500"),
        ("It made € -500 last year.", "€ 500"),
        ("Annabel came.", "Ann"),
        ("Rohan", "Han"),
        ("Vitamin B12", "B"),
        ("unit 17", "7"),
        ("code 007", "7"),
        ("aged 3-4 years", "34 years"),
        ("hypothyroidism", "hyperthyroidism"),
        ("the afebrile patient slept", "the febrile patient slept"),
        ("paid on 3 March 2024 in Paris by the second office", "paid on 3 April 2024 in Paris by the second office"),
        ("it costs € 40 a month for each person", "it costs $ 40 a month for each person"),
        ("John Smith of the University of Oxford", "Jane Smith of the University of Oxford"),
        ("first page\n\nsecond page", "first page second page"),
    ],
)  # fmt: skip
def test_what_only_looks_alike_is_not_found(text: str, value: str) -> None:
    assert found(text, value) == []


@pytest.mark.parametrize(
    ("text", "value", "evidence", "status"),
    [
        ("Ann came.", "Ann", "Ann", "exact"),
        ("Take 250mg daily.", "250 mg", "250mg", "normalised:punctuation"),
        ("Take 250 mg daily.", "250", "250", "exact"),
        ("Straße 5", "STRASSE 5", "Straße 5", "normalised:case"),
        ("a ﬁne day", "a fine day", "a ﬁne day", "normalised:case"),
        ("in İstanbul", "Istanbul", "İstanbul", "normalised:case"),
        ("３５０ ｍｇ", "350 mg", "３５０ ｍｇ", "normalised:compatibility"),
        ("Cafe\u0301 noir", "Café noir", "Cafe\u0301 noir", "normalised:unicode"),
        ("Nguyễn Văn An", unicodedata.normalize("NFD", "Nguyễn Văn An"), "Nguyễn Văn An", "normalised:unicode"),
        ("東京都に住む", "東京", "東京", "exact"),
        ("김민수는 서울에서", "서울", "서울", "exact"),
        ("يعيش محمد علي في القاهرة", "محمد علي", "محمد علي", "exact"),
        ("👩‍👩‍👧 then 😀 Ann", "😀 Ann", "😀 Ann", "exact"),
        ("John\n  Smith", "John Smith", "John\n  Smith", "normalised:whitespace"),
        ("a “smart” quote", 'a "smart" quote', "a “smart” quote", "normalised:quotes"),
        ("Dr Smith", "Dr. Smith", "Dr Smith", "normalised:punctuation"),
        ("in so\u00adcial work", "social work", "so\u00adcial work", "normalised:compatibility"),
        ("R&D at AT&T", "AT&T", "AT&T", "exact"),
        ("uses C++ a lot", "C++", "C++", "exact"),
        ("total 1.250,00", "1,250.00", "1.250,00", "normalised:number"),
        ("total 1.250,00 €", "EUR 1250", "1.250,00 €", "normalised:money"),
        ("on 3 March 2024", "2024-03-03", "3 March 2024", "normalised:date"),
        ("The organisation of it all", "The organization of it all", "The organisation of it all", "fuzzy"),
        ("severe headache and nausea since Monday", "severe headache with nausea since Monday",
         "severe headache and nausea since Monday", "fuzzy"),
    ],
)  # fmt: skip
def test_a_text_is_found_and_the_offsets_are_those_of_the_original(
    text: str, value: str, evidence: str, status: str
) -> None:
    assert found(text, value) == [(evidence, status)]


@pytest.mark.parametrize(
    ("text", "value", "evidence"),
    [
        ("17 and 7", "7", ["7"]),
        ("7.5 or 17", "7", []),
        ("1.250,00", "1250", ["1.250,00"]),
        ("1,250.00", "1250", ["1,250.00"]),
        ("1 250 EUR", "1250", ["1 250"]),
        ("12'500 CHF", "12500", ["12'500"]),
        ("thirty men", "30", ["thirty"]),
        ("thirty-five men", "30", []),
        ("thirty-five men", "35", ["thirty-five"]),
        ("one thousand two hundred and six", "1206", ["one thousand two hundred and six"]),
        ("1.2 million", "1200000", ["1.2 million"]),
        ("15 %", "0.15", ["15 %"]),
        ("at -5 degrees", "5", []),
        ("at -5 degrees", "-5", ["-5"]),
        ("350mg", "350", ["350"]),
        ("B12", "12", []),
        ("EUR5", "5", ["5"]),
        ("٣٥ رجلا", "35", ["٣٥"]),
        ("３５歳", "35", ["３５"]),
        ("version 1.2.3", "2", []),
        ("2nd of 3", "2", ["2nd"]),
    ],
)
def test_numbers_are_compared_by_value(text: str, value: str, evidence: list[str]) -> None:
    assert [there for there, _ in found(text, Decimal(value))] == evidence


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("2024-03-04", "exact"),
        ("04/03/2024", "normalised:date"),
        ("3/4/24", "normalised:date"),
        ("04.03.2024", "normalised:date"),
        ("4 March 2024", "normalised:date"),
        ("March 4th, 2024", "normalised:date"),
        ("4. März 2024", "normalised:date"),
        ("4 de marzo de 2024", "normalised:date"),
        ("2024年3月4日", "normalised:date"),
        ("4 March", "normalised:date-without-year"),
    ],
)
def test_dates_are_compared_by_value(text: str, status: str) -> None:
    assert found(f"on {text}, perhaps", dt.date(2024, 3, 4)) == [(text, status)]


@pytest.mark.parametrize("text", ["4 March 2023", "14 March 2024", "2024-03-05", "4 April 2024", "March 2024"])
def test_another_date_is_not_found(text: str) -> None:
    assert found(f"on {text}, perhaps", dt.date(2024, 3, 4)) == []


def test_a_moment_needs_its_time_of_day() -> None:
    moment = dt.datetime(2024, 3, 4, 14, 30)
    assert found("on 4 March 2024 at 2:30 pm", moment)
    assert found("2024-03-04T14:30:00Z", moment)
    assert not found("on 4 March 2024 at 3:30 pm", moment)
    assert found("at half past, 14:30", dt.time(14, 30)) == [("14:30", "normalised:time")]


def test_what_was_found_means_the_same_for_any_text() -> None:
    """Random texts of difficult characters: a part of a text is found where it is, by itself or written differently."""
    chance = random.Random(15)
    words = [
        "Ann",
        "Ánn",
        "ﬁne",
        "Straße",
        "İzmir",
        "東",
        "京",
        "서울",
        "😀",
        "👩‍👩‍👧",
        "علي",
        "Nguyễn",
        "350",
        "１７",
        "co\u00adop",
    ]
    for _ in range(2000):
        chosen = [chance.choice(words) for _ in range(chance.randint(3, 9))]
        text = " ".join(chosen)
        start = chance.randrange(len(chosen))
        part = " ".join(chosen[start : start + chance.randint(1, 3)])
        for value in (part, unicodedata.normalize("NFD", part), part.upper(), part.replace(" ", "\n")):
            places = found(text, value)
            assert places, (text, value)
            assert any(there == part for there, _ in places), (text, value, places)


@pytest.mark.parametrize("size", [10_000, 100_000, 1_000_000])
def test_work_is_linear_in_the_text(size: int) -> None:
    """Every value once, a frequent one for each, and one that is not there: to 1 MB."""
    rows = size // 50
    text = "\n".join(f"row {number}: name{number} paid {number % 10} to the office" for number in range(rows))
    index = Text([text])
    matcher = Matcher(index)
    for number in range(rows):
        near = text.find(f"name{number} ", max(0, number * 30))
        assert matcher.places("text", f"name{number} paid", "", near)
        assert matcher.places("text", "the office", "", near)
        assert not matcher.places("text", f"nobody{number} was here", "", near)
    assert index.looked < 12 * len(text)
