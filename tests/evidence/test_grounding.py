"""Which place is whose, among all items of a call; through clients, sync and async."""

from __future__ import annotations

import copy
import datetime as dt
import enum
import json
import pickle
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, computed_field, field_validator
from typing_extensions import TypedDict

import instructor
from harness import Harness
from instructor import Evidence, Mode, NotInText, evidence
from instructor.cache import AutoCache
from instructor.exceptions import ConfigurationError, InstructorRetryException
from instructor.testing import ToolCall, answer, content, tools
from instructor.validators import async_field_validator


class Person(BaseModel):
    name: str
    age: int | None = None
    city: str | None = None


class Line(BaseModel):
    what: str
    price: float


class Invoice(BaseModel):
    number: str
    total: float
    lines: list[Line]


class Tone(enum.Enum):
    WARM = "warm"


@pytest.fixture
def serve(scripted_server: Any) -> Callable[..., Any]:
    """Make a server that gives these replies, or what a function says."""
    return lambda *replies: scripted_server(replies[0] if callable(replies[:1] and replies[0]) else list(replies))


def said(text: str) -> list[dict[str, str]]:
    return [{"role": "system", "content": "Extract John Smith."}, {"role": "user", "content": text}]


async def grounded(harness: Harness, server: Any, kind: Any, text: Any, **options: Any) -> Any:
    messages = said(text) if isinstance(text, str) else text
    options = {"ground": True, "max_retries": 0, **options}
    return await harness.create(harness.client(server), kind, messages=messages, **options)


def texts(found: Evidence) -> dict[str, str]:
    """Return what stands where a field was found, and none for the others."""
    assert all(
        span.text == span.source.text[span.start : span.end] for spans in found.fields.values() for span in spans
    )
    assert found.fields.keys() == {
        path for path, status in found.status.items() if status not in ("none", "unavailable")
    }
    return {path: found.fields[path][0].text if path in found.fields else "-" for path in found.status}


def starts(found: Evidence) -> dict[str, int]:
    return {path: spans[0].start for path, spans in found.fields.items()}


async def test_each_field_of_one_value_has_a_span(harness: Harness, serve: Any) -> None:
    text = "😀 Jason Liu, thirty, lives in Berlin."
    server = serve(answer({"name": "Jason Liu", "age": 30, "city": "Paris"}))
    user = await grounded(harness, server, Person, text)
    found = evidence(user)
    assert texts(found) == {"name": "Jason Liu", "age": "thirty", "city": "-"}
    assert found.status == {"name": "exact", "age": "normalised:words", "city": "none"}
    assert not found.provisional
    span = found.fields["name"][0]
    assert (span.start, span.end, span.utf16()) == (2, 11, (3, 12))
    assert text.encode("utf-16-le")[3 * 2 : 12 * 2].decode("utf-16-le") == "Jason Liu"
    assert (span.source.message, span.source.part, span.source.page, span.source.text) == (1, 0, None, text)
    assert found.item is not None
    assert (found.item.text, found.item.status) == ("Jason Liu, thirty", "normalised:words")
    assert json.loads(json.dumps(found.to_dict()))["fields"]["name"][0]["text"] == "Jason Liu"


async def test_evidence_is_no_part_of_the_value(harness: Harness, serve: Any) -> None:
    server = serve(answer({"name": "Jason Liu", "age": 30}))
    user = await grounded(harness, server, Person, "Jason Liu is 30.")
    plain = Person(name="Jason Liu", age=30)
    assert user == plain
    assert user.model_dump() == plain.model_dump()
    assert dict(user) == dict(plain)
    assert repr(user) == repr(plain)
    assert "evidence" not in json.dumps(server.requests[0].body).replace("evidence(", "")
    for other in (copy.copy(user), copy.deepcopy(user), pickle.loads(pickle.dumps(user))):
        assert evidence(other) == evidence(user)


async def test_equal_names_are_told_apart_by_their_ages_in_any_order(harness: Harness, serve: Any) -> None:
    text = "John Smith (30), John Smith (40) and John Smith (50)."
    for ages in ([30, 40, 50], [50, 40, 30], [40, 30, 50], [50, 30, 40]):
        people = [{"name": "John Smith", "age": age} for age in ages]
        found = await grounded(harness, serve(answer(*people)), Iterable[Person], text)
        assert [starts(evidence(each)) for each in found] == [
            {"name": text.index(f"John Smith ({age}"), "age": text.index(str(age))} for age in ages
        ]


async def test_a_second_john_smith_is_the_second_place(harness: Harness, serve: Any) -> None:
    text = "John Smith (30) met Anna Lee (31). Later John Smith, aged 45, left."
    people = [{"name": "John Smith", "age": 30}, {"name": "Anna Lee", "age": 31}, {"name": "John Smith", "age": 45}]
    found = await grounded(harness, serve(answer(*people)), Iterable[Person], text)
    assert [starts(evidence(each))["name"] for each in found] == [0, 20, 41]
    assert [texts(evidence(each))["age"] for each in found] == ["30", "31", "45"]
    assert list(found.evidence) == [evidence(each) for each in found]
    assert list(found[1:].evidence) == [evidence(each) for each in found[1:]]


@pytest.mark.parametrize(
    ("text", "people", "expected"),
    [
        ("Ann Lee, 30; Bob Ray, 31", [("Ann Lee", 30), ("Bob Ray", 30)], ["30", "-"]),
        ("Ann Lee and Bob Ray, both 30, came.", [("Ann Lee", 30), ("Bob Ray", 30)], ["30", "30"]),
        ("Bob Ray is 31. Ann Lee is 7 and not 17.", [("Ann Lee", 7), ("Bob Ray", 31)], ["7", "31"]),
        ("7 for Ann Lee, 9 for Bob Ray", [("Ann Lee", 7), ("Bob Ray", 9)], ["7", "9"]),
        ("2019: Ann Lee, Bob Ray. 2020: Cid Moe, Dan Fox.",
         [("Ann Lee", 2019), ("Bob Ray", 2019), ("Cid Moe", 2020), ("Dan Fox", 2020)],
         ["2019", "2019", "2020", "2020"]),
        ("Ann Lee is here. The house has 7 rooms.", [("Bob Ray", 7)], ["-"]),
    ],
)  # fmt: skip
async def test_a_short_value_counts_only_near_its_item(
    harness: Harness, serve: Any, text: str, people: list[Any], expected: list[str]
) -> None:
    server = serve(answer(*({"name": name, "age": age} for name, age in people)))
    found = await grounded(harness, server, Iterable[Person], text)
    assert [texts(evidence(each))["age"] for each in found] == expected


async def test_items_that_differ_may_share_a_place_and_equal_ones_may_not(harness: Harness, serve: Any) -> None:
    text = "Marie Curie won the prize in Paris, and again in Stockholm."
    people = [{"name": "Marie Curie", "city": city} for city in ("Paris", "Stockholm", "Stockholm")]
    found = await grounded(harness, serve(answer(*people)), Iterable[Person], text)
    assert [texts(each) for each in found.evidence] == [
        {"name": "Marie Curie", "city": "Paris"},
        {"name": "Marie Curie", "city": "Stockholm"},
        {"name": "-", "city": "-"},
    ]


async def test_rows_inside_one_value_have_places_of_their_own(harness: Harness, serve: Any) -> None:
    text = "Invoice INV-77 of ACME\nWidget A 12.00\nWidget B 12.00\nTotal: 24.00"
    lines = [{"what": "Widget A", "price": 12.0}, {"what": "Widget B", "price": 12.0}]
    server = serve(answer({"number": "INV-77", "total": 24.0, "lines": lines}))
    found = evidence(await grounded(harness, server, Invoice, text))
    assert texts(found) == {
        "number": "INV-77", "total": "24.00", "lines.0.what": "Widget A", "lines.0.price": "12.00",
        "lines.1.what": "Widget B", "lines.1.price": "12.00",
    }  # fmt: skip
    assert starts(found)["lines.0.price"] < starts(found)["lines.1.what"] < starts(found)["lines.1.price"]


async def test_values_that_are_no_models_have_theirs_by_index(harness: Harness, serve: Any) -> None:
    class Movie(TypedDict):
        title: str

    @dataclass
    class Place:
        name: str

    found = await grounded(harness, serve(answer(7, 12, 7)), Iterable[int], "17, 7, 12, 7")
    assert [each.item.start for each in found.evidence if each.item] == [4, 7, 11]
    with pytest.raises(ConfigurationError, match=r"int '7' cannot carry its evidence: .* items\.evidence\[i\]"):
        evidence(found[0])
    with pytest.raises(ConfigurationError, match="is a list or a stream"):
        evidence(found)
    movies = await grounded(harness, serve(answer({"title": "Alien"})), list[Movie], "We saw Alien.")
    assert texts(movies.evidence[0]) == {"title": "Alien"}
    places = await grounded(harness, serve(answer({"name": "Rome"})), list[Place], "We saw Rome.")
    assert texts(evidence(places[0])) == {"name": "Rome"}
    assert places[0] == Place("Rome")


async def test_a_stream_has_evidence_as_items_close_and_says_once_what_moved(harness: Harness, serve: Any) -> None:
    text = "9 for Ann Lee. 7 for Bob Ray."
    moved = list[list[int]]()
    people = [{"name": "Ann Lee", "age": 7}, {"name": "Bob Ray", "age": 7}]
    server = serve(answer(*people))
    client = harness.client(server)
    client.on("evidence:moved", moved.append)
    options = {"messages": said(text), "model": "scripted", "ground": True}
    stream = client.create_iterable(response_model=Person, **options)
    first = await harness.next(stream)
    assert evidence(first).provisional
    assert texts(evidence(first)) == {"name": "Ann Lee", "age": "7"}
    assert stream.evidence[0] == evidence(first)
    rest = await harness.items(stream)
    assert moved == [[0]]
    assert texts(evidence(first)) == {"name": "Ann Lee", "age": "-"}
    assert [each.provisional for each in stream.evidence] == [False, False]
    assert texts(evidence(rest[0])) == {"name": "Bob Ray", "age": "7"}


async def test_a_stream_that_is_left_early_has_decided_too(harness: Harness, serve: Any) -> None:
    server = serve(answer({"name": "Ann Lee"}, {"name": "Bob Ray"}))
    stream = harness.client(server).create_iterable(
        response_model=Person, messages=said("Ann Lee"), model="scripted", ground=True
    )
    first = await harness.next(stream)
    await harness.close(stream)
    assert not evidence(first).provisional
    assert len(stream.evidence) == 1


async def test_the_last_value_of_a_growing_one_has_evidence(harness: Harness, serve: Any) -> None:
    server = serve(answer({"name": "Ann Lee", "age": 30}))
    stream = harness.client(server).create_partial(
        response_model=Person, messages=said("Ann Lee, 30"), model="scripted", ground=True
    )
    values = await harness.items(stream)
    assert texts(evidence(values[-1])) == {"name": "Ann Lee", "age": "30"}
    with pytest.raises(ConfigurationError, match="must be a complete item"):
        evidence(values[0])


async def test_only_texts_of_the_user_are_sources(harness: Harness, serve: Any) -> None:
    messages = [
        {"role": "system", "content": "Rome"},
        {"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "first\fIn Paris."}]},
        {"role": "assistant", "content": "Oslo"},
        {"role": "user", "content": "In Bern."},
    ]
    server = serve(answer({"tasks": ["Rome", "Paris", "Oslo", "Bern"]}))
    found = await grounded(harness, server, list[str], messages)
    assert [each.status[""] for each in found.evidence] == ["none", "exact", "none", "exact"]
    paris, bern = found.evidence[1].item, found.evidence[3].item
    assert (paris.source.message, paris.source.part, paris.source.page) == (1, 1, 2)
    assert (paris.source.text, paris.text) == ("first\fIn Paris.", "Paris")
    assert (bern.source.message, bern.source.part, bern.source.page) == (3, 0, None)


async def test_what_may_be_in_a_picture_is_unavailable(harness: Harness, serve: Any) -> None:
    picture = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    messages = [{"role": "user", "content": ["Who is this? Ann Lee?", picture]}]
    messages[0]["content"] = [{"type": "text", "text": "Who is this? Ann Lee?"}, picture]
    server = serve(answer({"name": "Ann Lee", "city": "Rome"}))
    user = await grounded(harness, server, Person, messages, ground="require")
    assert evidence(user).status == {"name": "exact", "city": "unavailable"}


async def test_what_a_validator_changed_is_found_as_it_was_written(harness: Harness, serve: Any) -> None:
    class Coded(BaseModel):
        country: Annotated[str, Field(alias="land")]

        @field_validator("country")
        @classmethod
        def code(cls, country: str) -> str:
            return {"Germany": "DEU"}[country]

    server = serve(answer({"land": "Germany"}))
    value = await grounded(harness, server, Coded, "Made in Germany.")
    assert value.country == "DEU"
    assert texts(evidence(value)) == {"country": "Germany"}


class Review(BaseModel):
    product: str
    day: dt.date
    summary: Annotated[str, NotInText]
    tone: Tone
    stars: Literal["many", "few"]
    good: bool
    by: str | None = None
    source: str = "web"

    @computed_field  # type: ignore[prop-decorator]
    @property
    def length(self) -> int:
        return len(self.summary)


async def test_require_asks_again_for_what_is_not_in_the_text(harness: Harness, serve: Any) -> None:
    text = "Ann Lee is 30 and Bob Ray is 31. The secret word is swordfish."
    wrong = [{"name": "Ann Lee", "age": 30}, {"name": "Bob Ray", "age": 32}]
    server = serve(answer(*wrong), answer({"name": "Bob Ray", "age": 31}))
    found = await grounded(harness, server, Iterable[Person], text, ground="require", max_retries=1)
    assert [(each.name, each.age) for each in found] == [("Ann Lee", 30), ("Bob Ray", 31)]
    assert [texts(each)["age"] for each in found.evidence] == ["30", "31"]
    correction = json.dumps(server.requests[1].body["messages"][len(server.requests[0].body["messages"]) :])
    assert "$.age, not 32" in correction
    assert "swordfish" not in correction
    assert "Ann Lee" not in correction


async def test_require_leaves_items_out_or_fails_as_for_any_other_fault(harness: Harness, serve: Any) -> None:
    people = [{"name": "Ann Lee"}, {"name": "Zoe Fox"}]
    server = serve(lambda _: answer(*people))
    kept = await grounded(harness, server, Iterable[Person], "Ann Lee", ground="require", on_invalid="skip")
    assert [each.name for each in kept] == ["Ann Lee"]
    assert kept.report.failed_items[0].index == 1
    with pytest.raises(InstructorRetryException, match=r"does not contain this value.*Zoe Fox"):
        await grounded(harness, server, Iterable[Person], "Ann Lee", ground="require")


async def test_require_does_not_ask_for_what_need_not_be_in_the_text(harness: Harness, serve: Any) -> None:
    value = {
        "product": "Lamp X2000", "day": "2024-03-04", "summary": "It shines.", "tone": "warm", "stars": "many",
        "good": True, "by": None,
    }  # fmt: skip
    server = serve(answer(value))
    found = evidence(await grounded(harness, server, Review, "Lamp X2000, 4 March 2024: nice", ground="require"))
    assert found.status == {
        "product": "exact", "day": "normalised:date", "tone": "none", "stars": "none",
    }  # fmt: skip


async def test_require_holds_for_a_growing_value_too(harness: Harness, serve: Any) -> None:
    server = serve(answer({"name": "Zoe Fox"}), answer({"name": "Ann Lee"}))
    stream = harness.client(server).create_partial(
        response_model=Person, messages=said("Ann Lee"), model="scripted", ground="require"
    )
    values = await harness.items(stream)
    assert values[-1].name == "Ann Lee"
    assert texts(evidence(values[-1])) == {"name": "Ann Lee"}
    assert stream.report.attempts == 2


async def test_evidence_and_asynchronous_validators_go_together(harness: Harness, serve: Any) -> None:
    if not harness.is_async:
        pytest.skip("a sync client refuses asynchronous validators")

    class Known(BaseModel):
        name: str

        @async_field_validator("name")
        async def lower(self, name: str) -> str:
            return name.lower()

    found = await grounded(harness, serve(answer({"name": "Ann Lee"})), list[Known], "Ann Lee", ground="require")
    assert [each.name for each in found] == ["ann lee"]
    assert [texts(each) for each in found.evidence] == [{"name": "Ann Lee"}]


async def test_calls_of_several_tools_have_evidence(harness: Harness, serve: Any) -> None:
    server = serve(tools(ToolCall({"name": "Ann Lee"}, "Person"), ToolCall({"what": "a lamp", "price": 3}, "Line")))
    found = await harness.create(
        harness.client(server, Mode.PARALLEL_TOOLS), Iterable[Person | Line],
        messages=said("Ann Lee bought a lamp for 3."), ground=True,
    )  # fmt: skip
    assert [texts(evidence(each)) for each in found] == [{"name": "Ann Lee"}, {"what": "a lamp", "price": "3"}]


async def test_a_model_that_has_a_field_called_evidence_is_no_list(harness: Harness, serve: Any) -> None:
    class Claim(BaseModel):
        evidence: str

    found = await grounded(harness, serve(answer({"evidence": "a knife"})), Claim, "There was a knife.")
    assert texts(evidence(found)) == {"evidence": "a knife"}
    with pytest.raises(ConfigurationError, match="has no evidence"):
        evidence(Claim(evidence="a knife"))


async def test_a_list_that_is_continued_has_evidence_in_order(harness: Harness, serve: Any) -> None:
    text = "John Smith, then John Smith, then Ann Lee."
    names = [{"name": "John Smith"}, {"name": "John Smith"}, {"name": "Ann Lee"}]
    for ground in (True, "require"):
        server = serve(answer(*names[:2], finish="length"), answer(*names[1:]))
        found = await grounded(harness, server, Iterable[Person], text, ground=ground, max_retries=2)
        assert [starts(each)["name"] for each in found.evidence][-1] == text.index("Ann")
        assert len({starts(each)["name"] for each in found.evidence}) == len(found)


async def test_a_corrected_item_has_its_place_in_the_list(harness: Harness, serve: Any) -> None:
    """It comes after the others, but it is the first John Smith."""
    text = "John Smith (29), then John Smith (41), then Ann Lee (30)."
    wrong = [{"name": "John Smith", "age": "?"}, {"name": "John Smith", "age": 41}, {"name": "Ann Lee", "age": 30}]
    server = serve(answer(*wrong), answer({"name": "John Smith", "age": 29}))
    found = await grounded(harness, server, Iterable[Person], text, max_retries=2)
    places = {(each.name, each.age): starts(evidence(each)) for each in found}
    assert places["John Smith", 29] == {"name": 0, "age": text.index("29")}
    assert places["John Smith", 41] == {"name": text.index("John", 1), "age": text.index("41")}


async def test_an_answer_from_a_cache_has_evidence(harness: Harness, serve: Any) -> None:
    server, cache = serve(answer({"name": "Ann Lee"})), AutoCache()
    for _ in range(2):
        user = await grounded(harness, server, Person, "Ann Lee", cache=cache)
        assert texts(evidence(user)) == {"name": "Ann Lee"}
    assert len(server.requests) == 1


async def test_the_modes_without_tools_have_evidence_too(harness: Harness, serve: Any) -> None:
    server = serve(lambda _: content('{"name": "Ann Lee"}'))
    user = await harness.create(harness.client(server, Mode.JSON), Person, messages=said("Ann Lee"), ground=True)
    assert texts(evidence(user)) == {"name": "Ann Lee"}
    server = serve(answer({"content": "Ann Lee"}))
    stream = harness.client(server).create(str, messages=said("Ann Lee"), model="scripted", ground=True, stream=True)
    stream = await harness.result(stream)
    await harness.items(stream)
    assert stream.evidence[-1].item.text == "Ann Lee"


async def test_a_client_may_ask_for_all_its_calls(harness: Harness, serve: Any) -> None:
    server = serve(lambda _: answer({"name": "Ann Lee"}))
    client = instructor.from_openai(harness.sdk(server), ground=True)
    user = await harness.create(client, Person, messages=said("Ann Lee"))
    assert texts(evidence(user)) == {"name": "Ann Lee"}
    user = await harness.create(client, Person, messages=said("Ann Lee"), ground=False)
    with pytest.raises(ConfigurationError, match="has no evidence"):
        evidence(user)


async def test_what_is_wrong_with_the_argument_is_said_before_any_request(harness: Harness, serve: Any) -> None:
    server = serve()
    client = harness.client(server)
    with pytest.raises(ConfigurationError, match="ground must be True, False or \"require\", got 'yes'"):
        await harness.create(client, Person, ground="yes")
    with pytest.raises(ConfigurationError, match="needs a message of the role 'user'"):
        await harness.create(client, Person, ground=True, messages=[{"role": "system", "content": "Ann"}])
    with pytest.raises(ConfigurationError, match="ground needs a response_model"):
        await harness.create(client, None, ground=True)
    with pytest.raises(ConfigurationError, match="did not ask for it: pass ground=True"):
        _ = client.create_iterable(response_model=Person, messages=said("Ann"), model="scripted").evidence
    assert not server.requests


async def test_rows_of_a_bulk_run_carry_evidence_also_out_of_the_store(
    harness: Harness, serve: Any, tmp_path: Any
) -> None:
    server = serve(lambda _: answer({"name": "Ann Lee"}, {"name": "Bob Ray"}))
    options = {"response_model": list[Person], "model": "scripted", "store": tmp_path / "people.sqlite", "ground": True}
    rows = ["Bob Ray saw Ann Lee.", "Nobody."]
    for reused in (False, True):
        found = {row.input: row for row in await harness.items(harness.client(server).map(rows, **options))}
        assert all(row.reused is reused for row in found.values())
        assert [starts(each) for each in found[rows[0]].value.evidence] == [{"name": 12}, {"name": 0}]
        assert [each.status["name"] for each in found[rows[1]].value.evidence] == ["none", "none"]
    assert len(server.requests) == 2
