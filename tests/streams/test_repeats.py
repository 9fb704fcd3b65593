"""Items that come again: at a seam, among corrections, spelled otherwise, cut, and those that are really equal."""

from __future__ import annotations

import json
from typing import Any

import pytest
from persons import Person, adds_up, ids, people, stream_of, taken, tasks
from pydantic import BaseModel, Field

from harness import Harness, asking
from instructor import Mode, Usage
from instructor.exceptions import IncompleteOutputException, InstructorRetryException
from instructor.testing import Reply, Scripted, answer, content, events, tools

BAD = '{"id": "x"}'
OTHER = '{"id": "y"}'
CHUNKS = [1, 7, 10**6]


def broken(*items: Any, chunk: int = 7) -> Reply:
    """Give these items, then the beginning of one more, at the length limit."""
    return tools(tasks(*items, '{"id"')[:-2], chunk=chunk, finish="length")


@pytest.mark.parametrize("chunk", CHUNKS)
@pytest.mark.parametrize(
    "replies",
    [
        [(1, 2, 3), (1,), (1, 2, 3, 4, 5, 6)],  # the whole list again, cut, and again
        [(1, 2, 3, 4, 5), (1, 2), (3, 4, 5, 6)],
        [(1, 2, 3, 4, 5), (1, 2, 3, 4, 5), (6,)],
        [(1, 2, 3), (2,), (2, 3, 4), (3, 4, 5, 6)],
        [(1, 2, 3, 4), ('{"name": "", "id": 3}', ' {"id": 4 , "name":""}', 5, 6)],  # spelled otherwise
        [(1, BAD, 3), (1, 2, 3, 4, 5, 6)],  # the wrong one put right
        [(1, 2, 3, BAD, 5), (4, 5, 6)],
        [(1, 2, BAD), (2, 3, 4, 5, 6)],
        [(1, BAD, 3), (2,), (1, 2, 3, 4), (3, 4, 5, 6)],  # and cut before anything shows that it is
        [(1, 2, 3), (1, BAD, 3, 4, 5, 6)],  # a right one that is wrong now
    ],
)
async def test_two_faults_at_one_seam(harness: Harness, replies: list[Any], chunk: int) -> None:
    as_items = [[{"id": each} if isinstance(each, int) else each for each in reply] for reply in replies]
    script = [broken(*reply, chunk=chunk) for reply in as_items[:-1]] + [tools(tasks(*as_items[-1]), chunk=chunk)]
    with Scripted(script) as server:
        stream = stream_of(harness, server, max_retries=5)
        assert sorted(ids(await harness.items(stream))) == [1, 2, 3, 4, 5, 6]
        server.add(*script)
        whole = await harness.create(harness.client(server), list[Person], max_retries=5)
        assert sorted(ids(whole)) == [1, 2, 3, 4, 5, 6]
    adds_up(stream.report, 6)
    adds_up(whole.report, 6)
    assert stream.report.complete


@pytest.mark.parametrize("again", [1, 2, 3])
async def test_what_may_be_a_correction_does_not_end_the_list(harness: Harness, again: int) -> None:
    def script(asked: Any) -> Reply:
        if asked.number == 1:
            return broken(BAD, {"id": 2}, {"id": 3})
        if "not valid" in asked.messages[-1]["content"]:
            return tools(people(1))
        if asked.number <= 1 + again:
            return broken({"id": 1})  # it begins again, and this is no place to go on from
        shown = json.loads(asked.messages[1]["tool_calls"][0]["function"]["arguments"])["tasks"]
        return tools(people(*range(shown[-1]["id"] + 1, 7)))

    with Scripted(script) as server:
        stream = stream_of(harness, server, max_retries=6)
        assert sorted(ids(await harness.items(stream))) == [1, 2, 3, 4, 5, 6]
    adds_up(stream.report, 6)


@pytest.mark.parametrize("chunk", CHUNKS)
async def test_a_list_that_begins_again_from_the_correction_of_its_first_item(harness: Harness, chunk: int) -> None:
    every = [{"id": number} for number in range(1, 7)]
    script = [
        broken(BAD, chunk=chunk),
        broken(*every, chunk=chunk),  # whether its first item corrects the wrong one is not known yet
        tools(tasks(*every), chunk=chunk),
        tools(people(1), chunk=chunk),
    ]
    with Scripted(script) as server:
        stream = stream_of(harness, server, max_retries=5)
        assert sorted(ids(await harness.items(stream))) == [1, 2, 3, 4, 5, 6]
    adds_up(stream.report, 6)
    assert stream.report.complete


async def test_what_later_items_refute_is_no_repeat(harness: Harness) -> None:
    """A wrong item at the start of a continuation is not the first one again if the next right ones are not."""
    script = [
        broken({"id": 1}, {"id": 2}, {"id": 3}),
        tools(tasks(BAD, {"id": 5}, {"id": 6})),
        tools(people(1)),  # the model answers with an item of the list, not with the correction
        tools(people(4)),
    ]
    with Scripted(script) as server:
        stream = stream_of(harness, server, max_retries=5)
        assert sorted(ids(await harness.items(stream))) == [1, 2, 3, 4, 5, 6]
    adds_up(stream.report, 6)
    assert stream.report.complete


async def test_a_long_list_that_begins_again(harness: Harness) -> None:
    every = [{"id": number} for number in range(500)]
    with Scripted([broken(*every, chunk=1000), tools(tasks(*every, {"id": 500}), chunk=1000)]) as server:
        stream = stream_of(harness, server)
        assert ids(await harness.items(stream)) == list(range(501))
    assert stream.report.dropped_repeats == 500


async def test_comparisons_of_the_users_own(harness: Harness) -> None:
    class Strange(BaseModel):
        id: int
        name: str = ""

        def __eq__(self, other: object) -> bool:
            raise RuntimeError("never compare")

        __hash__ = None  # type: ignore[assignment]

    class Numbered(BaseModel):
        id: int
        own: object = Field(default_factory=object)

    for kind in (Strange, Numbered):
        with Scripted([broken({"id": 1}, {"id": 2}), tools(people(2, 3))]) as server:
            assert ids(await harness.items(stream_of(harness, server, kind))) == [1, 2, 3]


FIRST = tasks({"id": 1}, {"id": 2}, {"id": 3}, BAD, {"id": 5}, OTHER)


@pytest.mark.parametrize("chunk", CHUNKS)
@pytest.mark.parametrize(
    ("second", "cut"),
    [
        ((1,), True),  # the start of the whole list
        ((1, 2), False),
        ((1, 2), True),
        ((1, 2, 3), True),
        ((3, 4), False),  # a part of it
        ((5,), True),
        ((4, 4), False),  # equal to each other
        ((5, 5), False),
        ((), False),
        ((4,), False),  # the first of two, but which?
        (("z",), True),  # wrong again, and cut: the start of the list perhaps
        (("y", "y"), False),  # the other one's wrong text
    ],
)
async def test_an_item_of_the_list_is_no_correction(
    harness: Harness, second: tuple[int | str, ...], cut: bool, chunk: int
) -> None:
    items = [{"id": each} for each in second]
    reply = broken(*items, chunk=chunk) if cut else tools(tasks(*items), chunk=chunk)

    def script(asked: Any) -> Reply:
        if asked.number <= 2:
            return tools(FIRST, chunk=chunk) if asked.number == 1 else reply
        return tools(people(*([4] if '\\"x\\"' in str(asked.messages[1]) or '"x"' in str(asked.messages[1]) else []),
                            *([6] if '"y"' in str(asked.messages[1]) else [])))  # fmt: skip

    with Scripted(script) as server:
        stream = stream_of(harness, server)
        assert sorted(ids(await harness.items(stream))) == [1, 2, 3, 4, 5, 6]
    adds_up(stream.report, 6)
    assert stream.report.complete
    assert stream.report.attempts == 3


@pytest.mark.parametrize(("again", "cut"), [((1, 2, 3, 4), True), ((1, 2, 3, 4, 5, 6), False), ((1, 2, 3, 4), False)])
async def test_the_whole_list_answers_in_its_places(harness: Harness, again: tuple[int, ...], cut: bool) -> None:
    second = broken(*({"id": each} for each in again)) if cut else tools(people(*again))
    with Scripted([tools(FIRST), second, tools(people(6))], strict=False) as server:
        stream = stream_of(harness, server)
        assert sorted(ids(await harness.items(stream))) == [1, 2, 3, 4, 5, 6]
    adds_up(stream.report, 6)


async def test_the_model_is_told_what_was_in_the_list(harness: Harness) -> None:
    with Scripted([tools(FIRST), tools(people(1, 2)), tools(people(4, 6))]) as server:
        await harness.items(stream_of(harness, server))
    notes = server.requests[2].messages[-1]["content"]
    assert 'These items were already in the list:\n- {"id": 1}\n- {"id": 2}\n' in notes
    assert "Return the corrected versions of the items below instead." in notes
    assert "item 1: Input should be a valid integer" in notes
    assert "not 'y'" in notes


async def test_items_that_are_really_equal(harness: Harness) -> None:
    with Scripted([tools(tasks(1, 2, 3, '"x"')), tools(tasks(2)), tools(tasks(2))]) as server:
        stream = stream_of(harness, server, int)
        assert await harness.items(stream) == [1, 2, 3, 2]
    adds_up(stream.report, 4)
    with Scripted([tools(tasks(True, False, True, '"x"')), tools(tasks(True)), tools(tasks(True))]) as server:
        assert await harness.items(stream_of(harness, server, bool)) == [True, False, True, True]
    with Scripted([tools(tasks({"id": 1}, BAD, BAD)), tools(people(2, 2))]) as server:  # as the wrong ones were
        assert ids(await harness.items(stream_of(harness, server))) == [1, 2, 2]


async def test_the_start_of_the_list_is_never_believed(harness: Harness) -> None:
    with Scripted([tools(FIRST), *[tools(people(1, 2))] * 3]) as server:
        found, error = await taken(harness, stream := stream_of(harness, server, max_retries=3))
    assert ids(found) == [1, 2, 3, 5]
    assert isinstance(error, InstructorRetryException)
    assert [failed.index for failed in error.failed_items] == [3, 5]
    adds_up(stream.report, 6)


# Endings that prove nothing.


@pytest.mark.parametrize("finish", ["abort", "insufficient_system_resource", "weird"])
async def test_an_unknown_ending_proves_nothing_of_a_list(harness: Harness, finish: str) -> None:
    with Scripted([answer(people(1, 2), finish=finish), answer(people(3))] * 2) as server:
        assert ids(await harness.items(stream := stream_of(harness, server))) == [1, 2, 3]
        assert ids(await harness.create(harness.client(server), list[Person])) == [1, 2, 3]
    assert stream.report.continuations == 1


@pytest.mark.parametrize("mode", [Mode.TOOLS, Mode.JSON])
async def test_one_value_is_whole_by_its_last_bracket(harness: Harness, mode: Mode) -> None:
    whole, cut, wrong = '{"id": 1, "name": "Ann"}', '{"id": 1, "name": "An', '{"id": "x"}'
    script = [answer(text, finish="abort") for text in (whole, cut, wrong)]
    for stream in (False, True):
        for first, count in zip(script, (1, 2, 2), strict=True):
            with Scripted([first, answer(whole)], strict=False) as server:
                client = harness.client(server, mode)
                if stream:
                    value = (await harness.items(client.create_partial(response_model=Person, **asking())))[-1]
                else:
                    value = await harness.create(client, Person)
                assert value == Person(id=1, name="Ann")
                assert len(server.requests) == count
                assert ("valid integer" in str(server.requests[-1].messages)) is (first is script[2])


@pytest.mark.parametrize("finish", ["length", "content_filter"])
async def test_one_value_that_is_said_to_be_cut_is_cut(harness: Harness, finish: str) -> None:
    with Scripted([answer('{"id": 1}', finish=finish)] * 2) as server:
        client = harness.client(server)
        with pytest.raises(IncompleteOutputException):
            await harness.create(client, Person)
        with pytest.raises(IncompleteOutputException):
            await harness.items(client.create_partial(response_model=Person, **asking()))


def chunk_of(text: str = "", finish: str | None = None, **more: Any) -> dict[str, Any]:
    delta = {"content": text} if text else {}
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


async def test_a_finish_counts_if_nothing_of_the_answer_follows(harness: Harness) -> None:
    usage: dict[str, Any] = {"usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}
    stamped = [chunk_of(finish="stop"), chunk_of('{"tasks": [{"id": 1}'), chunk_of(', {"id": 2}]}')]
    with Scripted([events(stamped), content(people(3))]) as server:
        assert ids(await harness.items(stream := stream_of(harness, server, mode=Mode.JSON))) == [1, 2, 3]
    assert stream.report.continuations == 1
    for after in ([chunk_of(**usage)], [chunk_of("\n")], [chunk_of(finish="stop")], [{"choices": [], **usage}]):
        with Scripted([events([*stamped[1:], chunk_of(finish="stop"), *after])]) as server:
            assert ids(await harness.items(stream_of(harness, server, mode=Mode.JSON))) == [1, 2]


# Hooks that fail where warnings are errors, and the tokens of all attempts.


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["item:good", "item:bad", "completion:kwargs", "stream:end", "parse:error"])
async def test_a_failing_hook_loses_nothing_where_warnings_are_errors(harness: Harness, name: str) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise ValueError("the hook's own")

    with Scripted([tools(tasks({"id": 1}, BAD, {"id": 3})), tools(people(2))]) as server:
        client = harness.client(server)
        client.on(name, fails)
        stream = client.create_iterable(response_model=Person, **asking())
        assert ids(await harness.items(stream)) == [1, 3, 2]
    adds_up(stream.report, 3)
    assert stream.report.complete


async def test_the_completion_has_the_tokens_of_all_attempts(harness: Harness) -> None:
    usage = Usage(10, 5, cached_tokens=3)
    with Scripted([answer(BAD, usage=usage), answer(BAD, usage=usage), answer('{"id": 1}', usage=usage)]) as server:
        made = harness.client(server).create_with_completion(response_model=Person, **asking())
        person, completion = await harness.result(made)
    assert (completion.usage.prompt_tokens, completion.usage.completion_tokens) == (30, 15)
    assert completion.usage.total_tokens == 45
    assert completion.usage.prompt_tokens_details.cached_tokens == 9
    assert person._raw_response.usage.total_tokens == 15  # the provider's own response is not changed
    assert type(completion) is type(person._raw_response)
    assert completion._request_id == person._raw_response._request_id == "req_3"
