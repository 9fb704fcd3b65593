"""Cohere's second version of chat: `POST /v2/chat`. It asks as OpenAI's wire does, and answers in its own way.

A streamed reply is a sequence of typed events; `message-end`, which has the finish reason, is the terminal one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from instructor.engine.call import TEXT, Call, Delta, Finish, Json, Message, Reply
from instructor.exceptions import ProviderError
from instructor.mode import Mode
from instructor.wire.calls import Calls
from instructor.wire.complaints import complaint, words_of
from instructor.wire.language import Counts, failing, lacking, untaken
from instructor.wire.messages import as_text, called
from instructor.wire.openai_chat import OpenAIChat, text_of
from instructor.wire.pieces import mapping, number, objects, word
from instructor.wire.schemas import COHERE

_NAMES = {"top_p": "p", "top_k": "k", "stop": "stop_sequences", "max_completion_tokens": "max_tokens"}
_FAILED = ("ERROR", "TIMEOUT", "ERROR_TOXIC")
_KEYS = ("role", "content", "tool_calls", "tool_plan", "tool_call_id", "citations")


class Cohere(OpenAIChat):
    """The dialect of one provider that speaks this wire."""

    sees_all = True
    subset = COHERE
    modes = (Mode.TOOLS, Mode.JSON, Mode.JSON_SCHEMA, Mode.MD_JSON, Mode.PARALLEL_TOOLS)
    says_stream = False
    finishes: Mapping[str, Finish] = {
        "COMPLETE": "stop",
        "TOOL_CALL": "tool",
        "MAX_TOKENS": "length",
        "ERROR_LIMIT": "length",
    }
    counts = Counts(("tokens.input_tokens",), ("tokens.output_tokens",), "cached_tokens")

    def plain(self, messages: Sequence[Message], options: Mapping[str, Any]) -> Json:
        """Write a request that asks for no shape."""
        body = super().plain(messages, {_NAMES.get(name, name): value for name, value in options.items()})
        if isinstance(body.get("stop_sequences"), str):
            body["stop_sequences"] = [body["stop_sequences"]]
        return body

    def turns(self, messages: Sequence[Message], before: Sequence[Json] = ()) -> list[Json]:
        """Write messages with the keys that this wire knows."""
        turns = [{key: turn[key] for key in _KEYS if turn.get(key) not in (None, "")} for turn in messages]
        return [*before, *({**turn, "role": "system"} if turn["role"] == "developer" else turn for turn in turns)]

    def choice(self, body: Json, call: Call) -> str:
        """Force any tool."""
        del body, call
        return "REQUIRED"

    def ask_for_json(self, body: Json, call: Call) -> None:
        """Ask for JSON, held to the schema where the mode says so."""
        untaken(body, "response_format", call.mode)
        held = call.mode is Mode.JSON_SCHEMA
        schema = {"schema": self.strict(call.output, call.mode)} if held else {}
        body["response_format"] = {"type": "json_object", **schema}

    def whole(self, wire: Json) -> Iterable[Delta]:
        message = wire.get("message")
        if not isinstance(message, Mapping):
            if error := complaint(wire):
                raise ProviderError(self.provider, words_of(error), error)
            raise lacking("message", wire)
        calls = Calls()
        listed = enumerate(objects(message.get("tool_calls")))
        deltas = [Delta(TEXT, text_of(message.get("content"))), *(_read(calls, at, call) for at, call in listed)]
        return self._ended(wire, deltas)

    def delta(self, event: Json) -> Iterable[Delta]:
        return self._event(event, Calls())

    def reader(self) -> Callable[[Json], Iterable[Delta]]:
        """Return what reads the events of one stream, and knows the calls that came before."""
        calls = Calls()
        return lambda event: self._event(event, calls)

    def _event(self, event: Json, calls: Calls) -> Iterable[Delta]:
        delta = mapping(event.get("delta"))
        message = mapping(delta.get("message"))
        match event.get("type"):
            case "tool-call-start" | "tool-call-delta" as kind:
                opens = kind == "tool-call-start"
                index = number(event.get("index"))
                return [_read(calls, index, call, opens=opens) for call in objects(message.get("tool_calls"))[:1]]
            case "content-start" | "content-delta":
                text = text_of(message.get("content"))  # thoughts are parts without a text
                return (Delta(TEXT, text),) if text else ()
            case "message-end":
                return self._ended(delta, [])
            case None if isinstance(event.get("message"), Mapping):  # a whole response, where a stream was asked for
                return self.whole(event)
            case _ if error := complaint(event):  # of any type: the SDK calls what it does not know a start
                raise ProviderError(self.provider, words_of(error), error)
        return ()

    def assemble(self, reply: Reply, head: Json) -> Json:
        """Write a reply as the response that would have carried it whole; `head` is the stream's first event."""
        message: Json = {"role": "assistant"}
        if reply.text or not reply.calls:
            message["content"] = [{"type": "text", "text": reply.text}]
        if reply.calls:
            message["tool_calls"] = [called(call) for call in reply.calls]
        wire = {"id": head.get("id") or "", "finish_reason": self.reason(reply.finish) or "ERROR", "message": message}
        usage = self.counts.write(reply.usage)
        return {**wire, "usage": usage} if usage else wire

    def _ended(self, wire: Json, before: list[Delta]) -> Iterable[Delta]:
        """Read the end of a reply, after what it brought."""
        reason, usage = wire.get("finish_reason"), mapping(wire.get("usage"))
        tokens = usage.get("tokens") or usage.get("billed_units")
        counted = self.counts.read({**usage, "tokens": tokens}) if tokens else None
        if isinstance(reason, str) and reason.upper() in _FAILED:
            error = wire.get("error")
            said = f"the reply ended with {reason}" + (f": {words_of(error)}" if error else "")
            return failing([*before, Delta(usage=counted)], ProviderError(self.provider, said, wire))
        return [*before, self.ending(reason, counted)]


def _read(calls: Calls, index: int | None, call: Json, *, opens: bool = False) -> Delta:
    function = mapping(call.get("function"))
    text = as_text(function.get("arguments") or "")
    return calls.read(index, word(call.get("id")), word(function.get("name")), text, opens=opens)
