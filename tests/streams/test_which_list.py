"""Which objects are items, and which of several lists is the answer."""

from __future__ import annotations

import json
from typing import Any, Optional

import pytest
from persons import said
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, model_validator

from harness import Harness, asking
from instructor import Mode
from instructor.exceptions import IncompleteOutputException, InstructorRetryException
from instructor.testing import Scripted, answer, content, tools


class Lead(BaseModel):
    """Every field may be missing: any object at all is valid."""

    name: Optional[str] = None  # noqa: UP045 - pydantic reads it on every Python
    email: Optional[str] = None  # noqa: UP045


class Person(BaseModel):
    name: str
    age: int


class Plan(BaseModel):
    title: str
    tasks: list[str]


class Chores(BaseModel):
    tasks: list[str] = []


class Job(BaseModel):
    tasks: list[str] = []
    done: bool = False


class Step(BaseModel):
    name: str
    tasks: list[Step] = []


class OwnAndFree(BaseModel):
    model_config = ConfigDict(extra="allow")
    tasks: list[str] = []


class Loose(BaseModel):
    model_config = ConfigDict(extra="allow")
    name: str = ""


class Renamed(BaseModel):
    first: str = Field("", validation_alias=AliasChoices("firstName", "given"))


class Converted(BaseModel):
    text: str = ""

    @model_validator(mode="before")
    @classmethod
    def from_words(cls, data: Any) -> Any:
        return {"text": " ".join(data["words"])} if "words" in data else data


JASON, ANN = {"name": "Jason", "email": "j@x"}, {"name": "Ann"}
LEADS = [Lead(name="Jason", email="j@x"), Lead(name="Ann")]
OTHERWISE = {
    "another key": {"leads": [JASON, ANN]},
    "another key beside others": {"count": 2, "meta": {"page": 1}, "leads": [JASON, ANN]},
    "a text that is the list": {"tasks": json.dumps([JASON, ANN])},
    "a text that is the wrapper": {"tasks": json.dumps({"tasks": [JASON, ANN]})},
    "a wrapper around the wrapper": {"result": {"tasks": [JASON, ANN]}},
    "a wrapper around another key": {"data": {"result": {"leads": [JASON, ANN]}}},
}


async def both_ways(harness: Harness, server: Scripted, kind: Any, mode: Mode = Mode.TOOLS, **how: Any) -> list[Any]:
    """Ask for a list by stream and at once, which must give the same."""
    client = harness.client(server, mode)
    stream = client.create_iterable(response_model=kind, **asking(**how))
    streamed = await harness.items(stream)
    assert stream.report.complete
    whole = await harness.create(client, response_model=list[kind], **how)
    assert streamed == whole
    return streamed


@pytest.mark.parametrize("mode", [Mode.TOOLS, Mode.JSON])
@pytest.mark.parametrize("document", OTHERWISE.values(), ids=list(OTHERWISE))
async def test_a_list_under_another_name_is_read(harness: Harness, document: Any, mode: Mode) -> None:
    with Scripted([answer(document, chunk=3), answer(document)]) as server:
        assert await both_ways(harness, server, Lead, mode, max_retries=0) == LEADS


async def test_a_list_under_another_name_keeps_its_wrong_items(harness: Harness) -> None:
    document = {"people": [{"name": "a", "age": 1}, {"name": "b"}]}
    with Scripted([answer(document), answer({"tasks": [{"name": "b", "age": 2}]})] * 2) as server:
        assert await both_ways(harness, server, Person) == [Person(name="a", age=1), Person(name="b", age=2)]


@pytest.mark.parametrize("mode", [Mode.TOOLS, Mode.JSON])
@pytest.mark.parametrize(
    "document",
    [{"tasks": None}, {}, {"leads": "none"}, {"leads": [{"nom": "Jason"}]}, {"a": [JASON], "b": [ANN]}, {"leads": []}],
    ids=str,
)
async def test_what_cannot_be_told_is_asked_for_again_whole(harness: Harness, document: Any, mode: Mode) -> None:
    with Scripted([answer(document), answer({"tasks": [JASON, ANN]})] * 2) as server:
        assert await both_ways(harness, server, Lead, mode) == LEADS
        assert len(server.requests) == 4
    with Scripted([answer(document)]) as server, pytest.raises(InstructorRetryException) as failed:
        await harness.create(harness.client(server, mode), response_model=list[Lead], max_retries=0)
    assert failed.value.failed_items == []
    assert json.dumps(document) in str(failed.value)


async def test_a_re_ask_says_that_it_was_no_list(harness: Harness) -> None:
    with Scripted([answer({"tasks": None}), answer({"tasks": [ANN]})] * 2) as server:
        await both_ways(harness, server, Lead)
    assert "neither the list nor an item" in server.requests[1].messages[-1]["content"]


@pytest.mark.parametrize(
    ("kind", "document", "read"),
    [
        (Lead, JASON, LEADS[:1]),
        (Lead, {"tasks": JASON}, LEADS[:1]),
        (dict[str, int], {"a": 1}, [{"a": 1}]),
        (dict[str, int], {"tasks": {"a": 1}}, [{"a": 1}]),
        (dict[str, int], {"counts": [{"a": 1}, {}]}, [{"a": 1}, {}]),
        (dict[str, list[str]], {"a": ["x"]}, [{"a": ["x"]}]),
        (dict[str, dict[str, int]], {"user": {"a": 1}}, [{"user": {"a": 1}}]),
        (Loose, {"nick": "J"}, [Loose.model_validate({"nick": "J"})]),
        (Loose, {"people": [{"nick": "J"}]}, [Loose.model_validate({"nick": "J"})]),
        (Renamed, {"given": "J"}, [Renamed.model_validate({"given": "J"})]),
        (Converted, {"words": ["a", "b"]}, [Converted(text="a b")]),
        (int, {"numbers": [1, 2]}, [1, 2]),
        (Plan, {"title": "t", "tasks": ["a"]}, [Plan(title="t", tasks=["a"])]),
        (Plan, {"tasks": ["a"], "title": "t"}, [Plan(title="t", tasks=["a"])]),
        (Plan, {"tasks": [], "title": "t"}, [Plan(title="t", tasks=[])]),
        (Plan, {"tasks": []}, []),
        (Plan, {"tasks": [], "done": True}, []),
        (Plan, {"done": True, "tasks": []}, []),
        (Plan, {"tasks": {"title": "t", "tasks": []}}, [Plan(title="t", tasks=[])]),
        (Plan, {"tasks": '[{"title": "t", "tasks": []}]'}, [Plan(title="t", tasks=[])]),
        (Plan, {"title": "All", "tasks": [{"title": "t", "tasks": []}]}, [Plan(title="t", tasks=[])]),
        (Plan, {"tasks": [{"title": "t", "tasks": []}], "title": "All"}, [Plan(title="t", tasks=[])]),
        (Job, {"tasks": [], "done": True}, [Job(done=True)]),
        (Job, {"done": True, "tasks": []}, [Job(done=True)]),
        (Job, {"tasks": [{"tasks": [], "done": True}]}, [Job(done=True)]),
        (Job, {"done": True, "tasks": [{"tasks": [], "done": True}]}, [Job(done=True)]),
        (Job, {"tasks": {"tasks": [], "done": True}}, [Job(done=True)]),
        (Job, {"tasks": []}, []),
        (Job, {"tasks": [], "count": 0}, []),
        (OwnAndFree, {"tasks": [], "nick": "J"}, [OwnAndFree.model_validate({"tasks": [], "nick": "J"})]),
        (
            Step,
            {"tasks": [{"name": "a"}, {"name": "b", "tasks": [{"name": "c"}]}], "count": 2},
            [Step(name="a"), Step(name="b", tasks=[Step(name="c")])],
        ),
        (Step, {"name": "a", "tasks": [{"name": "b"}]}, [Step(name="a", tasks=[Step(name="b")])]),
        (Plan, {"tasks": [{"title": "t", "tasks": ["a"]}]}, [Plan(title="t", tasks=["a"])]),
        (Chores, {"tasks": ["a"]}, [Chores(tasks=["a"])]),
        (Chores, {"tasks": [{"tasks": ["a"]}, {}]}, [Chores(tasks=["a"]), Chores()]),
    ],
    ids=str,
)
async def test_an_item_without_the_list(harness: Harness, kind: Any, document: Any, read: list[Any]) -> None:
    with Scripted([tools(document, chunk=1), tools(document)]) as server:
        assert await both_ways(harness, server, kind, max_retries=0) == read


async def test_a_part_of_an_item_is_not_taken_for_the_list_without_a_word(harness: Harness) -> None:
    document = {"tasks": [{"name": "b"}], "name": "a"}
    with Scripted([answer(document), answer({"tasks": []})]) as server:
        stream = harness.client(server).create_iterable(response_model=Step, **asking(max_retries=1))
        await harness.items(stream)
        assert len(server.requests) == 2
    with Scripted([answer(document)]) as server, pytest.raises(IncompleteOutputException):
        await harness.create(harness.client(server), response_model=list[Step], max_retries=0)


async def test_items_a_line_with_a_field_like_the_wrappers(harness: Harness) -> None:
    text = '{"title": "t", "tasks": ["a", "b"]}\n{"title": "u", "tasks": []}\n{"tasks": ["c"], "title": "v"}'
    with Scripted([content(text, chunk=1), content(text)]) as server:
        found = await both_ways(harness, server, Plan, Mode.JSON, max_retries=0)
    assert [(plan.title, plan.tasks) for plan in found] == [("t", ["a", "b"]), ("u", []), ("v", ["c"])]


async def test_a_line_without_a_key_of_an_item_is_a_wrong_item(harness: Harness) -> None:
    text = '{"name": "Jason", "email": "j@x"}\n{"nom": "Ann"}\n'
    with Scripted([content(text), answer({"tasks": [ANN]})] * 2) as server:
        assert await both_ways(harness, server, Lead, Mode.JSON) == LEADS
    assert "no key of Lead" in server.requests[1].messages[-1]["content"]


async def test_objects_in_the_prose_are_no_items(harness: Harness) -> None:
    text = 'For example:\n{"page": 1}\nThe list:\n{"tasks": [{"name": "Ann"}]}'
    with Scripted([content(text), content(text)]) as server:
        assert await both_ways(harness, server, Lead, Mode.JSON, max_retries=0) == LEADS[1:]


# Several lists in one text: for a whole response the last one counts, in a fence or a wrapper before others.


def fenced(*numbers: int) -> str:
    return f"```json\n{json.dumps({'tasks': numbers})}\n```"


LAST = {
    "a draft": f'First idea: {{"tasks": [9]}}. Better:\n{fenced(1, 2)}',
    "a draft in a fence": f"{fenced(9)}\nNo, rather:\n{fenced(1, 2)}",
    "a draft without a wrapper": '[9, 8]\nRather:\n{"tasks": [1, 2]}',
    "said twice": '{"tasks": [1, 2]}\n{"tasks": [1, 2]}',
    "a longer draft": '{"tasks": [9, 8, 7]}\n{"tasks": [1, 2]}',
    "a remark after it": f'{fenced(1, 2)}\nNone would be {{"tasks": []}}, see [9, 8].',
    "in a thought": f"<think>\n{fenced(9)}\n[8, 7]\n</think>\n[1, 2]",
}
SURE = {
    "a reference before": f"Sure [9]:\n{fenced(1, 2)}",
    "a list in the sentence": 'Given [9, 8] the answer is:\n{"tasks": [1, 2]}',
    "references after": '{"tasks": [1, 2]} as in [9] and [8, 7].',
    "only sentences": "Given [9, 8, 7] the answer is [1, 2], I think.",
    "a thought": '<think>Is it [9] or {"tasks": [8]}?</think>{"tasks": [1, 2]}',
    "a longer thought": " \n<thinking>\n[9,\n8]\n</ thinking>\n</thinking>\n[1, 2]",
    "no thought": "<thin [9]>\n[1, 2]",
}


@pytest.mark.parametrize("mode", [Mode.JSON, Mode.MD_JSON])
@pytest.mark.parametrize("text", [*LAST.values(), *SURE.values()], ids=[*LAST, *SURE])
async def test_of_several_lists_the_last_is_the_answer(harness: Harness, text: str, mode: Mode) -> None:
    with Scripted([content(text)]) as server:
        assert await harness.create(harness.client(server, mode), response_model=list[int], max_retries=0) == [1, 2]


@pytest.mark.parametrize("chunk", [1, 2, 1000])
@pytest.mark.parametrize("text", SURE.values(), ids=list(SURE))
async def test_a_stream_waits_where_it_cannot_know(harness: Harness, text: str, chunk: int) -> None:
    with Scripted([content(text, chunk=chunk)]) as server:
        client = harness.client(server, Mode.JSON)
        assert await harness.items(client.create_iterable(response_model=int, **asking(max_retries=0))) == [1, 2]


# What waits for the end of the text counts only where the text has ended, and was not cut.

CUT = {
    "a reference": (int, 'As Table [1] says, here is the list:\n{"tas'),
    "two": (int, "As Table [1] and Table [2, 3] say"),
    "a list in a sentence": (int, "The numbers are [9, 8]."),
    "a string": (str, 'I found ["x"], so here is the list:\n{'),
    "in a string": (int, '"[9, 8]"'),
    "a list under another name": (Lead, 'For example {"leads": [{"name": "Jane"}]}. The list:\n{"tas'),
    "an object of the prose": (Lead, '{"page": {"of": [{"name": "Jane"}]}}\nThe list:\n'),
}


@pytest.mark.parametrize("finish", ["length", "abort"])
@pytest.mark.parametrize(("kind", "text"), CUT.values(), ids=list(CUT))
async def test_what_waits_for_the_end_is_dropped_where_there_was_none(
    harness: Harness, kind: Any, text: str, finish: str
) -> None:
    document: Any = {int: [1001, 1002], str: ["a", "b"], Lead: [JASON, ANN]}[kind]
    for chunk in (1, 7, 100_000):
        with Scripted([content(text, chunk=chunk, finish=finish), content({"tasks": document})]) as server:
            stream = harness.client(server, Mode.JSON).create_iterable(response_model=kind, **asking())
            assert await harness.items(stream) == (LEADS if kind is Lead else document)
            assert stream.report.complete
            assert len(server.requests) == 2
    with Scripted([content(text, finish=finish), content({"tasks": document})]) as server:
        found = await harness.create(harness.client(server, Mode.JSON), response_model=list[kind])
        assert found == (LEADS if kind is Lead else document)


async def test_each_channel_waits_by_itself(harness: Harness) -> None:
    calls = ['{"tasks": [{"name": "Jason", "email": "j@x"}]}', '{"leads": [{"name": "Draft"}]}']
    with Scripted([tools(*calls, finish="length"), answer({"tasks": [ANN]})]) as server:
        stream = harness.client(server).create_iterable(response_model=Lead, **asking())
        assert await harness.items(stream) == LEADS


async def test_strings_in_the_prose_are_no_items(harness: Harness) -> None:
    text = 'I found ["these"] items:\n```json\n{"tasks": ["a", "b"]}\n```'
    with Scripted([content(text, chunk=1), content(text)]) as server:
        assert await both_ways(harness, server, str, Mode.MD_JSON, max_retries=0) == ["a", "b"]


async def test_a_draft_before_a_list_that_broke_off_is_not_delivered(harness: Harness) -> None:
    text = 'First {"tasks": [{"name": "Draft", "age": 1}]}. Better:\n{"tasks": [{"name": "a", "age": 1}, {"name'
    with Scripted([
        content(text, finish="length"),
        said('{"tasks": [{"name": "b", "age": 2}]}', Mode.JSON),
    ]) as server:  # fmt: skip
        found = await harness.create(harness.client(server, Mode.JSON), response_model=list[Person])
    assert found == [Person(name="a", age=1), Person(name="b", age=2)]


async def test_one_value_is_not_looked_for_in_a_thought(harness: Harness) -> None:
    text = '<think>```json\n{"name": "Draft", "age": 1}\n```</think>\n{"name": "a", "age": 2}'
    with Scripted([content(text), content(text, chunk=1)]) as server:
        client = harness.client(server, Mode.JSON)
        assert await harness.create(client, Person, max_retries=0) == Person(name="a", age=2)
        snapshots = await harness.items(client.create_partial(Person, **asking(max_retries=0)))
    assert {person.name for person in snapshots} == {None, "", "a"}
