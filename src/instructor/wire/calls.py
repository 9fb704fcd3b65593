"""The tool calls of one reply, on wires whose pieces name a call by an index, by an id, by both or not at all."""

from __future__ import annotations

from instructor.engine.call import Delta
from instructor.wire.pieces import Text, is_json


class _Call:
    __slots__ = ("call_id", "channel", "index", "text")

    def __init__(self, channel: int, index: int | None, call_id: str) -> None:
        self.channel, self.index, self.call_id = channel, index, call_id
        self.text = Text()


class Calls:
    """Tells calls apart, and gives of each piece what is new in it: some servers send a call twice."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._by_id: dict[str, _Call] = {}
        self._by_index: dict[int, _Call] = {}
        self._channels: set[int] = set()
        self._next = 0

    def read(self, index: int | None, call_id: str, name: str, text: str, *, opens: bool = False) -> Delta:
        """Read a piece of a call; `opens`: the pieces after it may repeat its text."""
        call = self._found(index, call_id, text, begins=opens or bool(name))
        if call is None:
            call = self._begun(index, call_id)
        if index is not None:
            self._by_index[index] = call
        if call_id and not call.call_id:
            call.call_id = call_id
        if call_id:
            self._by_id[call_id] = call
        new = call.text.again(text) if text else ""
        if new is None:
            new = call.text.opening(text) if opens and not call.text.length else call.text.piece(text)
        return Delta(call.channel, new, call_id or None, name or None)

    def _found(self, index: int | None, call_id: str, text: str, *, begins: bool) -> _Call | None:
        call = self._by_id.get(call_id) if call_id else None
        if call is not None:
            return None if self._is_another(call, index, text) else call
        if index is not None:
            call = self._by_index.get(index)
            return None if call is not None and call_id and call.call_id else call
        if self._calls and not call_id and not begins:
            return self._calls[-1]
        return None

    def _is_another(self, call: _Call, index: int | None, text: str) -> bool:
        """Whether a piece with the id of a call begins another: some servers give all calls one id."""
        if index is not None and call.index is not None and index != call.index:
            return not (text and call.text.tells(text))
        return text.lstrip().startswith("{") and call.text.is_whole and is_json(text) and not call.text.tells(text)

    def _begun(self, index: int | None, call_id: str) -> _Call:
        channel = index if index is not None and index not in self._channels else self._next
        self._channels.add(channel)
        self._next = max(self._next, channel + 1)
        call = _Call(channel, index, call_id)
        self._calls.append(call)
        return call
