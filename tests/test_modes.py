"""What goes over the wire in each mode, how a model is told of a type, and what is read from the answers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Annotated, Any, Generic, Literal, TypeVar

import openai
import pytest
from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

import instructor
from harness import Harness, asking
from instructor import Mode
from instructor.exceptions import ConfigurationError, ModeError
from instructor.testing import ToolCall, answer, tools

T = TypeVar("T")


class User(BaseModel):
    """Somebody who is mentioned."""

    name: str
    age: int


USER = {"name": "a", "age": 1}
PARAMETERS = {
    "type": "object",
    "properties": {"name": {"title": "Name", "type": "string"}, "age": {"title": "Age", "type": "integer"}},
    "required": ["age", "name"],
}
TOLD = {"title": "User", "description": "Somebody who is mentioned."}

OWN = {"type": "function", "function": {"name": "search", "parameters": {"type": "object"}}}
SEARCH = ToolCall('{"tasks": [{"q": 1}]}', "search")


async def asked(harness: Harness, scripted_server: Any, mode: Mode, kind: Any, given: Any, **options: Any) -> Any:
    """Make a call, and give the body of its one request."""
    server = scripted_server([answer(given)])
    await harness.create(harness.client(server, mode), kind, **options)
    (request,) = server.requests
    return request.body


async def test_tools(harness: Harness, scripted_server: Any) -> None:
    body = await asked(harness, scripted_server, Mode.TOOLS, User, USER)
    assert body == {
        **asking(),
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "User",
                    "description": "Somebody who is mentioned.",
                    "parameters": PARAMETERS,
                },
            }
        ],
        "tool_choice": {"type": "function", "function": {"name": "User"}},
    }


async def test_tools_strict(harness: Harness, scripted_server: Any) -> None:
    body = await asked(harness, scripted_server, Mode.TOOLS_STRICT, User, USER)
    function = body["tools"][0]["function"]
    assert function["strict"] is True
    assert function["parameters"] == {
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
        "required": ["name", "age"],
        "additionalProperties": False,
    }


async def test_json(harness: Harness, scripted_server: Any) -> None:
    body = await asked(harness, scripted_server, Mode.JSON, User, USER)
    assert set(body) == {"model", "messages", "response_format"}
    assert body["response_format"] == {"type": "json_object"}
    system, user = body["messages"]
    assert system["role"] == "system"
    assert json.loads(system["content"].split("\n\n")[1]) == {**TOLD, **PARAMETERS}
    assert user == asking()["messages"][0]


async def test_md_json(harness: Harness, scripted_server: Any) -> None:
    body = await asked(harness, scripted_server, Mode.MD_JSON, User, USER)
    assert set(body) == {"model", "messages"}
    system, user = body["messages"]
    assert json.loads(system["content"].split("\n\n")[1]) == {**TOLD, **PARAMETERS}
    assert user["role"] == "user"
    assert user["content"].startswith("Extract.\n\n")
    assert "```json" in user["content"]


async def test_json_schema(harness: Harness, scripted_server: Any) -> None:
    body = await asked(harness, scripted_server, Mode.JSON_SCHEMA, User, USER)
    assert set(body) == {"model", "messages", "response_format"}
    told = body["response_format"]["json_schema"]
    assert body["response_format"]["type"] == "json_schema"
    assert (told["name"], told["strict"]) == ("User", True)
    assert told["schema"]["additionalProperties"] is False


@pytest.mark.parametrize("role", ["system", "developer"])
@pytest.mark.parametrize("parts", [False, True])
async def test_the_schema_joins_the_systems_message(
    harness: Harness, scripted_server: Any, role: str, parts: bool
) -> None:
    text = [{"type": "text", "text": "Be brief."}] if parts else "Be brief."
    messages = [{"role": role, "content": text}, {"role": "user", "content": "Extract."}]
    body = await asked(harness, scripted_server, Mode.JSON, User, USER, messages=messages)
    first, second = body["messages"]
    assert first["role"] == role
    whole = "".join(part["text"] for part in first["content"]) if parts else first["content"]
    assert whole.startswith("Be brief.")
    assert '"age"' in whole
    assert second == messages[1]


async def test_the_users_own_tools_are_kept(harness: Harness, scripted_server: Any) -> None:
    server, own = scripted_server([tools(USER, name="User")]), [OWN]
    await harness.create(harness.client(server), User, tools=own, tool_choice="required")
    body = server.requests[0].body
    assert [tool["function"]["name"] for tool in body["tools"]] == ["search", "User"]
    assert body["tool_choice"] == "required"
    assert own == [OWN]


@pytest.mark.parametrize("mode", [Mode.JSON, Mode.JSON_SCHEMA])
async def test_a_response_format_of_the_users_own(harness: Harness, scripted_server: Any, mode: Mode) -> None:
    with pytest.raises(ConfigurationError, match="response_format="):
        await harness.create(harness.client(scripted_server(), mode), User, response_format={"type": "text"})


class Inner(BaseModel):
    note: str = "none"
    tag: Literal["a", "b"]


class Outer(BaseModel):
    inner: Annotated[Inner, Field(description="The inner one")]
    more: list[Inner] = []
    maybe: int | None = None


class Node(BaseModel):
    value: int
    left: Node | None = None


def objects(schema: Any) -> list[dict[str, Any]]:
    """Find every object of a schema."""
    if isinstance(schema, list):
        return [found for part in schema for found in objects(part)]
    if not isinstance(schema, dict):
        return []
    mine = [schema] if schema.get("type") == "object" else []
    return mine + [found for part in schema.values() for found in objects(part)]


@pytest.mark.parametrize("mode", [Mode.TOOLS_STRICT, Mode.JSON_SCHEMA])
@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (Outer, {"inner": {"note": "n", "tag": "a"}, "more": [], "maybe": None}),
        (Node, {"value": 1, "left": {"value": 2, "left": None}}),
        (Iterable[User], {"tasks": [USER]}),
        (Iterable[User | Inner], {"tasks": [{"kind": "User", **USER}]}),
    ],
)
async def test_strict_schemas_are_closed_and_all_their_keys_required(
    harness: Harness, scripted_server: Any, mode: Mode, kind: Any, given: Any
) -> None:
    sent = await asked(harness, scripted_server, mode, kind, given)
    if mode is Mode.TOOLS_STRICT:
        function = sent["tools"][0]["function"]
        assert function["strict"] is True
        schema = function["parameters"]
    else:
        assert sent["response_format"]["json_schema"]["strict"] is True
        schema = sent["response_format"]["json_schema"]["schema"]
    found = objects(schema)
    assert len(found) > 1 or kind is Node
    for each in found:
        assert each["additionalProperties"] is False
        assert sorted(each["required"]) == sorted(each["properties"])
    assert '"default"' not in json.dumps(schema)


async def test_what_strict_schemas_cannot_express(harness: Harness, scripted_server: Any) -> None:
    class Free(BaseModel):
        counts: dict[str, int]

    body = await asked(harness, scripted_server, Mode.JSON_SCHEMA, Free, {"counts": {"a": 1}})
    assert "strict" not in body["response_format"]["json_schema"]
    with pytest.raises(ConfigurationError, match=r"TOOLS_STRICT cannot express Free.*Mode\.TOOLS can"):
        await harness.create(harness.client(scripted_server(), Mode.TOOLS_STRICT), Free)


class Box(BaseModel, Generic[T]):
    held: T


class Titled(BaseModel):
    model_config = ConfigDict(title="My Title!")
    name: str


class LongNamed(BaseModel):
    name: str


LongNamed.__name__ = LongNamed.__qualname__ = "L" * 80
LongNamed.model_rebuild(force=True)


@pytest.mark.parametrize(
    ("kind", "given", "name"),
    [
        (User, USER, "User"),
        (Box[int], {"held": 1}, "Box_int"),
        (Titled, {"name": "a"}, "My_Title"),
        (LongNamed, {"name": "a"}, "L" * 64),
        (Iterable[User], {"tasks": [USER]}, "IterableUser"),
        (list[User], {"tasks": [USER]}, "IterableUser"),
        (Iterable[User | Titled], {"tasks": [{"kind": "User", **USER}]}, "IterableUserOrTitled"),
        (Iterable[Box[int]], {"tasks": [{"held": 1}]}, "IterableBox_int"),
        (instructor.IterableModel(User, name="Zed", description="DD"), {"tasks": [USER]}, "IterableZed"),
        (int, {"content": 1}, "Response"),
    ],
)
async def test_names_that_every_provider_takes(
    harness: Harness, scripted_server: Any, kind: Any, given: Any, name: str
) -> None:
    body = await asked(harness, scripted_server, Mode.TOOLS, kind, given)
    function = body["tools"][0]["function"]
    assert function["name"] == body["tool_choice"]["function"]["name"] == name
    assert function["description"]


async def test_docstrings_are_told(harness: Harness, scripted_server: Any) -> None:
    class Documented(BaseModel):
        """A person.

        Args:
            name: As written.
            age: Not this one.
        """

        name: str
        age: int = Field(description="In years.")

    body = await asked(harness, scripted_server, Mode.TOOLS, Documented, USER)
    function = body["tools"][0]["function"]
    assert function["description"].startswith("A person.")
    properties = function["parameters"]["properties"]
    assert [properties[key]["description"] for key in ("name", "age")] == ["As written.", "In years."]
    assert "description" not in function["parameters"]
    assert "title" not in function["parameters"]


async def test_without_a_docstring_the_model_is_told_what_it_is_for(harness: Harness, scripted_server: Any) -> None:
    body = await asked(harness, scripted_server, Mode.TOOLS, Titled, {"name": "a"})
    assert "My_Title" in body["tools"][0]["function"]["description"]


async def test_pydantics_own_means_reach_the_schema(harness: Harness, scripted_server: Any) -> None:
    class Rich(BaseModel):
        full: str = Field(alias="fullName", examples=["Ada"], max_length=9)
        hidden: SkipJsonSchema[int] = 3
        inner: Inner
        node: Node | None = None

    body = await asked(harness, scripted_server, Mode.TOOLS, Rich, {"fullName": "a", "inner": {"tag": "a"}})
    schema = body["tools"][0]["function"]["parameters"]
    assert schema["properties"]["fullName"]["examples"] == ["Ada"]
    assert schema["properties"]["fullName"]["maxLength"] == 9
    assert "hidden" not in schema["properties"]
    assert schema["required"] == ["fullName", "inner"]
    assert set(schema["$defs"]) == {"Inner", "Node"}


async def test_a_wrapper_of_a_list(harness: Harness, scripted_server: Any) -> None:
    body = await asked(harness, scripted_server, Mode.TOOLS, Iterable[User], {"tasks": [USER]})
    function = body["tools"][0]["function"]
    assert "Correct segmentation" in function["description"]
    tasks = function["parameters"]["properties"]["tasks"]
    assert tasks["items"] == {"$ref": "#/$defs/User"}
    assert "User" in tasks["description"]
    assert function["parameters"]["required"] == ["tasks"]


async def test_a_list_class_of_the_users_own(harness: Harness, scripted_server: Any) -> None:
    class Users(BaseModel):
        users: list[User]

    body = await asked(harness, scripted_server, Mode.TOOLS, Users, {"users": [USER]})
    schema = body["tools"][0]["function"]["parameters"]
    assert schema["properties"]["users"]["items"] == {"$ref": "#/$defs/User"}
    assert "User" in schema["$defs"]


async def test_a_union_carries_a_tag_that_the_answer_loses(harness: Harness, scripted_server: Any) -> None:
    class Same(BaseModel):
        name: str
        age: int

    server = scripted_server([answer({"content": {"kind": "Same", **USER}})])
    got = await harness.create(harness.client(server), User | Same)
    assert got == Same(**USER)
    assert type(got) is Same
    told = json.dumps(server.requests[0].body["tools"][0]["function"]["parameters"])
    assert '"kind"' in told


def test_modes_that_a_provider_has_not() -> None:
    with pytest.raises(ModeError) as failed:
        instructor.from_openai(object(), mode="tools")  # type: ignore[call-overload]  # pyright: ignore
    assert failed.value.provider == "openai"
    assert failed.value.mode == "tools"
    assert "TOOLS" in failed.value.valid_modes


@pytest.mark.parametrize("none", [None, openai.NOT_GIVEN, openai.omit])
async def test_no_tools_of_the_users_own(harness: Harness, scripted_server: Any, none: Any) -> None:
    body = await asked(harness, scripted_server, Mode.TOOLS, User, USER, tools=none)
    assert len(body["tools"]) == 1
