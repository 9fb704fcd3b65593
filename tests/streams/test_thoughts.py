"""What a reasoning model thinks is no part of its answer, wherever it stands; in a string it is data."""

from __future__ import annotations

from typing import Any

import pytest
from readings import PEOPLE, WRAPPED, A, B, Person, read_in_all_ways

from harness import Harness, asking
from instructor import Mode
from instructor.exceptions import InstructorRetryException
from instructor.testing import Scripted, content

DRAFT = '{"name": "Draft", "age": 9}'
MARKS = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<Think>", "</THINK>"),
    ("<thought>", "</thought>"),
    ("<thoughts>", "</thoughts>"),
    ("<reasoning>", "</reasoning>"),
    ("<reflection>", "</reflection>"),
    ("<scratchpad>", "</scratchpad>"),
    ("<seed:think>", "</seed:think>"),
    ("<longcat_think>", "</longcat_think>"),
    ("<antThinking>", "</antThinking>"),
    ("<thought_process>", "</thought_process>"),
    ("<inner_monologue>", "</inner_monologue>"),
    ("<unused94>thought\n", "<unused95>"),
    ("<|inner_prefix|>", "<|inner_suffix|>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
    ("<|channel|>analysis<|message|>", "<|channel|>final<|message|>"),
]
ALONE = [close for _, close in MARKS if "<|end|>" not in close and "channel" not in close]
PLACES = {
    "at the start": f"<>maybe {DRAFT} or {{ [ </>{WRAPPED}",
    "on lines of its own": f"<>\n{DRAFT}\n[1]\n</>\n{WRAPPED}",
    "after a word": f"Sure. <>\n{DRAFT}\n</>\n{WRAPPED}",
    "twice": f"<>a</>\n<>\n[{DRAFT}]\n</>\n{WRAPPED}",
    "before one object a line": f"<>{DRAFT}</>{A}\n{B}",
    "between items": f"{A}\n<>\n{DRAFT}\n</>\n{B}",
    "after the list": f"{WRAPPED}\n<>\n[{DRAFT}]\n</>",
}


def written(text: str, marks: tuple[str, str]) -> str:
    return text.replace("<>", marks[0]).replace("</>", marks[1])


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        *((text, marks) for text in PLACES.values() for marks in (MARKS[0], MARKS[9])),
        *((PLACES["after a word"], marks) for marks in MARKS),
    ],
)
async def test_a_thought_is_passed_over_wherever_it_stands(harness: Harness, text: str, marks: tuple[str, str]) -> None:
    assert await read_in_all_ways(harness, written(text, marks), Person, Mode.JSON) == PEOPLE


@pytest.mark.parametrize("close", ["</think>", "[/THINK]"])
@pytest.mark.parametrize("thought", ["hm, no", "maybe [1] or {x}", 'like {"page": 1}', "a list:\n[1, "])
async def test_where_nothing_was_delivered_the_answer_begins_afresh(harness: Harness, thought: str, close: str) -> None:
    text = f"{thought}\n{close}\n{WRAPPED}"
    if thought.endswith("[1, "):  # the stream cannot know: it is asked again
        with Scripted([content(text)]) as server:
            found = await harness.create(harness.client(server, Mode.JSON), response_model=list[Person], max_retries=0)
    else:
        found = await read_in_all_ways(harness, text, Person, Mode.JSON)
    assert found == PEOPLE


@pytest.mark.parametrize("draft", [DRAFT, f"[{DRAFT}]", f'{{"tasks": [{DRAFT}]}}', f"{DRAFT}\n{DRAFT}"])
@pytest.mark.parametrize("close", ["</think>", "[/THINK]"])
async def test_a_whole_reply_counts_from_the_last_mark(harness: Harness, draft: str, close: str) -> None:
    for answer in (WRAPPED, f"{A}\n{B}"):
        with Scripted([content(f"Let me see:\n{draft}\nno{close}\n{draft}{close}{answer}")]) as server:
            client = harness.client(server, Mode.JSON)
            assert await harness.create(client, response_model=list[Person], max_retries=0) == PEOPLE


async def test_a_whole_reply_counts_from_the_mark_though_the_draft_broke_off(harness: Harness) -> None:
    with Scripted([content(f'{{"tasks": [{DRAFT}, {{"name": no</think>{WRAPPED}')]) as server:
        client = harness.client(server, Mode.JSON)
        assert await harness.create(client, response_model=list[Person], max_retries=0) == PEOPLE


@pytest.mark.parametrize(
    ("close", "chunk"), [*(("</think>", chunk) for chunk in (1, 7, 100_000)), *((close, 1) for close in ALONE)]
)
async def test_a_stream_that_gave_a_draft_says_so(harness: Harness, close: str, chunk: int) -> None:
    heard: list[str] = []
    with Scripted([content(f"Let me see:\n[{DRAFT}]\n{close}{WRAPPED}", chunk=chunk)]) as server:
        client = harness.client(server, Mode.JSON)
        client.on("parse:error", lambda error: heard.append(str(error)))
        stream = client.create_iterable(response_model=Person, **asking(max_retries=0))
        assert await harness.items(stream) == [Person(name="Draft", age=9), *PEOPLE]
    assert not stream.report.complete
    assert stream.report.doubted == 1
    assert heard == ["The text says that a thought ended, after 1 value had been delivered: they may be drafts."]


async def test_an_answer_that_does_not_come_after_the_mark_is_missed(harness: Harness) -> None:
    with Scripted([content(f"[{DRAFT}]\n</think>\n"), content(WRAPPED)]) as server:
        assert await harness.create(harness.client(server, Mode.JSON), response_model=list[Person]) == PEOPLE


@pytest.mark.parametrize(
    "text",
    [
        '{"tasks": [{"name": "<think>a</think>", "age": 1}, {"name": "</think>", "age": 2}]}',
        '{"name": "<think>a</think>", "age": 1}\n{"name": "</think>", "age": 2}',
    ],
)
async def test_in_a_string_a_mark_is_data(harness: Harness, text: str) -> None:
    found = await read_in_all_ways(harness, text, Person, Mode.JSON)
    assert [person.name for person in found] == ["<think>a</think>", "</think>"]


@pytest.mark.parametrize("text", ["a < b <think ", "<thin ", "[THIN] [ THINGS ", "<<", "◁ ", "<|channel|>final "])
async def test_what_is_no_mark_is_prose(harness: Harness, text: str) -> None:
    assert await read_in_all_ways(harness, text + WRAPPED, Person, Mode.JSON) == PEOPLE


async def test_a_thought_without_an_end_holds_no_answer(harness: Harness) -> None:
    for chunk in (1, 100):
        with Scripted([content(f"<think>\n{WRAPPED}", chunk=chunk)] * 2) as server:
            client = harness.client(server, Mode.JSON)
            with pytest.raises(InstructorRetryException):
                await harness.items(client.create_iterable(response_model=Person, **asking(max_retries=0)))
            with pytest.raises(InstructorRetryException):
                await harness.create(client, Person, max_retries=0)


# One value, whole and while it grows.


async def shown(harness: Harness, text: str, chunk: int) -> tuple[list[Any], Any]:
    with Scripted([content(text, chunk=chunk)]) as server:
        client = harness.client(server, Mode.JSON)
        stream = client.create_partial(Person, **asking(max_retries=0))
        return [person.name for person in await harness.items(stream)], stream.report


@pytest.mark.parametrize(
    ("place", "marks"),
    [
        *((place, MARKS[0]) for place in ("at the start", "after a word", "twice")),
        *(("after a word", marks) for marks in MARKS),
    ],
)
async def test_one_value_is_not_looked_for_in_thoughts(harness: Harness, marks: tuple[str, str], place: str) -> None:
    text = written(PLACES[place].replace(WRAPPED, A), marks)
    with Scripted([content(text)]) as server:
        client = harness.client(server, Mode.JSON)
        assert await harness.create(client, Person, max_retries=0) == Person(name="Ann", age=1)
    for chunk in (1, 7, 100_000):
        names, report = await shown(harness, text, chunk)
        assert names[-1] == "Ann"
        assert all("Ann".startswith(name or "") for name in names)
        assert report.complete


@pytest.mark.parametrize("draft", [DRAFT, DRAFT[:-1]], ids=["whole", "broken off"])
@pytest.mark.parametrize("chunk", [1, 7, 100_000])
@pytest.mark.parametrize("close", ["</think>", "[/THINK]"])
async def test_one_value_counts_from_the_last_mark(harness: Harness, close: str, chunk: int, draft: str) -> None:
    text = f"Like {draft}, no {close} {A}"
    with Scripted([content(text)]) as server:
        client = harness.client(server, Mode.JSON)
        assert await harness.create(client, Person, max_retries=0) == Person(name="Ann", age=1)
    names, report = await shown(harness, text, chunk)
    assert names[-1] == "Ann"
    assert report.complete is (not any("Draft".startswith(name) for name in names if name))


@pytest.mark.parametrize("chunk", [1, 7, 100_000])
async def test_a_mark_in_one_value_is_data(harness: Harness, chunk: int) -> None:
    for text in ('{"name": "</think>", "age": 1}', 'So: {"name": "</think>", "age": 1}'):
        names, report = await shown(harness, text, chunk)
        assert names[-1] == "</think>"
        assert report.complete
        with Scripted([content(text)]) as server:
            whole = await harness.create(harness.client(server, Mode.JSON), Person, max_retries=0)
        assert whole.name == "</think>"
