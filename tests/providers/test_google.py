"""What is Google's own: the SDK's forms of messages, one config, calls that come whole and signed, blocked prompts."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from google import genai
from google.genai import types
from pydantic import BaseModel

import instructor
from cases.google import CASE
from harness import Harness
from instructor import Mode
from instructor.exceptions import ClientError, ConfigurationError, IncompleteOutputException, RefusalError
from instructor.factories import from_named
from instructor.providers.google.dialect import Google
from instructor.testing import Scripted, ToolCall, answer, content, events, refusal, tools

USER = {"name": "Jason", "age": 10}
PART = {"text": "Jason is 10"}


class User(BaseModel):
    name: str
    age: int


class Place(BaseModel):
    city: str


class Anything(BaseModel):
    value: object


Make = Callable[..., Any]


@pytest.fixture
async def make(harness: Harness) -> AsyncIterator[Make]:
    """Make sync or async clients, which are closed in the end."""
    async with AsyncExitStack() as made:

        def client(server: Scripted, mode: Mode = Mode.TOOLS, **defaults: Any) -> Any:
            sdk = genai.Client(**CASE.options(server))
            assert CASE.close is not None
            made.push_async_callback(CASE.close, sdk)
            return instructor.from_genai(sdk, mode, "scripted", use_async=harness.is_async, **defaults)

        yield client


async def asked(
    harness: Harness, make: Make, messages: Any = "Jason is 10", mode: Mode = Mode.JSON, **options: Any
) -> Any:
    """Make a call, and give the body of its one request."""
    with Scripted([answer(USER)]) as server:
        user = await harness.result(make(server, mode).create(User, messages, **options))
    assert user == User(**USER)
    (request,) = server.requests
    return request.body


@pytest.mark.parametrize(
    ("messages", "contents"),
    [
        ("Jason is 10", [{"role": "user", "parts": [PART]}]),
        (["Jason is 10", "Jason is 10"], [{"role": "user", "parts": [PART]}] * 2),
        (types.Part(text="Jason is 10"), [{"role": "user", "parts": [PART]}]),
        ([types.Content(role="model", parts=[types.Part(text="Jason is 10")])], [{"role": "model", "parts": [PART]}]),
        ([{"role": "model", "parts": [PART]}], [{"role": "model", "parts": [PART]}]),
        (
            [{"role": "user", "content": ["Look", types.Part.from_bytes(data=b"\xff\xfe\xfd", mime_type="image/png")]}],
            [{"role": "user", "parts": [{"text": "Look"}, {"inlineData": {"data": "__79", "mime_type": "image/png"}}]}],
        ),
        (
            [types.File(uri="https://f/1", mime_type="application/pdf"), "Read it"],
            [
                {"role": "user", "parts": [{"fileData": {"file_uri": "https://f/1", "mime_type": "application/pdf"}}]},
                {"role": "user", "parts": [{"text": "Read it"}]},
            ],
        ),
        (
            [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "Look"},
                        {"type": "image_url", "image_url": {"url": "data:image/png;base64,//79"}},
                        {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}},
                        {"type": "input_audio", "input_audio": {"format": "wav", "data": "AAAA"}},
                    ],
                }
            ],
            [
                {
                    "role": "user",
                    "parts": [
                        {"text": "Look"},
                        {"inlineData": {"data": "__79", "mime_type": "image/png"}},
                        {"fileData": {"file_uri": "https://x.example/a.png", "mime_type": "image/png"}},
                        {"inlineData": {"data": "AAAA", "mime_type": "audio/wav"}},
                    ],
                }
            ],
        ),
    ],
)  # fmt: skip
async def test_the_sdks_forms_of_messages(harness: Harness, make: Make, messages: Any, contents: Any) -> None:
    assert (await asked(harness, make, messages))["contents"] == contents


async def test_a_conversation_with_tools(harness: Harness, make: Make) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "look", "arguments": '{"at": "x"}'}}
    messages = [
        {"role": "user", "content": "Look at both"},
        {"role": "assistant", "content": None, "tool_calls": [call, {**call, "id": "2"}]},
        {"role": "tool", "tool_call_id": "1", "content": "one"},
        {"role": "tool", "tool_call_id": "2", "content": "two"},
    ]
    body = await asked(harness, make, messages)
    called = {"functionCall": {"name": "look", "args": {"at": "x"}}}
    results = [{"functionResponse": {"name": "look", "response": {"result": each}}} for each in ("one", "two")]
    assert body["contents"][1:] == [{"role": "model", "parts": [called, called]}, {"role": "user", "parts": results}]


@pytest.mark.parametrize(
    ("options", "system"),
    [
        ({"system": "Zero."}, "Zero.\n\nOne."),
        ({"config": {"system_instruction": "Zero."}}, "Zero.\n\nOne."),
        ({"config": types.GenerateContentConfig(system_instruction="Zero.")}, "Zero.\n\nOne."),
        ({}, "One."),
    ],
)
async def test_the_systems_texts_are_one(harness: Harness, make: Make, options: Any, system: str) -> None:
    messages = [{"role": "user", "content": "Jason is 10"}, {"role": "developer", "content": "One."}]
    body = await asked(harness, make, messages, **options)
    assert body["systemInstruction"]["parts"] == [{"text": system}]
    assert len(body["contents"]) == 1


async def test_options_become_one_config(harness: Harness, make: Make) -> None:
    body = await asked(
        harness, make, max_tokens=9, stop="END", n=1, seed=3, top_p=0.25, presence_penalty=0.5, frequency_penalty=0.75,
        generation_config={"maxOutputTokens": 7, "topK": 4},
        config=types.GenerateContentConfig(temperature=0.5, labels=None),
        safety_settings=[{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
        thinking_config={"thinking_budget": 0},
    )  # fmt: skip
    schema = body["generationConfig"].pop("responseJsonSchema")
    assert schema["required"] == ["age", "name"]
    assert body["generationConfig"] == {
        "maxOutputTokens": 9,
        "stopSequences": ["END"],
        "candidateCount": 1,
        "seed": 3,
        "topP": 0.25,
        "topK": 4,
        "presencePenalty": 0.5,
        "frequencyPenalty": 0.75,
        "temperature": 0.5,
        "thinkingConfig": {"thinking_budget": 0},
        "responseMimeType": "application/json",
    }
    assert body["safetySettings"] == [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]


async def test_the_users_tools_stay_beside_ours(harness: Harness, make: Make) -> None:
    mine = {"function_declarations": [{"name": "look", "description": "Looks."}]}
    body = await asked(harness, make, mode=Mode.TOOLS, config={"tools": [mine]})
    assert [each["name"] for tool in body["tools"] for each in tool["functionDeclarations"]] == ["look", "User"]
    assert body["toolConfig"]["functionCallingConfig"] == {"mode": "ANY", "allowedFunctionNames": ["User"]}


@pytest.mark.parametrize(
    ("mode", "messages", "options", "said"),
    [
        (Mode.JSON, "x", {"colour": "red"}, "colour"),
        (Mode.JSON, [{"role": "system", "content": "x"}], {}, "has only the system's"),
        (Mode.JSON, [{"role": "bishop", "content": "x"}], {}, "'bishop'"),
        (Mode.JSON, [{"role": "user", "content": [7]}], {}, "a text, a dict or an object of the provider's SDK, got 7"),
        (Mode.JSON, [7], {}, "7"),
        (Mode.JSON, "x", {"config": {"response_schema": User}}, "response_schema"),
        (Mode.TOOLS, "x", {"cached_content": "caches/1"}, "Mode.JSON"),
        (Mode.JSON, "x", {"cached_content": "caches/1", "system": "y"}, "system_instruction"),
    ],
)
async def test_what_the_wire_does_not_take(
    harness: Harness, make: Make, mode: Mode, messages: Any, options: Any, said: str
) -> None:
    with Scripted() as server, pytest.raises(ConfigurationError, match=said):
        await harness.result(make(server, mode).create(User, messages, **options))
    assert not server.requests


async def test_a_schema_that_the_wire_cannot_hold_the_model_to(harness: Harness, make: Make) -> None:
    with Scripted() as server, pytest.raises(ConfigurationError, match=r"Mode\.TOOLS can"):
        await harness.result(make(server, Mode.JSON_SCHEMA).create(Anything, "x"))


async def test_a_cache_serves_a_mode_without_tools(harness: Harness, make: Make) -> None:
    body = await asked(harness, make, cached_content="cachedContents/1")
    assert body["cachedContent"] == "cachedContents/1"


async def test_templates_are_rendered_in_the_sdks_forms(harness: Harness, make: Make) -> None:
    messages = ["{{ one }}", types.Content(role="user", parts=[types.Part(text="{{ two }}")])]
    body = await asked(harness, make, messages, context={"one": 1, "two": 2})
    assert [turn["parts"][0]["text"] for turn in body["contents"]] == ["1", "2"]


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_signature_comes_back_with_its_call(harness: Harness, make: Make, streamed: bool) -> None:
    signature = base64.b64encode(b"\xfb\xff signed").decode()
    wrong = tools(ToolCall('{"name": "Jason", "age": "ten"}', id=signature))
    with Scripted([wrong, answer(USER)]) as server:
        client = make(server)
        if streamed:
            assert (await harness.items(client.create_partial(User, "x")))[-1] == User(**USER)
        else:
            assert await harness.result(client.create(User, "x")) == User(**USER)
    said, answered = server.requests[1].body["contents"][1:]
    assert said["role"] == "model"
    (part,) = said["parts"]
    assert base64.urlsafe_b64decode(part["thoughtSignature"]) == b"\xfb\xff signed"
    assert part["functionCall"]["args"] == {"name": "Jason", "age": "ten"}
    assert "$.age" in answered["parts"][0]["functionResponse"]["response"]["error"]


async def test_a_call_that_was_never_made_is_shown_as_text(harness: Harness, make: Make) -> None:
    wrong = {"tasks": [USER, {"name": "John", "age": "ten"}]}
    with Scripted([answer(wrong), answer({"tasks": [{"name": "John", "age": 30}]})]) as server:
        found = await harness.items(make(server).create_iterable("x", User))
    assert found == [User(**USER), User(name="John", age=30)]
    said, answered = server.requests[1].body["contents"][1:]
    assert json.loads(said["parts"][0]["text"]) == {"tasks": [{"name": "John", "age": "ten"}]}
    assert answered["parts"][0]["text"]


async def test_each_call_of_a_stream_is_one(harness: Harness, make: Make) -> None:
    same = ToolCall(json.dumps(USER), "User")
    with Scripted([tools(same, ToolCall('{"city": "Bath"}', "Place"), same)]) as server:
        found = await harness.items(make(server, Mode.PARALLEL_TOOLS).create_iterable("x", User | Place))
    assert found == [User(**USER), Place(city="Bath"), User(**USER)]


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_blocked_prompt(harness: Harness, make: Make, streamed: bool) -> None:
    with Scripted([refusal()]) as server:
        client = make(server)
        with pytest.raises(RefusalError, match="SAFETY"):
            await (
                harness.items(client.create_iterable("x", User))
                if streamed
                else harness.result(client.create(User, "x"))
            )
    assert len(server.requests) == 1


@pytest.mark.parametrize(("reason", "how"), [("MAX_TOKENS", "length limit"), ("SAFETY", "content filter")])
async def test_an_answer_that_was_cut(harness: Harness, make: Make, reason: str, how: str) -> None:
    cut = content('{"name": "Jas').but(finish=reason)
    with Scripted([cut]) as server, pytest.raises(IncompleteOutputException, match=how):
        await harness.result(make(server, Mode.JSON).create(User, "x"))
    assert len(server.requests) == 1


async def test_thoughts_are_no_answer(harness: Harness, make: Make) -> None:
    def event(part: Any, **more: Any) -> Any:
        return {"candidates": [{"content": {"role": "model", "parts": [part]}, **more}]}

    said = [event({"text": '{"name": "No"}', "thought": True}), event({"text": json.dumps(USER)}, finishReason="STOP")]
    with Scripted([events(said)]) as server:
        seen = await harness.items(make(server, Mode.JSON).create_partial(User, "x"))
    assert {each.name for each in seen} == {"Jason"}


async def test_a_stream_without_an_end_is_continued(harness: Harness, make: Make) -> None:
    with Scripted([content({"tasks": [USER]}, cut_after=9), content({"tasks": [USER]})]) as server:
        stream = make(server, Mode.JSON).create_iterable("x", User)
        assert await harness.items(stream) == [User(**USER)]
    assert len(server.requests) == 2
    assert stream.report.complete


@pytest.mark.parametrize("name", ["google", "generative-ai", "genai"])
async def test_names_of_the_provider(name: str, harness: Harness) -> None:
    with Scripted([answer(USER)]) as server:
        client: Any = instructor.from_provider(f"{name}/scripted", harness.is_async, **CASE.options(server))
        assert await harness.result(client.create(User, "Jason is 10")) == User(**USER)
        assert CASE.close is not None
        await CASE.close(client.client)
    assert server.requests[0].path.endswith("/models/scripted:generateContent")


async def test_the_async_half_of_a_client(scripted_server: Any) -> None:
    server = scripted_server([answer(USER)])
    sdk = genai.Client(**CASE.options(server)).aio
    client: Any = instructor.from_google(sdk, model="scripted")
    assert await client.create(User, "Jason is 10") == User(**USER)
    await sdk.aclose()


@pytest.mark.parametrize("call", [lambda: from_named("gemini")(object()), lambda: instructor.from_provider("gemini/x")])
def test_what_is_at_its_end_of_life_says_what_to_use(call: Callable[[], Any]) -> None:
    with pytest.raises(ConfigurationError, match="from_genai"):
        call()


def test_the_old_client_of_vertex_ai_is_none() -> None:
    with pytest.raises(ClientError, match=r"google\.genai\.Client"):
        instructor.from_vertexai(object())


def test_older_modes() -> None:
    row = CASE.row
    with pytest.warns(DeprecationWarning, match="GENAI_STRUCTURED_OUTPUTS"):
        assert row.mode_for(Mode.GENAI_STRUCTURED_OUTPUTS) is Mode.JSON
    with pytest.raises(ConfigurationError):
        row.mode_for(Mode.MISTRAL_TOOLS)


def test_a_recorded_stream_is_read_without_an_sdk() -> None:
    read = Google("google").reader()
    call = {"functionCall": {"name": "User", "args": USER}}
    deltas = [
        read({"candidates": [{"content": {"parts": [call, call]}}]}),
        read({"candidates": [{"content": {"parts": [call]}}]}),
    ]
    assert [delta.channel for several in deltas for delta in several] == [0, 1, 2]


async def test_arguments_that_come_value_by_value(harness: Harness, make: Make) -> None:
    def event(call: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {"candidates": [{"content": {"role": "model", "parts": [{"functionCall": call}]}, **more}]}

    def piece(path: str, **value: Any) -> dict[str, Any]:
        return {"partialArgs": [{"jsonPath": path, **value}], "willContinue": True}

    stream = [
        event({"name": "IterableUser", "willContinue": True}),
        event(piece("$.tasks[0].name", stringValue="Jö", willContinue=True)),
        event(piece("$.tasks[0].name", stringValue='r"g')),
        event(piece("$.tasks[0].age", numberValue=10.0)),
        event(piece("$.tasks[1].name", stringValue="Ann")),
        event(piece("$.tasks[1].age", numberValue=3)),
        event({}, finishReason="STOP"),
    ]
    with Scripted([events(stream)]) as server:
        found = await harness.items(make(server).create_iterable("x", User))
    assert found == [User(name='Jör"g', age=10), User(name="Ann", age=3)]
    assert len(server.requests) == 1


async def test_how_functions_are_called_is_the_users_too(harness: Harness, make: Make) -> None:
    config = {"tool_config": {"function_calling_config": {"mode": "AUTO"}}}
    body = await asked(harness, make, mode=Mode.TOOLS, config=config)
    assert body["toolConfig"]["functionCallingConfig"] == {"mode": "AUTO"}
    place = types.ToolConfig(retrieval_config=types.RetrievalConfig(language_code="de"))
    body = await asked(harness, make, mode=Mode.TOOLS, tool_config=place)
    assert body["toolConfig"]["functionCallingConfig"] == {"mode": "ANY", "allowedFunctionNames": ["User"]}
    assert "de" in body["toolConfig"]["retrievalConfig"].values()
