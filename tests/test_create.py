"""One value from one call: what types are answers, and what the arguments of `create` do."""

from __future__ import annotations

import copy
import dataclasses
import datetime
import enum
import typing
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NewType, Optional, TypeVar, Union

import openai.types.chat
import pytest
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    RootModel,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from pydantic import dataclasses as pydantic_dataclasses
from typing_extensions import NotRequired, TypedDict

import instructor
from harness import Harness
from instructor import ListResponse, Mode
from instructor.exceptions import ConfigurationError, InstructorRetryException
from instructor.testing import answer, content, error

T = TypeVar("T")


class User(BaseModel):
    name: str
    age: int


class Admin(BaseModel):
    name: str
    rights: list[str]


class Box(BaseModel, Generic[T]):
    held: T


class Names(RootModel[list[str]]):
    pass


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)
    name: str


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str


class Aliased(BaseModel):
    full_name: str = Field(alias="fullName")


class Tree(BaseModel):
    value: int
    children: list[Tree] = []


class Titled(BaseModel):
    model_config = ConfigDict(title="My Title!")
    name: str


@dataclasses.dataclass
class Point:
    x: int
    y: int


@pydantic_dataclasses.dataclass
class Checked:
    x: int


class Movie(TypedDict):
    title: str
    year: NotRequired[int]


class Colours(enum.Enum):
    RED = "red"
    BLUE = "blue"


UserId = NewType("UserId", int)
Table = Annotated[
    Any, BeforeValidator(lambda text: text.split(",")), WithJsonSchema({"type": "string", "description": "CSV"})
]


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        (User, {"name": "Jason", "age": 10}, User(name="Jason", age=10)),
        (Box[int], {"held": 5}, Box[int](held=5)),
        (Box[User], {"held": {"name": "a", "age": 1}}, Box[User](held=User(name="a", age=1))),
        (Names, {"content": ["a", "b"]}, Names(["a", "b"])),
        (Frozen, {"name": "a"}, Frozen(name="a")),
        (Closed, {"name": "a"}, Closed(name="a")),
        (Aliased, {"fullName": "Ada"}, Aliased(fullName="Ada")),
        (Titled, {"name": "a"}, Titled(name="a")),
        (Tree, {"value": 1, "children": [{"value": 2}]}, Tree(value=1, children=[Tree(value=2)])),
        (Point, {"x": 1, "y": 2}, Point(1, 2)),
        (Checked, {"x": 1}, Checked(1)),
        (Movie, {"title": "Up"}, {"title": "Up"}),
        (Colours, {"content": "red"}, Colours.RED),
        (Literal["a", "b"], {"content": "b"}, "b"),
        (int, {"content": 5}, 5),
        (str, {"content": "five"}, "five"),
        (bool, {"content": True}, True),
        (float, {"content": 0.5}, 0.5),
        (datetime.date, {"content": "2024-02-29"}, datetime.date(2024, 2, 29)),
        (dict[str, int], {"content": {"a": 1}}, {"a": 1}),
        (list, {"content": [1, "a"]}, [1, "a"]),
        (typing.List, {"content": [1, "a"]}, [1, "a"]),  # noqa: UP006 - the older spelling
        (tuple[int, str], {"content": [1, "a"]}, (1, "a")),
        (Optional[User], {"content": None}, None),  # noqa: UP045 - the older spelling
        (Optional[int], {"content": 3}, 3),  # noqa: UP045
        (Union[int, str], {"content": "a"}, "a"),  # noqa: UP007
        (User | None, {"content": {"name": "a", "age": 1}}, User(name="a", age=1)),
        (User | Admin, {"content": {"kind": "Admin", "name": "a", "rights": []}}, Admin(name="a", rights=[])),
        (Annotated[int, Field(gt=3, description="A number")], {"content": 5}, 5),
        (UserId, {"content": 7}, 7),
        (Table, {"content": "a,b"}, ["a", "b"]),
    ],
)
async def test_the_types_of_an_answer(
    harness: Harness, scripted_server: Any, kind: Any, given: Any, expected: Any
) -> None:
    for mode in (Mode.TOOLS, Mode.JSON):
        server = scripted_server([answer(given)])
        got = await harness.create(harness.client(server, mode), kind)
        assert got == expected
        assert type(got) is (ListResponse if isinstance(expected, list) else type(expected))


async def test_names_and_messages_may_come_by_position(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer({"name": "a", "age": 1})] * 3)
    client, messages = harness.client(server), [{"role": "user", "content": "Extract."}]
    await harness.result(client.create(User, messages, model="m"))
    await harness.result(client.chat.completions.create(response_model=User, messages=messages, model="m"))
    await harness.result(client.messages.create(model="m", messages=messages, response_model=User))
    assert [asked.body for asked in server.requests] == [server.requests[0].body] * 3


async def test_strict_is_the_default(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer({"name": "a", "age": "1"})] * 2)
    client = harness.client(server)
    with pytest.raises(InstructorRetryException, match=r"valid integer @ \$\.age"):
        await harness.create(client, User, max_retries=0)
    assert await harness.create(client, User, strict=False) == User(name="a", age=1)
    assert "strict" not in server.requests[1].body


async def test_options_go_to_the_provider_and_ours_do_not(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer({"tasks": [5]})])
    await harness.create(
        harness.client(server),
        list[int],
        max_retries=1,
        context={"a": 1},
        strict=False,
        hooks=instructor.Hooks(),
        on_invalid="raise",
        max_continuations=2,
        watchdog=None,
        temperature=0.1,
        seed=7,
        extra_body={"top_k": 3},
        extra_headers={"x-mine": "kept"},
    )
    body = server.requests[0].body
    assert {key: body.pop(key) for key in ("temperature", "seed", "top_k")} == {
        "temperature": 0.1,
        "seed": 7,
        "top_k": 3,
    }
    assert set(body) == {"model", "messages", "tools", "tool_choice"}
    assert server.requests[0].headers["x-mine"] == "kept"


async def test_defaults_of_a_client_give_way_to_the_call(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer({"content": 5})] * 2)
    client = instructor.from_openai(harness.sdk(server), model="mine", temperature=0.3, max_tokens=9)
    messages = [{"role": "user", "content": "Count."}]
    await harness.result(client.create(int, messages))
    await harness.result(client.create(int, messages, temperature=0.9, model="yours"))
    assert [(a.body["model"], a.body["temperature"], a.body["max_tokens"]) for a in server.requests] == [
        ("mine", 0.3, 9),
        ("yours", 0.9, 9),
    ]


async def test_our_own_arguments_may_be_defaults_too(harness: Harness, scripted_server: Any) -> None:
    class Named(BaseModel):
        name: str

        @field_validator("name")
        @classmethod
        def known(cls, name: str, info: ValidationInfo) -> str:
            if name not in info.context["names"]:  # type: ignore[index]
                raise ValueError("unknown name")
            return name

    server = scripted_server([answer({"name": "b"})] * 2 + [answer({"content": "7"})])
    context = {"names": ["a"]}
    client = instructor.from_openai(harness.sdk(server), max_retries=1, context=context, strict=False, model="m")
    with pytest.raises(InstructorRetryException, match="unknown name") as failed:
        await harness.create(client, Named)
    assert failed.value.n_attempts == 2
    assert await harness.create(client, int) == 7


async def test_context_renders_templates(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer({"content": 5})])
    text = "  {% for n in names %}{{ n }};{% endfor %}\n    indented\n"
    picture = {"type": "image_url", "image_url": {"url": "data:{{x}}"}}
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": text},
        {"role": "user", "content": [{"type": "text", "text": "{{ names[0] }}"}, picture]},
    ]
    await harness.create(harness.client(server), int, messages=messages, context={"names": ["a", "b"]})
    system, user = server.requests[0].messages
    assert system["content"] == "  a;b;\n    indented\n"
    assert user["content"] == [{"type": "text", "text": "a"}, picture]
    assert messages[0]["content"] == text


@pytest.mark.parametrize("context", [None, {}])
async def test_without_context_text_stays_as_it_is(harness: Harness, scripted_server: Any, context: Any) -> None:
    server = scripted_server([answer({"content": 5})])
    await harness.create(
        harness.client(server), int, messages=[{"role": "user", "content": "{{ a }} {% x"}], context=context
    )
    assert server.requests[0].messages[-1]["content"] == "{{ a }} {% x"


async def test_the_schema_is_no_template(harness: Harness, scripted_server: Any) -> None:
    class Template(BaseModel):
        body: str = Field(description="as in {{ name }}")

    server = scripted_server([answer({"body": "x"})])
    await harness.create(harness.client(server, Mode.JSON), Template, context={"name": "WRONG"})
    assert "as in {{ name }}" in server.requests[0].messages[0]["content"]


@pytest.mark.parametrize("text", ["{{ a + 1 }}", "{{ 1 / 0 }}"])
async def test_a_template_that_raises(harness: Harness, scripted_server: Any, text: str) -> None:
    server = scripted_server()
    with pytest.raises(ConfigurationError, match="cannot be rendered"):
        await harness.create(
            harness.client(server), int, messages=[{"role": "user", "content": text}], context={"a": "z", 1: "one"}
        )
    assert server.requests == []


async def test_templates_are_sandboxed(harness: Harness, scripted_server: Any) -> None:
    text = "{{ ''.__class__.__mro__ }}"
    with pytest.raises(ConfigurationError, match="cannot be rendered"):
        await harness.create(
            harness.client(scripted_server()), int, messages=[{"role": "user", "content": text}], context={"a": 1}
        )


async def test_validation_context_is_the_old_name_of_context(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer({"content": 5})])
    client = harness.client(server)
    messages = [{"role": "user", "content": "{{ a }}"}]
    with pytest.warns(DeprecationWarning, match="now called context") as told:
        await harness.result(client.create(int, messages, model="m", validation_context={"a": "seen"}))
    assert server.requests[0].messages[0]["content"] == "seen"
    assert "validation_context" not in server.requests[0].body
    assert [Path(warning.filename).parent for warning in told] == [Path(__file__).parent]  # the caller's line, not ours
    with pytest.raises(ConfigurationError, match="one argument"):
        await harness.create(client, int, validation_context={"a": 1}, context={"a": 1})


async def test_no_response_model_gives_the_sdks_own(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([content("Hello"), content("Hello"), content("Hello")])
    client = instructor.from_openai(harness.sdk(server), model="mine", max_retries=5)
    messages = [{"role": "user", "content": "{{ a }}"}]
    raw = await harness.result(client.create(None, messages, context={"a": "rendered"}))
    assert isinstance(raw, openai.types.chat.ChatCompletion)
    assert raw.choices[0].message.content == "Hello"
    assert server.requests[0].body == {"model": "mine", "messages": [{"role": "user", "content": "rendered"}]}
    chunks = await harness.items(client.create(None, messages, stream=True))
    assert {type(chunk) for chunk in chunks} == {openai.types.chat.ChatCompletionChunk}
    value, raw = await harness.result(client.create_with_completion(messages, None))
    assert value is raw


async def test_no_response_model_lets_the_sdks_errors_through(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([error(500)])
    with pytest.raises(openai.InternalServerError) as failed:
        await harness.create(harness.client(server), None)
    assert not isinstance(failed.value, InstructorRetryException)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        (int, {"content": 5}, 5),
        (User, {"name": "a", "age": 1}, User(name="a", age=1)),
        (list[int], {"tasks": [1]}, [1]),
    ],
)
async def test_create_with_completion(
    harness: Harness, scripted_server: Any, kind: Any, given: Any, expected: Any
) -> None:
    client = harness.client(scripted_server([answer(given)]))
    messages = [{"role": "user", "content": "Extract."}]
    value, completion = await harness.result(client.create_with_completion(messages, kind, model="m"))
    assert value == expected
    assert isinstance(completion, openai.types.chat.ChatCompletion)
    assert completion.choices[0].message.tool_calls


async def test_a_partial_without_stream_is_the_whole(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer({"name": "a", "age": 1})])
    assert await harness.create(harness.client(server), instructor.Partial[User]) == User(name="a", age=1)
    assert "stream" not in server.requests[0].body


async def test_unknown_attributes_are_the_sdks(harness: Harness, scripted_server: Any) -> None:
    sdk = harness.sdk(scripted_server())
    client = instructor.from_openai(sdk)
    assert client.embeddings is sdk.embeddings
    assert client.chat.completions is client
    assert client.client is sdk


async def test_the_callers_messages_stay_as_they_are(harness: Harness, scripted_server: Any) -> None:
    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "{{ a }}"}]},
    ]
    was = copy.deepcopy(messages)
    for mode in (Mode.TOOLS, Mode.JSON, Mode.MD_JSON):
        server = scripted_server([answer({"name": "a"}), answer({"name": "a", "age": 1})])
        await harness.create(harness.client(server, mode), User, messages=messages, context={"a": 1})
        assert messages == was
        assert len(server.requests[1].messages) > len(server.requests[0].messages)


async def test_messages_of_the_sdks_own(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([content("Hi"), answer({"content": 5})])
    client = harness.client(server)
    said = (await harness.create(client, None)).choices[0].message
    await harness.create(client, int, messages=[said, {"role": "user", "content": "Count."}])
    assert {**server.requests[1].messages[0], "refusal": None} == {
        "role": "assistant",
        "content": "Hi",
        "refusal": None,
    }
