"""Models that know their tools, and read themselves from responses: `OpenAISchema` and what goes with it."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from anthropic.types import Message
from google.genai.types import FunctionDeclaration, GenerateContentResponse
from openai.types.chat import ChatCompletion
from pydantic import BaseModel, ValidationError, ValidationInfo, field_validator

import instructor
from harness import Harness
from instructor import Mode, OpenAISchema, ResponseSchema
from instructor.exceptions import IncompleteOutputException, RefusalError, ResponseParsingError
from instructor.older import (
    disable_pydantic_error_url,
    dump_message,
    extract_json_from_codeblock,
    extract_json_from_stream,
    get_provider,
    handle_response_model,
    is_simple_type,
    merge_consecutive_messages,
    process_response,
    reset_deprecated_mode_warnings,
)
from instructor.testing import tools


class User(OpenAISchema):
    """Somebody.

    Args:
        age: in years
    """

    name: str
    age: int

    @field_validator("name")
    @classmethod
    def is_known(cls, name: str, info: ValidationInfo) -> str:
        if info.context and name not in info.context["names"]:
            raise ValueError("nobody of that name")
        return name


@instructor.openai_schema
class Pet(BaseModel):
    """An animal."""

    name: str


JASON = '{"name": "Jason", "age": 10}'


def completion(arguments: str | None = None, finish: str = "tool_calls", **message: Any) -> ChatCompletion:
    function = {"name": "User", "arguments": arguments}
    calls = [{"id": "call_1", "type": "function", "function": function}] if arguments is not None else None
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "tool_calls": calls, **message}}
    return ChatCompletion.model_validate(
        {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    )


async def test_the_schema_is_what_a_request_tells(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([tools({"name": "Jason", "age": 10})])
    got = await harness.create(harness.client(server), User)
    assert type(got) is User
    assert server.requests[0].body["tools"][0]["function"] == User.openai_schema
    assert instructor.generate_openai_schema(User) == User.openai_schema


def test_the_schemas() -> None:
    shape = {
        "type": "object",
        "properties": {
            "name": {"title": "Name", "type": "string"},
            "age": {"title": "Age", "type": "integer", "description": "in years"},
        },
        "required": ["age", "name"],
    }
    function = User.openai_schema
    assert (function["name"], function["parameters"]) == ("User", shape)
    assert function["description"].startswith("Somebody.")
    assert User.anthropic_schema == {**{k: function[k] for k in ("name", "description")}, "input_schema": shape}
    assert FunctionDeclaration.model_validate(User.gemini_schema).name == "User"
    assert User.model_construct().openai_schema == function


def test_a_schema_is_the_callers_own() -> None:
    User.openai_schema["parameters"]["properties"].clear()
    assert User.openai_schema["parameters"]["properties"]


def test_the_decorator() -> None:
    pet: Any = Pet(name="Rex")
    assert isinstance(pet, ResponseSchema)
    assert (Pet.__name__, Pet.__doc__, pet.openai_schema["description"]) == ("Pet", "An animal.", "An animal.")
    assert pickle.loads(pickle.dumps(pet)) == pet
    assert instructor.response_schema(User) is User
    not_a_model: Any = int
    with pytest.raises(TypeError, match=r"must be a subclass of pydantic\.BaseModel"):
        instructor.response_schema(not_a_model)


@pytest.mark.parametrize(
    ("response", "how"),
    [
        (completion(JASON), {}),
        (completion(JASON).model_dump(), {}),
        (completion(function_call={"name": "User", "arguments": JASON}), {}),
        (completion(JASON), {"mode": Mode.TOOLS_STRICT}),
        (completion(content=JASON), {"mode": Mode.JSON}),
        (completion(content=f"Here:\n```json\n{JASON}\n```"), {"mode": Mode.MD_JSON}),
        (completion('{"name": "Jason", "age": "10"}'), {"strict": False}),
        (completion(JASON), {"validation_context": {"names": ["Jason"]}}),
        (
            Message.model_validate(
                {
                    "id": "1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "tool_use",
                    "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1},
                    "content": [
                        {"type": "tool_use", "id": "2", "name": "User", "input": {"name": "Jason", "age": 10}}
                    ],
                }
            ),
            {"provider": instructor.Provider.ANTHROPIC},
        ),
        (
            GenerateContentResponse.model_validate(
                {"candidates": [{
                    "finishReason": "STOP",
                    "content": {"parts": [{"functionCall": {"name": "User", "args": {"name": "Jason", "age": 10}}}]},
                }]}
            ),
            {"provider": "genai"},
        ),
    ],
)  # fmt: skip
def test_from_response(response: Any, how: dict[str, Any]) -> None:
    got = User.from_response(response, **how)
    assert type(got) is User
    assert got == User(name="Jason", age=10)


@pytest.mark.parametrize(
    ("response", "how", "error"),
    [
        (completion('{"name": "Jason"}'), {}, ValidationError),
        (completion('{"name": "Jason", "age": "10"}'), {"strict": True}, ValidationError),
        (completion(JASON), {"validation_context": {"names": []}}, ValidationError),
        (completion('{"name": "Jas', "length"), {}, IncompleteOutputException),
        (completion(content="Hello."), {}, ResponseParsingError),
        (completion(refusal="No."), {}, RefusalError),
    ],
)
def test_what_is_wrong_is_raised_as_it_is(response: Any, how: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error) as failed:
        User.from_response(response, **how)
    assert type(failed.value) is error


OF_ANTHROPIC = {
    "id": "1", "type": "message", "role": "assistant", "model": "m", "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 1},
}  # fmt: skip
CALL = {"type": "tool_use", "id": "2", "name": "User", "input": {"name": "Jason", "age": 10}}
TEXT = {"type": "text", "text": JASON}
PARTS = [{"functionCall": {"name": "User", "args": {"name": "Jason", "age": 10}}}]


@pytest.mark.parametrize(
    ("mode", "response"),
    [
        (Mode.FUNCTIONS, completion(JASON)),
        (Mode.JSON_O1, completion(content=JASON)),
        (Mode.ANTHROPIC_TOOLS, {**OF_ANTHROPIC, "stop_reason": "tool_use", "content": [CALL]}),
        (
            Mode.ANTHROPIC_JSON,
            {**OF_ANTHROPIC, "stop_reason": "end_turn", "content": [{"type": "text", "text": JASON}]},
        ),
        (Mode.GEMINI_TOOLS, {"candidates": [{"finishReason": "STOP", "content": {"parts": PARTS}}]}),
        (Mode.GENAI_JSON, {"candidates": [{"finishReason": "STOP", "content": {"parts": [{"text": JASON}]}}]}),
        (Mode.FIREWORKS_TOOLS, completion(JASON)),
    ],
)
def test_an_older_mode_reads_the_wire_of_its_provider(mode: Mode, response: Any) -> None:
    reset_deprecated_mode_warnings()
    with pytest.warns(DeprecationWarning, match=rf"Mode\.{mode.name} is now Mode\."):
        assert User.from_response(response, mode=mode) == User(name="Jason", age=10)


def test_a_request_and_its_response_by_hand() -> None:
    messages = [{"role": "user", "content": "Jason is 10"}]
    model, request = handle_response_model(User, mode=Mode.TOOLS, model="m", messages=messages)
    assert issubclass(model, User)
    assert request["tools"][0]["function"]["name"] == "User"
    assert (request["model"], request["messages"]) == ("m", messages)
    got = process_response(completion(JASON), response_model=model, mode=Mode.TOOLS)
    assert isinstance(got, User)
    assert handle_response_model(None, messages=messages) == (None, {"messages": messages})
    assert process_response("as it is", response_model=None) == "as it is"


def test_small_functions_of_older_programs() -> None:
    assert extract_json_from_codeblock('Here: {"a": 1} and ```json\n{"b": 2}\n```') == '{"b": 2}'
    assert extract_json_from_codeblock("none") == "none"
    assert "".join(extract_json_from_stream(iter(['```json\n{"a"', ": 1}\n```"]))) == '{"a": 1}'
    assert [get_provider(url).name for url in URLS] == [*URLS.values()]
    assert (is_simple_type(int), is_simple_type(list[int]), is_simple_type(User)) == (True, True, False)
    assert merge_consecutive_messages([{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]) == [
        {"role": "user", "content": "a\n\nb"}
    ]
    assert dump_message(completion(JASON).choices[0].message)["tool_calls"][0]["function"]["arguments"] == JASON


URLS = {
    "https://api.openai.com/v1": "OPENAI",
    "https://x.openai.azure.com": "AZURE_OPENAI",
    "http://localhost:11434/v1": "OLLAMA",
    "https://api.x.ai/v1": "XAI",
    "https://api.groq.com": "GROQ",
    "https://example.com": "UNKNOWN",
}


def test_the_lines_with_urls_can_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ValidationError, "__str__", ValidationError.__str__)
    with pytest.raises(ValidationError) as failed:
        User(name="a")  # pyright: ignore
    assert "errors.pydantic.dev" in str(failed.value)
    disable_pydantic_error_url()
    assert "errors.pydantic.dev" not in str(failed.value)
    assert "Field required" in str(failed.value)
