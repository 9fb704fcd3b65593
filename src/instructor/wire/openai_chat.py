"""The chat-completions wire: `POST /chat/completions`, as OpenAI documents it and many others speak it.

A streamed reply is a sequence of chunks, each with `choices[0].delta`; the one that carries a `finish_reason` is the
terminal event. Only the first choice is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from instructor.engine.call import TEXT, Call, Delta, Finish, Json, Message, Reply
from instructor.engine.ports import Tool
from instructor.exceptions import ProviderError
from instructor.mode import Mode
from instructor.wire.language import Counts, Language, lacking, untaken
from instructor.wire.messages import as_text, called, parts_of
from instructor.wire.schemas import OPENAI, fit


class OpenAIChat(Language):
    """The dialect of one provider that speaks this wire."""

    modes: tuple[Mode, ...] = (
        Mode.TOOLS,
        Mode.TOOLS_STRICT,
        Mode.JSON,
        Mode.JSON_SCHEMA,
        Mode.MD_JSON,
        Mode.PARALLEL_TOOLS,
    )
    subset = OPENAI
    finishes: Mapping[str, Finish] = {
        "stop": "stop",
        "tool_calls": "tool",
        "function_call": "tool",
        "length": "length",
        "max_tokens": "length",
        "model_length": "length",
        "content_filter": "filter",
    }
    counts = Counts(
        ("prompt_tokens",),
        ("completion_tokens",),
        "prompt_tokens_details.cached_tokens",
        "completion_tokens_details.reasoning_tokens",
        "total_tokens",
    )

    def __init__(
        self,
        provider: str,
        *,
        counts_streams: bool = True,
        schema_keys: Sequence[str] = ("name", "description", "schema", "strict"),
    ) -> None:
        """`counts_streams`: takes `stream_options`. `schema_keys`: what a `json_schema` may hold."""
        super().__init__(provider)
        self._counts_streams = counts_streams
        self._schema_keys = schema_keys

    def plain(self, messages: Sequence[Message], options: Mapping[str, Any]) -> Json:
        """Write the body of a request that asks for no shape."""
        return {**options, "messages": self.turns(messages)}

    def turns(self, messages: Sequence[Message], before: Sequence[Json] = ()) -> list[Any]:
        """Write messages as they are, for this is the form that they have; a text among parts becomes one."""
        return [*before, *map(_spelled, messages)]

    def tool(self, tool: Tool, strict: bool) -> Json:
        function: Json = {"name": tool.name, "description": tool.description, "parameters": tool.schema}
        return {"type": "function", "function": {**function, "strict": True} if strict else function}

    def choice(self, body: Json, call: Call) -> Any:
        """Force the tool, where there is one."""
        del body
        return "auto" if call.mode is Mode.PARALLEL_TOOLS else _forced(call.output.name)

    def ask_for_json(self, body: Json, call: Call) -> None:
        """Ask for JSON: for any, or for the schema, held to it where it has a strict form."""
        untaken(body, "response_format", call.mode)
        if call.mode is Mode.JSON:
            body["response_format"] = {"type": "json_object"}
            return
        output, closed = call.output, fit(call.output.schema, self.subset).schema
        told = {"schema": output.schema} if closed is None else {"schema": closed, "strict": True}
        asked: Json = {"name": output.name, "description": output.description, **told}
        known = {key: value for key, value in asked.items() if key in self._schema_keys}
        body["response_format"] = {"type": "json_schema", "json_schema": known}

    def streamed(self, body: Json) -> Json:
        """Ask for a stream, which ends with its tokens where the provider counts them."""
        if not self._counts_streams:
            return {**body, "stream": True}
        return {**body, "stream": True, "stream_options": {"include_usage": True, **(body.get("stream_options") or {})}}

    def whole(self, wire: Json) -> Sequence[Delta]:
        choices = wire.get("choices")
        if not choices or not isinstance(choices[0].get("message"), Mapping):
            raise lacking("choices[0].message", wire)
        return self.delta({**wire, "choices": [{**choices[0], "index": 0}]})

    def delta(self, event: Json) -> Sequence[Delta]:
        if error := event.get("error"):
            told = error.get("message") if isinstance(error, Mapping) else None
            raise ProviderError(self.provider, str(told or error), error)
        choices = event.get("choices")
        if not choices:
            usage = event.get("usage")
            return (Delta(usage=self.counts.read(usage)),) if usage else ()
        choice = choices[0]
        if choice.get("index"):
            return ()
        deltas: list[Delta] = []
        delta = choice.get("delta") or choice.get("message")  # which some servers send, asked for a stream
        if delta:
            older = delta.get("function_call")
            for at, call in enumerate(delta.get("tool_calls") or ([{"function": older}] if older else ())):
                function = call.get("function") or {}
                text = as_text(function.get("arguments") or "")
                deltas.append(Delta(call.get("index", at) or 0, text, call.get("id"), function.get("name")))
            if delta.get("content"):
                deltas.append(Delta(TEXT, text_of(delta["content"])))
            if delta.get("refusal"):
                deltas.append(Delta(refusal=delta["refusal"]))
        finish, usage = choice.get("finish_reason"), event.get("usage")
        if finish == "error":
            raise ProviderError(self.provider, "the reply ended with an error", event)
        if finish or usage:
            deltas.append(Delta(finish=self.finish(finish), usage=self.counts.read(usage)))
        return deltas

    def assemble(self, reply: Reply, head: Json) -> Json:
        """Write a reply as the response that would have carried it whole; `head` is the stream's first event."""
        message: Json = {"role": "assistant", "content": reply.text or None, "refusal": reply.refusal}
        if reply.calls:
            message["tool_calls"] = [called(call) for call in reply.calls]
        finish = self.reason(reply.finish) or "length"
        wire: Json = {
            "id": head.get("id") or "",
            "object": "chat.completion",
            "created": head.get("created") or 0,
            "model": head.get("model") or "",
            "choices": [{"index": 0, "message": message, "finish_reason": finish, "logprobs": None}],
        }
        usage = self.counts.write(reply.usage)
        return {**wire, "usage": usage} if usage else wire


def text_of(content: Any) -> str:
    """Read a content that is a text, a part, or a list of parts of which some are texts."""
    if isinstance(content, str):
        return content
    parts = [content] if isinstance(content, Mapping) else content or ()
    return "".join(part.get("text") or "" for part in parts if isinstance(part, Mapping))


def _spelled(message: Message) -> Message:
    content = message.get("content")
    if isinstance(content, (list, tuple)) and any(isinstance(part, str) for part in content):
        return {**message, "content": parts_of(content)}
    return message


def _forced(name: str) -> Json:
    return {"type": "function", "function": {"name": name}}
