"""What the wires of blocks take back: no blank text, each call answered, and the user's word last."""

from __future__ import annotations

from typing import Any

import pytest

from instructor.testing import Asked, answer
from instructor.testing.faults import plan

ANTHROPIC, BEDROCK, GOOGLE = "/v1/messages", "/model/m/converse", "/v1/models/m:generateContent"
USE = {"type": "tool_use", "id": "c1", "name": "look", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "c1", "content": "seen"}
TOOL = {"toolUse": {"toolUseId": "c1", "name": "look", "input": {}}}
TOOLS_RESULT = {"toolResult": {"toolUseId": "c1", "content": [{"text": "seen"}]}}
PART = {"text": "y"}
CALL, RESPONSE = {"functionCall": {"name": "look", "args": {}}}, {"functionResponse": {"name": "look", "response": {}}}


def status(path: str, **body: Any) -> int:
    return plan(answer("{}"), Asked(1, "POST", path, "", {}, body, b"")).status


def said(*contents: Any) -> list[dict[str, Any]]:
    return [{"role": "assistant" if at % 2 else "user", "content": content} for at, content in enumerate(contents)]


@pytest.mark.parametrize(
    ("messages", "found"),
    [
        (said("Look."), 200),
        (said("Look.", [USE], [RESULT]), 200),
        (said("Look.", [USE], [RESULT, {"type": "text", "text": "Well?"}]), 200),
        ([*said("Look."), *said("Again.")], 200),
        (said("Look.", [{"type": "text", "text": "\n"}, USE], [RESULT]), 400),
        (said(" "), 400),
        (said([]), 400),
        (said("Look.", [USE], "Well?"), 400),
        (said("Look.", [USE], [{"type": "text", "text": "Well?"}, RESULT]), 400),
        (said("Look.", [USE, USE], [RESULT, RESULT]), 400),
        (said("Look.", "Yes.", [RESULT]), 400),
        (said("Look.", [{**USE, "id": "functions.look:0"}], [{**RESULT, "tool_use_id": "functions.look:0"}]), 400),
        (said("Look.", [{**USE, "caller": None}], [RESULT]), 400),
        (said("Look.", [{**USE, "input": "x"}], [RESULT]), 400),
        (said("Look.", [{**USE, "name": "a.b"}], [RESULT]), 400),
        (said("Look.", [USE], [{**RESULT, "content": [{"type": "text", "text": ""}]}]), 400),
        (said("Look.", "Yes.", "Well?")[1:], 400),
    ],
)
def test_anthropic(messages: list[Any], found: int) -> None:
    assert status(ANTHROPIC, messages=messages) == found


def test_anthropics_system_and_its_thinking() -> None:
    assert status(ANTHROPIC, messages=said("x"), system=[{"type": "text", "text": " "}]) == 400
    forced = {"type": "tool", "name": "look"}
    assert status(ANTHROPIC, messages=said("x"), thinking={"type": "adaptive"}, tool_choice=forced) == 400


@pytest.mark.parametrize(
    ("messages", "found"),
    [
        (said([{"text": "Look."}]), 200),
        (said([{"text": "Look."}], [TOOL], [TOOLS_RESULT]), 200),
        (said([{"text": "Look."}], [{"text": " "}, TOOL], [TOOLS_RESULT]), 400),
        (said([{"text": "Look."}], [TOOL], [{"text": "Well?"}]), 400),
        ([*said([{"text": "Look."}]), *said([{"text": "Again."}])], 400),
        (said([{"text": "Look."}], [{"toolUse": {**TOOL["toolUse"], "toolUseId": ""}}], [TOOLS_RESULT]), 400),
        (said([]), 400),
    ],
)
def test_bedrock(messages: list[Any], found: int) -> None:
    assert status(BEDROCK, messages=messages, toolConfig={"tools": []} | {"toolChoice": {}}) == found


def test_bedrocks_system_and_its_tools() -> None:
    assert status(BEDROCK, messages=said([{"text": "x"}]), system=[{"text": ""}]) == 400
    assert status(BEDROCK, messages=said([{"text": "x"}], [TOOL], [TOOLS_RESULT])) == 400


@pytest.mark.parametrize(
    ("turns", "found"),
    [
        ([("user", [{"text": "x"}])], 200),
        ([("user", [{"text": "x"}]), ("model", [CALL]), ("user", [RESPONSE])], 200),
        ([("user", [{"text": "x"}]), ("model", [{"text": "", "thoughtSignature": "AA"}]), ("user", [RESPONSE])], 400),
        ([("user", [{"text": "x"}]), ("model", [{"text": "", "thoughtSignature": "AA"}]), ("user", [PART])], 200),
        ([("user", [{"text": "x"}]), ("model", [{"text": "y"}])], 400),
        ([("user", [{"text": "x"}]), ("model", [CALL, CALL]), ("user", [RESPONSE])], 400),
        ([("user", [{"text": "x"}]), ("model", [CALL]), ("user", [{"text": "y"}])], 400),
        ([("user", [{"text": "x"}]), ("user", [RESPONSE])], 400),
        ([("user", [])], 400),
        ([("user", [{"text": ""}])], 400),
        ([("assistant", [{"text": "x"}])], 400),
    ],
)  # fmt: skip
def test_google(turns: list[Any], found: int) -> None:
    assert status(GOOGLE, contents=[{"role": role, "parts": parts} for role, parts in turns]) == found
