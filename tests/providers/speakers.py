"""Clients of the wires whose turns are lists of blocks, and what servers say on these, event by event."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import anthropic
import boto3
import pytest
from botocore.config import Config
from google import genai

import instructor
from cases.google import CASE as GOOGLE
from cases.vertexai import CASE as VERTEXAI
from harness import Harness
from instructor import Mode
from instructor.testing import Reply, Scripted, body, events
from instructor.testing.wires_bedrock import Bedrock

HELLO = [{"role": "user", "content": "Extract."}]
KEYS = {"aws_access_key_id": "none", "aws_secret_access_key": "none", "region_name": "us-east-1"}


class Speaker:
    """Makes the clients of one wire, and writes what its server says."""

    def __init__(self, name: str, harness: Harness, made: AsyncExitStack) -> None:
        self.name, self.harness, self._made = name, harness, made

    def client(self, server: Scripted, mode: Mode = Mode.TOOLS) -> Any:
        if self.name == "anthropic":
            kind = anthropic.AsyncAnthropic if self.harness.is_async else anthropic.Anthropic
            sdk = self.harness.kept(kind(base_url=server.root, api_key="none", max_retries=0))
            return instructor.from_anthropic(sdk, mode=mode, model="m")
        is_async: Any = self.harness.is_async
        if self.name == "bedrock":
            config = Config(retries={"total_max_attempts": 1})
            made = boto3.client("bedrock-runtime", endpoint_url=server.root, config=config, **KEYS)
            return instructor.from_bedrock(made, mode, "m", use_async=is_async)
        if self.name == "vertexai":
            google = genai.Client(vertexai=True, location="us-central1", **VERTEXAI.options(server))
        else:
            google = genai.Client(**GOOGLE.options(server))
        self._made.callback(google.close)
        self._made.push_async_callback(google.aio.aclose)
        return instructor.from_genai(google, mode, "m", use_async=is_async)

    def says(self, whole: Any, *, streamed: bool) -> Reply:
        """Write a whole reply, or the events of one."""
        if not streamed:
            return body(whole)
        if self.name == "anthropic":
            return events([f"event: {each.get('type')}\ndata: {json.dumps(each)}\n\n".encode() for each in whole])
        return events([Bedrock().frame(each) if self.name == "bedrock" else each for each in whole])

    async def value(
        self, server: Scripted, kind: Any, *, streamed: bool, mode: Mode = Mode.TOOLS, **options: Any
    ) -> Any:
        """Ask for one value."""
        client = self.client(server, mode)
        if streamed:
            return (await self.harness.items(client.create_partial(messages=HELLO, response_model=kind, **options)))[-1]
        return await self.harness.result(client.create(messages=HELLO, response_model=kind, **options))

    async def items(
        self, server: Scripted, kind: Any, *, streamed: bool, mode: Mode = Mode.TOOLS, **options: Any
    ) -> Any:
        """Ask for a list."""
        client = self.client(server, mode)
        if streamed:
            return await self.harness.items(client.create_iterable(messages=HELLO, response_model=kind, **options))
        return list(await self.harness.result(client.create(messages=HELLO, response_model=list[kind], **options)))


@pytest.fixture
async def speaker(request: pytest.FixtureRequest, harness: Harness) -> AsyncIterator[Speaker]:
    async with AsyncExitStack() as made:
        yield Speaker(request.param, harness, made)


def on(*names: str) -> pytest.MarkDecorator:
    """Run a test on these wires."""
    return pytest.mark.parametrize("speaker", names, indirect=True)


def block(at: Any, started: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    """Write a block of Anthropic's."""
    return [
        {"type": "content_block_start", "index": at, "content_block": started},
        *({"type": "content_block_delta", "index": at, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": at},
    ]


def use(
    at: Any, value: Any, name: str = "User", kind: str = "tool_use", cut: int = 9, **more: Any
) -> list[dict[str, Any]]:
    """Write a call of Anthropic's, in pieces."""
    text = value if isinstance(value, str) else json.dumps(value)
    pieces = [text[n : n + cut] for n in range(0, len(text), cut)]
    started = {"type": kind, "id": f"toolu_{at}_{len(text)}", "name": name, "input": {}, **more}
    return block(at, started, *({"type": "input_json_delta", "partial_json": each} for each in pieces))


def text(at: Any, said: str, cut: int = 9) -> list[dict[str, Any]]:
    """Write a text of Anthropic's, in pieces."""
    pieces = [said[n : n + cut] for n in range(0, len(said), cut)]
    return block(at, {"type": "text", "text": ""}, *({"type": "text_delta", "text": each} for each in pieces))


def thought(at: Any, said: str = "Hm {") -> list[dict[str, Any]]:
    """Write a thought of Anthropic's, which is signed."""
    pieces = ({"type": "thinking_delta", "thinking": each} for each in (said[:2], said[2:]))
    started = {"type": "thinking", "thinking": "", "signature": ""}
    return block(at, started, *pieces, {"type": "signature_delta", "signature": "sig"})


START = {"type": "message_start", "message": {"id": "m", "content": [], "usage": {"input_tokens": 3}}}


def message(blocks: list[list[dict[str, Any]]], reason: Any = "tool_use", **more: Any) -> list[dict[str, Any]]:
    """Write a stream of Anthropic's."""
    ended = {"type": "message_delta", "delta": {"stop_reason": reason, **more}, "usage": {"output_tokens": 5}}
    return [START, *(each for events_ in blocks for each in events_), ended, {"type": "message_stop"}]


def joined(streamed: list[dict[str, Any]]) -> dict[str, Any]:
    """Write the whole message that a well-formed stream of Anthropic's stands for."""
    content: list[dict[str, Any]] = []
    ended: dict[str, Any] = {}
    for event in streamed:
        if event["type"] == "content_block_start":
            content.append(dict(event["content_block"]))
        elif event["type"] == "content_block_delta":
            last, delta = content[-1], event["delta"]
            kind: str = delta["type"]
            field = "partial_json" if kind == "input_json_delta" else kind.removesuffix("_delta")
            if field == "partial_json":
                last["input"] = (last["input"] or "") + delta[field]
            else:
                last[field] = last[field] + delta[field]
        elif event["type"] == "message_delta":
            ended = event["delta"]
    for each in content:
        if isinstance(each.get("input"), str):
            each["input"] = json.loads(each["input"])
    made = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": content, **ended}
    return {**made, "usage": {"input_tokens": 3, "output_tokens": 5}}


def candidate(*parts: Any, index: Any = 0, reason: Any = None, **more: Any) -> dict[str, Any]:
    """Write an event of Gemini's with one candidate."""
    told = {"content": {"role": "model", "parts": list(parts)}, "index": index, **more}
    return {"candidates": [{**told, "finishReason": reason} if reason else told]}


def converse(stop: Any, *blocks: Any, **more: Any) -> dict[str, Any]:
    """Write a whole reply of Bedrock's."""
    reply = {"output": {"message": {"role": "assistant", "content": list(blocks)}}, "metrics": {"latencyMs": 1}}
    return {**reply, "stopReason": stop, "usage": {"inputTokens": 3, "outputTokens": 5, "totalTokens": 8}, **more}


def conversed(stop: Any, *blocks: Any, **more: Any) -> list[dict[str, Any]]:
    """Write the stream of it; a block is a pair of its index and what it holds."""
    found: list[dict[str, Any]] = [{"messageStart": {"role": "assistant"}}]
    for at, held in blocks:
        if "toolUse" in held:
            call = dict(held["toolUse"])
            said = json.dumps(call.pop("input"))
            found.append({"contentBlockStart": {"contentBlockIndex": at, "start": {"toolUse": call}}})
            pieces = [{"toolUse": {"input": said[n : n + 9]}} for n in range(0, len(said), 9)]
        else:
            pieces = [{"text": held["text"][n : n + 9]} for n in range(0, len(held["text"]), 9)]
        found += [{"contentBlockDelta": {"contentBlockIndex": at, "delta": piece}} for piece in pieces]
        found.append({"contentBlockStop": {"contentBlockIndex": at}})
    usage = {"inputTokens": 3, "outputTokens": 5, "totalTokens": 8}
    return [
        *found,
        {"messageStop": {"stopReason": stop}},
        {"metadata": {"usage": usage, "metrics": {"latencyMs": 1}, **more}},
    ]
