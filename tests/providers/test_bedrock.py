"""What is Bedrock's own: its requests, its frames, and an async client over a sync SDK."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError
from pydantic import BaseModel

import instructor
from harness import Harness
from instructor import Mode
from instructor.exceptions import ConfigurationError, IncompleteOutputException, RefusalError
from instructor.testing import Asked, Gate, Reply, Scripted, answer, count_events, events
from instructor.testing.wires_bedrock import Bedrock, frame

USER = {"name": "Jason", "age": 10}
STREAM = "/model/m/converse-stream"


class User(BaseModel):
    name: str
    age: int


class Counts(BaseModel):
    by_name: dict[str, int]


def sdk(server: Scripted) -> Any:
    return boto3.client(
        "bedrock-runtime",
        region_name="us-east-1",
        endpoint_url=server.root,
        aws_access_key_id="none",
        aws_secret_access_key="none",
        config=Config(retries={"total_max_attempts": 1}),
    )


def client(server: Scripted, harness: Harness, mode: Mode = Mode.TOOLS) -> Any:
    use_async: Any = harness.is_async
    return instructor.from_bedrock(sdk(server), mode, "m", use_async=use_async)


async def asked(harness: Harness, scripted_server: Any, mode: Mode = Mode.TOOLS, **options: Any) -> Any:
    """Make a call, and give the body of its one request."""
    server = scripted_server([answer(USER)])
    options.setdefault("messages", [{"role": "user", "content": "Jason is 10"}])
    assert await harness.result(client(server, harness, mode).create(User, **options)) == User(**USER)
    (request,) = server.requests
    return request.body


async def test_options_go_where_the_wire_has_them(harness: Harness, scripted_server: Any) -> None:
    body = await asked(
        harness, scripted_server, temperature=0.5, max_tokens=9, top_p=0.1, stop="END", top_k=3,
        inferenceConfig={"maxTokens": 7}, requestMetadata={"a": "b"},
    )  # fmt: skip
    assert body["inferenceConfig"] == {"temperature": 0.5, "maxTokens": 7, "topP": 0.1, "stopSequences": ["END"]}
    assert body["additionalModelRequestFields"] == {"top_k": 3}
    assert body["requestMetadata"] == {"a": "b"}


async def test_the_systems_texts_are_all_kept(harness: Harness, scripted_server: Any) -> None:
    messages = [
        {"role": "system", "content": "One."},
        {"role": "user", "content": "Jason is 10"},
        {"role": "developer", "content": [{"type": "text", "text": "Two."}]},
    ]
    given = [{"text": "Zero."}, {"cachePoint": {"type": "default"}}]
    body = await asked(harness, scripted_server, Mode.MD_JSON, messages=messages, system=given)
    zero, cached, one, two, told = body["system"]
    assert [zero, cached] == given
    assert [one, two] == [{"text": "One."}, {"text": "Two."}]
    assert '"age"' in told["text"]


async def test_turns_alternate(harness: Harness, scripted_server: Any) -> None:
    call = {"id": "t1", "type": "function", "function": {"name": "look", "arguments": '{"at": 1}'}}
    other = {"id": "t2", "type": "function", "function": {"name": "look", "arguments": "no JSON"}}
    messages = [
        {"role": "user", "content": "Jason"},
        {"role": "user", "content": [{"type": "text", "text": "is 10"}, {"text": "now"}]},
        {"role": "assistant", "content": None, "tool_calls": [call, other]},
        {"role": "tool", "tool_call_id": "t1", "content": "seen"},
        {"role": "tool", "tool_call_id": "t2", "content": "not seen"},
    ]
    body = await asked(harness, scripted_server, messages=messages)
    assert body["messages"] == [
        {"role": "user", "content": [{"text": "Jason"}, {"text": "is 10"}, {"text": "now"}]},
        {
            "role": "assistant",
            "content": [
                {"toolUse": {"toolUseId": "t1", "name": "look", "input": {"at": 1}}},
                {"toolUse": {"toolUseId": "t2", "name": "look", "input": {"invalid_json": "no JSON"}}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"toolResult": {"toolUseId": "t1", "content": [{"text": "seen"}]}},
                {"toolResult": {"toolUseId": "t2", "content": [{"text": "not seen"}]}},
            ],
        },
    ]


async def test_an_image_is_sent_as_bytes(harness: Harness, scripted_server: Any) -> None:
    url = "data:image/jpg;base64," + base64.b64encode(b"pixels").decode()
    messages = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]
    body = await asked(harness, scripted_server, messages=messages)
    image = body["messages"][0]["content"][0]["image"]
    assert image == {"format": "jpeg", "source": {"bytes": base64.b64encode(b"pixels").decode()}}


async def test_an_image_elsewhere_is_refused(harness: Harness, scripted_server: Any) -> None:
    messages = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://a.b/c.png"}}]}]
    with pytest.raises(ConfigurationError, match="data:image"):
        await harness.result(client(scripted_server([]), harness).create(User, messages))


async def test_tools_strict(harness: Harness, scripted_server: Any) -> None:
    body = await asked(harness, scripted_server, Mode.TOOLS_STRICT)
    spec = body["toolConfig"]["tools"][0]["toolSpec"]
    assert spec["strict"] is True
    assert spec["inputSchema"]["json"]["additionalProperties"] is False
    assert body["toolConfig"]["toolChoice"] == {"tool": {"name": "User"}}


async def test_json_schema(harness: Harness, scripted_server: Any) -> None:
    body = await asked(harness, scripted_server, Mode.JSON_SCHEMA, outputConfig={"effort": "low"})
    form = body["outputConfig"].pop("textFormat")
    assert body["outputConfig"] == {"effort": "low"}
    assert form["type"] == "json_schema"
    told = form["structure"]["jsonSchema"]
    assert told["name"] == "User"
    assert json.loads(told["schema"])["additionalProperties"] is False


@pytest.mark.parametrize("mode", [Mode.TOOLS_STRICT, Mode.JSON_SCHEMA])
async def test_a_schema_that_cannot_be_strict(harness: Harness, scripted_server: Any, mode: Mode) -> None:
    with pytest.raises(ConfigurationError, match=r"keys of any name @ \$\.by_name"):
        await harness.result(
            client(scripted_server([]), harness, mode).create(Counts, [{"role": "user", "content": "x"}])
        )


async def test_a_model_that_thinks_is_not_forced(harness: Harness, scripted_server: Any) -> None:
    thinking = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
    body = await asked(harness, scripted_server, additionalModelRequestFields=thinking)
    assert body["toolConfig"]["toolChoice"] == {"auto": {}}


async def test_the_users_own_tools_are_kept(harness: Harness, scripted_server: Any) -> None:
    own = {"toolSpec": {"name": "look", "inputSchema": {"json": {"type": "object"}}}}
    body = await asked(harness, scripted_server, toolConfig={"tools": [own], "toolChoice": {"tool": {"name": "User"}}})
    assert [tool["toolSpec"]["name"] for tool in body["toolConfig"]["tools"]] == ["look", "User"]


async def test_content_that_is_filtered(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer(USER).but(finish="content_filtered")])
    with pytest.raises(IncompleteOutputException, match="content filter"):
        await harness.result(client(server, harness).create(User, [{"role": "user", "content": "x"}]))


async def test_a_guardrail_speaks(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer("Not here.").but(finish="guardrail_intervened")])
    with pytest.raises(RefusalError, match="Not here"):
        await harness.result(client(server, harness, Mode.MD_JSON).create(User, [{"role": "user", "content": "x"}]))


async def test_an_error_inside_a_stream_keeps_its_type(harness: Harness, scripted_server: Any) -> None:
    items = [{"name": "a", "age": 1}, {"name": "b", "age": 2}]
    whole = answer({"tasks": items})
    end = count_events(whole, STREAM, {"toolConfig": {"tools": [{"toolSpec": {"name": "IterableUser"}}]}}) - 4
    server = scripted_server([whole.but(error_after=end)])
    stream = client(server, harness).create_iterable([{"role": "user", "content": "x"}], User, max_retries=0)
    found: list[User] = []
    with pytest.raises(IncompleteOutputException) as failed:
        await harness.collect(stream, found)
    assert found[0] == User(name="a", age=1)
    assert isinstance(failed.value.__cause__, EventStreamError)


async def test_a_frame_whose_checksum_is_wrong(harness: Harness, scripted_server: Any) -> None:
    broken = bytearray(frame(b'{"role":"assistant"}', event_type="messageStart"))
    broken[-1] ^= 1
    server = scripted_server([events([{"messageStart": {"role": "assistant"}}, bytes(broken)])])
    stream = client(server, harness).create_iterable([{"role": "user", "content": "x"}], User, max_retries=0)
    with pytest.raises(IncompleteOutputException) as failed:
        await harness.items(stream)
    assert "Checksum" in type(failed.value.__cause__).__name__


async def test_reasoning_is_no_part_of_the_answer(harness: Harness, scripted_server: Any) -> None:
    deltas = [
        {"reasoningContent": {"text": "Hm {"}},
        {"reasoningContent": {"signature": "s"}},
        {"text": '{"name": "a",'},
    ]
    script: list[dict[str, Any]] = [
        {"messageStart": {"role": "assistant"}},
        *({"contentBlockDelta": {"contentBlockIndex": 0, "delta": delta}} for delta in deltas),
        {"contentBlockDelta": {"contentBlockIndex": 1, "delta": {"text": '"age": 1}'}}},
        {"messageStop": {"stopReason": "end_turn"}},
    ]
    server = scripted_server([events([Bedrock().frame(each) for each in script])])
    seen = await harness.items(
        client(server, harness, Mode.MD_JSON).create_partial(User, [{"role": "user", "content": "x"}])
    )
    assert seen[-1] == User(name="a", age=1)


async def test_a_call_that_waits_does_not_hold_up_the_loop(scripted_server: Any) -> None:
    gates = [Gate() for _ in range(12)]
    server = scripted_server(lambda request: answer(USER, wait_after=0, gate=gates[request.number - 1]))
    async_client = instructor.from_bedrock(sdk(server), model="m", async_client=True)
    tasks = [asyncio.ensure_future(async_client.create(User, [{"role": "user", "content": "x"}])) for _ in gates]
    for gate in gates:  # all are under way at once, more than the loop's own threads would carry
        await asyncio.to_thread(gate.reached)
    for gate in gates:
        gate.open()
    assert await asyncio.gather(*tasks) == [User(**USER)] * len(gates)


async def test_a_cancelled_call_lets_go_at_once(scripted_server: Any) -> None:
    gate = Gate()
    server = scripted_server([answer(USER, wait_after=0, gate=gate)])
    async_client = instructor.from_bedrock(sdk(server), model="m", use_async=True)
    task = asyncio.ensure_future(async_client.create(User, [{"role": "user", "content": "x"}]))
    await asyncio.to_thread(gate.reached)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.open()
    await asyncio.to_thread(server.served[0].wait)


async def test_a_stream_that_opens_after_its_task_was_cancelled_is_closed(scripted_server: Any) -> None:
    came, go_on = threading.Event(), threading.Event()

    def reply(request: Asked) -> Reply:
        came.set()
        go_on.wait(30)
        return answer({"tasks": [USER]}, wait_after=3, gate=Gate())

    server = scripted_server(reply)
    async_client = instructor.from_bedrock(sdk(server), model="m", use_async=True)
    stream = async_client.create_iterable([{"role": "user", "content": "x"}], User)
    task = asyncio.ensure_future(anext(stream))
    await asyncio.to_thread(came.wait, 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go_on.set()
    assert (await asyncio.to_thread(server.served[0].wait)).client_left


async def test_leaving_a_stream_of_the_sdks_own_events(scripted_server: Any) -> None:
    gate = Gate()
    server = scripted_server([answer(USER, wait_after=4, gate=gate)])
    async_client = instructor.from_bedrock(sdk(server), model="m", use_async=True)
    stream = await async_client.create(None, [{"role": "user", "content": "x"}], stream=True)
    assert await anext(stream) == {"messageStart": {"role": "assistant"}}
    await asyncio.to_thread(gate.reached)
    await stream.aclose()
    assert (await asyncio.to_thread(server.served[0].wait)).client_left


def test_both_names_of_async_client_and_region(monkeypatch: pytest.MonkeyPatch, scripted_server: Any) -> None:
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    sync_client = instructor.from_provider("bedrock/some.model:0", region="eu-west-1", temperature=0)
    assert isinstance(sync_client, instructor.Instructor)
    assert sync_client.client.meta.region_name == "eu-west-1"
    assert sync_client.kwargs == {"model": "some.model:0", "temperature": 0}
    async_client = instructor.from_provider("bedrock/some.model:0", async_client=True)
    assert isinstance(async_client, instructor.AsyncInstructor)
    assert async_client.client.meta.region_name == "us-east-1"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-south-1")
    assert instructor.from_provider("bedrock/some.model:0").client.meta.region_name == "ap-south-1"
    assert isinstance(instructor.from_bedrock(async_client.client, async_client=True), instructor.AsyncInstructor)
    with pytest.warns(DeprecationWarning, match="BEDROCK_JSON"):
        assert instructor.from_bedrock(sync_client.client, mode=Mode.BEDROCK_JSON).mode is Mode.MD_JSON


async def test_what_the_sdk_refuses_is_its_own_error(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([])
    with pytest.raises(Exception, match="nonsense") as failed:
        await harness.result(client(server, harness).create(User, [{"role": "user", "content": "x"}], nonsense=1))
    assert type(failed.value.__cause__).__name__ == "ParamValidationError"
    assert not isinstance(failed.value, ClientError)
