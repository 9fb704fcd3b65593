"""Responses replies as servers and proxies send them: what comes late, twice, whole, under odd marks, or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from pydantic import BaseModel

import instructor
from harness import Harness
from instructor import Mode
from instructor.exceptions import IncompleteOutputException, InstructorError, ProviderError, RefusalError
from instructor.testing import Scripted, answer, body, events
from odd_fields import mutations, scripts

pytestmark = pytest.mark.slow


class User(BaseModel):
    name: str
    age: int = 0


ANN, BOB, CYD = User(name="Ann"), User(name="Bob"), User(name="Cyd")
LIST = '{"tasks": [{"name": "Ann"}, {"name": "Bob"}]}'
ONE = '{"name": "Ann", "age": 5}'
ASKED: dict[str, Any] = {"input": "Extract."}


def client(harness: Harness, server: Any) -> Any:
    return instructor.from_openai(harness.sdk(server), mode=Mode.RESPONSES_TOOLS, model="m").responses


def cut(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def call(text: str, at: int = 0, name: str = "IterableUser", **other: Any) -> dict[str, Any]:
    return {"type": "function_call", "id": f"fc_{at}", "call_id": f"call_{at}", "name": name, "arguments": text} | other


def added(item: dict[str, Any], at: int = 0) -> dict[str, Any]:
    return {"type": "response.output_item.added", "output_index": at, "item": item}


def done(item: dict[str, Any], at: int = 0) -> dict[str, Any]:
    return {"type": "response.output_item.done", "output_index": at, "item": item}


def arguments_done(text: str, at: int = 0) -> dict[str, Any]:
    where = {"output_index": at, "item_id": f"fc_{at}"}
    return {"type": "response.function_call_arguments.done", "arguments": text, **where}


def deltas(text: str, at: int = 0, size: int = 7) -> list[dict[str, Any]]:
    where = {"output_index": at, "item_id": f"fc_{at}"}
    return [{"type": "response.function_call_arguments.delta", "delta": piece, **where} for piece in cut(text, size)]


def completed(*output: Any, status: str | None = "completed", **more: Any) -> dict[str, Any]:
    return {"type": "response.completed", "response": {"status": status, "output": list(output), **more}}


def without(script: Iterable[dict[str, Any]], *keys: str) -> list[dict[str, Any]]:
    """Give events without some keys, their items' included."""
    return [
        {
            key: {k: v for k, v in value.items() if k not in keys} if key == "item" else value
            for key, value in event.items()
            if key not in keys
        }
        for event in script
    ]


async def items(harness: Harness, script: list[Any], **options: Any) -> list[Any]:
    with Scripted([events(script)]) as server:
        stream = client(harness, server).create_iterable(response_model=User, max_retries=0, **ASKED, **options)
        return await harness.items(stream)


async def ask(harness: Harness, server: Any, found: list[Any], *, streamed: bool) -> None:
    """Ask for a list, whose items go into `found` where they are streamed."""
    asked, options = client(harness, server), {"max_retries": 0, **ASKED}
    if streamed:
        await harness.collect(asked.create_iterable(response_model=User, **options), found)
    else:
        await harness.result(asked.create(response_model=list[User], **options))


EMPTY, WHOLE = call(""), call(LIST)
LATE = {
    "arguments.done": [added(EMPTY), arguments_done(LIST), completed()],
    "output_item.done": [added(EMPTY), done(WHOLE), completed()],
    "item.done alone": [done(WHOLE), completed()],
    "completed": [added(EMPTY), completed(WHOLE)],
    "completed alone": [completed(WHOLE)],
    "completed, at another place": [added(EMPTY, 1), completed(WHOLE)],
    "completed, of another id": [added(EMPTY), completed({**WHOLE, "id": "other"})],
    "arguments as an object": [completed({**WHOLE, "arguments": json.loads(LIST)})],
    "the rest in done": [added(EMPTY), *deltas(LIST[:20]), arguments_done(LIST), done(WHOLE), completed(WHOLE)],
    "the rest in item.done": [added(EMPTY), *deltas(LIST[:31]), done(WHOLE), completed(WHOLE)],
    "the rest in completed": [added(EMPTY), *deltas(LIST[:1]), completed(WHOLE)],
    "the name only at the end": [*deltas(LIST), done(WHOLE), completed(WHOLE)],
}
TWICE = {
    "added whole": [added(WHOLE), completed()],
    "added whole, then deltas": [added(WHOLE), *deltas(LIST), completed()],
    "added whole, then deltas by one": [added(WHOLE), *deltas(LIST, size=1), completed()],
    "added whole, then one delta": [added(WHOLE), *deltas(LIST, size=999), arguments_done(LIST), completed(WHOLE)],
    "added begun, deltas whole": [added(call(LIST[:9])), *deltas(LIST, size=4), done(WHOLE), completed(WHOLE)],
    "added begun, deltas go on": [added(call(LIST[:9])), *deltas(LIST[9:], size=4), done(WHOLE), completed(WHOLE)],
    "added twice": [added(WHOLE), added(WHOLE), completed(WHOLE)],
    "done twice": [added(EMPTY), *deltas(LIST), done(WHOLE), done(WHOLE), completed(WHOLE)],
    "done spelled otherwise": [added(EMPTY), *deltas(LIST), arguments_done(LIST.replace(" ", "  ")), completed()],
    "an item twice": [added(EMPTY), *deltas(LIST), completed(WHOLE, {**WHOLE, "id": "other"})],
}


@pytest.mark.parametrize("script", [*LATE.values(), *TWICE.values()], ids=[*LATE, *TWICE])
async def test_each_item_comes_once(harness: Harness, script: list[Any]) -> None:
    assert await items(harness, script) == [ANN, BOB]


@pytest.mark.parametrize("script", [*LATE.values(), *TWICE.values()], ids=[*LATE, *TWICE])
async def test_marks_may_lack(harness: Harness, script: list[Any]) -> None:
    for keys in (["output_index"], ["item_id"], ["id", "item_id"], ["output_index", "item_id", "id"]):
        assert await items(harness, without(script, *keys)) == [ANN, BOB]


async def test_a_whole_reply_that_has_a_call_twice(harness: Harness) -> None:
    twice = {"object": "response", "status": "completed", "output": [WHOLE, WHOLE]}
    with Scripted([body(twice)]) as server:
        assert await harness.result(client(harness, server).create(response_model=list[User], **ASKED)) == [ANN, BOB]


@pytest.mark.parametrize("keys", [(), ("output_index",), ("item_id",), ("item_id", "id")], ids=str)
async def test_interleaved_calls_are_told_apart(harness: Harness, keys: tuple[str, ...]) -> None:
    lists = [LIST, '{"tasks": [{"name": "Cyd"}]}']
    pieces = [deltas(text, at, 3) for at, text in enumerate(lists)]
    mixed = [each[n] for n in range(max(map(len, pieces))) for each in pieces if n < len(each)]
    script = [added(call("", 0), 0), added(call("", 1), 1), *mixed, completed(*map(call, lists, (0, 1)))]
    assert sorted(each.name for each in await items(harness, without(script, *keys))) == ["Ann", "Bob", "Cyd"]
    zero = [{**event, "output_index": 0} if "output_index" in event else event for event in script]
    if not keys:  # a proxy that numbers all items 0
        assert sorted(each.name for each in await items(harness, zero)) == ["Ann", "Bob", "Cyd"]


async def test_a_proxy_that_gives_an_item_another_id_in_each_event(harness: Harness) -> None:
    script = [added(EMPTY), *deltas(LIST), arguments_done(LIST), done(WHOLE), completed(WHOLE)]
    for at, event in enumerate(script):
        script[at] = {**event, "item_id": f"id{at}"} if "item_id" in event else event
        if "item" in event:
            script[at] = {**event, "item": {**event["item"], "id": f"id{at}"}}
    script[-1] = completed({**WHOLE, "id": "last"})
    assert await items(harness, script) == [ANN, BOB]


async def test_two_calls_of_one_id_are_two(harness: Harness) -> None:
    second: dict[str, Any] = {**call('{"tasks": [{"name": "Cyd"}]}', 1), "call_id": "call_0"}
    script = [
        added(EMPTY, 0),
        *deltas(LIST, 0),
        added({**second, "arguments": ""}, 1),
        *deltas(second["arguments"], 1),
        completed(WHOLE, second),
    ]
    assert await items(harness, script) == [ANN, BOB, CYD]
    assert await items(harness, [completed(WHOLE, second)]) == [ANN, BOB, CYD]


async def test_a_lost_piece_is_noticed(harness: Harness) -> None:
    pieces = deltas(LIST, size=10)
    script = [added(EMPTY), *pieces[:2], *pieces[3:], done(WHOLE), completed(WHOLE)]
    with pytest.raises(IncompleteOutputException, match="lost"):
        await items(harness, script)


@pytest.mark.parametrize("size", [1, 999])
async def test_a_character_cut_in_two_is_whole(harness: Harness, size: int) -> None:
    text = '{"tasks": [{"name": "A😀n"}, {"name": "Bob"}]}'
    halves = [text[at : at + 1] for at in range(len(text))]
    at = halves.index("😀")
    halves[at : at + 1] = ["\ud83d", "\ude00"]
    joined = ["".join(halves[: at + 1]), "".join(halves[at + 1 :])] if size == 999 else halves
    where = {"type": "response.function_call_arguments.delta", "output_index": 0, "item_id": "fc_0"}
    script = [added(EMPTY), *({**where, "delta": each} for each in joined), done(call(text)), completed(call(text))]
    assert [user.name for user in await items(harness, [json.dumps(each) for each in script])] == ["A😀n", "Bob"]


SERVER_MADE: list[dict[str, Any]] = [
    {"type": "web_search_call", "id": "ws", "status": "completed", "action": {"type": "search", "query": "x"}},
    {"type": "file_search_call", "id": "fs", "queries": ["x"], "status": "completed", "results": None},
    {"type": "mcp_call", "id": "m", "name": "IterableUser", "arguments": LIST, "server_label": "s", "output": "x"},
    {"type": "custom_tool_call", "id": "c", "call_id": "c", "name": "IterableUser", "input": LIST},
    {"type": "code_interpreter_call", "id": "ci", "code": LIST, "container_id": "x", "status": "completed"},
    {"type": "reasoning", "id": "r", "summary": [{"type": "summary_text", "text": LIST}], "content": None},
]


@pytest.mark.parametrize("item", SERVER_MADE, ids=[each["type"] for each in SERVER_MADE])
async def test_a_servers_calls_never_count(harness: Harness, item: dict[str, Any]) -> None:
    ours = call('{"tasks": [{"name": "Cyd"}]}', 1)
    inner = [
        {"type": f"response.{kind}.delta", "delta": LIST, "output_index": 0, "item_id": item["id"]}
        for kind in ("mcp_call_arguments", "custom_tool_call_input", "function_call_arguments", "reasoning_text")
    ]
    script = [added(item), *inner, done(item), added(ours, 1), done(ours, 1), completed(item, ours)]
    assert await items(harness, script) == [CYD]
    assert await items(harness, [event | {"item_id": ""} if "item_id" in event else event for event in script]) == [CYD]
    with Scripted([body({"object": "response", "status": "completed", "output": [item, ours]})]) as server:
        assert await harness.result(client(harness, server).create(response_model=list[User], **ASKED)) == [CYD]


def part(**told: Any) -> dict[str, Any]:
    return {"output_index": 0, "item_id": "msg", "content_index": 0, **told}


def said(what: str) -> dict[str, Any]:
    return {"type": "message", "id": "msg", "role": "assistant", "content": [{"type": "refusal", "refusal": what}]}


NO = "I will not."
REFUSALS = {
    "delta": [part(type="response.refusal.delta", delta=NO), completed()],
    "done": [part(type="response.refusal.done", refusal=NO), completed()],
    "part": [part(type="response.content_part.done", part={"type": "refusal", "refusal": NO}), completed()],
    "item": [done(said(NO)), completed()],
    "completed": [completed(said(NO))],
    "all": [
        added({**said(NO), "content": []}),
        part(type="response.content_part.added", part={"type": "refusal", "refusal": ""}),
        *(part(type="response.refusal.delta", delta=piece) for piece in cut(NO, 3)),
        part(type="response.refusal.done", refusal=NO),
        part(type="response.content_part.done", part={"type": "refusal", "refusal": NO}),
        done(said(NO)),
        completed(said(NO)),
    ],
}


@pytest.mark.parametrize("script", REFUSALS.values(), ids=REFUSALS)
async def test_a_refusal_in_whichever_event(harness: Harness, script: list[Any]) -> None:
    with pytest.raises(RefusalError) as refused:
        await items(harness, script)
    assert refused.value.text == NO


TEXTS = {
    name: json.loads(json.dumps(script).replace('"refusal":', '"text":').replace("refusal", "output_text"))
    for name, script in REFUSALS.items()
}


@pytest.mark.parametrize("script", TEXTS.values(), ids=TEXTS)
async def test_a_text_in_whichever_event(harness: Harness, script: list[Any]) -> None:
    with Scripted([events(script), answer({"tasks": [{"name": "Ann"}]})]) as server:
        assert await harness.items(client(harness, server).create_iterable(response_model=User, **ASKED)) == [ANN]
    assert json.dumps(server.requests[1].body).count(NO) == 1


@pytest.mark.parametrize("script", REFUSALS.values(), ids=REFUSALS)
async def test_a_refusal_whose_marks_lack(harness: Harness, script: list[Any]) -> None:
    for keys in (["output_index"], ["item_id"], ["item_id", "id"], ["output_index", "item_id", "id", "content_index"]):
        with pytest.raises(RefusalError) as refused:
            await items(harness, without(script, *keys))
        assert refused.value.text == NO


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("status", ["queued", "in_progress", "cancelled", "paused", "incomplete"])
async def test_what_proves_no_end(harness: Harness, status: str, streamed: bool) -> None:
    reply: dict[str, Any] = {"object": "response", "status": status, "output": [WHOLE]}
    if status == "incomplete":
        reply["incomplete_details"] = {"reason": "tired"}
    made = events([{"type": "response.completed", "response": reply}]) if streamed else body(reply)
    found: list[Any] = []
    with Scripted([made]) as server, pytest.raises(IncompleteOutputException, match="tired|" + status) as failed:
        await ask(harness, server, found, streamed=streamed)
    assert (found or failed.value.items) == [ANN, BOB]
    assert failed.value.report
    assert not failed.value.report.complete


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("error", [{"code": "server_error", "message": "BOOM"}, "BOOM", {"code": "BOOM"}])
async def test_a_failing_reply_keeps_what_came(harness: Harness, error: Any, streamed: bool) -> None:
    reply: dict[str, Any] = {"object": "response", "status": "failed", "output": [WHOLE], "error": error}
    made = events([added(WHOLE), {"type": "response.failed", "response": reply}]) if streamed else body(reply)
    found: list[Any] = []
    with Scripted([made]) as server, pytest.raises(IncompleteOutputException, match="BOOM") as failed:
        await ask(harness, server, found, streamed=streamed)
    assert (found or failed.value.items) == [ANN, BOB]
    assert isinstance(failed.value.__cause__, ProviderError)


COMPLAINTS = [
    {"error": {"message": "BOOM", "type": "server_error"}},
    {"error": "BOOM"},
    {"message": "BOOM"},
    {"detail": "BOOM"},
    {"errors": [{"message": "BOOM"}]},
    {"object": "error", "message": "BOOM"},
    {"type": "error", "code": "x", "message": "BOOM"},
    {"type": "error", "error": {"message": "BOOM"}},
    {"type": "response.failed", "response": {"error": {"message": "BOOM"}}},
    {"type": "response.failed", "response": {"incomplete_details": {"reason": "BOOM"}}},
]


@pytest.mark.parametrize("complaint", COMPLAINTS, ids=str)
async def test_the_providers_words_are_quoted(harness: Harness, complaint: dict[str, Any]) -> None:
    for made in (events([complaint]), body(complaint), events([added(call(LIST[:30])), complaint])):
        with Scripted([made]) as server, pytest.raises(InstructorError, match="BOOM") as failed:
            await ask(harness, server, [], streamed=True)
        assert isinstance(failed.value.__cause__, ProviderError)


USUAL: list[Any] = [
    {"type": "response.created", "response": {"id": "resp", "status": "in_progress", "output": []}},
    added({"type": "message", "id": "msg", "role": "assistant", "content": []}),
    part(type="response.output_text.delta", delta="So:"),
    part(type="response.output_text.done", text="So:"),
    added(call("", 1, "User"), 1),
    *deltas(ONE, 1, 9),
    arguments_done(ONE, 1),
    done(call(ONE, 1, "User"), 1),
    completed(call(ONE, 1, "User"), usage={"input_tokens": 5, "output_tokens": 6}),
]


async def test_an_odd_field_gives_the_answer_or_an_error_of_ours(harness: Harness) -> None:
    right = User(name="Ann", age=5)
    tried = 0
    with Scripted() as server:
        responses = client(harness, server)
        for label, script in scripts(USUAL):
            server.add(events(script))
            try:
                seen = await harness.items(responses.create_partial(response_model=User, max_retries=0, **ASKED))
            except InstructorError:
                continue
            assert seen[-1] == right, label
            tried += 1
    assert tried > 300


async def test_an_odd_field_of_a_whole_reply(harness: Harness) -> None:
    right = User(name="Ann", age=5)
    reply = {**USUAL[-1]["response"], "object": "response", "error": None, "incomplete_details": None}
    reply["output"] = [
        {"type": "message", "id": "m", "content": [{"type": "output_text", "text": "So:"}]},
        *reply["output"],
    ]
    with Scripted() as server:
        responses = client(harness, server)
        for label, changed in mutations(reply):
            server.add(body(changed))
            try:
                found = await harness.result(responses.create(response_model=User, max_retries=0, **ASKED))
            except InstructorError:
                continue
            assert found == right, label
