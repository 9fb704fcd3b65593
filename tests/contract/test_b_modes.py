"""Appendix B of the contract, 23 to 26, 33 and 34: modes and clients."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from pydantic import BaseModel

import instructor
from harness import Harness, asking
from instructor import Mode
from instructor.exceptions import ClientError, ConfigurationError, ModeError
from instructor.older import reset_deprecated_mode_warnings
from instructor.testing import content, tools


class User(BaseModel):
    name: str
    age: int


USER = {"name": "a", "age": 1}
TEXT = json.dumps(USER)


@pytest.mark.parametrize("reply", [TEXT, f"```json\n{TEXT}\n```"])
async def test_23_json_mode(harness: Harness, scripted_server: Any, reply: str) -> None:
    server = scripted_server([content(reply)])
    messages = [{"role": "system", "content": "Be exact."}, *asking()["messages"]]
    assert await harness.create(harness.client(server, Mode.JSON), User, messages=messages) == User(**USER)
    body = server.requests[0].body
    assert body["response_format"] == {"type": "json_object"}
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert body["messages"][0]["content"].startswith("Be exact.")
    assert '"age"' in body["messages"][0]["content"]


@pytest.mark.parametrize(
    "reply",
    [
        f"Here it is:\n```json\n{TEXT}\n```\nThat was all.",
        f"Like {{}}, perhaps. Here it is:\n```json\n{TEXT}\n```",
        f"{TEXT} see [1]",  # 1.x: takes the `[1]`
    ],
)
async def test_24_markdown_mode(harness: Harness, scripted_server: Any, reply: str) -> None:
    server = scripted_server([content(reply)])
    assert await harness.create(harness.client(server, Mode.MD_JSON), User, max_retries=0) == User(**USER)
    assert "response_format" not in server.requests[0].body


async def test_25_json_schema_is_strict_where_it_can_be(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([content(TEXT)])
    assert await harness.create(harness.client(server, Mode.JSON_SCHEMA), User) == User(**USER)
    form = server.requests[0].body["response_format"]
    assert form["type"] == "json_schema"
    assert form["json_schema"]["strict"] is True  # 1.x: left out
    assert form["json_schema"]["schema"]["additionalProperties"] is False


async def test_26_responses(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([tools(USER)])
    client = harness.client(server, Mode.RESPONSES_TOOLS)
    search = {"type": "web_search"}
    call = client.responses.create(input="Extract.", response_model=User, model="m", max_tokens=50, tools=[search])
    assert await harness.result(call) == User(**USER)
    body = server.requests[0].body
    assert body["input"] == [{"role": "user", "content": "Extract."}]
    assert body["max_output_tokens"] == 50
    assert search in body["tools"]  # 1.x: overwritten
    assert [tool.get("name") for tool in body["tools"] if tool != search] == ["User"]


def test_33_what_is_wrong_with_a_client() -> None:
    for model in ("gpt-4o", "openai/", "/gpt-4o", "nosuch/model"):
        with pytest.raises(ConfigurationError):
            instructor.from_provider(model, api_key="none")
    with pytest.raises(ClientError):
        instructor.from_openai("client")  # type: ignore[call-overload]  # pyright: ignore
    with openai.OpenAI(api_key="none") as sdk, pytest.raises(ModeError) as failed:
        instructor.from_openai(sdk, mode=Mode.ANTHROPIC_TOOLS)
    error = failed.value
    assert (error.mode, error.provider) == ("ANTHROPIC_TOOLS", "openai")
    assert "TOOLS" in error.valid_modes


def test_34_older_modes_warn_once() -> None:
    reset_deprecated_mode_warnings()
    with openai.OpenAI(api_key="none") as sdk:
        with pytest.warns(DeprecationWarning, match=r"Mode\.FUNCTIONS is now Mode\.TOOLS") as said:
            clients = [instructor.from_openai(sdk, mode=Mode.FUNCTIONS) for _ in range(2)]
        assert len(said) == 1
        assert {client.mode for client in clients} == {Mode.TOOLS}
