"""OpenAI's bodies as requests to llama.cpp."""

from __future__ import annotations

import json
from typing import Any

import pytest

from instructor.core import prompts
from instructor.exceptions import ProviderError
from instructor.local.request import MAX_TOKENS, SYSTEM, read_request

USER = {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}, "required": ["name"]}
ASKED = {"role": "user", "content": "Ann is 7."}
FORCED = {"type": "function", "function": {"name": "User"}}


def tool(name: str = "User", schema: dict[str, Any] = USER) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "description": "A user.", "parameters": schema}}


def turns(**body: Any) -> list[dict[str, str]]:
    found: list[dict[str, str]] = read_request({"messages": [ASKED], **body}).body["messages"]
    return found


def test_a_forced_tool_is_a_schema_and_worked_examples() -> None:
    made = read_request({"messages": [ASKED], "tools": [tool()], "tool_choice": FORCED})
    assert (made.tool, made.several, made.schema) == ("User", False, USER)
    messages = made.body["messages"]
    assert messages[0] == {"role": "system", "content": SYSTEM}
    assert messages[-1] == ASKED
    assert {message["role"] for message in messages[1:-1]} == {"user", "assistant"}
    assert all(json.loads(m["content"])["age"] for m in messages[:-1] if m["role"] == "assistant")


def test_what_the_body_does_not_say_is_the_same_each_time() -> None:
    request = read_request({"messages": [ASKED]}).body
    assert (request["temperature"], request["seed"], request["max_tokens"]) == (0, 1, MAX_TOKENS)
    asked = {"temperature": 0.5, "seed": 7, "max_completion_tokens": 9, "top_p": 0.9, "stop": ["."]}
    request = read_request({"messages": [ASKED], **asked}).body
    assert request["max_tokens"] == 9
    assert {key: request[key] for key in ("temperature", "seed", "top_p", "stop")} == {
        key: value for key, value in asked.items() if key != "max_completion_tokens"
    }


def test_one_required_tool_is_forced_and_several_are_a_list_of_calls() -> None:
    assert read_request({"messages": [ASKED], "tools": [tool()], "tool_choice": "required"}).tool == "User"
    made = read_request({"messages": [ASKED], "tools": [tool("A"), tool("B")], "tool_choice": "required"})
    assert made.several
    assert made.schema is not None
    assert [one["properties"]["name"]["const"] for one in made.schema["properties"]["calls"]["items"]["anyOf"]] == [
        "A",
        "B",
    ]


def test_definitions_of_the_same_name_do_not_meet() -> None:
    parts = ({"type": "integer"}, {"type": "string"})
    schemas = [{"type": "object", "properties": {"x": {"$ref": "#/$defs/X"}}, "$defs": {"X": part}} for part in parts]
    made = read_request(
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
    made = read_request({"messages": [system, user], "response_format": response_format})
    assert made.schema == USER
    assert made.body["messages"][0] == {"role": "system", "content": "You are kind."}
    assert made.body["messages"][-1] == ASKED


def test_json_without_a_schema_is_any_object_and_text_is_free() -> None:
    assert read_request({"messages": [ASKED], "response_format": {"type": "json_object"}}).schema == {"type": "object"}
    made = read_request({"messages": [ASKED]})
    assert made.schema is None
    assert "grammar" not in made.body
    assert made.body["messages"] == [ASKED]


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
    read_request(body)
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
        read_request({"messages": [ASKED], **body})


@pytest.mark.parametrize(
    ("prompt", "count"),
    [
        ("Make two up people", 2),
        ("Please make up two people.", 2),
        ("Give me a list of 5 users", 5),
        ("Create ten characters with their ages", 10),
        ("Extract `Jason is 10 and John is 30`", None),
        ("Ann is 7 and has two dogs.", None),
        ("Give two years of history", None),  # a length of time is no number of items
        ("He will make 300 people happy", None),
        ("Name one person", None),
    ],
)
def test_a_list_has_the_number_of_items_that_is_asked_for(prompt: str, count: int | None) -> None:
    schema: dict[str, Any] = {"type": "object", "properties": {"tasks": {"type": "array", "items": USER}}}
    form = {"type": "json_schema", "json_schema": {"name": "Users", "schema": schema}}
    request = read_request({"messages": [{"role": "user", "content": prompt}], "response_format": form})
    assert request.schema is not None
    listed: Any = request.schema["properties"]["tasks"]
    assert (listed.get("minItems"), listed.get("maxItems")) == (count, count)
    assert (request.body["temperature"] > 0) is bool(count)  # what is made up is not to be all alike
    assert "minItems" not in schema["properties"]["tasks"]


def test_a_count_changes_no_bounds_and_no_other_schema() -> None:
    turns = [{"role": "user", "content": "Make up three people"}]
    bounded = {"type": "object", "properties": {"tasks": {"type": "array", "items": USER, "maxItems": 2}}}
    for schema in (bounded, USER):
        form = {"type": "json_schema", "json_schema": {"name": "Users", "schema": schema}}
        request = read_request({"messages": turns, "response_format": form, "temperature": 0.1})
        assert request.schema == schema
        assert request.body["temperature"] == 0.1
