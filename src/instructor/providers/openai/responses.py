"""The Responses wire: `POST /responses`, as OpenAI documents it.

A conversation is a list of items: messages, function calls and their outputs side by side. A streamed reply is a
sequence of typed events; `response.completed`, `.incomplete` or `.failed` is the terminal one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from instructor.core.types import TEXT, Call, Delta, Finish, Json, Message, Reply, Request, Tool, ToolCall
from instructor.exceptions import ConfigurationError, ProviderError, ResponseParsingError
from instructor.mode import Mode
from instructor.providers.content import file_of, parts_of
from instructor.providers.dialect import BaseDialect, Counts, lacking
from instructor.providers.errors import complaint, words_of
from instructor.providers.messages import as_text, call_of
from instructor.providers.pieces import Text, mapping, number, objects, word
from instructor.schema.subsets import OPENAI, fit

_ENDS = {
    "response.completed": "completed",
    "response.done": "completed",
    "response.incomplete": "incomplete",
    "response.failed": "failed",
    "response.cancelled": "cancelled",
}
"""The terminal events, and what they say where their response does not say it itself."""


class OpenAIResponses(BaseDialect):
    """The dialect of one provider that speaks this wire."""

    modes = (Mode.RESPONSES_TOOLS,)
    sees_all = True
    subset = OPENAI
    turns_key = messages_name = "input"
    finishes: Mapping[str, Finish] = {"max_output_tokens": "length", "content_filter": "filter"}
    counts = Counts(
        ("input_tokens",),
        ("output_tokens",),
        "input_tokens_details.cached_tokens",
        "output_tokens_details.reasoning_tokens",
        "total_tokens",
    )

    def as_messages(self, messages: Any) -> Any:
        """Return a text as a message of the user."""
        return [{"role": "user", "content": messages}] if isinstance(messages, str) else messages

    def encode_plain(self, messages: Sequence[Message], options: Mapping[str, Any]) -> Json:
        """Write the body of a request that asks for no shape."""
        given = dict(options)
        if "max_tokens" in given:
            if "max_output_tokens" in given:
                raise ConfigurationError("max_tokens and max_output_tokens are the same argument. Use one of them.")
            given["max_output_tokens"] = given.pop("max_tokens")
        return {**given, "input": self.encode_messages(messages)}

    def encode_messages(self, messages: Sequence[Message], before: Sequence[Json] = ()) -> list[Json]:
        """Write messages as items: a chat's tool calls and their results are items of their own."""
        return [*before, *(item for message in messages for item in self._items(message))]

    own_parts = frozenset(
        {
            "input_text",
            "input_image",
            "input_file",
            "input_audio",
            "output_text",
            "refusal",
            "summary_text",
            "reasoning_text",
            "computer_screenshot",
        }
    )
    translated_parts = ("text", "image_url", "file")
    by_address = frozenset(("image_url", "file"))

    def translate_part(self, part: Json) -> Json | None:
        """Return a part of the user's in this wire's form."""
        match part:
            case {"type": "text", "text": text}:
                return {"type": "input_text", "text": text}
            case {"type": "image_url", "image_url": {"url": url} as image}:
                detail = {"detail": image["detail"]} if "detail" in image else {}
                return {"type": "input_image", "image_url": url, **detail}
            case {"type": "file"}:
                file_of(part, by_address=True)  # one without data or id is refused
                return {"type": "input_file", **part["file"]}
        return None

    def _items(self, message: Message) -> list[Json]:
        content, role = message.get("content"), message.get("role")
        if "content" not in message and "tool_calls" not in message:  # an item of this wire's own
            return [dict(message)]
        if role == "tool":
            return [{"type": "function_call_output", "call_id": message.get("tool_call_id"), "output": content}]
        if content is not None and not isinstance(content, str):
            content = [self.encode_part(part) for part in parts_of(content)]
            if role == "assistant":
                content = [
                    {**part, "type": "output_text"} if part["type"] == "input_text" else part for part in content
                ]
        kept = {key: value for key, value in message.items() if key != "tool_calls"}
        calls = [_said(call_of(call)) for call in message.get("tool_calls") or ()]
        return calls if calls and not content else [{**kept, "content": content}, *calls]

    def tool(self, tool: Tool, strict: bool) -> Json:
        """Write a tool; the wire treats a tool as strict unless it says otherwise."""
        del strict
        closed = fit(tool.schema, OPENAI).schema
        tool_json = {"type": "function", "name": tool.name, "description": tool.description}
        return {**tool_json, "parameters": tool.schema if closed is None else closed, "strict": closed is not None}

    def choice(self, body: Json, call: Call) -> Any:
        """Force the tool, but where the user's own tools are to be used before."""
        return "auto" if body.get("tools") else _forced(call.output.name)

    def decode_response(self, wire: Json) -> Iterable[Delta]:
        return self._ended(wire, Items())

    def delta(self, event: Json) -> Iterable[Delta]:
        return self._read(event, Items())

    def reader(self) -> Callable[[Json], Iterable[Delta]]:
        """Return what reads the events of one stream, and knows what of each item came before."""
        items = Items()
        return lambda event: self._read(event, items)

    def _read(self, event: Json, items: Items) -> Iterable[Delta]:
        if items.is_over(event):
            return ()
        match event.get("type"):
            case "response.function_call_arguments.delta":
                return items.piece(event, "arguments")
            case "response.function_call_arguments.done":
                return items.said_whole(event, "arguments", event.get("arguments"))
            case "response.output_text.delta":
                return items.piece(event, "text")
            case "response.output_text.done":
                return items.said_whole(event, "text", event.get("text"))
            case "response.refusal.delta":
                return items.piece(event, "refusal")
            case "response.refusal.done":
                return items.said_whole(event, "refusal", event.get("refusal"))
            case "response.content_part.added":
                return items.part(event, opens=True)
            case "response.content_part.done":
                return items.part(event, opens=False)
            case "response.output_item.added":
                return items.item(event, event.get("item"), opens=True)
            case "response.output_item.done":
                return items.item(event, event.get("item"))
            case str(kind) if kind in _ENDS:
                return self._ended({"status": _ENDS[kind], **_without_nulls(event.get("response"))}, items)
            case None if "output" in event:  # a whole response, where a stream was asked for
                return self._ended(event, items)
            case "error":
                raise self._failure(event.get("error") or event)
            case str():
                return ()
        if error := complaint(event):
            raise self._failure(error)
        return ()

    def correct(self, request: Request, reply: Reply, notes: str) -> Request:
        """Append the reply and the notes; who might have called the tool and did not, must now."""
        made = super().correct(request, reply, notes)
        if reply.calls or made.body.get("tool_choice") != "auto":
            return made
        return Request({**made.body, "tool_choice": _forced(made.body["tools"][-1]["name"])}, made.stream)

    def assemble(self, reply: Reply, head: Json) -> Json:
        """Write a reply as the response that would have carried it whole; `head` is the stream's first event."""
        ended = reply.finish in ("stop", "tool")
        output = [{**_said(call), "id": f"fc_{n}", "status": "completed"} for n, call in enumerate(reply.calls)]
        if reply.text:
            part = {"type": "output_text", "text": reply.text, "annotations": []}
            message = {"type": "message", "id": "msg_0", "role": "assistant", "status": "completed"}
            output.insert(0, {**message, "content": [part]})
        wire: Json = {
            **(head.get("response") or {}),
            "output": output,
            "status": "completed" if ended else "incomplete",
            "incomplete_details": None
            if ended
            else {"reason": self.reason(reply.finish) or reply.reason or "max_output_tokens"},
        }
        usage = self.counts.write(reply.usage)
        if usage:
            usage["input_tokens_details"]["cache_write_tokens"] = 0  # the SDK's type demands it
        return {**wire, "usage": usage} if usage else wire

    def _ended(self, wire: Json, items: Items) -> Iterator[Delta]:
        """Read the end of a reply, with all that came before and was not read yet."""
        status, output = word(wire.get("status")).lower(), wire.get("output")
        usage = self.counts.read(wire.get("usage"))
        yield from items.items(output)
        if status == "failed" or (wire.get("error") and status != "completed"):
            if usage:
                yield Delta(usage=usage)
            raise self._failure(wire.get("error") or _brief(wire))
        if items.none and not isinstance(output, (list, dict)) and "object" not in wire:
            raise self._failure(error) if (error := complaint(wire)) else lacking("output", wire)
        items.ended = not items.none
        yield self._finished(status, mapping(wire.get("incomplete_details")).get("reason"))._replace(usage=usage)

    def _finished(self, status: str, reason: Any) -> Delta:
        """Return why a reply ended: one that goes on, was called off or is cut is not whole."""
        if not status or self.finish(status) == "stop":
            return Delta(finish="stop")
        finish = self.finish(reason) if status == "incomplete" else None
        return Delta(
            finish=finish if finish in ("length", "filter") else "other",
            reason=": ".join(filter(None, (status, word(reason)))),
        )

    def _failure(self, error: Any) -> ProviderError:
        """Return the error that quotes what the provider said."""
        return ProviderError(self.provider, words_of(error), error)


def _without_nulls(response: Any) -> Json:
    return {key: value for key, value in mapping(response).items() if value is not None}


def _brief(wire: Json) -> Json:
    """Return what of a reply tells why it failed."""
    return {key: wire[key] for key in ("status", "error", "incomplete_details", "code") if wire.get(key)} or wire


def _forced(name: str) -> Json:
    return {"type": "function", "name": name}


def _said(call: ToolCall) -> Json:
    return {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments}


CALL, MESSAGE = "function_call", "message"
NOTHING = "{}"
"""Arguments that some servers write where they say none yet."""
_UNSAID = ("reasoning", "thinking", "summary")
"""What the types of parts hold that are thoughts."""


class _Item:
    __slots__ = ("call_id", "channel", "index", "item_id", "kind", "name", "texts")

    def __init__(self, kind: str, index: int | None, item_id: str) -> None:
        self.kind, self.index, self.item_id = kind, index, item_id
        self.channel: int | None = None
        self.call_id = self.name = ""
        self.texts: dict[tuple[str, int], Text] = {}

    def text(self, kind: str = "arguments", part: int = 0) -> Text:
        found = self.texts.get((kind, part))
        if found is None:
            found = self.texts[kind, part] = Text()
        return found

    def may_be(self, kind: str, value: Json, *, marked: bool) -> bool:
        """Return whether an event may be of this item, though no mark says so."""
        if self.kind not in (kind, ""):
            return False
        if not marked:
            return True
        if self.call_id or self.item_id:
            return False
        part = next(iter(objects(value.get("content"))), {})
        texts = (("arguments", value.get("arguments")), ("text", part.get("text")), ("refusal", part.get("refusal")))
        return any(
            known.length and known.tells(_arguments(text))
            for key, text in texts
            if text and (known := self.texts.get((key, 0))) is not None
        )


class Items:
    """The items of one reply."""

    def __init__(self) -> None:
        self._items: list[_Item] = []
        self._by_id: dict[str, _Item] = {}
        self._by_call: dict[str, _Item] = {}
        self._by_index: dict[int, _Item] = {}
        self._channels: set[int] = set()
        self._next = 0
        self._last: Json = {}
        self.ended = False
        """Whether the event came that ends a reply with items."""

    def is_over(self, event: Json) -> bool:
        """Return whether an event is nothing new: the last one once more, by its number, or one after the end."""
        last, self._last = self._last, event
        return self.ended or (bool(number(event.get("sequence_number"))) and event == last)

    @property
    def none(self) -> bool:
        """Return whether no item came."""
        return not self._items

    def piece(self, event: Json, kind: str) -> Iterator[Delta]:
        """Read a delta: `kind` is arguments, text or refusal."""
        item = self._of(event, {}, CALL if kind == "arguments" else MESSAGE)
        piece = event.get("delta")
        if item.kind == CALL and piece not in (None, [], {}) and not isinstance(piece, str):
            raise ResponseParsingError(f"The delta of a call's arguments must be a string, got {piece!r}.")
        new = item.text(kind, number(event.get("content_index")) or 0).piece(word(piece))
        yield from self._said(item, kind, new)

    def said_whole(self, event: Json, kind: str, whole: Any) -> Iterator[Delta]:
        """Read an event that tells a text when it is whole."""
        item = self._of(event, {}, CALL if kind == "arguments" else MESSAGE)
        if item.kind == CALL:
            yield from self._named(item, event)
        yield from self._closed(item, kind, number(event.get("content_index")) or 0, whole)

    def part(self, event: Json, *, opens: bool) -> Iterator[Delta]:
        """Read an event that brings a part of a message."""
        part = mapping(event.get("part"))
        item = self._of(event, {}, MESSAGE)
        if item.kind == MESSAGE:
            yield from self._part(item, number(event.get("content_index")) or 0, part, opens=opens)

    def item(self, event: Json, item: Any, *, opens: bool = False, place: int | None = None) -> Iterator[Delta]:
        """Read an event that brings an item, or an item of a whole reply, which has its place there."""
        value = mapping(item)
        if not value:
            return
        kind = word(value.get("type")) or (MESSAGE if "content" in value else CALL if "arguments" in value else "")
        found = self._of(event, value, kind, opens=opens, place=place)
        if found.kind == CALL:
            yield from self._named(found, value)
            arguments = value.get("arguments")
            if opens:
                begun = _arguments(arguments)
                yield from self._said(found, "arguments", found.text().opening("" if begun == NOTHING else begun))
            else:
                yield from self._closed(found, "arguments", 0, arguments)
        elif found.kind == MESSAGE:
            content = value.get("content")
            for at, part in enumerate(content if isinstance(content, (list, tuple)) else [content]):
                shown = {"text": part} if isinstance(part, str) else mapping(part)
                yield from self._part(found, at, shown, opens=opens)

    def items(self, output: Any) -> Iterator[Delta]:
        """Read the items of a whole reply."""
        for place, item in enumerate(objects(output)):
            yield from self.item({}, item, place=place)

    def _part(self, item: _Item, at: int, part: Json, *, opens: bool) -> Iterator[Delta]:
        if any(each in word(part.get("type")) for each in _UNSAID):
            return
        for kind in ("text", "refusal"):
            if opens:
                yield from self._said(item, kind, item.text(kind, at).opening(word(part.get(kind))))
            else:
                yield from self._closed(item, kind, at, part.get(kind))

    def _closed(self, item: _Item, kind: str, at: int, whole: Any) -> Iterator[Delta]:
        text = _arguments(whole) if kind == "arguments" else word(whole)
        if text == NOTHING and item.text(kind, at).length:  # what some servers write where they say nothing
            return
        if text:
            yield from self._said(item, kind, item.text(kind, at).whole(text, checked=kind == "arguments"))

    def _said(self, item: _Item, kind: str, text: str) -> Iterator[Delta]:
        if not text or item.kind not in (CALL, MESSAGE):
            return
        if kind == "arguments":
            yield Delta(self._channel(item), text)
        else:
            yield Delta(TEXT, text) if kind == "text" else Delta(refusal=text)

    def _named(self, item: _Item, value: Json) -> Iterator[Delta]:
        """Read a call's name and id, which later events repeat."""
        name, call_id = word(value.get("name")), word(value.get("call_id"))
        new_name, new_id = name if not item.name else "", call_id if not item.call_id else ""
        if new_name or new_id:
            item.name, item.call_id = item.name or name, item.call_id or call_id
            if item.call_id:
                self._by_call.setdefault(item.call_id, item)
            yield Delta(self._channel(item), "", new_id or None, new_name or None)

    def _of(self, event: Json, value: Json, kind: str, *, opens: bool = False, place: int | None = None) -> _Item:
        """Find the item of an event, or begin one."""
        index = number(event.get("output_index"))
        item_id = word(value.get("id")) or word(event.get("item_id"))
        call_id = word(value.get("call_id")) or word(event.get("call_id"))
        index = place if index is None else index
        found = (
            self._named_so(item_id, call_id, index)
            or self._calling(call_id, index, _arguments(value.get("arguments")))
            or self._placed(index, value, call_id, kind, opens=opens)
        )
        if found is None and not opens:
            marked = bool(item_id or call_id or index is not None)
            found = next((item for item in reversed(self._items) if item.may_be(kind, value, marked=marked)), None)
        if found is None:
            found = _Item(kind, index, item_id)
            self._items.append(found)
        found.kind = found.kind or kind
        if item_id:
            self._by_id[item_id] = found
        if index is not None and place is None:
            self._by_index[index] = found
        return found

    def _named_so(self, item_id: str, call_id: str, index: int | None) -> _Item | None:
        """Find an item by its id, unless place and call say that it is another one."""
        found = self._by_id.get(item_id) if item_id else None
        if found is None or not (call_id and found.call_id and call_id != found.call_id):
            return found
        return found if index is None or index == found.index else None

    def _calling(self, call_id: str, index: int | None, arguments: str) -> _Item | None:
        """Find an item by its call's id; at another place it is that call only if it says the same."""
        found = self._by_call.get(call_id) if call_id else None
        if found is None or index is None or found.index in (None, index):
            return found
        return found if arguments and found.text().tells(arguments) else None

    def _placed(self, index: int | None, value: Json, call_id: str, kind: str, *, opens: bool) -> _Item | None:
        found = self._by_index.get(index) if index is not None else None
        if found is None:
            return None
        if kind and found.kind and kind != found.kind:  # a piece of what is not ours belongs to it all the same
            return found if not value and found.kind not in (CALL, MESSAGE) else None
        item_id = word(value.get("id"))
        if call_id and found.call_id and call_id != found.call_id:
            return None
        another = opens and item_id and found.item_id and item_id != found.item_id
        return None if another and not (call_id and call_id == found.call_id) else found

    def _channel(self, item: _Item) -> int:
        channel = item.channel
        if channel is None:
            channel = item.index if item.index is not None and item.index not in self._channels else self._next
            item.channel = channel
            self._channels.add(channel)
            self._next = max(self._next, channel + 1)
        return channel


def _arguments(value: Any) -> str:
    """Read whole arguments, which some servers give as an object."""
    return as_text(value) if isinstance(value, dict) else word(value)
