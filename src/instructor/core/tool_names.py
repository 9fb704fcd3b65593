"""Whose call it is: the names of tools, as servers write them, and the calls that the answer's reader may hear.

A name may come in pieces, again in every chunk, after the arguments, or with a server's marks (`functions.Weather:0`,
`Weather<|channel|>commentary`). The names that are known decide: what they cannot explain stays as it came.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from instructor.core.types import Delta, Reply, ToolCall

_APART = re.compile(r"[^\w-]+")
"""What stands between a name and a server's marks around it."""
_MARK = re.compile(r"<\|[^<>|]*\|>")
_OUR_PREFIXES = ("Iterable", "Partial")
"""What we put before the name of a type for a list of it, and for one that grows: a model may leave it out."""
_REUSED = 1 << 20
"""What the channel of a call is moved by when another call is under way in the channel that its wire gave it."""


class Names:
    """The names of the tools that a model knows: the answer's, and the user's own."""

    def __init__(self, answers: Iterable[str], users: Iterable[str] = ()) -> None:
        self.answers, self.users = tuple(answers), frozenset(users)
        self._known = dict.fromkeys((*self.answers, *self.users))
        self._by_folded: dict[str, list[str]] = {}
        for name in self._known:
            self._by_folded.setdefault(_folded(name), []).append(name)

    def of(self, written: str) -> str:
        """Return the known name that a model or a server wrote in its own way; empty where there is none, or several.

        In a name like `functions.Weather:0` it is the last word that is no number, before the first mark `<|`, or after
        the marks with which a name begins.
        """
        if written in self._known:
            return written
        words = _words(written.partition("<|")[0]) or _words(_MARK.sub(" ", written))
        if not words:
            return ""
        if words[-1] in self._known:
            return words[-1]
        for prefix in ("", *_OUR_PREFIXES):
            if matches := self._by_folded.get(_folded(prefix + words[-1]), ()):
                return matches[0] if len(matches) == 1 else ""
        return ""

    def may_become(self, written: str, *, other: str = "") -> bool:
        """Return whether a partial name may be the beginning of a known name other than `other`."""
        words = _APART.split(written)
        begun = _folded(words[-1])
        return any(_folded(name).startswith(begun) for name in self._known if name != other)

    def resolved(self, reply: Reply) -> Reply:
        """Return a whole reply whose calls have the known names."""
        if all(call.name in self._known for call in reply.calls):
            return reply
        return replace(reply, calls=[call._replace(name=self.of(call.name) or call.name) for call in reply.calls])


@dataclass(slots=True)
class _Written:
    """What a wire has written of the name of a call that is under way in a channel of its own."""

    channel: int
    id: str = ""
    name: str = ""
    has_text: bool = False
    """Whether arguments came after the last of the name: what is written now is no piece of it."""


@dataclass(slots=True)
class _Waiting:
    """A call that the answer's reader has not heard of."""

    id: str | None = None
    name: str = ""
    parts: list[str] = field(default_factory=list)


class Naming:
    """Reads the names of one reply's calls, and holds back the calls that are not known to be the answer's.

    The user's own tools are never the answer. A call of a name that nobody knows is, if no other is (`misnamed`): a
    model may call the only tool by another name. A call without a name is the only tool's, unless there are others.
    """

    def __init__(self, names: Names, *, misnamed: bool, named: bool) -> None:
        """`named`: only a name tells whose a call is."""
        self._names, self._misnamed, self._named = names, misnamed and not names.users, named or bool(names.users)
        self._written: dict[int, _Written] = {}
        self.reused = 0
        """How often another call came in a channel: what is around a text no longer tells whose it is."""
        self._passed: set[int] = set()
        self._waiting: dict[int, _Waiting] = {}
        self._strangers: set[int] = set()
        self._came = False
        self.busy = False
        """Whether there is a call that the reader must not hear of, or not yet."""

    def read(self, deltas: Sequence[Delta]) -> Sequence[Delta]:
        """Return deltas whose names are whole as far as they came, and known where that is possible.

        Deltas of text alone, in a channel whose text has begun, need not be shown.
        """
        for delta in deltas:
            if delta.channel >= 0 and (delta.name or self.reused or delta.channel not in self._written):
                return [self._read(each) if each.channel >= 0 else each for each in deltas]
            if delta.channel >= 0 and delta.text:
                self._written[delta.channel].has_text = True
        return deltas

    def heard(self, deltas: Sequence[Delta]) -> Sequence[Delta]:
        """Return what the answer's reader may hear of deltas, with what was held back of the same calls."""
        heard: list[Delta] = []
        for delta in deltas:
            if delta.channel < 0 or delta.channel in self._passed:
                heard.append(delta)
            elif delta.channel not in self._strangers:
                waiting = self._waiting.setdefault(delta.channel, _Waiting())
                waiting.id = delta.id or waiting.id
                waiting.name = delta.name or waiting.name
                waiting.parts.append(delta.text)
                if self._is_known(waiting, delta):
                    heard += self._decided(delta.channel)
        self.busy = bool(self._waiting or self._strangers)
        return heard

    def rest(self) -> list[Delta]:
        """Return what is the answer's of the calls that are held back, now that no name grows any more."""
        heard: list[Delta] = []
        for channel in [channel for channel, call in self._waiting.items() if call.name in self._names.answers]:
            heard += self._decided(channel)
        if not self._came and not self._named:
            for channel, call in list(self._waiting.items()):
                if self._misnamed or not call.name:
                    heard += self._passed_on(channel)
        self._waiting.clear()
        return heard

    def whole(self, deltas: Sequence[Delta]) -> list[Delta]:
        """Return what the answer's reader may hear of a whole reply."""
        names = self._names
        calls = [delta for delta in deltas if delta.channel >= 0]
        if not self._written and all(call.name in names.answers and call.name not in names.users for call in calls):
            for call in calls:
                at, name = call.channel, call.name or ""
                self._written[at] = _Written(at, call.id or "", name, has_text=_is_whole(call.text))
                self._passed.add(at)
                self._came = True
            return list(deltas)
        return [*self.heard(self.read(deltas)), *self.rest()]

    def _is_known(self, call: _Waiting, last: Delta) -> bool:
        if not call.name:
            return not self._named
        if call.name not in self._names.answers and call.name not in self._names.users:
            return False
        return not (last.name and self._names.may_become(call.name, other=call.name)) or _is_whole(last.text)

    def _decided(self, channel: int) -> list[Delta]:
        if self._waiting[channel].name in self._names.users:
            self._strangers.add(channel)
            del self._waiting[channel]
            return []
        self._came = self._came or bool(self._waiting[channel].name)
        return self._passed_on(channel)

    def _passed_on(self, channel: int) -> list[Delta]:
        self._passed.add(channel)
        call = self._waiting.pop(channel)
        return [Delta(channel, "".join(call.parts), call.id, call.name or None)]

    def _read(self, delta: Delta) -> Delta:
        call = self._written.get(delta.channel)
        if call is None:
            call = self._written[delta.channel] = _Written(delta.channel)
            self.busy = True
        if delta.name:
            name = self._joined(call, delta)
            if name is None:
                self.reused += 1
                moved = delta.channel + self.reused * _REUSED
                call = self._written[delta.channel] = _Written(moved, name=delta.name)
                self.busy = True
            else:
                call.name = name
            delta = delta._replace(name=self._names.of(call.name) or call.name)
        call.id = delta.id or call.id
        call.has_text = _is_whole(delta.text) if delta.name else call.has_text or bool(delta.text)
        return delta if delta.channel == call.channel else delta._replace(channel=call.channel)

    def _joined(self, call: _Written, delta: Delta) -> str | None:
        """Return the name of a call with what was written last; None where that is the name of another call.

        Some servers give no index, and all their calls come in one channel: of these only names tell them apart.
        """
        names, was, piece = self._names, call.name, delta.name or ""
        if not was:
            return piece
        whole = was + piece
        joins = bool(names.of(whole)) or names.may_become(whole)
        if piece == was or (names.of(was) and names.of(piece) == names.of(was)):
            return whole if joins and not names.of(was) else was
        another = bool(delta.id and call.id and delta.id != call.id)
        if joins and not another and not (call.has_text and names.of(was)):
            return whole
        if piece.startswith(was) and not names.of(was):  # all of the name so far, each time
            return piece
        return None if another or call.has_text or names.of(piece) else whole


def _words(text: str) -> list[str]:
    return [word for word in _APART.split(text) if word and not word.isdecimal()]


def _folded(name: str) -> str:
    return name.replace("_", "").replace("-", "").casefold()


def _is_whole(text: str) -> bool:
    """Return whether these are all the arguments of a call, so that no piece of a name comes after them."""
    return text.lstrip().startswith("{") and text.rstrip().endswith("}")


def with_ids(calls: Iterable[ToolCall], taken: Iterable[str] = ()) -> list[ToolCall]:
    """Return the calls, each with an id of its own: those that have none, or one that is taken, get a new one.

    A new id is nine letters and digits, because one wire takes no other; all others take those, too.
    """
    used, found, number = set(taken), list[ToolCall](), 0
    calls = list(calls)
    if not used and len(calls) == 1 and calls[0].id:
        return calls
    given = {call.id for call in calls}
    for call in calls:
        call_id = call.id
        while not call_id or call_id in used:
            number += 1
            call_id = f"call{number:05}"
            if call_id in given:
                call_id = ""
        used.add(call_id)
        found.append(call if call_id == call.id else call._replace(id=call_id))
    return found
