"""Work, counted: what a stream, a snapshot and a call cost in things done. Time is `bench/`'s to measure."""

from __future__ import annotations

import gc
import json
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import httpx2
import openai
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionChunk
from pydantic import BaseModel

import instructor
from harness import Harness, asking
from instructor.core.types import Call, Delta, Json
from instructor.mode import Mode
from instructor.outputs import growing_for, item_list, partial, snapshot_types
from instructor.parsing.snapshot import Plain, Snapshot
from instructor.providers.openai.chat import OpenAIChat
from instructor.testing import Reply, tools


class User(BaseModel):
    name: str
    age: int


class People(BaseModel):
    people: list[User]


def people(count: int) -> list[Json]:
    return [{"name": f"Person {at}", "age": at} for at in range(count)]


def counted(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> Counter[str]:
    """Count the calls of a function from now on, under its name."""
    calls: Counter[str] = Counter()
    function = getattr(owner, name)

    def counting(*arguments: Any, **keywords: Any) -> Any:
        calls[name] += 1
        return function(*arguments, **keywords)

    monkeypatch.setattr(owner, name, counting)
    return calls


# Streams: one event in a few is looked at whole, none becomes an object of the SDK's.


def stream_of(items: int, **faults: Any) -> Reply:
    return tools({"tasks": people(items)}, **faults)


@pytest.mark.parametrize("together", [1, 16])
async def test_no_event_becomes_an_object_of_the_sdks(
    harness: Harness, scripted_server: Any, monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    built = counted(monkeypatch, openai._models, "construct_type")
    validated = counted(monkeypatch, ChatCompletionChunk, "model_validate_json")
    server = scripted_server([stream_of(100, events_per_write=together)])
    client = harness.client(server)
    assert len(await harness.items(client.create_iterable(response_model=User, **asking()))) == 100
    assert not built
    assert not validated


async def test_who_wraps_create_gets_every_object(
    harness: Harness, scripted_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = counted(monkeypatch, openai._models, "construct_type")
    server = scripted_server([stream_of(20)])
    sdk = harness.sdk(server)
    create = sdk.chat.completions.create
    sdk.chat.completions.create = lambda **options: create(**options)
    items = await harness.items(instructor.from_openai(sdk).create_iterable(response_model=User, **asking()))
    assert len(items) == 20
    assert built["construct_type"] >= server.served[0].events - 1  # all but [DONE]


@pytest.mark.parametrize("together", [1, 16])
async def test_a_few_events_are_parsed_whole(
    harness: Harness, scripted_server: Any, monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    whole = counted(monkeypatch, OpenAIChat, "delta")
    server = scripted_server([stream_of(100, events_per_write=together)])
    await harness.items(harness.client(server).create_iterable(response_model=User, **asking()))
    assert server.served[0].events > 800
    assert whole["delta"] <= 8  # the opening, two that show where the text is, the closing ones


async def test_the_engine_is_entered_about_once_an_item(
    harness: Harness, scripted_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered = counted(monkeypatch, item_list.ItemListParser, "feed")
    server = scripted_server([stream_of(100, events_per_write=1)])
    await harness.items(harness.client(server).create_iterable(response_model=User, **asking()))
    assert server.served[0].events > 800
    assert entered["feed"] <= 2 * 100 + 20


@pytest.mark.parametrize("shape", [list[User], People])
@pytest.mark.parametrize("chunk", [1, 4, 64])
async def test_characters_are_looked_at_once_and_copied_once(
    harness: Harness, scripted_server: Any, monkeypatch: pytest.MonkeyPatch, shape: Any, chunk: int
) -> None:
    sinks: list[Any] = []
    for kind in (item_list.ItemListParser, partial.PartialValueParser):
        begin: Callable[..., None] = kind.__init__

        def beginning(self: Any, *given: Any, begin: Callable[..., None] = begin) -> None:
            sinks.append(self)
            begin(self, *given)

        monkeypatch.setattr(kind, "__init__", beginning)
    document = {"tasks": people(200)} if shape is not People else {"people": people(200)}
    server = scripted_server([tools(document, chunk=chunk)])
    await harness.items(harness.client(server).create(shape, stream=True, **asking()))
    assert 0 < sinks[0].looked <= 2 * len(json.dumps(document)) + 100


# Items at the very event that closes them, through the driver and the SDK.


class Taken(httpx2.BaseTransport, httpx2.SyncByteStream):
    """Answers with one stream, an event a read, and counts what was taken."""

    def __init__(self, choices: Sequence[list[Json]]) -> None:
        self.choices, self.taken = choices, 0

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=self)

    def __iter__(self) -> Iterator[bytes]:
        for choices in self.choices:
            self.taken += 1
            yield f"data: {json.dumps({'choices': choices})}\n\n".encode()


@pytest.mark.parametrize("chunk", [1, 3, 4, 7, 40, 200])
def test_an_item_comes_at_the_event_that_closes_it(chunk: int) -> None:
    text = json.dumps({"tasks": people(30)})
    pieces = [text[at : at + chunk] for at in range(0, len(text), chunk)]
    chunks = [[{"delta": {"content": piece}, "finish_reason": None}] for piece in pieces]
    transport = Taken([*chunks, [{"delta": {}, "finish_reason": "stop"}]])
    with openai.OpenAI(api_key="none", max_retries=0, http_client=httpx2.Client(transport=transport)) as sdk:
        stream = instructor.from_openai(sdk, mode=Mode.JSON).create_iterable(response_model=User, **asking())
        taken = [transport.taken for _ in stream]
    closes = [at for at, mark in enumerate(text) if mark == "}"][:-1]
    assert taken == [close // chunk + 1 for close in closes]


# Snapshots: only the open path is made anew.


def test_a_snapshot_costs_its_depth(monkeypatch: pytest.MonkeyPatch) -> None:
    made = counted(monkeypatch, snapshot_types._Model, "show")
    costs = []
    for count in (20, 200):
        made.clear()
        text = json.dumps({"people": people(count)})
        sink = growing_for(People).parser(Call([], growing_for(People), Mode.TOOLS))
        snapshots = sum(len(sink.feed([Delta(0, text[at : at + 4])])) for at in range(0, len(text), 4))
        costs.append(made["show"] / snapshots)
    assert costs[1] <= costs[0] * 1.05
    assert costs[1] <= 3


def test_a_long_list_is_brought_up_to_date_where_nobody_holds_it() -> None:
    snapshot, seen = Snapshot(Plain()), Counter[int]()
    for piece in ["[", *(f'{{"n": {at}}}, ' for at in range(500))]:
        shown = snapshot.feed(piece)
        seen[id(shown)] += 1
        del shown
    if hasattr(sys, "getrefcount"):
        assert len(seen) < 150  # of 501 snapshots, those of more than 64 parts take turns in two lists


@pytest.mark.parametrize("document", [list(range(2000)), {f"key {at}": at for at in range(2000)}])
@pytest.mark.skipif(not hasattr(sys, "getrefcount"), reason="nobody counts who holds a list")
def test_a_long_container_costs_what_is_new_in_it(document: Any) -> None:
    text = json.dumps({"parts": document})
    shape: Any = {"list": list[int], "dict": dict[str, int]}[type(document).__name__]
    output = growing_for(pydantic.create_model("Parts", parts=(shape, ...)))
    sink: Any = output.parser(Call([], output, Mode.TOOLS))
    copied = 0
    for at in range(len(text)):
        sink.feed([Delta(0, text[at])])
        if len(sink._reader._open) == 2 and sink._reader._open[1].spine:
            copied = sink._reader._open[1].spine.looked
    assert 2000 < copied <= 3 * 2000


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 30))
def test_what_somebody_holds_does_not_change(seed: int, chunk: int) -> None:
    chance = random.Random(seed)
    people = [(chance.choice(["a", "b", f"{at}"]), [at, {"n": at}, "x" * (at % 5)]) for at in range(200)]
    written = ", ".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in people)  # some keys come again
    text = f'{{"people": {json.dumps([value for _, value in people])}, "named": {{{written}}}}}'
    reader, held = Snapshot(Plain()), list[tuple[Any, str]]()
    for at in range(0, len(text), chunk):
        shown = reader.feed(text[at : at + chunk])
        kind = chance.random()
        if kind < 0.1:
            held.append((shown, json.dumps(shown)))
        elif kind < 0.2 and shown and "people" in shown:
            part = shown.get("named", shown["people"])
            held.append((part, json.dumps(part)))  # a part alone
        elif kind < 0.3 and held:
            del held[0]
    assert all(json.dumps(shown) == was for shown, was in held)
    assert json.dumps(reader.value) == json.dumps(json.loads(text))


# Calls: a model is compiled once, and nothing is kept.


def answering(body: Json, *, stream: bool) -> httpx2.Response:
    tool = body["tools"][0]["function"]["name"]
    call = {
        "index": 0,
        "id": "c",
        "type": "function",
        "function": {"name": tool, "arguments": '{"name": "a", "age": 1}'},
    }
    common = {"id": "x", "created": 1, "model": "m"}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    if not stream:
        choice = {"index": 0, "message": {"role": "assistant", "content": None, "tool_calls": [call]}}
        choice["finish_reason"] = "tool_calls"
        return httpx2.Response(200, json={**common, "object": "chat.completion", "choices": [choice], "usage": usage})
    chunk = {**common, "object": "chat.completion.chunk"}
    chunks = [
        {**chunk, "choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}]},
        {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},
        {**chunk, "choices": [], "usage": usage},
    ]
    content = "".join(f"data: {json.dumps(each)}\n\n" for each in chunks) + "data: [DONE]\n\n"
    return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=content.encode())


@pytest.fixture
def requests() -> list[Json]:
    return []


@pytest.fixture
def client(requests: list[Json]) -> Iterator[Any]:
    """Give a client whose SDK speaks to a function, and whose requests are counted."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        body = json.loads(request.content)
        requests.append(body)
        return answering(body, stream=bool(body.get("stream")))

    with openai.OpenAI(
        api_key="none", max_retries=0, http_client=httpx2.Client(transport=httpx2.MockTransport(answer))
    ) as sdk:
        yield instructor.from_openai(sdk)


def call_in_every_way(client: Any) -> None:
    assert client.create(User, **asking()) == User(name="a", age=1)
    assert list(client.create_iterable(response_model=User, **asking())) == [User(name="a", age=1)]
    *_, last = client.create_partial(User, **asking())
    assert last == User(name="a", age=1)


def test_a_model_is_compiled_once(client: Any, requests: list[Json], monkeypatch: pytest.MonkeyPatch) -> None:
    call_in_every_way(client)
    adapters = counted(monkeypatch, pydantic.TypeAdapter, "__init__")
    schemas = counted(monkeypatch, pydantic.TypeAdapter, "json_schema")
    kinds = classes()
    for _ in range(333):
        call_in_every_way(client)
    assert not adapters
    assert not schemas
    assert classes() == kinds
    assert len(requests) == 3 * 334  # and each call made one request


def test_the_counters_count(monkeypatch: pytest.MonkeyPatch, client: Any) -> None:
    adapters = counted(monkeypatch, pydantic.TypeAdapter, "__init__")
    schemas = counted(monkeypatch, pydantic.TypeAdapter, "json_schema")

    class New(User):
        pass

    client.create(New, **asking())
    assert adapters
    assert schemas


def test_calls_leave_nothing_behind(client: Any, requests: list[Json]) -> None:
    def left(calls: int) -> tuple[int, int, int]:
        for _ in range(calls):
            call_in_every_way(client)
        requests.clear()
        gc.collect()
        return len(gc.get_objects()), len(classes()), sys.getallocatedblocks()

    objects, kinds, blocks = left(50)
    now_objects, now_kinds, now_blocks = left(200)
    assert now_kinds == kinds
    assert now_objects - objects < 20
    assert now_blocks - blocks < 200  # of 600 calls: less than one in three leaves a block


def classes() -> set[type]:
    found: set[type] = set()
    waiting: list[type] = [BaseModel]
    while waiting:
        kind = waiting.pop()
        if kind not in found:
            found.add(kind)
            waiting += kind.__subclasses__()
    return found


# Requests: the SDK does not walk through what is plain JSON.


def test_the_sdk_does_not_walk_through_schemas_and_messages(
    client: Any, requests: list[Json], monkeypatch: pytest.MonkeyPatch
) -> None:
    walked = counted(monkeypatch, sys.modules["openai._utils._transform"], "_transform_recursive")
    client.create(User, **asking())
    small = walked["_transform_recursive"]
    walked.clear()
    messages = [{"role": "user", "content": [{"type": "text", "text": "Extract."}] * 10}] * 20
    with pytest.raises(instructor.exceptions.InstructorRetryException):
        client.create(People, max_retries=0, **asking(messages=messages))
    assert requests[-1]["messages"] == messages
    assert walked["_transform_recursive"] == small


class Turn(dict[str, Any]):
    """A message that is a dict of somebody's own."""


@pytest.mark.parametrize(
    "content", ["Extract.", ({"type": "text", "text": "Extract."},), [{"type": "text", "text": "a"}]]
)
@pytest.mark.parametrize("kind", [dict, Turn])
def test_a_request_says_the_same_by_either_way(client: Any, requests: list[Json], kind: Any, content: Any) -> None:
    messages = [kind(role="user", content=content)]
    client.create(User, messages=messages, model="m", extra_body={"top_k": 3})
    sent = requests[-1]
    assert sent["messages"] == json.loads(json.dumps([dict(messages[0])]))
    assert sent["top_k"] == 3
    assert [tool["function"]["name"] for tool in sent["tools"]] == ["User"]
    assert isinstance(sent, Mapping)
    assert "extra_body" not in sent


def test_extra_body_has_the_last_word(client: Any, requests: list[Json]) -> None:
    client.create(User, extra_body={"tool_choice": "required"}, **asking())
    assert requests[-1]["tool_choice"] == "required"
