"""What the scripted server refuses, as the providers do: conversations that break a wire's rules."""

from __future__ import annotations

from typing import Any

import pytest

from instructor.testing import Asked, answer
from instructor.testing.faults import plan

CALL = {"id": "call00001", "type": "function", "function": {"name": "look", "arguments": "{}"}}
USER = {"role": "user", "content": "Look."}
CALLED = {"role": "assistant", "content": "", "tool_calls": [CALL]}
SEEN = {"role": "tool", "tool_call_id": "call00001", "content": "seen"}
CHAT, MISTRAL, COHERE, XAI = (
    "/v1/chat/completions",
    "/mistral/v1/chat/completions",
    "/v2/chat",
    "/xai_api.Chat/GetCompletion",
)


def status(path: str, **body: Any) -> int:
    return plan(answer("{}"), Asked(1, "POST", path, "", {}, body, b"")).status


def call(**other: Any) -> dict[str, Any]:
    return {**CALLED, "tool_calls": [{**CALL, **other}]}


@pytest.mark.parametrize("path", [CHAT, MISTRAL, COHERE, XAI])
def test_a_right_conversation_is_taken(path: str) -> None:
    messages: list[Any] = [USER, CALLED, SEEN, {"role": "assistant", "content": "Yes."}, USER]
    if path == XAI:
        messages = [{**each, "content": [{"text": each["content"]}]} for each in messages]
    assert status(path, messages=messages) == 200


@pytest.mark.parametrize("path", [CHAT, MISTRAL, COHERE])
@pytest.mark.parametrize(
    "messages",
    [
        [USER, CALLED],
        [USER, CALLED, USER, SEEN],
        [USER, SEEN],
        [USER, CALLED, {**SEEN, "tool_call_id": "call00002"}],
        [USER, CALLED, SEEN, SEEN],
        [USER, {**CALLED, "tool_calls": [CALL, CALL]}, SEEN, SEEN],
        [USER, call(id=""), {**SEEN, "tool_call_id": ""}],
        [USER, call(function={"name": "functions.look:0", "arguments": "{}"}), SEEN],
        [USER, call(function={"name": "", "arguments": "{}"}), SEEN],
        [USER, call(function={"name": "look", "arguments": {}}), SEEN],
        [{"role": "user", "content": None}],
        [USER, {"role": "assistant", "content": None}, USER],
        [USER, CALLED, {**SEEN, "content": None}],
        [{"role": "robot", "content": "x"}],
        ["x"],
    ],
)
def test_a_broken_conversation_is_refused(path: str, messages: list[Any]) -> None:
    assert status(path, messages=messages) == 400


@pytest.mark.parametrize(
    "messages",
    [
        [USER, call(id="call_1"), {**SEEN, "tool_call_id": "call_1"}],
        [USER, CALLED, SEEN, USER],
        [USER, {"role": "assistant", "content": "Yes."}],
        [{"role": "user", "content": " "}],
    ],
)
def test_mistral_refuses_more(messages: list[Any]) -> None:
    assert (status(CHAT, messages=messages), status(MISTRAL, messages=messages)) == (200, 400)


def test_nulls_that_are_taken() -> None:
    assert status(CHAT, messages=[USER, {**CALLED, "content": None}, SEEN]) == 200


@pytest.mark.parametrize("content", [[], None])
def test_xai_wants_a_content(content: Any) -> None:
    assert status(XAI, messages=[{"role": "ROLE_USER", "content": content}]) == 400


CALL_ITEM = {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "c", "output": "seen"}


@pytest.mark.parametrize(
    ("items", "found"),
    [
        ([USER, CALL_ITEM, OUTPUT], 200),
        ([USER, CALL_ITEM], 400),
        ([USER, OUTPUT], 400),
        ([USER, CALL_ITEM, CALL_ITEM, OUTPUT], 400),
        ([USER, {**CALL_ITEM, "call_id": ""}, {**OUTPUT, "call_id": ""}], 400),
        ([USER, {**CALL_ITEM, "name": "a.b"}, OUTPUT], 400),
        ([USER, CALL_ITEM, {**OUTPUT, "output": None}], 400),
        ([{"role": "user", "content": None}], 400),
    ],
)
def test_responses(items: list[Any], found: int) -> None:
    assert status("/v1/responses", input=items) == found


def test_an_output_may_answer_what_is_stored() -> None:
    assert status("/v1/responses", input=[OUTPUT], previous_response_id="resp_1") == 200
