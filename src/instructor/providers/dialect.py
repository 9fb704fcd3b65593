"""What the dialects of this house have in common; each says only what is its own.

A message is written in one way by everybody, as the chat-completions wire has it (`role`, `content`, `tool_calls`,
`tool_call_id`), and a dialect translates it in `turns`: the user's messages and our corrections go the same way.
"""

from __future__ import annotations

import abc
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from typing import Any, ClassVar, NamedTuple

from instructor.core import prompts
from instructor.core.events import ResponseAccumulator
from instructor.core.types import PROVEN, Call, Delta, Finish, Json, Message, Output, Reply, Request, Tool
from instructor.exceptions import ConfigurationError, ProviderError, ResponseParsingError
from instructor.mode import Mode
from instructor.providers.content import kind_of, refused
from instructor.providers.messages import as_text, spoken, tool_names, with_last_user, with_system, with_valid_ids
from instructor.schema.subsets import Subset, fit
from instructor.usage import Counted

_MEANT: Mapping[Finish, str] = {
    "stop": "stop eos eos_token stop_sequence end_turn end_of_turn eot eot_token complete completed done finished end"
    " end_of_text endoftext end_of_sequence normal",
    "tool": "tool_use tool_call tool_calls function_call function_calls",
    "length": "length max_tokens model_length max_output_tokens max_new_tokens max_length token_limit max_output"
    " context_length model_context_window_exceeded",
    "filter": "content_filter content_filtered filter safety recitation sensitive blocklist prohibited_content spii"
    " error_toxic",
}
_ENDINGS: Mapping[str, Finish] = {word: meant for meant, words in _MEANT.items() for word in words.split()}
"""Words for endings that servers use on other wires than their own. A word that is in no table proves nothing."""
_NO_ENDING = frozenset(("null", "none", "undefined"))
"""Words that some servers write where others have null."""
_SHOWN = 200
"""Characters of an ending's words that are quoted."""
_MOST_DIGITS = 30


class Counts(NamedTuple):
    """The names under which a wire tells of tokens: several add up, a dot goes a level down."""

    input: Sequence[str]
    output: Sequence[str]
    cached: str = ""
    reasoning: str = ""
    total: str = ""

    def read(self, counts: Any) -> Counted | None:
        """Return the counts that a wire says; None where it says none that can be one."""
        if not isinstance(counts, dict):
            return None
        groups: tuple[dict[str, int], ...] = ({}, {}, {}, {})
        for names, group in zip((self.input, self.output, (self.cached,), (self.reasoning,)), groups, strict=True):
            for name in names:
                count = counts.get(name) if "." not in name else _below(counts, name)
                if count is not None and (count := count_of(count)) is not None:
                    group[name] = count
        return Counted(*groups) if any(groups) else None

    def write(self, counted: Counted | None) -> Json:
        """Return token counts under all the wire's names, because the SDK's types require them."""
        counts: Json = {}
        if counted is not None:
            names = dict.fromkeys((*self.input, *self.output, self.cached, self.reasoning), 0)
            counts = {**names, **counted.cached, **counted.reasoning, **counted.input, **counted.output}
            for name, count in {**counts, self.total: counted.input_tokens + counted.output_tokens}.items():
                *above, last = name.split(".")
                if last:
                    reduce(lambda level, key: level.setdefault(key, {}), above, counts)[last] = count
        return counts


class BaseDialect(abc.ABC):
    """A dialect, but for what `plain`, `turns`, `tool`, `choice`, `whole`, `delta` and `assemble` say of its own."""

    modes: tuple[Mode, ...]
    subset: ClassVar[Subset]
    """What its strict schemas may hold."""
    finishes: Mapping[str, Finish]
    """Why a reply ended, by the wire's words; the first of those that mean the same is the one that is written."""
    counts: ClassVar[Counts]
    prompted: ClassVar[Sequence[Mode]] = (Mode.JSON, Mode.MD_JSON)
    """The modes whose schema stands in the prompt."""
    turns_key: str = "messages"
    """The key of a request's body that holds the conversation."""
    says_stream: ClassVar[bool] = True
    """Whether a body says that a stream is wanted; otherwise another method is called."""
    messages_name: str = "messages"
    """The wire's name for messages. They may be passed by it, too."""
    sees_all: bool = False
    """Whether later events repeat earlier text, so that a stream's reader must see each event."""
    own_parts: ClassVar[frozenset[str]] = frozenset()
    """The kinds of content parts in the wire's own form, which go through unchanged."""
    translated_parts: ClassVar[tuple[str, ...]] = ("text", "image_url")
    """The kinds of `ContentPart` that `translate_part` knows."""
    by_address: ClassVar[frozenset[str]] = frozenset(("image_url",))
    """The kinds of `ContentPart` that may have an address instead of bytes."""
    schemes: ClassVar[tuple[str, ...]] = ("https://", "http://")
    """How these addresses begin."""
    wrong: ClassVar[Json] = {}
    """What marks a tool's result as an error."""

    def __init__(self, provider: str) -> None:
        self.provider = provider

    @abc.abstractmethod
    def encode_plain(self, messages: Sequence[Message], options: Mapping[str, Any]) -> Json:
        """Write the body of a request that asks for no shape."""

    @abc.abstractmethod
    def encode_messages(self, messages: Sequence[Message], before: Sequence[Json] = ()) -> list[Json]:
        """Write messages after those that are written already."""

    @abc.abstractmethod
    def tool(self, tool: Tool, strict: bool) -> Json:
        """Write a tool; its schema is in its strict form already where it is to be held to it."""

    @abc.abstractmethod
    def decode_response(self, wire: Json) -> Iterable[Delta]:
        """Read a whole response, as one event that brings all."""

    @abc.abstractmethod
    def delta(self, event: Json) -> Iterable[Delta]: ...

    def reader(self) -> Callable[[Json], Iterable[Delta]]:
        """Return what reads the events of one stream; a wire whose events depend on earlier ones has a reader."""
        return self.delta

    def resume(self, request: Request, reply: Reply) -> Request | None:
        """Return the request by which a paused reply goes on: None, for most wires have no paused replies."""
        del request, reply
        return None

    def translate_part(self, part: Json) -> Json | None:
        """Return a `ContentPart` in the wire's own form; None if the wire has nothing like it."""
        del part
        return None

    def encode_part(self, part: Json) -> Json:
        """Return a part of a message as the wire has it.

        Raises:
            ConfigurationError: The wire does not take this kind of part; the error says what it takes.
        """
        if (translated := self.translate_part(part)) is not None:
            return translated
        if self.is_own_part(part):
            return part
        raise refused(part, self.provider, (*self.translated_parts, *sorted(self.own_parts)))

    def is_own_part(self, part: Json) -> bool:
        """Return whether a part is in the wire's own form."""
        return kind_of(part) in self.own_parts

    def takes_address(self, kind: str, url: str) -> bool:
        """Return whether a content part of this kind may have this address instead of bytes."""
        return kind in self.by_address and url.lower().startswith(self.schemes)

    def as_messages(self, messages: Any) -> Any:
        """Return messages in the SDK's own forms as dicts with a role and a content."""
        return messages

    def user_tool_names(self, options: Mapping[str, Any]) -> frozenset[str]:
        """Return the names of the tools that the user passed with a call."""
        tools = options.get("tools")
        return frozenset(tool_names(tools)) if tools else frozenset()

    @abc.abstractmethod
    def assemble(self, reply: Reply, head: Json) -> Json: ...

    def encode(self, call: Call) -> Request:
        """Write the request of a call."""
        mode, messages = call.mode, call.messages
        if mode is Mode.MD_JSON:
            messages = with_last_user(messages, prompts.CODE_BLOCK)
        if mode in self.prompted:
            about = {"title": call.output.name, "description": call.output.description}
            messages = self.with_instruction(messages, prompts.schema({**about, **call.output.schema}))
        body = self.encode_plain(messages, call.options)
        if mode.by_tool:
            taken = self.user_tool_names(call.options) & {tool.name for tool in call.output.tools}
            if taken:
                raise ConfigurationError(
                    f"tools= has a tool named {min(taken)!r}, the name of the answer's tool. Rename one of them."
                )
            strict, tools = mode is Mode.TOOLS_STRICT, call.output.tools
            tools_sent = [tool._replace(schema=self.strict(tool, mode)) for tool in tools] if strict else tools
            self.ask_by_tool(body, call, [self.tool(tool, strict) for tool in tools_sent])
        elif mode is not Mode.MD_JSON:
            self.ask_for_json(body, call)
        return Request(self.streamed(body) if call.stream and self.says_stream else body, call.stream)

    def with_instruction(self, messages: Sequence[Message], text: str) -> Sequence[Message]:
        """Add a text to what the system says."""
        return with_system(messages, text)

    def ask_by_tool(self, body: Json, call: Call, tools: Sequence[Json]) -> None:
        """Put the answer's tools beside the user's own, and say that one of them is to be called."""
        if body.get("tool_choice") is None:
            body["tool_choice"] = self.choice(body, call)
        body["tools"] = [*(body.get("tools") or ()), *tools]

    @abc.abstractmethod
    def choice(self, body: Json, call: Call) -> Any:
        """Return the wire's value for the tool that must be called."""

    def ask_for_json(self, body: Json, call: Call) -> None:  # noqa: B027 - where the prompt has said all
        """Ask for text that is JSON, held to the schema where the mode says so."""

    def streamed(self, body: Json) -> Json:
        """Ask for a stream."""
        return {**body, "stream": True}

    def decode(self, wire: Json) -> Reply:
        """Read a whole response, which has ended, said or not."""
        gathered = ResponseAccumulator()
        try:
            gathered.add(self.decode_response(wire))
        except ProviderError as error:
            if not gathered.characters:
                raise
            return replace(gathered.reply(), broke=error)  # as in a stream, what came before counts
        gathered.finish = gathered.finish or "stop"
        return gathered.reply()

    def correct(self, request: Request, reply: Reply, notes: str) -> Request:
        """Append the reply and the notes, as the result of each of its calls where there are any."""
        if reply.calls and not self.answerable(request, reply):
            reply = Reply("\n".join(filter(str.strip, [reply.text, *(call.arguments for call in reply.calls)])))
        before = request.body[self.turns_key]
        if reply.calls:
            reply = replace(reply, calls=with_valid_ids(reply.calls, before))
        turns = self.encode_messages(spoken(reply, notes, self.wrong), before)
        return Request({**request.body, self.turns_key: turns}, request.stream)

    def answerable(self, request: Request, reply: Reply) -> bool:
        """Return whether a reply's calls may be shown as calls; otherwise they are shown as text."""
        del request, reply
        return True

    def finish(self, reason: Any) -> Finish | None:
        """Return why a reply ended, read without regard to case; None where it has not, "other" for unknown words."""
        if not reason:
            return None
        if not isinstance(reason, str):
            return "other"
        known = self.finishes.get(reason) or _ENDINGS.get(reason.lower())
        return known or (None if reason.lower() in _NO_ENDING else "other")

    def ending(self, reason: Any, usage: Counted | None = None, refusal: str | None = None, note: str = "") -> Delta:
        """Return the delta of an ending; words that say more than `finish` does are kept, for an error to quote."""
        finish = self.finish(reason)
        plain = finish is None or finish in PROVEN or (finish == "length" and reason == self.reason("length"))
        words = [as_text(reason)[:_SHOWN] if reason else "", note]
        reason = "" if plain and not note else ": ".join(filter(None, words))
        return Delta(finish=finish, refusal=refusal, usage=usage, reason=reason)

    def reason(self, finish: Finish | None) -> str | None:
        """Write why a reply ended."""
        return next((reason for reason, meant in self.finishes.items() if meant == finish), None)

    def strict(self, answer: Tool | Output, mode: Mode) -> Json:
        """Return the form of a schema that the decoding is held to; a ConfigurationError where it has none."""
        fitted = fit(answer.schema, self.subset)
        if fitted.schema is None:
            why = "; ".join(fitted.obstacles)
            raise ConfigurationError(f"{mode} cannot express {answer.name} for {self.provider}: {why}. Mode.TOOLS can.")
        return fitted.schema

    def fitted(self, schema: Json) -> Json:
        """Return the same form, or the schema as it is where it has none."""
        return fit(schema, self.subset).schema or schema


def untaken(body: Mapping[str, Any], name: str, mode: Mode) -> None:
    """Raise where the user has set what a mode sets itself."""
    if body.get(name) is not None:
        raise ConfigurationError(
            f"{name}={body[name]!r} is set by {mode} itself. Leave it out, or use response_model=None."
        )


def lacking(what: str, wire: Json) -> ResponseParsingError:
    """Make the error that says what a response has not."""
    shown = as_text(wire)[:300]
    return ResponseParsingError(f"The response has no {what}: {shown}", text=shown)


def failing(deltas: Iterable[Delta], error: Exception) -> Iterator[Delta]:
    """Yield what came before the provider failed, then raise what it says of that."""
    yield from deltas
    raise error


def _below(level: Any, name: str) -> Any:
    """Return what stands under a name with dots; None where there is nothing."""
    for key in name.split("."):
        level = level.get(key) if isinstance(level, dict) else None
    return level


def count_of(value: Any) -> int | None:
    """Read a number that counts something, which some servers write as a text or as a fraction; None for any other."""
    if type(value) is int and value >= 0:
        return value
    if isinstance(value, str) and value.strip().isascii() and len(value) < _MOST_DIGITS and value.strip().isdigit():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return int(value) if 0 <= value < math.inf and value == int(value) else None
