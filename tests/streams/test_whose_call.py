"""Whose call it is: names in pieces, late, with a server's marks; calls of other tools beside the answer's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from persons import taken
from pydantic import BaseModel

from harness import Harness, asking
from instructor import Mode
from instructor.core.tool_names import Names
from instructor.exceptions import InstructorRetryException
from instructor.testing import Reply, Scripted, ToolCall, events, tools


class Weather(BaseModel):
    city: str


class Wea(BaseModel):
    city: str


class Traffic(BaseModel):
    road: str


class User(BaseModel):
    name: str
    age: int | None = None


class Settings(BaseModel):
    theme: str | None = None
    size: int | None = None


ASKED = Iterable[Weather | Traffic]
PARIS, A1 = '{"city": "Paris"}', '{"road": "A1"}'


def chunks(*calls: Any, finish: str = "tool_calls") -> Reply:
    """Reply with deltas of calls, as (index, name, arguments) or with an id after them, each in a chunk."""
    told: list[Any] = []
    for index, name, arguments, *more in calls:
        function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
        call = {"function": function, **({} if index is None else {"index": index})}
        call.update({"id": more[0], "type": "function"} if more else {})
        told.append({"choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}]})
    return events([*told, {"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}])


async def parallel(harness: Harness, reply: Reply, kind: Any = ASKED) -> tuple[list[Any], Any]:
    with Scripted([reply]) as server:
        client = harness.client(server, Mode.PARALLEL_TOOLS)
        stream = client.create_iterable(response_model=kind, **asking(max_retries=0))
        found, error = await taken(harness, stream)
        if error is not None:
            raise error
        return found, stream


def cut(index: int | None, text: str, size: int) -> list[tuple[int | None, None, str]]:
    return [(index, None, text[at : at + size]) for at in range(0, len(text), size)]


PIECES: dict[str, Sequence[Any]] = {
    "after": [*cut(0, PARIS, 3), (0, "Weather", None)],
    "after, in pieces": [*cut(0, PARIS, 3), (0, "Wea", None), (0, "ther", None)],
    "in pieces": [(0, "Wea", "", "call_1"), (0, "ther", ""), *cut(0, PARIS, 1)],
    "in letters": [*((0, letter, None) for letter in "Weather"), (0, None, PARIS)],
    "in pieces, with the id in each": [(0, "Wea", "", "call_1"), (0, "ther", "", "call_1"), (0, None, PARIS, "call_1")],
    "in pieces, with the arguments": [(0, "Wea", PARIS[:4]), (0, "ther", PARIS[4:])],
    "in pieces, between the arguments": [(0, "Wea", ""), (0, None, PARIS[:4]), (0, "ther", PARIS[4:])],
    "all so far": [(0, "Wea", ""), (0, "Weather", ""), (0, None, PARIS)],
    "in each": [(0, "Weather", PARIS[:5], "c"), (0, "Weather", PARIS[5:9], "c"), (0, "Weather", PARIS[9:], "c")],
    "empty in each": [(0, "Weather", PARIS[:5]), (0, "", PARIS[5:9]), (0, "", PARIS[9:])],
    "marked, in pieces": [(0, "functions.", ""), (0, "Wea", ""), (0, "ther:", ""), (0, "0", ""), (0, None, PARIS)],
    "with a channel, in pieces": [(0, "Weather", ""), (0, "<|channel|>", ""), (0, "json", ""), (0, None, PARIS)],
}


@pytest.mark.parametrize("how", PIECES)
async def test_a_name_that_comes_otherwise(harness: Harness, how: str) -> None:
    found, stream = await parallel(harness, chunks(*PIECES[how], (1, "Traffic", A1)))
    assert sorted(found, key=repr) == [Traffic(road="A1"), Weather(city="Paris")]
    assert (stream.report.unknown_calls, stream.report.complete) == (0, True)
    named = {call.function.name for call in stream.completion.choices[0].message.tool_calls}
    assert named == {"Weather", "Traffic"}


async def test_pieces_of_two_names_take_turns(harness: Harness) -> None:
    found, stream = await parallel(
        harness,
        chunks((0, "Wea", ""), (1, "Traf", ""), (0, "ther", ""), (1, "fic", ""), (1, None, A1), (0, None, PARIS)),
    )
    assert found == [Traffic(road="A1"), Weather(city="Paris")]
    assert stream.report.complete


@pytest.mark.parametrize(
    ("pieces", "kind"),
    [
        ([(0, "Wea", ""), (0, "ther", ""), (0, None, PARIS)], Weather),
        ([(0, "Wea", PARIS[:1]), (0, "ther", PARIS[1:])], Weather),
        ([(0, "Wea", ""), (0, None, PARIS)], Wea),
        ([(0, "Wea", PARIS)], Wea),
        ([(0, "Wea", PARIS[:3]), (0, None, PARIS[3:])], Wea),
        ([(0, None, PARIS), (0, "Wea", None)], Wea),
        ([(0, None, PARIS), (0, "Wea", None), (0, "ther", None)], Weather),
    ],
)
async def test_a_tools_name_that_begins_anothers(harness: Harness, pieces: Any, kind: type[BaseModel]) -> None:
    found, stream = await parallel(harness, chunks(*pieces), Iterable[Wea | Weather])
    assert found == [kind(city="Paris")]
    assert type(found[0]) is kind
    assert stream.report.complete


ONE_CHANNEL: dict[str, Sequence[Any]] = {
    "ids": [(0, "Weather", PARIS, "a"), (0, "Traffic", A1, "b"), (0, "Weather", PARIS, "c")],
    "no ids": [(None, "Weather", PARIS), (None, "Traffic", A1), (None, "Weather", PARIS)],
    "cut": [
        *[(0, "Weather", "", "a"), *cut(0, PARIS, 2)],
        *[(0, "Traffic", "", "b"), *cut(0, A1, 2)],
        *[(0, "Weather", "", "c"), *cut(0, PARIS, 2)],
    ],
}


@pytest.mark.parametrize("how", ONE_CHANNEL)
async def test_calls_in_one_channel_are_told_apart(harness: Harness, how: str) -> None:
    found, stream = await parallel(harness, chunks(*ONE_CHANNEL[how]))
    assert found == [Weather(city="Paris"), Traffic(road="A1"), Weather(city="Paris")]
    assert stream.report.complete
    assert "WeatherTraffic" not in repr(stream.completion)


MARKED = [
    *("functions.Weather:0", "functions.Weather", "Weather<|channel|>commentary", "Weather:1", "default_api.Weather"),
    *("weather", "WEATHER", " Weather ", '"Weather"', "Weather()", "functions/Weather", "functions::Weather#2"),
    *("Weather<|message|>", "to=functions.Weather", "tool:Weather", "`Weather`", "Weather<|channel|>Traffic"),
]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("written", MARKED)
async def test_marks_that_servers_leave(harness: Harness, written: str, streamed: bool) -> None:
    with Scripted([tools(ToolCall(PARIS, written), ToolCall(A1, "Traffic"))]) as server:
        client = harness.client(server, Mode.PARALLEL_TOOLS)
        asked = await harness.result(client.create(response_model=ASKED, stream=streamed, **asking(max_retries=0)))
        found = await harness.items(asked) if streamed else asked
    assert found == [Weather(city="Paris"), Traffic(road="A1")]
    assert (asked.report.unknown_calls, asked.report.complete) == (0, True)


def test_names_that_stand_for_none_or_for_several() -> None:
    names = Names(["Weather", "weather", "Traffic"], ["search"])
    assert names.of("WEATHER") == ""
    assert (names.of("weather"), names.of("Weather")) == ("weather", "Weather")
    assert [names.of(each) for each in ("Weather.delete", "Weathers", "", "<|channel|>", "12", "...")] == [""] * 6
    assert names.of("functions.search:3") == "search"


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_unknown_name_is_told_of_once_and_in_one_piece(harness: Harness, streamed: bool) -> None:
    reply = chunks((0, "Sea", ""), (0, "rch", ""), *cut(0, '{"q": 1}', 2), (1, "Traffic", A1))
    if not streamed:
        reply = tools(ToolCall('{"q": 1}', "Search"), ToolCall(A1, "Traffic"))
    told: list[str] = []
    with Scripted([reply]) as server:
        client = harness.client(server, Mode.PARALLEL_TOOLS)
        client.on("parse:error", lambda error: told.append(str(error)))
        asked = await harness.result(client.create(response_model=ASKED, stream=streamed, **asking(max_retries=0)))
        found = await harness.items(asked) if streamed else asked
    assert found == [Traffic(road="A1")]
    assert told == ["No tool is called 'Search'; there are Weather, Traffic."]
    assert asked.report.unknown_calls == 1


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("count", [100, 400])
async def test_unknown_calls_build_one_response(
    harness: Harness, count: int, streamed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Scripted([tools(*[ToolCall('{"q": 1}', "Search")] * count, ToolCall(A1, "Traffic"))]) as server:
        client = harness.client(server, Mode.PARALLEL_TOOLS)
        told: list[Any] = []
        client.on("parse:error", told.append)
        built: list[Any] = []
        transport: Any = client._caller.transport
        response = transport.response

        def counted(wire: Any) -> Any:
            built.append(wire)
            return response(wire)

        monkeypatch.setattr(transport, "response", counted)
        asked = await harness.result(client.create(response_model=ASKED, stream=streamed, **asking(max_retries=0)))
        found = await harness.items(asked) if streamed else asked
    assert found == [Traffic(road="A1")]
    assert len(told) == asked.report.unknown_calls == count
    assert len(built) == streamed
    assert all(each.raw_response is told[0].raw_response is not None for each in told)


# One value, or a list, by one tool.

ANN, SEARCH = '{"name": "Ann"}', '{"q": "Ann"}'
OTHERS = ToolCall(SEARCH, "search")


async def one(harness: Harness, replies: Sequence[Reply], kind: Any = User, *, streamed: bool, **options: Any) -> Any:
    """Ask for one value, whole or as it grows; give it and the requests."""
    with Scripted(replies) as server:
        client = harness.client(server)
        if not streamed:
            value = await harness.create(client, kind, **options)
        else:
            value = (await harness.items(client.create_partial(response_model=kind, **asking(**options))))[-1]
        return value, server.requests


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("chunk", [1, 7, 1000])
@pytest.mark.parametrize(
    "calls",
    [
        [OTHERS, ToolCall(ANN)],
        [ToolCall(ANN), OTHERS],
        [ToolCall('{"name": "Eve"}', "search"), ToolCall(ANN), OTHERS],
        [ToolCall("", "search"), ToolCall(ANN)],
        [ToolCall(ANN, "lookup")],
    ],
)
async def test_a_call_of_the_answers_name_counts(harness: Harness, calls: Any, chunk: int, streamed: bool) -> None:
    value, _ = await one(harness, [tools(*calls, chunk=chunk)], streamed=streamed, max_retries=0)
    assert value.name == "Ann"


@pytest.mark.parametrize("streamed", [False, True])
async def test_another_call_is_no_answer_where_nothing_is_required(harness: Harness, streamed: bool) -> None:
    alone, both = [tools(OTHERS)], [tools(OTHERS, ToolCall('{"theme": "dark"}'))]
    value, requests = await one(harness, [*alone, *both], Settings, streamed=streamed, max_retries=1)
    assert value.theme == "dark"
    assert "Settings" in requests[1].body["messages"][-1]["content"]
    with pytest.raises(InstructorRetryException, match="calls search, and no tool of the answer"):
        await one(harness, alone, Settings, streamed=streamed, max_retries=0)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("calls", [[OTHERS], [ToolCall(ANN, "lookup")], [ToolCall(ANN, "functions.search:0")]])
async def test_beside_the_users_tools_no_other_call_counts(harness: Harness, calls: Any, streamed: bool) -> None:
    users = {"type": "function", "function": {"name": "search", "parameters": {"type": "object"}}}
    replies = [tools(*calls), tools(OTHERS, ToolCall(ANN))]
    value, requests = await one(harness, replies, streamed=streamed, max_retries=1, tools=[users])
    assert value.name == "Ann"
    assert len(requests) == 2


@pytest.mark.parametrize("streamed", [False, True])
async def test_items_of_another_call_are_no_items(harness: Harness, streamed: bool) -> None:
    other = ToolCall('{"tasks": [{"name": "Eve"}]}', "search")
    reply = tools(other, ToolCall('{"tasks": [{"name": "Ann"}, {"name": "Bob"}]}'), other)
    alone = tools(ToolCall('{"tasks": [{"name": "Ann"}, {"name": "Bob"}]}', "save_users"))
    for each in (reply, alone):
        with Scripted([each]) as server:
            client = harness.client(server)
            asked = await harness.result(
                client.create(response_model=Iterable[User], stream=streamed, **asking(max_retries=0))
            )
            found = await harness.items(asked) if streamed else asked
        assert [user.name for user in found] == ["Ann", "Bob"]
        assert asked.report.complete


async def test_one_value_beside_another_call_in_the_same_channel(harness: Harness) -> None:
    for calls in (
        [(0, "search", SEARCH, "a"), (0, "PartialUser", ANN, "b")],
        [(None, "x", "{}"), (None, "PartialUser", ANN)],
    ):
        with Scripted([chunks(*calls)]) as server:
            stream = harness.client(server).create_partial(response_model=User, **asking(max_retries=0))
            found, error = await taken(harness, stream)
        assert (found[-1].name, error) == ("Ann", None)


async def test_snapshots_come_as_they_grow_though_the_call_has_no_name(harness: Harness) -> None:
    with Scripted([chunks(*cut(0, '{"name": "Ann Lee"}', 3))]) as server:
        found = await harness.items(harness.client(server).create_partial(response_model=User, **asking()))
    assert len({user.name for user in found}) > 2


LIST = '{"tasks": [{"name": "Ann"}, {"name": "Bob"}]}'


async def test_a_call_that_comes_again_under_another_index(harness: Harness) -> None:
    again = chunks((0, "IterableUser", LIST, "a"), (1, "IterableUser", LIST, "a"))
    other = chunks((0, "IterableUser", LIST, "a"), (1, "IterableUser", LIST, "b"))
    for reply, names in ((again, ["Ann", "Bob"]), (other, ["Ann", "Bob"] * 2)):
        with Scripted([reply]) as server:
            stream = harness.client(server).create_iterable(response_model=User, **asking(max_retries=0))
            assert [user.name for user in await harness.items(stream)] == names


@pytest.mark.parametrize("index", [0, 1])
async def test_a_parallel_call_that_comes_again(harness: Harness, index: int) -> None:
    again = chunks((0, "Weather", PARIS, "a"), (index, "Weather", PARIS, "a"), (2, "Traffic", A1, "b"))
    assert (await parallel(harness, again))[0] == [Weather(city="Paris"), Traffic(road="A1")]
    other = chunks((0, "Weather", PARIS, "a"), (index, "Weather", PARIS, "b"))
    assert (await parallel(harness, other))[0] == [Weather(city="Paris")] * 2


@pytest.mark.parametrize("name", ["<|constrain|>Weather", "<|tool|> functions.Weather", "Weather<|constrain|>json"])
async def test_marks_before_a_name(harness: Harness, name: str) -> None:
    assert (await parallel(harness, chunks((0, name, PARIS, "a"), (1, "Traffic", A1, "b"))))[0] == [
        Weather(city="Paris"),
        Traffic(road="A1"),
    ]


@pytest.mark.parametrize("streamed", [True, False])
async def test_what_is_left_over_of_a_parallel_call_is_asked_for_again(harness: Harness, streamed: bool) -> None:
    torn = ToolCall('{"city": "Paris"}, "days": 3}', "Weather")
    for chunk in (1, 7, 1000):
        replies = [tools(ToolCall(A1, "Traffic"), torn, chunk=chunk), tools(ToolCall('{"city": "Rome"}', "Weather"))]
        with Scripted(replies) as server:
            client = harness.client(server, Mode.PARALLEL_TOOLS)
            if streamed:
                found = await harness.items(client.create_iterable(response_model=ASKED, **asking()))
            else:
                found = await harness.create(client, response_model=ASKED)
            assert found == [Traffic(road="A1"), Weather(city="Rome")]
            assert '"days": 3' in server.requests[1].messages[-1]["content"]


async def test_a_parallel_call_may_be_wrapped(harness: Harness) -> None:
    wrapped = chunks((0, "Weather", f'{{"parameters": {PARIS}}}', "a"), (1, "Traffic", A1, "b"))
    assert (await parallel(harness, wrapped))[0] == [Weather(city="Paris"), Traffic(road="A1")]
