"""The Gemini wire: `POST /models/<model>:generateContent`, of the Gemini API and of Vertex AI.

A request here holds what the SDK's method takes: `model`, `contents` (the wire's JSON) and `config`, under whose names
the SDK keeps everything else. A reply's text and function calls are parts of `candidates[0].content`; a streamed reply
is a sequence of such replies. A function call comes whole, and no event says how many came before it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from instructor.engine import prompts
from instructor.engine.call import TEXT, Call, Delta, Finish, Json, Message, Reply, Request, ToolCall
from instructor.exceptions import ConfigurationError, ProviderError, ResponseParsingError
from instructor.mode import Mode
from instructor.usage import Usage
from instructor.wire.google_request import config_of, contents_of, messages_of, with_user_text
from instructor.wire.schemas import GEMINI, fit

_CUT: dict[str, Finish] = {"MAX_TOKENS": "length"}
_FILTERED = ("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "IMAGE_SAFETY")
_SIGNED = "signature:"
"""Before the signature in the id of a call: what a thinking model wants back with the call that it made."""
_CALLED = "called"
"""The id of a call without a signature. One of any other id was never made: it stands for an answer that is shown."""


class Google:
    """The dialect of one provider that speaks this wire."""

    subset = GEMINI
    modes = (Mode.TOOLS, Mode.JSON, Mode.JSON_SCHEMA, Mode.MD_JSON, Mode.PARALLEL_TOOLS)

    def __init__(self, provider: str) -> None:
        self._provider = provider

    def as_messages(self, messages: Any) -> Any:
        """Give the SDK's own forms of messages as dicts: a text, a list of texts, `Content`, `Part` and `File`."""
        return messages_of(messages)

    def plain(self, messages: Sequence[Message], options: Mapping[str, Any]) -> Json:
        """Write a request that asks for no shape."""
        config, beside = config_of(messages, options)
        contents = contents_of(messages)
        if not contents:
            raise ConfigurationError(
                f"{self._provider} answers a user's message, and there is none beside the system's."
            )
        return {**beside, "contents": contents, "config": config}

    def encode(self, call: Call) -> Request:
        body = self.plain(call.messages, call.options)
        config: Json = body["config"]
        if call.mode.by_tool:
            _ask_by_tool(config, call)
        elif call.mode is Mode.MD_JSON:
            told = f"{prompts.schema(call.output.schema)}\n\n{prompts.CODE_BLOCK}"
            body["contents"] = with_user_text(body["contents"], told)
        else:
            _constrain(config, call)
        config.setdefault("automatic_function_calling", {"disable": True})
        taken = [name for name in ("system_instruction", "tools", "tool_config") if name in config]
        if config.get("cached_content") and taken:
            raise ConfigurationError(
                f"cached_content={config['cached_content']!r} holds the system's text and the tools: beside it "
                f"this wire takes no {', '.join(taken)}. Leave the system's text out, and use Mode.JSON."
            )
        return Request(body, call.stream)

    def decode(self, wire: Json) -> Reply:
        deltas = self._read(wire, 0)
        text = "".join(delta.text for delta in deltas if delta.channel == TEXT)
        calls = [ToolCall(d.id or "", d.name or "", d.text) for d in deltas if d.channel != TEXT]
        finish: Finish | None = next((delta.finish for delta in deltas if delta.finish), None)
        refusal = next((delta.refusal for delta in deltas if delta.refusal), None)
        if refusal is None and not wire.get("candidates"):
            said = json.dumps(wire, default=str)[:300]
            raise ResponseParsingError(f"The response has no candidates: {said}", text=said)
        return Reply(text, calls, finish or "stop", refusal, _usage(wire.get("usageMetadata")))

    def delta(self, event: Json) -> Sequence[Delta]:
        return self._read(event, 0)

    def reader(self) -> Callable[[Json], Sequence[Delta]]:
        """Give what reads one stream: it counts the calls, which the events do not."""
        count = 0

        def read(event: Json) -> Sequence[Delta]:
            nonlocal count
            deltas = self._read(event, count)
            count += sum(delta.channel != TEXT for delta in deltas)
            return deltas

        return read

    def correct(self, request: Request, reply: Reply, notes: str) -> Request:
        made = [_made(call) for call in reply.calls]
        if made and None not in made:
            said: list[Any] = [*([{"text": reply.text}] if reply.text else []), *made]
            answered: list[Json] = [
                {"functionResponse": {"name": c.name, "response": {"error": notes}}} for c in reply.calls
            ]
        else:
            said = [{"text": text} for text in (reply.text, *(call.arguments for call in reply.calls)) if text]
            answered = [{"text": notes}]
        turns = [{"role": "model", "parts": said}] if said else []
        turns.append({"role": "user", "parts": answered})
        return Request({**request.body, "contents": [*request.body["contents"], *turns]}, request.stream)

    def assemble(self, reply: Reply, head: Json) -> Json:
        """Write a reply as the response that would have carried it whole; `head` is the stream's first event."""
        parts: list[Any] = [{"text": reply.text}] if reply.text else []
        parts += [_made(call) or {"text": call.arguments} for call in reply.calls]
        finish = {"length": "MAX_TOKENS", "filter": "SAFETY", None: None}.get(reply.finish, "STOP")
        candidate: Json = {"content": {"role": "model", "parts": parts}}
        wire: Json = {name: head[name] for name in ("responseId", "modelVersion", "promptFeedback") if name in head}
        if "promptFeedback" not in wire:
            wire["candidates"] = [{**candidate, "finishReason": finish} if finish else candidate]
        if (usage := reply.usage) is not None:
            wire["usageMetadata"] = {
                "promptTokenCount": usage.input_tokens,
                "candidatesTokenCount": usage.output_tokens - usage.reasoning_tokens,
                "thoughtsTokenCount": usage.reasoning_tokens,
                "cachedContentTokenCount": usage.cached_tokens,
                "totalTokenCount": usage.total_tokens,
            }
        return wire

    def _read(self, event: Json, count: int) -> list[Delta]:
        """Read a reply or a piece of one, before which `count` calls came."""
        if event.get("error"):
            error = event["error"]
            raise ProviderError(self._provider, str(error.get("message") or error), error)
        deltas: list[Delta] = []
        candidate: Json = (event.get("candidates") or [{}])[0]
        for part in (candidate.get("content") or {}).get("parts") or ():
            call = part.get("functionCall")
            if call is not None:
                signature = part.get("thoughtSignature")
                call_id = f"{_SIGNED}{signature}" if signature else _CALLED
                deltas.append(Delta(count, json.dumps(call.get("args") or {}), call_id, call.get("name")))
                count += 1
            elif part.get("text") and not part.get("thought"):
                deltas.append(Delta(TEXT, part["text"]))
        blocked = (event.get("promptFeedback") or {}).get("blockReason")
        refusal = f"the prompt was blocked ({blocked})" if blocked else None
        finish, usage = _finish(candidate.get("finishReason")), _usage(event.get("usageMetadata"))
        if finish or usage or refusal:
            deltas.append(Delta(finish=finish, refusal=refusal, usage=usage))
        return deltas


def _ask_by_tool(config: Json, call: Call) -> None:
    tools = [
        {
            "name": tool.name,
            "description": tool.description,
            "parameters_json_schema": fit(tool.schema, GEMINI).schema or tool.schema,
        }
        for tool in call.output.tools
    ]
    config["tools"] = [*(config.get("tools") or ()), {"function_declarations": tools}]
    names = [tool.name for tool in call.output.tools]
    config.setdefault("tool_config", {"function_calling_config": {"mode": "ANY", "allowed_function_names": names}})


def _constrain(config: Json, call: Call) -> None:
    taken = [name for name in ("response_mime_type", "response_schema", "response_json_schema") if name in config]
    if taken:
        raise ConfigurationError(f"{', '.join(taken)} is what {call.mode} sets itself: leave it out.")
    fitted = fit(call.output.schema, GEMINI)
    if fitted.schema is None:
        raise ConfigurationError(
            f"{call.mode} cannot express {call.output.name} on this wire: {'; '.join(fitted.obstacles)}. "
            "Mode.TOOLS can."
        )
    config |= {"response_mime_type": "application/json", "response_json_schema": fitted.schema}


def _made(call: ToolCall) -> Json | None:
    """Write a call as the model made it; None for one that it never made, whose signature nobody has."""
    if call.id != _CALLED and not call.id.startswith(_SIGNED):
        return None
    part: Json = {"functionCall": {"name": call.name, "args": json.loads(call.arguments)}}
    signature = call.id.removeprefix(_SIGNED)
    return part if signature == call.id else {**part, "thoughtSignature": signature}


def _finish(reason: str | None) -> Finish | None:
    if not reason or reason == "FINISH_REASON_UNSPECIFIED":
        return None
    return "filter" if reason in _FILTERED else _CUT.get(reason, "stop")


def _usage(usage: Json | None) -> Usage | None:
    if not usage:
        return None
    thoughts = usage.get("thoughtsTokenCount") or 0
    return Usage(
        (usage.get("promptTokenCount") or 0) + (usage.get("toolUsePromptTokenCount") or 0),
        (usage.get("candidatesTokenCount") or 0) + thoughts,
        usage.get("cachedContentTokenCount") or 0,
        thoughts,
    )
