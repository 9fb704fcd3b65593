"""OpenAI's bodies as requests to llama.cpp."""

from __future__ import annotations

import json
from typing import Any

import pytest

from instructor.core import prompts
from instructor.exceptions import ProviderError
from instructor.local.plan import MAX_TOKENS, SYSTEM, plan

USER = {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}, "required": ["name"]}
ASKED = {"role": "user", "content": "Ann is 7."}
FORCED = {"type": "function", "function": {"name": "User"}}


def tool(name: str = "User", schema: dict[str, Any] = USER) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "description": "A user.", "parameters": schema}}


def turns(**body: Any) -> list[dict[str, str]]:
    found: list[dict[str, str]] = plan({"messages": [ASKED], **body}).request["messages"]
    return found


def test_a_forced_tool_is_a_schema_and_worked_examples() -> None:
    made = plan({"messages": [ASKED], "tools": [tool()], "tool_choice": FORCED})
    assert (made.tool, made.several, made.schema) == ("User", False, USER)
    messages = made.request["messages"]
    assert messages[0] == {"role": "system", "content": SYSTEM}
    assert messages[-1] == ASKED
    assert {message["role"] for message in messages[1:-1]} == {"user", "assistant"}
    assert all(json.loads(m["content"])["age"] for m in messages[:-1] if m["role"] == "assistant")


def test_what_the_body_does_not_say_is_the_same_each_time() -> None:
    request = plan({"messages": [ASKED]}).request
    assert (request["temperature"], request["seed"], request["max_tokens"]) == (0, 1, MAX_TOKENS)
    asked = {"temperature": 0.5, "seed": 7, "max_completion_tokens": 9, "top_p": 0.9, "stop": ["."]}
    request = plan({"messages": [ASKED], **asked}).request
    assert request["max_tokens"] == 9
    assert {key: request[key] for key in ("temperature", "seed", "top_p", "stop")} == {
        key: value for key, value in asked.items() if key != "max_completion_tokens"
    }


def test_one_required_tool_is_forced_and_several_are_a_list_of_calls() -> None:
    assert plan({"messages": [ASKED], "tools": [tool()], "tool_choice": "required"}).tool == "User"
    made = plan({"messages": [ASKED], "tools": [tool("A"), tool("B")], "tool_choice": "required"})
    assert made.several
    assert made.schema is not None
    assert [one["properties"]["name"]["const"] for one in made.schema["properties"]["calls"]["items"]["anyOf"]] == [
        "A",
        "B",
    ]


def test_definitions_of_the_same_name_do_not_meet() -> None:
    parts = ({"type": "integer"}, {"type": "string"})
    schemas = [{"type": "object", "properties": {"x": {"$ref": "#/$defs/X"}}, "$defs": {"X": part}} for part in parts]
    made = plan(
        {"messages": [ASKED], "tools": [tool(name, schema) for name, schema in zip("AB", schemas, strict=True)]}
    )
    assert made.schema is not None
    found = [
        one["properties"]["arguments"]["properties"]["x"]
        for one in made.schema["properties"]["calls"]["items"]["anyOf"]
    ]
    assert tuple(made.schema["$defs"][one["$ref"].rpartition("/")[2]] for one in found) == parts


@pytest.mark.parametrize("response_format", [{"type": "json_object"}, None])
def test_a_schema_told_in_the_prompt_constrains_and_leaves_the_prompt(response_format: object) -> None:
    system = {"role": "system", "content": f"You are kind.\n\n{prompts.schema(USER)}"}
    user = {"role": "user", "content": f"Ann is 7.\n\n{prompts.CODE_BLOCK}"}
    made = plan({"messages": [system, user], "response_format": response_format})
    assert made.schema == USER
    assert made.request["messages"][0] == {"role": "system", "content": "You are kind."}
    assert made.request["messages"][-1] == ASKED


def test_json_without_a_schema_is_any_object_and_text_is_free() -> None:
    assert plan({"messages": [ASKED], "response_format": {"type": "json_object"}}).schema == {"type": "object"}
    made = plan({"messages": [ASKED]})
    assert made.schema is None
    assert "grammar" not in made.request
    assert made.request["messages"] == [ASKED]


def test_tool_turns_become_plain_turns() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "User", "arguments": '{"age": "x"}'}}
    said: list[dict[str, Any]] = [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "age is no number"},
        {"role": "user", "content": [{"type": "text", "text": "Again."}]},
    ]
    assert turns(messages=[ASKED, *said], tools=[tool()], tool_choice=FORCED)[-3:] == [
        ASKED,
        {"role": "assistant", "content": '{"age": "x"}'},
        {"role": "user", "content": "age is no number\n\nAgain."},
    ]


def test_the_callers_body_is_not_changed() -> None:
    body = {"messages": [dict(ASKED), dict(ASKED)], "tools": [tool()], "tool_choice": FORCED}
    before = json.dumps(body)
    plan(body)
    assert json.dumps(body) == before


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"messages": []}, "messages"),
        ({"messages": ["hello"]}, "hello"),
        ({"n": 2}, "n=2"),
        ({"tools": [tool()], "tool_choice": {"type": "function", "function": {"name": "Nobody"}}}, "Nobody"),
        ({"tools": [tool()], "tool_choice": "perhaps"}, "perhaps"),
        ({"tools": [{"type": "web_search"}]}, "web_search"),
        ({"response_format": {"type": "xml"}}, "xml"),
        ({"response_format": {"type": "json_schema"}}, "json_schema"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "image_url"),
    ],
)
def test_what_cannot_be_done_is_named(body: dict[str, Any], named: str) -> None:
    with pytest.raises(ProviderError, match=named):
        plan({"messages": [ASKED], **body})
