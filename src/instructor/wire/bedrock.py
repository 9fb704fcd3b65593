"""The Converse wire of Amazon Bedrock: `POST /model/<id>/converse` and `/converse-stream`.

The system's text stands beside the messages, and turns alternate: what one side says in a row is one turn. A streamed
reply is a sequence of events, each an object with one key, its kind. `messageStop` is the terminal event; the tokens
come after it, in `metadata`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from instructor.engine import prompts
from instructor.engine.call import TEXT, Call, Delta, Finish, Json, Message, Reply, Request, ToolCall
from instructor.engine.ports import Tool
from instructor.exceptions import ResponseParsingError
from instructor.mode import Mode
from instructor.usage import Usage
from instructor.wire.bedrock_turns import alternating, blocks, turn_of, use
from instructor.wire.messages import SYSTEM_ROLES, with_last_user, with_system
from instructor.wire.schemas import BEDROCK, demanded

_FINISH: dict[str, Finish] = {
    "tool_use": "tool",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "content_filtered": "filter",
    "guardrail_intervened": "filter",
}
_REASONS = {"tool": "tool_use", "length": "max_tokens", "filter": "content_filtered", "stop": "end_turn"}
_INFERENCE = {
    "max_tokens": "maxTokens",
    "temperature": "temperature",
    "top_p": "topP",
    "stop": "stopSequences",
}


class Bedrock:
    """The dialect of this wire."""

    modes = (Mode.TOOLS, Mode.TOOLS_STRICT, Mode.JSON_SCHEMA, Mode.MD_JSON, Mode.PARALLEL_TOOLS)
    subset = BEDROCK

    def plain(self, messages: Sequence[Message], options: Mapping[str, Any]) -> Json:
        """Write a request that asks for no shape; the names of options that other wires have are taken too."""
        body: Json = {key: value for key, value in options.items() if key not in (*_INFERENCE, "model", "top_k")}
        if "model" in options:
            body.setdefault("modelId", options["model"])
        inference = {named: options[key] for key, named in _INFERENCE.items() if options.get(key) is not None}
        if isinstance(inference.get("stopSequences"), str):
            inference["stopSequences"] = [inference["stopSequences"]]
        if inference:
            body["inferenceConfig"] = {**inference, **(body.get("inferenceConfig") or {})}
        if options.get("top_k") is not None:
            more = body.get("additionalModelRequestFields") or {}
            body["additionalModelRequestFields"] = {"top_k": options["top_k"], **more}
        system = blocks(body.pop("system", None))
        for message in messages:
            if message.get("role") in SYSTEM_ROLES:
                system += blocks(message.get("content"))
        body["messages"] = alternating(turn_of(each) for each in messages if each.get("role") not in SYSTEM_ROLES)
        return {**body, "system": system} if system else body

    def encode(self, call: Call) -> Request:
        messages = call.messages
        if call.mode is Mode.MD_JSON:
            messages = with_system(messages, prompts.schema(call.output.schema))
            messages = with_last_user(messages, prompts.CODE_BLOCK)
        body = self.plain(messages, call.options)
        if call.mode.by_tool:
            config = body.get("toolConfig") or {}
            told = [_tool(tool, call.mode) for tool in call.output.tools]
            body["toolConfig"] = {
                "toolChoice": _choice(call, body),
                **config,
                "tools": [*(config.get("tools") or ()), *told],
            }
        elif call.mode is Mode.JSON_SCHEMA:
            output = call.output
            schema = demanded(output.schema, BEDROCK, output.name, call.mode)
            told_schema = {"name": output.name, "description": output.description, "schema": json.dumps(schema)}
            form = {"type": "json_schema", "structure": {"jsonSchema": told_schema}}
            body["outputConfig"] = {**(body.get("outputConfig") or {}), "textFormat": form}
        return Request(body, call.stream)

    def decode(self, wire: Json) -> Reply:
        content = ((wire.get("output") or {}).get("message") or {}).get("content")
        if not isinstance(content, list):
            said = json.dumps(wire, default=str)[:300]
            raise ResponseParsingError(f"The response has no output.message.content: {said}", text=said)
        text = "".join(block.get("text") or "" for block in content)
        uses = [block["toolUse"] for block in content if "toolUse" in block]
        calls = [ToolCall(use.get("toolUseId") or "", use.get("name") or "", _text(use.get("input"))) for use in uses]
        reason = wire.get("stopReason") or ""
        finish = _FINISH.get(reason, "stop")
        return Reply(text, calls, finish, _refusal(reason, text), _usage(wire.get("usage")))

    def delta(self, event: Json) -> Sequence[Delta]:
        if "contentBlockDelta" in event:
            piece = event["contentBlockDelta"]
            delta = piece.get("delta") or {}
            if "toolUse" in delta:
                return (Delta(piece.get("contentBlockIndex") or 0, delta["toolUse"].get("input") or ""),)
            return (Delta(TEXT, delta["text"]),) if delta.get("text") else ()
        if "contentBlockStart" in event:
            piece = event["contentBlockStart"]
            use = (piece.get("start") or {}).get("toolUse")
            index = piece.get("contentBlockIndex") or 0
            return (Delta(index, "", use.get("toolUseId"), use.get("name")),) if use else ()
        if "messageStop" in event:
            reason = event["messageStop"].get("stopReason") or ""
            return (Delta(finish=_FINISH.get(reason, "stop"), refusal=_refusal(reason, "")),)
        usage = _usage((event.get("metadata") or {}).get("usage"))
        return (Delta(usage=usage),) if usage else ()

    def correct(self, request: Request, reply: Reply, notes: str) -> Request:
        answered: list[Json] = [
            {"toolResult": {"toolUseId": call.id, "content": [{"text": notes}], "status": "error"}}
            for call in reply.calls
        ]
        said = _said(reply)
        turns: list[Json] = [{"role": "assistant", "content": said}] if said else []
        turns.append({"role": "user", "content": answered or [{"text": notes}]})
        return Request({**request.body, "messages": alternating([*request.body["messages"], *turns])}, request.stream)

    def assemble(self, reply: Reply, head: Json) -> Json:
        del head  # the first event says whose turn it is, which is known
        usage = reply.usage or Usage()
        counts = {"inputTokens": usage.input_tokens, "outputTokens": usage.output_tokens}
        return {
            "output": {"message": {"role": "assistant", "content": _said(reply)}},
            "stopReason": _REASONS.get(reply.finish or ""),
            "usage": {**counts, "totalTokens": usage.total_tokens},
        }


def _tool(tool: Tool, mode: Mode) -> Json:
    spec: Json = {"name": tool.name, "description": tool.description, "inputSchema": {"json": tool.schema}}
    if mode is Mode.TOOLS_STRICT:
        spec = {**spec, "inputSchema": {"json": demanded(tool.schema, BEDROCK, tool.name, mode)}, "strict": True}
    return {"toolSpec": spec}


def _choice(call: Call, body: Json) -> Json:
    """Force the tool, but where the model is to think first: models refuse both at once."""
    more = body.get("additionalModelRequestFields") or {}
    thinks = (more.get("thinking") or more.get("reasoning_config") or {}).get("type", "disabled") != "disabled"
    return {"auto": {}} if thinks or call.mode is Mode.PARALLEL_TOOLS else {"tool": {"name": call.output.name}}


def _said(reply: Reply) -> list[Json]:
    text: list[Json] = [{"text": reply.text}] if reply.text.strip() else []
    return [*text, *map(use, reply.calls)]


def _text(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments if arguments is not None else {})


def _refusal(reason: str, text: str) -> str | None:
    return (text or "a guardrail intervened") if reason == "guardrail_intervened" else None


def _usage(usage: Json | None) -> Usage | None:
    if not usage:
        return None
    cached = usage.get("cacheReadInputTokens") or 0
    asked = (usage.get("inputTokens") or 0) + cached + (usage.get("cacheWriteInputTokens") or 0)
    return Usage(asked, usage.get("outputTokens") or 0, cached)
