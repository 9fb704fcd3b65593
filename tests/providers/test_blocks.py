"""The wires whose turns are lists of blocks: which block a piece belongs to, what comes twice, whose calls they are."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel

from instructor import Mode
from instructor.providers.anthropic import Anthropic
from instructor.providers.bedrock import Bedrock
from instructor.providers.google.dialect import Google
from instructor.testing import ToolCall, answer, tools
from speakers import (
    Speaker,
    block,
    candidate,
    converse,
    conversed,
    joined,
    message,
    on,
    speaker,
    text,
    thought,
    use,
)

pytestmark = pytest.mark.slow

__all__ = ["speaker"]
ANN, BOB = {"name": "Ann", "age": 1}, {"name": "Bob", "age": 2}
LIST = {"tasks": [ANN, BOB]}
STREAMED = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


class User(BaseModel):
    name: str
    age: int = 0


class Optional(BaseModel):
    query: str | None = None
    name: str | None = None


USERS = [User(**ANN), User(**BOB)]


@on("anthropic", "bedrock", "google")
@STREAMED
@pytest.mark.parametrize("blank", ["\n", " ", "\n\n"])
async def test_a_blank_text_beside_a_wrong_call_does_not_go_back(
    speaker: Speaker, scripted_server: Any, blank: str, streamed: bool
) -> None:
    call = ToolCall('{"name": 7}', id="AA==" if speaker.name == "google" else None)
    server = scripted_server([tools(call, text=blank), answer(ANN)])
    assert await speaker.value(server, User, streamed=streamed) == User(**ANN)
    assert "$.name" in json.dumps(server.requests[1].body)


@on("anthropic", "bedrock", "google")
@STREAMED
async def test_a_blank_answer_is_asked_for_again(speaker: Speaker, scripted_server: Any, streamed: bool) -> None:
    server = scripted_server([tools(text=" \n"), answer(ANN)])
    assert await speaker.value(server, User, streamed=streamed) == User(**ANN)


@on("anthropic", "bedrock")
@STREAMED
async def test_blank_texts_of_a_history_stay_out(speaker: Speaker, scripted_server: Any, streamed: bool) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    history = [
        {"role": "system", "content": " "},
        {"role": "user", "content": [{"type": "text", "text": ""}, {"type": "text", "text": "Look."}]},
        {"role": "assistant", "content": [{"type": "text", "text": "Well.", "citations": None}]},
        {"role": "user", "content": "And now?"},
        {"role": "assistant", "content": "\n", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "seen"},
    ]
    server = scripted_server([answer(ANN)])
    client = speaker.client(server)
    asked = client.create_partial if streamed else client.create
    await (speaker.harness.items if streamed else speaker.harness.result)(asked(messages=history, response_model=User))


@on("anthropic")
@pytest.mark.parametrize("numbered", [(0, 0), (None, None), ("0", "1"), (1, 1), (0, 7)])
async def test_the_answer_after_a_thought_however_blocks_are_numbered(
    speaker: Speaker, scripted_server: Any, numbered: tuple[Any, Any]
) -> None:
    first, second = numbered
    said = message([thought(first), use(second, LIST, "IterableUser")])
    server = scripted_server([speaker.says(said, streamed=True)])
    assert await speaker.items(server, User, streamed=True) == USERS
    said = message([thought(first), text(second, json.dumps(LIST))], "end_turn")
    server.add(speaker.says(said, streamed=True))
    assert await speaker.items(server, User, streamed=True, mode=Mode.JSON) == USERS


@on("anthropic")
@pytest.mark.parametrize("numbered", [(0, 0, 0), (None, None, None), (0, 0, 1)])
async def test_two_calls_with_one_number_are_two(
    speaker: Speaker, scripted_server: Any, numbered: tuple[Any, ...]
) -> None:
    first, second, third = numbered
    long = {"name": "Ann" * 30, "age": 1}
    calls = [use(first, long), use(second, {"query": "x" * 90}, "web_search", "server_tool_use"), use(third, BOB)]
    server = scripted_server([speaker.says(message(calls), streamed=True)])
    found = await speaker.items(server, User, streamed=True, mode=Mode.PARALLEL_TOOLS)
    assert found == [User(**long), User(**BOB)]


@on("anthropic")
async def test_calls_that_take_turns(speaker: Speaker, scripted_server: Any) -> None:
    one, other = use(0, ANN), use(1, BOB)
    said = message([[each for pair in zip(one, other, strict=False) for each in pair]])
    server = scripted_server([speaker.says(said, streamed=True)])
    assert await speaker.items(server, User, streamed=True, mode=Mode.PARALLEL_TOOLS) == USERS


@on("anthropic")
@pytest.mark.parametrize("cut", [1, 7, 500])
async def test_arguments_told_whole_and_in_pieces_come_once(speaker: Speaker, scripted_server: Any, cut: int) -> None:
    said = message([use(0, LIST, "IterableUser", cut=cut, input=LIST)])
    alone = message([use(0, "", "IterableUser", input=LIST)])
    begun = message([block(0, {"type": "tool_use", "id": "t", "name": "IterableUser", "input": LIST})[:1]])
    last = message([use(0, "", "IterableUser")])
    last[2]["content_block"] = {"type": "tool_use", "id": "t", "name": "IterableUser", "input": LIST}
    empty = message([block(0, begun[1]["content_block"], {"type": "input_json_delta", "partial_json": ""})])
    for each in (said, alone, begun, empty, last):
        server = scripted_server([speaker.says(each, streamed=True)])
        assert await speaker.items(server, User, streamed=True) == USERS


@on("anthropic")
async def test_a_message_told_whole_after_its_pieces(speaker: Speaker, scripted_server: Any) -> None:
    said = message([use(0, LIST, "IterableUser")])
    whole = joined(said)
    closing = {"type": "message_stop", "message": whole}
    for each in ([*said[:-1], whole, closing], [said[0], closing], [whole]):
        server = scripted_server([speaker.says(each, streamed=True)])
        assert await speaker.items(server, User, streamed=True) == USERS
        assert len(server.requests) == 1


@on("anthropic")
@STREAMED
@pytest.mark.parametrize(
    "kind", ["server_tool_use", "mcp_tool_use", "web_search_tool_result", "code_execution_tool_result", "new_tool_use"]
)
async def test_the_providers_own_tools_are_never_the_answer(
    speaker: Speaker, scripted_server: Any, kind: str, streamed: bool
) -> None:
    theirs = use(0, {"query": "x"}, "web_search", kind)
    ours = use(1, {"name": "Ann"}, "PartialOptional" if streamed else "Optional")
    said = message([theirs, ours])
    server = scripted_server([speaker.says(said if streamed else joined(said), streamed=streamed)])
    assert await speaker.value(server, Optional, streamed=streamed) == Optional(name="Ann")
    said = message([theirs], "end_turn")
    server = scripted_server(
        [speaker.says(said if streamed else joined(said), streamed=streamed), answer({"name": "Bob"})]
    )
    assert await speaker.value(server, Optional, streamed=streamed) == Optional(name="Bob")


@on("bedrock")
@STREAMED
async def test_bedrocks_own_tools_are_never_the_answer(speaker: Speaker, scripted_server: Any, streamed: bool) -> None:
    theirs = {"toolUse": {"toolUseId": "t1", "name": "search", "input": {"query": "x"}, "type": "server_tool_use"}}
    ours = {
        "toolUse": {"toolUseId": "t2", "name": "PartialOptional" if streamed else "Optional", "input": {"name": "Ann"}}
    }
    said = conversed("tool_use", (0, theirs), (1, ours)) if streamed else converse("tool_use", theirs, ours)
    server = scripted_server([speaker.says(said, streamed=streamed)])
    assert await speaker.value(server, Optional, streamed=streamed) == Optional(name="Ann")


@on("bedrock")
@pytest.mark.parametrize("numbered", [(0, 0, 0), (1, 1, 1), (0, 1, 1)])
async def test_bedrocks_calls_with_one_number_are_two(
    speaker: Speaker, scripted_server: Any, numbered: tuple[int, ...]
) -> None:
    blocks = [
        {"text": "Two of them:"},
        *({"toolUse": {"toolUseId": n["name"], "name": "User", "input": n}} for n in (ANN, BOB)),
    ]
    said = conversed("tool_use", *zip(numbered, blocks, strict=True))
    server = scripted_server([speaker.says(said, streamed=True)])
    assert await speaker.items(server, User, streamed=True, mode=Mode.PARALLEL_TOOLS) == USERS


@on("google")
@STREAMED
@pytest.mark.parametrize(
    "part",
    [
        {"executableCode": {"code": "x", "language": "PYTHON"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "{}"}},
        {"toolCall": {"id": "t", "toolType": "GOOGLE_SEARCH_WEB", "args": {"queries": ["x"]}}},
        {"toolResponse": {"id": "t"}},
    ],
)
async def test_geminis_own_tools_are_never_the_answer(
    speaker: Speaker, scripted_server: Any, part: dict[str, Any], streamed: bool
) -> None:
    ours = {"functionCall": {"name": "PartialOptional" if streamed else "Optional", "args": {"name": "Ann"}}}
    said = candidate(part, ours, reason="STOP")
    server = scripted_server([speaker.says([said] if streamed else said, streamed=streamed)])
    assert await speaker.value(server, Optional, streamed=streamed) == Optional(name="Ann")


@on("google")
@STREAMED
async def test_only_the_first_of_several_candidates_is_read(
    speaker: Speaker, scripted_server: Any, streamed: bool
) -> None:
    halves = [
        ('{"tasks": [{"name": "Ann", "age": 1}, ', '{"tasks": [{"name": "Eve", "age": 1}, '),
        ('{"name": "Bob", "age": 2}]}', "]}"),
    ]
    said = [
        {"candidates": [*candidate({"text": b}, index=1)["candidates"], *candidate({"text": a})["candidates"]]}
        for a, b in halves
    ]
    said += [candidate({"text": "x"}, index=1, reason="MAX_TOKENS"), candidate({"text": ""}, index=None, reason="STOP")]
    if not streamed:
        others = candidate({"text": "x"}, index=1, reason="SAFETY")["candidates"]
        said = {"candidates": [*others, *candidate({"text": json.dumps(LIST)}, reason="STOP")["candidates"]]}  # type: ignore[assignment]
    server = scripted_server([speaker.says(said, streamed=streamed)])
    assert await speaker.items(server, User, streamed=streamed, mode=Mode.JSON) == USERS
    assert len(server.requests) == 1


@on("google")
async def test_a_call_that_geminis_stream_tells_again_is_one(speaker: Speaker, scripted_server: Any) -> None:
    call = {"functionCall": {"id": "f1", "name": "User", "args": ANN}}
    other = {"functionCall": {"id": "f2", "name": "User", "args": ANN}}
    said = [candidate(call), candidate(other), candidate(call, other, reason="STOP")]
    server = scripted_server([speaker.says(said, streamed=True)])
    found = await speaker.items(server, User, streamed=True, mode=Mode.PARALLEL_TOOLS)
    assert found == [User(**ANN)] * 2


@on("google")
async def test_a_call_that_breaks_off_for_another(speaker: Speaker, scripted_server: Any) -> None:
    def piece(name: str, **value: Any) -> dict[str, Any]:
        return {"functionCall": {"name": name, "willContinue": True, "partialArgs": [{"jsonPath": "$.name", **value}]}}

    said = [
        candidate({"functionCall": {"name": "User", "id": "a", "willContinue": True}}),
        candidate(piece("User", stringValue="Ann")),
        candidate({"functionCall": {"name": "User", "id": "b", "args": BOB}}, reason="STOP"),
    ]
    server = scripted_server([speaker.says(said, streamed=True)])
    found = await speaker.items(server, User, streamed=True, mode=Mode.PARALLEL_TOOLS)
    assert found == [User(name="Ann"), User(**BOB)]


@on("anthropic")
async def test_texts_are_known_by_what_they_hold(speaker: Speaker, scripted_server: Any) -> None:
    """A block that nobody began, or began as a thought, and deltas that do not say their type."""
    said = json.dumps(LIST)
    pieces = [{"type": "content_block_delta", "index": 0, "delta": {"text": each}} for each in (said[:20], said[20:])]
    for blocks in ([pieces], [thought(0)[:-1], pieces]):
        server = scripted_server([speaker.says(message(blocks, "end_turn"), streamed=True)])
        assert await speaker.items(server, User, streamed=True, mode=Mode.JSON) == USERS


def test_dialects_without_a_state_read_an_event() -> None:
    call = {"toolUse": {"toolUseId": "t", "name": "User"}}
    assert Bedrock("x").delta({"contentBlockStart": {"start": call}})[0].name == "User"
    piece = {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "x"}}
    assert [delta.text for delta in Anthropic("x").delta(piece)] == ["x"]
    assert Google("x").delta(candidate({"text": "x"}))[0].text == "x"


@on("anthropic", "bedrock")
@STREAMED
async def test_a_reply_told_twice_is_one(speaker: Speaker, scripted_server: Any, streamed: bool) -> None:
    if speaker.name == "bedrock":
        call = {"toolUse": {"toolUseId": "t", "name": "IterableUser", "input": LIST}}
        told: Any = conversed("tool_use", (0, call)) * 2 if streamed else converse("tool_use", call, call)
    else:
        once = message([use(0, LIST, "IterableUser")])
        told = once * 2 if streamed else joined(once)
        if not streamed:
            told["content"] *= 2
    server = scripted_server([speaker.says(told, streamed=streamed)])
    found = await speaker.items(server, User, streamed=streamed)
    assert found == USERS


@on("bedrock", "google", "vertexai")
@pytest.mark.parametrize("odd", [5, "x", [], [None]])
async def test_what_the_sdk_cannot_read_of_a_response(speaker: Speaker, scripted_server: Any, odd: Any) -> None:
    if speaker.name == "bedrock":
        call = {"toolUse": {"toolUseId": "t", "name": "User", "input": {"name": "Ann"}}}
        told = converse("tool_use", call, usage=odd)
    else:
        call = {"functionCall": {"name": "User", "args": {"name": "Ann"}}}
        told = {**candidate(call, reason="STOP"), "usageMetadata": odd}
    server = scripted_server([speaker.says(told, streamed=False)])
    assert (await speaker.value(server, User, streamed=False)).name == "Ann"
