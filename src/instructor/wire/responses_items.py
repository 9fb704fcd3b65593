"""One Responses reply while it comes: which item an event belongs to, and what of it is new.

An item is told by its id, its call's id and its place; proxies leave out each of them, number all items 0, or give an
item another id in each event. Its text comes in deltas, in an opening event, in three closing ones, or in several.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from instructor.engine.call import TEXT, Delta, Json
from instructor.exceptions import ResponseParsingError
from instructor.wire.messages import as_text
from instructor.wire.pieces import Text, mapping, number, objects, word

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

    def may_be(self, kind: str, told: Json, *, marked: bool) -> bool:
        """Return whether an event may be of this item, though no mark says so."""
        if self.kind not in (kind, ""):
            return False
        if not marked:
            return True
        if self.call_id or self.item_id:
            return False
        part = next(iter(objects(told.get("content"))), {})
        texts = (("arguments", told.get("arguments")), ("text", part.get("text")), ("refusal", part.get("refusal")))
        return any(
            said.length and said.tells(_arguments(text))
            for key, text in texts
            if text and (said := self.texts.get((key, 0))) is not None
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
        """Whether no item came."""
        return not self._items

    def piece(self, event: Json, kind: str) -> Iterator[Delta]:
        """Read a delta: `kind` is arguments, text or refusal."""
        item = self._of(event, {}, CALL if kind == "arguments" else MESSAGE)
        told = event.get("delta")
        if item.kind == CALL and told not in (None, [], {}) and not isinstance(told, str):
            raise ResponseParsingError(f"The delta of a call's arguments must be a text, got {told!r}")
        new = item.text(kind, number(event.get("content_index")) or 0).piece(word(told))
        yield from self._said(item, kind, new)

    def told(self, event: Json, kind: str, whole: Any) -> Iterator[Delta]:
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
        told = mapping(item)
        if not told:
            return
        kind = word(told.get("type")) or (MESSAGE if "content" in told else CALL if "arguments" in told else "")
        found = self._of(event, told, kind, opens=opens, place=place)
        if found.kind == CALL:
            yield from self._named(found, told)
            arguments = told.get("arguments")
            if opens:
                begun = _arguments(arguments)
                yield from self._said(found, "arguments", found.text().opening("" if begun == NOTHING else begun))
            else:
                yield from self._closed(found, "arguments", 0, arguments)
        elif found.kind == MESSAGE:
            content = told.get("content")
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

    def _named(self, item: _Item, told: Json) -> Iterator[Delta]:
        """Read a call's name and id, which are told again by later events."""
        name, call_id = word(told.get("name")), word(told.get("call_id"))
        new_name, new_id = name if not item.name else "", call_id if not item.call_id else ""
        if new_name or new_id:
            item.name, item.call_id = item.name or name, item.call_id or call_id
            if item.call_id:
                self._by_call.setdefault(item.call_id, item)
            yield Delta(self._channel(item), "", new_id or None, new_name or None)

    def _of(self, event: Json, told: Json, kind: str, *, opens: bool = False, place: int | None = None) -> _Item:
        """Find the item of an event, or begin one."""
        index = number(event.get("output_index"))
        item_id = word(told.get("id")) or word(event.get("item_id"))
        call_id = word(told.get("call_id")) or word(event.get("call_id"))
        index = place if index is None else index
        found = (
            self._named_so(item_id, call_id, index)
            or self._calling(call_id, index, _arguments(told.get("arguments")))
            or self._placed(index, told, call_id, kind, opens=opens)
        )
        if found is None and not opens:
            marked = bool(item_id or call_id or index is not None)
            found = next((item for item in reversed(self._items) if item.may_be(kind, told, marked=marked)), None)
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

    def _placed(self, index: int | None, told: Json, call_id: str, kind: str, *, opens: bool) -> _Item | None:
        found = self._by_index.get(index) if index is not None else None
        if found is None:
            return None
        if kind and found.kind and kind != found.kind:  # a piece of what is not ours belongs to it all the same
            return found if not told and found.kind not in (CALL, MESSAGE) else None
        item_id = word(told.get("id"))
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


def _arguments(told: Any) -> str:
    """Read whole arguments, which some servers give as an object."""
    return as_text(told) if isinstance(told, dict) else word(told)
