"""Hypothesis strategies for replies of a model: right, wrong, cut, broken, and corrected when it is asked to.

Needs `hypothesis` (`pip install hypothesis`). Import it as `from instructor.testing import strategies`.

    values(T)      JSON values that are valid for the type T
    spellings(v)   texts that are the JSON value v, with other white space, escapes and order of keys
    cuttings()     ways to cut a reply into events, writes and bytes: keywords of a reply
    turns()        what one reply does wrong: wrong items, an early end, repeats, prose
    scripts(T)     a model that knows a list of T, answers what it is asked for, and errs on the way
    answers(T)     a model that knows one T, answers with it, and errs on the way

A script is a function for `Scripted`. It reads each request as a model would: the first one, one that asks for the
corrected versions of wrong items, or one that asks to go on after the last item. `script.items` is what a correct
client delivers, each item once, whatever went wrong on the way; `script.truth` is the one value of `answers`.
"""

from __future__ import annotations

import abc
import difflib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from instructor.testing.faults import count_events
from instructor.testing.replies import Answer, Asked, Faults, Json, Reply, ToolCall
from instructor.testing.wires import wire_of

Ending = Literal["end", "length", "cut", "drop", "error", "malformed", "half_utf8", "unknown"]
"""How a reply ends: whole; at the length limit; without a last event; with a lost connection; with an error of the
provider; with an event that is not JSON; inside a character; or with a finish reason that nobody knows."""

ENDINGS: tuple[Ending, ...] = ("end", "length", "cut", "drop", "error", "malformed", "half_utf8", "unknown")
PROSE = (
    "",
    "",
    "",
    "Here you are:\n",
    "As Table [1] says, and (2) too:\n",
    "<think>Is it {x}, [0] or {'y'}?</think>\n",
    'I found "several\nitems", see [1] and {b}:\n',
)
"""What a model writes before its JSON where it answers in text."""

_TEXT = st.text(
    st.one_of(st.sampled_from('aé"\\/{}[],:\n\t😀\u2028 '), st.characters(exclude_categories=["Cs"])), max_size=12
)
_MARK = re.compile(r"wrong item (\d+)")
_GO_ON = re.compile(r"after \d+ items?")


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for JSON values (as `json.loads` gives them) that are valid for a type.

    Args:
        kind: any type that pydantic's `TypeAdapter` takes.

    Example:
        >>> values(User)  # {"name": "Ann", "age": 3}, ...
    """
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    schema = adapter.json_schema()

    def valid(value: Any) -> bool:
        try:
            adapter.validate_json(json.dumps(value), strict=True)
        except ValidationError:
            return False
        return True

    return _of(schema, schema.get("$defs", {}), 0).filter(valid)


def _of(schema: Json, defs: Json, depth: int) -> st.SearchStrategy[Any]:
    """Return a strategy for what a JSON Schema describes, as far as pydantic writes such schemas."""
    if "$ref" in schema:
        return st.deferred(lambda: _of(defs[schema["$ref"].rsplit("/", 1)[-1]], defs, depth + 1))
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    for key in ("anyOf", "oneOf"):
        if key in schema:
            plain = [part for part in schema[key] if depth < _DEEPEST or part.get("type") in _SCALARS]
            return st.one_of([_of(part, defs, depth + 1) for part in plain or schema[key]])
    if "allOf" in schema:
        return _of({**schema["allOf"][0], **{k: v for k, v in schema.items() if k != "allOf"}}, defs, depth)
    make = _MAKERS.get(str(schema.get("type")))
    return make(schema, defs, depth) if make else st.one_of(st.none(), st.booleans(), st.integers(-99, 99), _TEXT)


_ALL = 10**6
_LARGE = 10**9
_DEEPEST = 4
_CLOSING = 4
"""Events that may come after the last of an answer: its end, its tokens, `[DONE]`."""
_SCALARS = ("null", "boolean", "integer", "number", "string")


def _object(schema: Json, defs: Json, depth: int) -> st.SearchStrategy[Any]:
    fields = {name: _of(part, defs, depth + 1) for name, part in schema.get("properties", {}).items()}
    required = set(schema.get("required", ()))
    made = st.fixed_dictionaries(
        {name: part for name, part in fields.items() if name in required},
        optional={name: part for name, part in fields.items() if name not in required},
    )
    others = schema.get("additionalProperties")
    if fields or others is False:
        return made
    inner = _of(others if isinstance(others, dict) else {}, defs, depth + 1)
    return st.dictionaries(_TEXT, inner, max_size=0 if depth > _DEEPEST else 3)


def _array(schema: Json, defs: Json, depth: int) -> st.SearchStrategy[Any]:
    if "prefixItems" in schema:
        return st.tuples(*(_of(part, defs, depth + 1) for part in schema["prefixItems"])).map(list)
    least, most = schema.get("minItems", 0), schema.get("maxItems", 3)
    most = max(least, 0 if depth > _DEEPEST else min(most, least + 3))
    unique = str if schema.get("uniqueItems") else None
    return st.lists(_of(schema.get("items", {}), defs, depth + 1), min_size=least, max_size=most, unique_by=unique)


def _integer(schema: Json, _defs: Json, _depth: int) -> st.SearchStrategy[Any]:
    low, high = schema.get("minimum"), schema.get("maximum")
    if "exclusiveMinimum" in schema:
        low = schema["exclusiveMinimum"] + 1
    if "exclusiveMaximum" in schema:
        high = schema["exclusiveMaximum"] - 1
    step = schema.get("multipleOf", 1)
    if low is None:
        low = -_LARGE if high is None else high - _LARGE
    if high is None:
        high = low + 2 * _LARGE
    return st.integers(-(-low // step), high // step).map(lambda count: count * step)


def _number(schema: Json, _defs: Json, _depth: int) -> st.SearchStrategy[Any]:
    low, high = schema.get("minimum"), schema.get("maximum")
    low = schema.get("exclusiveMinimum") if low is None else low
    high = schema.get("exclusiveMaximum") if high is None else high
    return st.floats(
        low, high, exclude_min="exclusiveMinimum" in schema, exclude_max="exclusiveMaximum" in schema,
        allow_nan=False, allow_infinity=False,
    )  # fmt: skip


def _string(schema: Json, _defs: Json, _depth: int) -> st.SearchStrategy[Any]:
    if "pattern" in schema:
        return st.from_regex(schema["pattern"])
    form = _FORMATS.get(schema.get("format", ""))
    if form is not None:
        return form
    if "minLength" not in schema and "maxLength" not in schema:
        return _TEXT
    least = schema.get("minLength", 0)
    return st.text(
        st.characters(exclude_categories=["Cs"]), min_size=least, max_size=schema.get("maxLength", least + 12)
    )


_FORMATS: Mapping[str, st.SearchStrategy[str]] = {
    "date": st.dates().map(lambda value: value.isoformat()),
    "date-time": st.datetimes().map(lambda value: value.isoformat()),
    "time": st.times().map(lambda value: value.isoformat()),
    "uuid": st.uuids().map(str),
    "email": st.emails(),
}
_MAKERS: Mapping[str, Callable[[Json, Json, int], st.SearchStrategy[Any]]] = {
    "object": _object,
    "array": _array,
    "integer": _integer,
    "number": _number,
    "string": _string,
    "boolean": lambda *_: st.booleans(),
    "null": lambda *_: st.none(),
}


@st.composite
def spellings(draw: st.DrawFn, value: Any) -> str:
    """Return a text that is this JSON value, with random white space, escapes and order of keys."""
    if draw(st.booleans()):
        return json.dumps(value, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 1])))
    random = draw(st.randoms(use_true_random=False))

    def gap() -> str:
        return random.choice(["", "", "", " ", "\n  ", "\t"])

    def written(part: Any) -> str:
        if isinstance(part, dict):
            keys = list(part)
            random.shuffle(keys)
            return "{" + ",".join(f"{gap()}{written(k)}{gap()}:{gap()}{written(part[k])}{gap()}" for k in keys) + "}"
        if isinstance(part, list):
            return "[" + ",".join(f"{gap()}{written(each)}{gap()}" for each in part) + "]"
        if isinstance(part, str):
            return '"' + "".join(json.dumps(c, ensure_ascii=random.random() < 0.3)[1:-1] for c in part) + '"'
        return json.dumps(part)

    return written(value)


@st.composite
def cuttings(draw: st.DrawFn) -> Faults:
    """Return keywords of a reply that cut it: into events, and events into writes."""
    chunk = st.integers(1, 60) | st.lists(st.integers(1, 30), min_size=1, max_size=8) | st.just(10**6)
    writes: list[int | Literal["all"]] = [1, 2, 3, 5, "all"]
    cut = Faults(chunk=draw(chunk), events_per_write=draw(st.sampled_from(writes)))
    if draw(st.integers(0, 3)) == 0:
        cut["split_bytes"] = draw(st.lists(st.integers(1, 2000), max_size=4))
    return cut


@dataclass(frozen=True)
class Turn:
    """The mistakes of one reply. Places are fractions of the reply, from 0 to 1."""

    ending: Ending = "end"
    place: float = 1.0
    """Where the reply is cut, unless it ends whole."""
    wrong: Sequence[float] = ()
    """Which of its items are wrong."""
    repeats: int = 0
    """How many of the last items a continuation gives again; more than there are gives the whole list again."""
    respelled: bool = False
    """Whether the items that it repeats are spelled in another way."""
    mistaken: Literal["", "start", "whole"] = ""
    """Asked for wrong items only, it gives the start of the list, or all of it."""
    prose: str = ""
    cut: Faults = field(default_factory=Faults)


def turns(endings: Sequence[Ending] = ENDINGS) -> st.SearchStrategy[Turn]:
    """Return a strategy for the mistakes of one reply; `endings`: the ways in which it may end."""
    return _turns(_checked(endings))


def _checked(endings: Sequence[Ending]) -> Sequence[Ending]:
    """Return the endings. A wrong one is an error here, where the user's call is, not when a value is drawn."""
    allowed = ", ".join(map(repr, ENDINGS))
    if isinstance(endings, str) or not endings:
        raise ValueError(f"endings must be a list of at least one of {allowed}, got {endings!r}")
    for ending in endings:
        if ending not in ENDINGS:
            close = difflib.get_close_matches(str(ending), ENDINGS, 1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise ValueError(f"An ending must be one of {allowed}, got {ending!r}.{hint}")
    return endings


@st.composite
def _turns(draw: st.DrawFn, endings: Sequence[Ending]) -> Turn:
    fraction = st.floats(0, 1)
    return Turn(
        ending=draw(st.sampled_from(endings)),
        place=draw(fraction),
        wrong=draw(st.lists(fraction, max_size=3)),
        repeats=draw(st.sampled_from([0, 0, 1, 2, 3, _ALL])),
        respelled=draw(st.booleans()),
        mistaken=draw(st.sampled_from(["", "", "", "start", "whole"])),
        prose=draw(st.sampled_from(PROSE)),
        cut=draw(cuttings()),
    )


@dataclass
class _Erring(abc.ABC):
    """A model that makes the mistakes of its turns, and then no more."""

    kind: Any
    turns: Sequence[Turn]
    length: str = "length"
    """The wire's word for an answer that was cut at the length limit."""
    unknown: str = "a_word_that_nobody_knows"
    """A finish reason that proves nothing; a wire whose reasons are fixed has one that says so."""
    requests: list[Asked] = field(default_factory=list, repr=False)

    def __call__(self, asked: Asked) -> Reply:
        """Return the reply to a request."""
        turn = self.turns[len(self.requests)] if len(self.requests) < len(self.turns) else Turn()
        self.requests.append(asked)
        text = self._text(asked, turn)
        said = Answer(calls=[ToolCall(text)]) if _tools(asked.body) else Answer(turn.prose + text)
        return self._broken(Reply(said, faults=turn.cut), turn, asked)

    @abc.abstractmethod
    def _text(self, asked: Asked, turn: Turn) -> str:
        """Return the JSON text that a reply is to hold."""

    def _broken(self, whole: Reply, turn: Turn, asked: Asked) -> Reply:
        if turn.ending == "unknown":
            return whole.but(finish=self.unknown)
        if turn.ending == "end" or not wire_of(asked.path).streams(asked):
            return whole
        count = count_events(whole, asked.path, asked.body)
        place = int(turn.place * count)
        match turn.ending:
            case "length":  # the last events still come
                return whole.but(finish=self.length, cut_after=int(turn.place * max(0, count - _CLOSING)))
            case "cut":
                return whole.but(cut_after=place)
            case "drop":
                return whole.but(drop_after=place)
            case "error":
                return whole.but(error_after=place)
            case "malformed":
                return whole.but(malformed_after=place)
        return whole.but(half_utf8_after=place)


@dataclass
class Script(_Erring):
    """A model that knows a list, makes the mistakes of its turns, and then no more."""

    items: list[Any] = field(default_factory=list)
    """The list, as JSON values: what must be delivered, each once."""
    spelled: list[str] = field(default_factory=list)

    def _text(self, asked: Asked, turn: Turn) -> str:
        return '{"tasks": [' + ", ".join(self._texts(asked, turn)) + "]}"

    def _texts(self, asked: Asked, turn: Turn) -> list[str]:
        """Return the texts of the items. Repeated ones are right, and perhaps spelled in another way."""
        places, known = self._asked_for(asked, turn)
        wrong = {int(fraction * len(places)) for fraction in turn.wrong}
        return [
            (json.dumps(self.items[place]) if turn.respelled else self.spelled[place])
            if at < known
            else self._wrong(place)
            if at in wrong
            else self.spelled[place]
            for at, place in enumerate(places)
        ]

    def _asked_for(self, asked: Asked, turn: Turn) -> tuple[Sequence[int], int]:
        """Return the places of the items that a reply is to hold, and how many of them came before a break."""
        conversation = _conversation(asked.body)
        said = json.dumps(conversation, ensure_ascii=False)
        every = range(len(self.items))
        if _GO_ON.search(said) and (shown := list(_shown(conversation))):
            start = self._place_of(shown[-1][-1]) + 1
            begin = max(0, start - turn.repeats)
            return every[begin:], start - begin
        if again := [int(mark) for mark in _MARK.findall(said)]:
            places = list(dict.fromkeys(again))
            if turn.mistaken == "start":
                return every[: max(1, len(places) - 1)], 0
            return (every if turn.mistaken == "whole" else places), 0
        return every, 0

    def _place_of(self, shown: Any) -> int:
        """Return the place of an item that a request shows as the last one."""
        mark = _MARK.search(json.dumps(shown))
        return int(mark[1]) if mark else self.items.index(shown)

    def _wrong(self, place: int) -> str:
        """Return a text that is not an item, and that contains its index."""
        mark = f"wrong item {place}"
        value = self.items[place]
        if isinstance(value, dict) and value:
            changed = {**value, next(iter(value)): {mark: mark}}
            if not _fits(self.kind, changed):
                return json.dumps(changed)
        for text in (f'"{mark}"', f'{{"{mark}": []}}', f'[[["{mark}"]]]'):
            if not _fits(self.kind, json.loads(text)):
                return text
        return self.spelled[place]


@dataclass
class AnswerScript(_Erring):
    """A model that knows one value, makes the mistakes of its turns, and then no more."""

    document: Any = None
    """The answer as a JSON value, as the request's schema has it."""
    spelled: str = ""

    @property
    def truth(self) -> Any:
        """The value that must be delivered. Default factories run again for each call."""
        return TypeAdapter(self.kind).validate_json(json.dumps(self._value(self.document)))

    def _value(self, document: Any) -> Any:
        """Return the value out of the object that an answer is: any other value stands under a key."""
        return document.get("content") if _is_wrapped(self.kind) and isinstance(document, dict) else document

    def _text(self, asked: Asked, turn: Turn) -> str:  # noqa: ARG002 - whatever it is asked for
        places = list(_places(self.document))
        for fraction in turn.wrong:
            changed = _put(self.document, places[int(fraction * (len(places) - 1))], {"wrong": ["wrong"]})
            # a value is also read where it came without its object
            if not (_fits(self.kind, self._value(changed)) or _fits(self.kind, changed)):
                return json.dumps(changed)
        return self.spelled


def _is_wrapped(kind: Any) -> bool:
    schema = TypeAdapter(kind).json_schema()
    if "$ref" in schema:
        schema = schema["$defs"][schema["$ref"].rsplit("/", 1)[-1]]
    return schema.get("type") != "object" or "properties" not in schema


def _places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Return the paths of all parts of a JSON value."""
    keys: Any = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    yield above
    for key in keys:
        yield from _places(value[key], (*above, key))


def _put(value: Any, path: tuple[Any, ...], part: Any) -> Any:
    """Return a JSON value with another part at a path."""
    if not path:
        return part
    changed = value.copy()
    changed[path[0]] = _put(value[path[0]], path[1:], part)
    return changed


def scripts(
    kind: Any, *, most_items: int = 8, most_turns: int = 5, endings: Sequence[Ending] = ENDINGS
) -> st.SearchStrategy[Script]:
    """Return a strategy for scripts: a model that knows a random list of items of a type, and errs for a few turns.

    The items are distinct: of two equal ones at a seam nobody can say whether the second is a repeat.

    Args:
        kind: the type of the items.
        most_items: how long the list may be.
        most_turns: how many replies may be faulty; allow so many re-asks, or the call fails rightly.
        endings: the ways in which replies may end; some SDKs make errors of their own of some.

    Raises:
        ValueError: an ending is unknown.
    """
    return _scripts(kind, most_items, most_turns, _checked(endings))


@st.composite
def _scripts(draw: st.DrawFn, kind: Any, most_items: int, most_turns: int, endings: Sequence[Ending]) -> Script:
    adapter: TypeAdapter[Any] = TypeAdapter(kind)

    def identity(value: Any) -> str:
        return repr(adapter.validate_json(json.dumps(value)))

    items = draw(st.lists(values(kind), max_size=most_items, unique_by=identity))
    spelled = [draw(spellings(item)) for item in items]
    faulty = draw(st.lists(turns(endings), max_size=most_turns))
    return Script(kind, faulty, items=items, spelled=spelled)


def answers(
    kind: Any,
    *,
    documents: st.SearchStrategy[Any] | None = None,
    most_turns: int = 4,
    endings: Sequence[Ending] = ENDINGS,
) -> st.SearchStrategy[AnswerScript]:
    """Return a strategy for scripts of one value: a model that knows one value of a type, and errs for a few turns.

    Args:
        kind: the type of the value.
        documents: the answers, as JSON values; by default they are objects of the type, or hold one as `content`.
        most_turns: how many replies may be faulty; allow so many re-asks, or the call fails rightly.
        endings: the ways in which replies may end; after a length limit a value is not requested again.

    Raises:
        ValueError: an ending is unknown.
    """
    return _answers(kind, documents, most_turns, _checked(endings))


@st.composite
def _answers(
    draw: st.DrawFn, kind: Any, documents: st.SearchStrategy[Any] | None, most_turns: int, endings: Sequence[Ending]
) -> AnswerScript:
    if documents is None:
        documents = values(kind).map(lambda value: {"content": value} if _is_wrapped(kind) else value)
    document = draw(documents)
    faulty = draw(st.lists(turns(endings), max_size=most_turns))
    return AnswerScript(kind, faulty, document=document, spelled=draw(spellings(document)))


def _fits(kind: Any, value: Any) -> bool:
    try:
        TypeAdapter(kind).validate_json(json.dumps(value))
    except ValidationError:
        return False
    return True


def _tools(body: Json) -> Any:
    return body.get("tools") or (body.get("toolConfig") or {}).get("tools")


def _conversation(body: Json) -> list[Any]:
    """Return the turns of a request that come after the user's own: what a correction consists of."""
    turns: list[Any] = body.get("messages") or body.get("input") or body.get("contents") or []
    first = next((at for at, turn in enumerate(turns) if _is_assistants(turn)), len(turns))
    return turns[first:]


def _shown(part: Any) -> Iterator[list[Any]]:
    """Find the lists of items that a model is shown as its own, as objects or as the text of one."""
    if isinstance(part, str) and part.lstrip().startswith("{"):
        try:
            part = json.loads(part)
        except ValueError:
            return
    if isinstance(part, dict) and isinstance(part.get("tasks"), list) and part["tasks"]:
        yield part["tasks"]
    elif isinstance(part, (dict, list)):
        for each in part.values() if isinstance(part, dict) else part:
            yield from _shown(each)


def _is_assistants(turn: Json) -> bool:
    role = str(turn.get("role", "")).lower()
    return role.endswith(("assistant", "model")) or turn.get("type") == "function_call"
