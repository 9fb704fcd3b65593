"""The chat-completions wire: `POST /chat/completions`, as OpenAI documents it and many others speak it.

A streamed reply is a sequence of chunks, each with `choices[0].delta`; the one that carries a `finish_reason` is the
terminal event. Only the first choice is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from instructor.core.types import TEXT, Call, Delta, Finish, Json, Message, Reply, Tool
from instructor.exceptions import MultimodalError, ProviderError
from instructor.mode import Mode
from instructor.providers.content import KINDS, parts_of
from instructor.providers.dialect import BaseDialect, Counts, count_of, failing, lacking, untaken
from instructor.providers.errors import error_of, words_of
from instructor.providers.messages import as_text, called
from instructor.schema.subsets import OPENAI, fit
from instructor.usage import Counted

_SOUNDS = ("wav", "mp3")
"""The formats of audio that OpenAI takes."""


class OpenAIChat(BaseDialect):
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
        is_openai: bool = False,
    ) -> None:
        """`counts_streams`: takes `stream_options`. `schema_keys`: what a `json_schema` may hold.

        `is_openai`: the server is OpenAI's, and what it refuses in content parts is known.
        """
        super().__init__(provider)
        self._counts_streams = counts_streams
        self._schema_keys = schema_keys
        self._is_openai = is_openai

    def encode_plain(self, messages: Sequence[Message], options: Mapping[str, Any]) -> Json:
        """Write the body of a request that asks for no shape."""
        return {**options, "messages": self.encode_messages(messages)}

    def encode_messages(self, messages: Sequence[Message], before: Sequence[Json] = ()) -> list[Any]:
        """Write messages as they are, for this is the form that they have; a text among parts becomes one."""
        return [*before, *map(self._with_parts, messages)]

    own_parts = frozenset((*KINDS, "refusal", "video_url", "audio_url"))
    translated_parts: ClassVar[tuple[str, ...]] = ()

    def _with_parts(self, message: Message) -> Message:
        """Return a message whose content has parts of this wire only; one that has already stays the same object."""
        content = message.get("content")
        if content is None or isinstance(content, str):
            return message
        if isinstance(content, list) and all(map(self._is_written, content)):
            return message
        return {**message, "content": [self.encode_part(part) for part in parts_of(content)]}

    def _is_written(self, part: Any) -> bool:
        if type(part) is not dict or part.get("type") not in self.own_parts:
            return False
        return not self._is_openai or (part["type"] != "input_audio" and "cache_control" not in part)

    def translate_part(self, part: Json) -> Json | None:
        """Return a part as OpenAI takes it: without a mark for a cache of prompts, for it keeps one unasked."""
        match part:
            case {"type": "input_audio", "input_audio": {"format": form}} if self._is_openai and form not in _SOUNDS:
                why = f"{self.provider} takes audio as {' or '.join(_SOUNDS)}, got {form!r}."
                raise MultimodalError(why, content_type=f"audio/{form}")
            case {"type": "image_url" | "file", "cache_control": _} if self._is_openai:
                return {key: value for key, value in part.items() if key != "cache_control"}
        return None

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
        schema_part = {"schema": output.schema} if closed is None else {"schema": closed, "strict": True}
        named: Json = {"name": output.name, "description": output.description, **schema_part}
        known = {key: value for key, value in named.items() if key in self._schema_keys}
        body["response_format"] = {"type": "json_schema", "json_schema": known}

    def streamed(self, body: Json) -> Json:
        """Ask for a stream, which ends with its tokens where the provider counts them."""
        if not self._counts_streams:
            return {**body, "stream": True}
        return {**body, "stream": True, "stream_options": {"include_usage": True, **(body.get("stream_options") or {})}}

    def decode_response(self, wire: Json) -> Iterable[Delta]:
        choice = _first(wire.get("choices"), every=True)
        self._raise_reported(wire, choice)
        if choice is None or not isinstance(choice.get("message"), dict):
            raise lacking("choices[0].message", wire)
        return self.delta({**wire, "choices": [{**choice, "index": 0}]})

    def reader(self) -> Callable[[Json], Iterable[Delta]]:
        """Return what reads one stream: where its text came in deltas, the whole message that some add is a repeat."""
        came = False

        def read(event: Json) -> Iterable[Delta]:
            nonlocal came
            if came and isinstance(choices := event.get("choices"), list) and any(map(_has_message, choices)):
                event = {**event, "choices": [_without_message(choice) for choice in choices]}
            deltas = self.delta(event)
            if not came and isinstance(deltas, list):
                came = any(delta.text for delta in deltas)
            return deltas

        return read

    def delta(self, event: Json) -> Iterable[Delta]:
        choice = _first(event.get("choices"))
        if choice is None or "error" in event or "base_resp" in event or "error" in choice:
            self._raise_reported(event, choice)
        has_usage = event.get("usage") or (choice is not None and choice.get("usage")) or "x_groq" in event
        usage = self._usage(event, choice or {}) if has_usage else None
        if choice is None:
            return (Delta(usage=usage),) if usage else ()
        deltas = self._deltas(choice)
        reason = choice.get("finish_reason")
        if reason == "error":
            deltas += [Delta(usage=usage)] if usage else []
            return failing(deltas, ProviderError(self.provider, "the reply ended with an error", event))
        if reason or usage:
            deltas.append(self.ending(reason, usage))
        return deltas

    def _raise_reported(self, event: Json, choice: Mapping[str, Any] | None) -> None:
        error = error_of(event, answers=choice is not None)
        if error is None and choice is not None:
            error = choice.get("error")
        if error:
            raise ProviderError(self.provider, words_of(error), error)

    def _usage(self, event: Json, choice: Mapping[str, Any]) -> Counted | None:
        """Read the counts of tokens, wherever a server has them."""
        usage = event.get("usage") or choice.get("usage")
        if usage is None and isinstance(theirs := event.get("x_groq"), dict):
            usage = theirs.get("usage")
        return self.counts.read(usage) if usage else None

    def _deltas(self, choice: Mapping[str, Any]) -> list[Delta]:
        """Read what a choice says of the answer; what is odd in it is passed over."""
        message = choice.get("delta") or choice.get("message")  # which some servers send, asked for a stream
        deltas: list[Delta] = []
        if not isinstance(message, dict):
            return deltas
        calls, older = message.get("tool_calls"), message.get("function_call")
        if not calls and older:
            calls = [{"function": older}]
        for at, call in enumerate(calls if isinstance(calls, list) else ()):
            function = call.get("function") if isinstance(call, dict) else None
            if isinstance(function, dict):
                text = as_text(function.get("arguments") or "")
                index = count_of(call.get("index"))
                deltas.append(
                    Delta(at if index is None else index, text, _word(call.get("id")), _word(function.get("name")))
                )
        if (content := message.get("content")) and (text := text_of(content)):
            deltas.append(Delta(TEXT, text))
        if (refusal := message.get("refusal")) and isinstance(refusal, str):
            deltas.append(Delta(refusal=refusal))
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
    parts = [content] if isinstance(content, dict) else content if isinstance(content, list) else ()
    texts = (part.get("text") for part in parts if isinstance(part, dict))
    return "".join(text for text in texts if isinstance(text, str))


def _first(choices: Any, *, every: bool = False) -> Mapping[str, Any] | None:
    """Return the first choice; None where there is none, or, unless `every` one will do, where it has another index."""
    if type(choices) is list and len(choices) == 1 and type(only := choices[0]) is dict and only.get("index") == 0:
        return only  # what nearly all events have
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict) and (every or not count_of(choice.get("index"))):
            return choice
    return None


def _has_message(choice: Any) -> bool:
    return isinstance(choice, dict) and "message" in choice


def _without_message(choice: Any) -> Any:
    return {key: value for key, value in choice.items() if key != "message"} if _has_message(choice) else choice


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _forced(name: str) -> Json:
    return {"type": "function", "function": {"name": name}}


OLDER: Mapping[Mode, Mode] = {Mode.FUNCTIONS: Mode.TOOLS, Mode.JSON_O1: Mode.JSON_SCHEMA}
"""What the older names of modes mean to all that speak this wire."""
NOT_STRICT: Mapping[str, Any] = {
    "modes": tuple(mode for mode in OpenAIChat.modes if mode is not Mode.TOOLS_STRICT),
    "legacy": {**OLDER, Mode.TOOLS_STRICT: Mode.TOOLS},
}
"""The facts of a provider that holds no tool's arguments to their schema."""
