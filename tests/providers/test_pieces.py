"""Replies on Cohere's, Mistral's and xAI's wires as servers send them: twice, unmarked, failing, with odd fields."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import grpc
import pytest
from pydantic import BaseModel

import instructor
from cases import Case
from cases.cohere import CASE as COHERE
from cases.mistral import CASE as MISTRAL
from cases.xai import CASE as XAI
from harness import Harness
from instructor import Mode
from instructor.exceptions import IncompleteOutputException, InstructorError, ProviderError
from instructor.providers.cohere import Cohere
from instructor.providers.mistral import Mistral
from instructor.providers.openai.responses import OpenAIResponses
from instructor.providers.xai import XAI as XAI_DIALECT
from instructor.testing import Reply, answer, body, content, error, events, tools
from odd_fields import mutations, scripts

ASKED = [{"role": "user", "content": "Extract."}]
LIST = '{"tasks": [{"name": "Ann"}, {"name": "Bob"}]}'
CYDS = '{"tasks": [{"name": "Cyd"}]}'
ONE = '{"name": "Ann", "age": 5}'


class User(BaseModel):
    name: str
    age: int = 0


ANN, BOB, CYD = User(name="Ann"), User(name="Bob"), User(name="Cyd")


class Bench:
    """Makes a server of a wire, and a client of it."""

    def __init__(self, harness: Harness, made: AsyncExitStack) -> None:
        self.harness, self._made = harness, made

    def client(self, case: Case, replies: list[Reply], mode: Mode = Mode.TOOLS) -> Any:
        self.server = self._made.enter_context(case.server())
        self.server.add(*replies)
        name = f"{case.name}/scripted"
        client: Any = instructor.from_provider(name, self.harness.is_async, mode=mode, **case.options(self.server))
        close = case.close(client.client) if case.close else None
        self._made.push_async_callback(self._closed, close, client.client)
        return client

    async def _closed(self, closing: Any, client: Any) -> None:
        await (self.harness.close(client) if closing is None else closing)

    async def items(self, case: Case, script: list[Any], mode: Mode = Mode.TOOLS) -> list[Any]:
        client = self.client(case, [events(script)], mode)
        return await self.harness.items(client.create_iterable(ASKED, User, max_retries=0))

    async def ask(self, case: Case, reply: Reply, found: list[Any], *, streamed: bool, mode: Mode = Mode.TOOLS) -> None:
        client = self.client(case, [reply], mode)
        if streamed:
            await self.harness.collect(client.create_iterable(ASKED, User, max_retries=0), found)
        else:
            await self.harness.result(client.create(list[User], ASKED, max_retries=0))


@pytest.fixture
async def bench(harness: Harness) -> AsyncIterator[Bench]:
    async with AsyncExitStack() as made:
        yield Bench(harness, made)


def cut(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def function(text: str, name: str | None = None) -> dict[str, Any]:
    return {"arguments": text} if name is None else {"name": name, "arguments": text}


# Cohere


def start(text: str = "", at: int = 0, call_id: str = "c0", name: str = "IterableUser") -> dict[str, Any]:
    call = {"id": call_id, "type": "function", "function": function(text, name)}
    return {"type": "tool-call-start", "index": at, "delta": {"message": {"tool_calls": call}}}


def pieces(text: str, at: int = 0, size: int = 7) -> list[dict[str, Any]]:
    return [
        {"type": "tool-call-delta", "index": at, "delta": {"message": {"tool_calls": {"function": function(piece)}}}}
        for piece in cut(text, size)
    ]


def ended(reason: Any = "TOOL_CALL", **more: Any) -> dict[str, Any]:
    return {"type": "message-end", "delta": {"finish_reason": reason, **more}}


def unmarked(script: list[dict[str, Any]], key: str = "index") -> list[dict[str, Any]]:
    return [{name: value for name, value in event.items() if name != key} for event in script]


COHERES = {
    "usual": [start(), *pieces(LIST), ended()],
    "whole at the start": [start(LIST), ended()],
    "whole at the start, then pieces": [start(LIST), *pieces(LIST), ended()],
    "whole at the start, then pieces by one": [start(LIST), *pieces(LIST, size=1), ended()],
    "begun at the start": [start(LIST[:9]), *pieces(LIST[9:]), ended()],
    "started twice": [start(LIST), start(LIST), ended()],
    "whole once more": [start(), *pieces(LIST, size=999), *pieces(LIST, size=999), ended()],
    "a plan before": [{"type": "tool-plan-delta", "delta": {"message": {"tool_plan": LIST}}}, start(LIST), ended()],
}


@pytest.mark.parametrize("script", COHERES.values(), ids=COHERES)
async def test_cohere_each_item_comes_once(bench: Bench, script: list[Any]) -> None:
    assert await bench.items(COHERE, script) == [ANN, BOB]
    assert await bench.items(COHERE, unmarked(script)) == [ANN, BOB]


async def test_cohere_calls_are_told_apart(bench: Bench) -> None:
    one, two = [start(at=0, call_id="a"), *pieces(LIST, 0)], [start(at=1, call_id="b"), *pieces(CYDS, 1)]
    mixed = [one[0], two[0], one[1], two[1], *one[2:], *two[2:], ended()]
    assert sorted(user.name for user in await bench.items(COHERE, mixed)) == ["Ann", "Bob", "Cyd"]
    assert await bench.items(COHERE, unmarked([*one, *two, ended()])) == [ANN, BOB, CYD]
    zero = [start(call_id="a"), *pieces(LIST), start(call_id="b"), *pieces(CYDS), ended()]
    assert await bench.items(COHERE, zero) == [ANN, BOB, CYD]


async def test_cohere_whole_calls(bench: Bench) -> None:
    def reply(*ids: str, plan: str = "") -> Reply:
        texts = [LIST, CYDS if ids[-1] != ids[0] else LIST]
        calls = [
            {"id": i, "type": "function", "function": function(t, "IterableUser")}
            for i, t in zip(ids, texts, strict=True)
        ]
        return body({"id": "1", "finish_reason": "TOOL_CALL", "message": {"tool_plan": plan, "tool_calls": calls}})

    for made, wanted in ((reply("a", "b", plan=LIST), [ANN, BOB, CYD]), (reply("a", "a"), [ANN, BOB])):
        client = bench.client(COHERE, [made])
        assert await bench.harness.result(client.create(list[User], ASKED, max_retries=0)) == wanted


# Mistral


def chunk(*calls: Any, finish: str | None = None, **delta: Any) -> dict[str, Any]:
    told = {"content": "", **delta, **({"tool_calls": list(calls)} if calls else {})}
    choice = {"index": 0, "delta": told, "finish_reason": finish}
    return {"id": "1", "object": "chat.completion.chunk", "model": "m", "created": 1, "choices": [choice]}


def call(text: str, call_id: str | None = "abcdefgh1", at: int | None = 0, name: str = "IterableUser") -> Any:
    made = {"id": call_id, "index": at, "function": function(text, name)}
    return {key: value for key, value in made.items() if value is not None}


def goes_on(text: str, at: int | None = 0) -> Any:
    return call(text, None, at, "")


END = chunk(finish="tool_calls")
MISTRALS = {
    "usual": [chunk(call(LIST[:9])), *(chunk(goes_on(each)) for each in cut(LIST[9:], 7)), END],
    "without an index": [chunk(call(LIST[:9], at=None)), chunk(goes_on(LIST[9:], None)), END],
    "whole twice": [chunk(call(LIST)), chunk(call(LIST)), END],
    "whole twice, no index": [chunk(call(LIST, at=None)), chunk(call(LIST, at=None)), END],
    "whole, and at the end": [chunk(call(LIST)), chunk(call(LIST), finish="tool_calls")],
    "the id in each": [*(chunk(call(each)) for each in cut(LIST, 7)), END],
    "cumulative": [chunk(call(LIST[:20])), chunk(call(LIST)), END],
    "as an object": [chunk(call(json.loads(LIST))), END],
}


@pytest.mark.parametrize("script", MISTRALS.values(), ids=MISTRALS)
async def test_mistral_each_item_comes_once(bench: Bench, script: list[Any]) -> None:
    assert await bench.items(MISTRAL, script) == [ANN, BOB]


async def test_mistral_calls_are_told_apart(bench: Bench) -> None:
    other = "abcdefgh2"
    for script in (
        [chunk(call(LIST), call(CYDS, other)), END],
        [chunk(call(LIST, at=None)), chunk(call(CYDS, other, None)), END],
        [chunk(call(LIST, None, None), call(CYDS, None, None)), END],
        [chunk(call(LIST, "abcdefgh1")), chunk(call(CYDS, "abcdefgh1")), END],
        [
            chunk(call(LIST[:20])),
            chunk(goes_on(LIST[20:])),
            chunk(call(CYDS[:9], other)),
            chunk(goes_on(CYDS[9:])),
            END,
        ],
    ):
        assert await bench.items(MISTRAL, script) == [ANN, BOB, CYD]


# xAI


def output(*calls: Any, finish: str | None = None, **delta: Any) -> dict[str, Any]:
    told = {"role": "ROLE_ASSISTANT", **delta, **({"tool_calls": list(calls)} if calls else {})}
    return {"outputs": [{"delta": told, **({"finish_reason": finish} if finish else {})}]}


def made(text: str, call_id: str = "a", name: str = "IterableUser", **more: Any) -> Any:
    return {"id": call_id, "function": function(text, name), **more}


LAST = output(finish="REASON_TOOL_CALLS")
XAIS = {
    "usual": [output(made(LIST)), LAST],
    "in two chunks": [output(made(LIST)), output(made(LIST)), LAST],
    "in the last chunk, too": [output(made(LIST)), output(made(LIST), finish="REASON_TOOL_CALLS")],
    "twice in one": [output(made(LIST), made(LIST)), LAST],
    "in pieces": [*(output(made(each, name="" if n else "IterableUser")) for n, each in enumerate(cut(LIST, 5))), LAST],
    "cumulative": [output(made(LIST[:20])), output(made(LIST)), LAST],
    "without an id": [output(made(LIST, "")), LAST],
    "without an id, in pieces": [output(made(LIST[:20], "")), output(made(LIST[20:], "", "")), LAST],
    "spelled otherwise": [output(made(LIST)), output(made(LIST.replace('"}', '" }'))), LAST],
    "beside the provider's own": [
        output(made(CYDS, "w", type="TOOL_CALL_TYPE_WEB_SEARCH_TOOL"), made(CYDS, "m", type="TOOL_CALL_TYPE_MCP_TOOL")),
        output(made(LIST)),
        LAST,
    ],
}


@pytest.mark.parametrize("script", XAIS.values(), ids=XAIS)
async def test_xai_each_item_comes_once(bench: Bench, script: list[Any]) -> None:
    assert await bench.items(XAI, script) == [ANN, BOB]


async def test_xai_calls_are_told_apart(bench: Bench) -> None:
    for ids in (("a", "b"), ("", ""), ("a", "a")):
        calls = [made(LIST, ids[0]), made(CYDS, ids[1])]
        for script in ([output(*calls), LAST], [output(calls[0]), output(calls[1]), LAST]):
            assert await bench.items(XAI, script) == [ANN, BOB, CYD]


# All three: endings, failures


def whole(case: Case, reason: Any, text: str = LIST) -> Reply:
    call = {"id": "abcdefgh1", "type": "function", "function": function(text, "IterableUser")}
    if case is COHERE:
        return body({"id": "1", "finish_reason": reason, "message": {"role": "assistant", "tool_calls": [call]}})
    message: dict[str, Any] = {"role": "assistant", "content": "", "tool_calls": [call]}
    if case is XAI:
        message |= {"role": "ROLE_ASSISTANT", "tool_calls": [made(text)]}
        return body({"outputs": [{"message": message, "finish_reason": reason}]})
    wire = {"id": "1", "object": "chat.completion", "model": "m", "created": 1}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    return body({**wire, "usage": usage, "choices": [{"index": 0, "message": message, "finish_reason": reason}]})


def streamed_reply(case: Case, reason: Any) -> Reply:
    if case is COHERE:
        return events([start(LIST), ended(reason)])
    return events([chunk(call(LIST)), chunk(finish=reason)] if case is MISTRAL else [output(made(LIST), finish=reason)])


ENDINGS = [
    (COHERE, "USER_CANCEL"), (COHERE, "WEARY"), (MISTRAL, "abort"), (MISTRAL, "weary"),
    (XAI, "REASON_INVALID"), (XAI, 77),
]  # fmt: skip


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("case", "reason"), ENDINGS, ids=[f"{case.name}-{reason}" for case, reason in ENDINGS])
async def test_what_proves_no_end(bench: Bench, case: Case, reason: Any, streamed: bool) -> None:
    found: list[Any] = []
    reply = streamed_reply(case, reason) if streamed else whole(case, reason)
    with pytest.raises(IncompleteOutputException) as failed:
        await bench.ask(case, reply, found, streamed=streamed)
    assert (found or failed.value.items) == [ANN, BOB]
    if not (streamed and reason == "REASON_INVALID"):  # which is what every chunk says
        assert str(reason) in str(failed.value)


FAILURES = [(COHERE, "ERROR"), (COHERE, "TIMEOUT"), (COHERE, "ERROR_TOXIC"), (MISTRAL, "error")]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("case", "reason"), FAILURES, ids=[reason for _, reason in FAILURES])
async def test_a_failing_reply_keeps_what_came(bench: Bench, case: Case, reason: str, streamed: bool) -> None:
    found: list[Any] = []
    reply = streamed_reply(case, reason) if streamed else whole(case, reason)
    with pytest.raises(IncompleteOutputException) as failed:
        await bench.ask(case, reply, found, streamed=streamed)
    assert (found or failed.value.items) == [ANN, BOB]
    assert isinstance(failed.value.__cause__, ProviderError)
    assert failed.value.report
    assert failed.value.report.good == 2


async def test_a_chunk_with_the_last_item_and_the_failure(bench: Bench) -> None:
    found: list[Any] = []
    with pytest.raises(IncompleteOutputException):
        await bench.ask(MISTRAL, events([chunk(call(LIST), finish="error")]), found, streamed=True)
    assert found == [ANN, BOB]


WORDS = [
    (COHERE, [ended("ERROR", error="BOOM")]),
    (COHERE, [start(LIST[:30]), ended("ERROR", error="BOOM")]),
    (COHERE, [{"message": "BOOM"}]),
    (COHERE, [{"type": "message-start", "id": "1"}, {"error": {"message": "BOOM"}}]),
    (MISTRAL, [{"object": "error", "message": "x" * 300 + "BOOM", "type": "overloaded"}]),
    (MISTRAL, [{"error": {"message": "x" * 300 + "BOOM"}}]),
    (MISTRAL, [{"detail": "BOOM"}]),
    (MISTRAL, [chunk(call(LIST[:30])), {"object": "error", "message": "x" * 300 + "BOOM"}]),
]


@pytest.mark.parametrize(("case", "script"), WORDS)
async def test_the_providers_words_are_quoted(bench: Bench, case: Case, script: list[Any]) -> None:
    with pytest.raises(InstructorError, match="BOOM") as failed:
        await bench.items(case, script)
    assert "BOOM" in f"{failed.value.__cause__}"


async def test_mistrals_error_that_comes_whole(bench: Bench) -> None:
    reply = body({"object": "error", "message": "x" * 300 + "BOOM", "type": "overloaded"})
    with pytest.raises(InstructorError, match="BOOM"):
        await bench.ask(MISTRAL, reply, [], streamed=False)


async def test_xais_words_are_quoted(bench: Bench) -> None:
    with pytest.raises(grpc.RpcError) as failed:
        await bench.ask(XAI, error(429, "Slow down."), [], streamed=True)
    assert "Slow down." in str(failed.value)


# Odd fields

COHERES_OWN = [
    {"type": "message-start", "id": "1", "delta": {"message": {"role": "assistant", "content": [], "tool_plan": ""}}},
    start(name="User"),
    *pieces(ONE, size=9),
    {"type": "tool-call-end", "index": 0},
    ended(usage={"tokens": {"input_tokens": 1, "output_tokens": 2}}),
]
MISTRALS_OWN = [
    chunk(call(ONE[:9], name="User"), role="assistant"),
    chunk(goes_on(ONE[9:])),
    {**END, "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}},
]


@pytest.mark.parametrize(
    ("case", "script"), [(COHERE, COHERES_OWN), (MISTRAL, MISTRALS_OWN)], ids=["cohere", "mistral"]
)
async def test_an_odd_field_is_no_crash(
    bench: Bench, case: Case, script: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    """A piece whose text is odd is lost on these wires, which never tell a text again: its value is not asked about."""
    caplog.set_level(logging.CRITICAL)
    client = bench.client(case, [])
    causes: set[Any] = set()
    for _, changed in scripts(script):
        bench.server.add(events(changed))
        try:
            await bench.harness.items(client.create_partial(ASKED, User, max_retries=0))
        except InstructorError as failed:
            causes.add(type(failed.__cause__))
    assert not causes & {KeyError, AttributeError, TypeError, IndexError}


WHOLES = {
    "cohere": (Cohere("x"), {"id": "1", "finish_reason": "TOOL_CALL", "message": {
        "role": "assistant", "content": [{"type": "text", "text": "So:"}],
        "tool_calls": [{"id": "a", "function": function(ONE, "User")}]}, "usage": {"tokens": {"input_tokens": 1}}}),
    "mistral": (Mistral("x"), {"id": "1", "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {
        "role": "assistant", "content": "", "tool_calls": [call(ONE, name="User")]}}], "usage": {"prompt_tokens": 1}}),
    "xai": (XAI_DIALECT("x"), {"outputs": [{"finish_reason": "REASON_STOP", "message": {
        "role": "ROLE_ASSISTANT", "content": "So:", "tool_calls": [made(ONE, name="User")]}}],
        "usage": {"prompt_tokens": 1}}),
    "responses": (OpenAIResponses("x"), {"object": "response", "status": "completed", "output": [
        {"type": "message", "content": [{"type": "output_text", "text": "So:"}]},
        {"type": "function_call", "call_id": "a", "name": "User", "arguments": ONE}], "usage": {"input_tokens": 1}}),
}  # fmt: skip


@pytest.mark.parametrize(("wire", "reply"), WHOLES.values(), ids=WHOLES)
def test_odd_fields_of_whole_replies(wire: Any, reply: dict[str, Any]) -> None:
    assert wire.decode(reply).calls[0].arguments == ONE
    for _, changed in mutations(reply):
        try:
            wire.decode(changed)
        except InstructorError:
            continue


STREAMS = {
    "cohere": (Cohere("x"), COHERES_OWN),
    "mistral": (Mistral("x"), MISTRALS_OWN),
    "xai": (
        XAI_DIALECT("x"),
        [output(made(ONE, name="User"), content="So:"), LAST],
    ),
}


@pytest.mark.parametrize(("wire", "script"), STREAMS.values(), ids=STREAMS)
def test_odd_fields_of_streams(wire: Any, script: list[Any]) -> None:
    for _, changed in scripts(script):
        read = wire.reader()
        for event in changed:
            for by in (read, wire.delta):
                try:
                    list(by(event))
                except InstructorError:
                    continue


# Ids


WRONG, RIGHT = {"name": "Ann", "age": "?"}, {"name": "Ann", "age": 5}


@pytest.mark.parametrize("case", [MISTRAL, COHERE, XAI], ids=lambda case: case.name)
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_what_goes_back_is_taken(bench: Bench, case: Case, streamed: bool) -> None:
    """A wrong item, a cut, a call that says nothing: the server refuses what the provider would."""
    broken = answer({"tasks": [{"name": "Ann"}, WRONG]}).but(finish=case.length)
    script = [broken, answer({"tasks": [{"name": "Cyd"}]}), answer({"tasks": [RIGHT]})]
    client = bench.client(case, script)
    made = client.create_iterable(ASKED, User) if streamed else client.create(list[User], ASKED)
    found = await (bench.harness.items(made) if streamed else bench.harness.result(made))
    assert sorted(user.name for user in found) == ["Ann", "Ann", "Cyd"]
    for asked in bench.server.requests[1:]:
        (turn,) = [each for each in asked.body["messages"] if each.get("tool_calls")]
        assert all(len(each["id"]) == 9 and each["id"].isalnum() for each in turn["tool_calls"])


async def test_an_id_that_came_goes_back(bench: Bench) -> None:
    client = bench.client(MISTRAL, [tools(WRONG), tools(WRONG), tools(RIGHT)])
    assert await bench.harness.result(client.create(User, ASKED)) == User(name="Ann", age=5)
    turns = [each for each in bench.server.requests[2].body["messages"] if each.get("tool_calls")]
    assert [turn["tool_calls"][0]["id"] for turn in turns] == ["c00001000", "c00002000"]


async def test_an_id_that_the_conversation_has_is_not_made_again(bench: Bench) -> None:
    before = [
        {"role": "assistant", "content": "", "tool_calls": [call(ONE, "call00001", None, "look")]},
        {"role": "tool", "tool_call_id": "call00001", "content": "seen"},
    ]
    client = bench.client(MISTRAL, [answer({"tasks": [{"name": "Ann"}, WRONG]}), answer({"tasks": [RIGHT]})])
    messages = [*ASKED, *before]
    found = await bench.harness.items(client.create_iterable(messages, User))
    assert len(found) == 2
    ids = [each["tool_call_id"] for each in bench.server.requests[1].body["messages"] if each["role"] == "tool"]
    assert ids == ["call00001", "call00002"]


async def test_mistral_that_says_nothing_after_a_tools_result(bench: Bench) -> None:
    client = bench.client(MISTRAL, [tools(WRONG), content(""), tools(RIGHT)])
    assert await bench.harness.result(client.create(User, ASKED)) == User(name="Ann", age=5)
    roles = [each["role"] for each in bench.server.requests[2].body["messages"]]
    assert roles == ["user", "assistant", "tool", "assistant", "user"]


async def test_several_calls_of_one_id_go_back_with_ids_of_their_own(bench: Bench) -> None:
    calls = [{"id": "same", "type": "function", "function": function(json.dumps(WRONG), "User")} for _ in "ab"]
    calls[1]["function"] = function('{"name": "Bob", "age": "?"}', "User")
    reply = body({"id": "1", "finish_reason": "TOOL_CALL", "message": {"role": "assistant", "tool_calls": calls}})
    client = bench.client(COHERE, [reply, answer(RIGHT)])
    assert await bench.harness.result(client.create(User, ASKED)) == User(name="Ann", age=5)
    (turn,) = [each for each in bench.server.requests[1].body["messages"] if each.get("tool_calls")]
    assert len({each["id"] for each in turn["tool_calls"]}) == 2
