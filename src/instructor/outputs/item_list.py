"""An answer that is a list: each item is read, validated and returned on its own."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pydantic import TypeAdapter

from instructor.core import prompts
from instructor.core.types import Call, Delta, Invalid, Json, Outcome, Reply, Tool, ToolCall, Valid
from instructor.dsl import IterableModel, Segmentation
from instructor.exceptions import ResponseParsingError
from instructor.mode import Mode
from instructor.outputs.single import Wrapping, is_call
from instructor.outputs.union import tagged_union_for
from instructor.outputs.validation import validate_item
from instructor.parsing import fuzzy
from instructor.parsing.fuzzy import spoken
from instructor.parsing.items import ANY_KEY, NESTED, BestListReader, ItemReader, Slice
from instructor.parsing.scanner import unescaped
from instructor.schema import json_schema
from instructor.schema.types import adapter_for, legal, name_of, schema_of


class ItemList:
    """The shape of an answer that is a list of `kind`."""

    many = True

    def __init__(self, kind: Any, wrapper: type[Segmentation] | None = None) -> None:
        self.kind = kind
        self.adapter: TypeAdapter[Any] = adapter_for(kind)
        item = schema_of(self.adapter)
        self.opens = json_schema.starts(item)
        self.distinct = json_schema.demands(item)
        wrapper = wrapper or IterableModel(kind)
        self.name = legal(wrapper.__name__)
        self.description = wrapper.__doc__ or prompts.segmentation(name_of(kind))
        choice = tagged_union_for(kind)
        self.validate = choice.validate_json if choice else self.adapter.validator.validate_json
        self.loose = LooseObject(name_of(kind), item, *((choice.tag,) if choice else ()))
        whole = schema_of(adapter_for(wrapper))
        if choice:
            whole = json_schema.with_part(whole, ("properties", KEY, "items"), choice.tagged)
        self.schema = json_schema.parameters(whole)
        self.tools = (Tool(self.name, self.description, self.schema),)
        self.wrapping = Wrapping(self.name, self.schema)
        single = item.get("type") == "object" and "properties" in item
        self.single = Wrapping(legal(name_of(kind)), item) if single else None
        # What the text of an item holds that is a call: to look for this is cheaper than to read how the text begins.
        self.mark = _common_end(self.name, legal(name_of(kind))) + '"' if single else ""

    def parser(self, call: Call) -> ItemListParser:
        return ItemListParser(self, call)

    def replay(self, parts: Iterable[Outcome], mode: Mode) -> Reply:
        text = f'{{"{KEY}": [{", ".join(part.text for part in parts)}]}}'
        return Reply(calls=(ToolCall("", self.name, text),)) if mode.by_tool else Reply(text=text)


class ItemListParser:
    """Cuts a reply into items, one reader a channel, and judges each as its last bracket arrives."""

    def __init__(self, output: ItemList, call: Call) -> None:
        self._output, self._call, self._by_tool = output, call, call.mode.by_tool
        self._loose, self._validate = output.loose, output.validate
        self._wrapping, self._single = output.wrapping, output.single
        self._mark = output.mark
        self._readers: dict[int, ItemReader] = {}
        self._repeats: dict[int, Repeats] = {}
        self._by_id: dict[str, Repeats] = {}  # calls with one id are one call, which may be sent again
        self._held: list[Outcome] = []  # objects by themselves, which may be items, a list or a part of the prose
        self._by_lines = False  # such an object was an item: so is every other
        self._count = 0
        self.doubted = 0
        """How many items were returned before the text showed that all so far was a thought."""
        self.waits_for = ""

    def feed(self, deltas: Sequence[Delta]) -> list[Outcome]:
        by_tool = self._by_tool
        if len(deltas) == 1:
            delta = deltas[0]
            if delta.text and (delta.channel >= 0) == by_tool:
                return self._read(delta.channel, delta.text, delta.id)
            return []
        outcomes: list[Outcome] = []
        for channel, text, name in _runs(deltas, by_tool):
            outcomes += self._read(channel, text, name)
        return outcomes

    def close(self, *, ended: bool = True) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for channel, reader in self._readers.items():
            repeats, slices = self._repeats[channel], reader.close(ended=ended)
            outcomes += self._judge([*repeats.without(slices, reader.edges), *repeats.rest()])
        # What is held is decided by the end of the text; beside a list it is a part of the prose.
        if ended and not any(reader.listed for reader in self._readers.values()):
            outcomes += self._settled()
        return outcomes

    @property
    def started(self) -> bool:
        return bool(self._count) or any(reader.listed for reader in self._readers.values())

    @property
    def closed(self) -> bool:
        return bool(self._readers) and all(reader.closed for reader in self._readers.values())

    @property
    def looked(self) -> int:
        return sum(reader.looked for reader in self._readers.values())

    def _read(self, channel: int, text: str, name: str | None) -> list[Outcome]:
        reader = self._readers.get(channel)
        if reader is None:
            opens, rivals = self._output.opens, self._loose.rivals
            last = not (self._call.stream or self._call.mode.by_tool)
            reader = BestListReader(opens, rivals) if last else ItemReader(opens=opens, rivals=rivals)
            self._readers[channel] = reader
            self._repeats[channel] = self._by_id.setdefault(name, Repeats()) if name else Repeats()
            if last:  # it comes in one piece
                text = spoken(text)
        slices = reader.feed(text)
        self.waits_for = reader.waits_for if len(self._readers) == 1 else ""
        if slices or reader.edges:
            repeats = self._repeats[channel]
            if reader.edges or not repeats.in_first:
                slices = repeats.without(slices, reader.edges)
            elif len(repeats.first) < MOST:
                repeats.first.extend(map(hash, slices))
        return self._judge(slices) if slices else []

    def _judge(self, slices: Sequence[Slice]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        mark, validate, call = self._mark, self._validate, self._call
        for text, is_loose in slices:
            if not text:
                self._held.clear()
                self._by_lines, self.doubted = False, self._count
                continue
            if mark and mark in text and self._single is not None and is_call(text):
                if wrapped := self._wrapping.called(text):
                    listed = Invalid(0, wrapped, ResponseParsingError(prompts.NO_LIST, text=text))
                    if is_loose:
                        self._held.append(listed)
                    else:
                        inside = self._loose.inside(listed)
                        outcomes += self._numbered(validate_item(validate, each, 0, call) for each in inside)
                    continue
                text = self._single.called(text) or text
            outcome = validate_item(validate, text, self._count, call)
            if type(outcome) is Invalid:
                outcome = self._unquoted(outcome)
            if is_loose and not (self._by_lines and self._loose.certain):
                if not self._by_lines and not (isinstance(outcome, Valid) and self._loose.owns(outcome)):
                    self._held.append(outcome)
                    continue
                self._by_lines = True
                outcomes += self._lines()
                outcome = self._loose.line(outcome)
            outcomes.append(outcome if outcome.at == self._count else outcome._replace(at=self._count))
            self._count += 1
        return outcomes

    def _judged(self, text: str) -> Outcome:
        outcome = validate_item(self._validate, text, self._count, self._call)
        return self._unquoted(outcome) if type(outcome) is Invalid else outcome

    def _unquoted(self, wrong: Invalid) -> Outcome:
        """Read an item that was written as a JSON string of itself."""
        text = wrong.text
        if text[0] != '"' or '"' in self._output.opens:
            return wrong
        inner = validate_item(self._validate, unescaped(text[1:-1]), self._count, self._call)
        return inner._replace(mended=True) if isinstance(inner, Valid) else wrong

    def _lines(self) -> list[Outcome]:
        """Take all that was held for items, right or wrong."""
        held, self._held = self._held, []
        return self._numbered(map(self._loose.line, held))

    def _settled(self) -> list[Outcome]:
        """Take what is held for what it is, now that no list came: items, or the list by another name."""
        found: list[Outcome] = []
        if all(
            isinstance(outcome, Invalid) for outcome in self._held
        ):  # a wrapper with a key of an item may look like one
            for outcome in self._held:
                found += map(self._judged, self._loose.under_key(outcome))
            if found and all(isinstance(outcome, Valid) for outcome in found):
                return self._numbered(map(self._loose.line, found))
        if any(map(self._loose.owns, self._held)):
            return self._lines()
        found = []
        for outcome in self._held:
            inner = [validate_item(self._validate, text, 0, self._call) for text in self._loose.inside(outcome)]
            if any(map(self._loose.counts, inner)):
                found += map(self._loose.line, inner)
            elif self._loose.may_be(outcome):
                found.append(outcome)
        return self._numbered(found)

    def _numbered(self, outcomes: Iterable[Outcome]) -> list[Outcome]:
        numbered = [outcome._replace(at=at) for at, outcome in enumerate(outcomes, self._count)]
        self._count += len(numbered)
        return numbered


def _common_end(one: str, other: str) -> str:
    differs = (at for at, (a, b) in enumerate(zip(reversed(one), reversed(other), strict=False)) if a != b)
    return one[len(one) - next(differs, min(len(one), len(other))) :]


def _runs(deltas: Sequence[Delta], by_tool: bool) -> Iterator[tuple[int, str, str | None]]:
    """Join neighbouring deltas of one channel: the reader is then entered once for a whole network read."""
    channel, name, parts = 0, None, list[str]()
    for delta in deltas:
        if not delta.text or (delta.channel >= 0) != by_tool:
            continue
        if delta.channel != channel and parts:
            yield channel, "".join(parts), name
            name, parts = None, []
        channel, name = delta.channel, delta.id or name
        parts.append(delta.text)
    if parts:
        yield channel, "".join(parts), name


KEY = "tasks"
"""The key of the wrapper that holds the list."""
_FIXED = {"enum", "const"}


class LooseObject:
    """What is known of the keys of an item's type, by its JSON Schema and the keys that we add to it."""

    def __init__(self, name: str, schema: Json, *added: str) -> None:
        self._name = name
        nodes = list(json_schema.alternatives(schema))
        objects = [node for node in nodes if node.get("type", "object") == "object" and not node.keys() & _FIXED]
        self.certain = all(node.get("required") for node in objects)
        """Whether what is valid has a key of an item."""
        self._free = any(map(json_schema.may_have_any_key, objects))
        self._keys = {key for node in objects for key in node.get("properties", ())}.union(added)
        # An item's own list under the wrapper's key may hold objects; where it is not plain, it may.
        own = json_schema.definition(schema, schema).get("properties", {}).get(KEY, {}).get("items", {})
        nests = "{" in json_schema.starts({**own, "$defs": schema.get("$defs", {})})
        self._marks = (*((ANY_KEY,) if self._free else ()), *((NESTED,) if nests else ()))

    @property
    def rivals(self) -> frozenset[str]:
        """The keys of an item, if one of them is the wrapper's, too."""
        if KEY not in self._keys:
            return frozenset()
        return frozenset((*self._keys, *self._marks))

    def owns(self, outcome: Outcome) -> bool:
        """Return whether this is an item, right or wrong, wherever it stood."""
        if isinstance(outcome, Valid) and self.certain:
            return True
        value = _parsed(outcome.text)
        if not isinstance(value, dict) or self._shares(outcome, value):
            return True
        return self._free and bool(value) and KEY not in value and _unwrapped(value) is None

    def counts(self, outcome: Outcome) -> bool:
        """Return whether this is right, and no stranger among the elements of a list under another name."""
        return isinstance(outcome, Valid) and (
            self._free or not isinstance(value := _parsed(outcome.text), dict) or self._shares(outcome, value)
        )

    def line(self, outcome: Outcome) -> Outcome:
        """Return what is known to stand in the place of an item: it is wrong if it has no key of one."""
        if isinstance(outcome, Invalid) or self._free or self.owns(outcome):
            return outcome
        error = ResponseParsingError(f"The object has no key of {self._name}.", text=outcome.text)
        return Invalid(outcome.at, outcome.text, error)

    def inside(self, outcome: Outcome) -> list[str]:
        """Return the texts of what may be items, of an object that is none but holds just one list of them."""
        value = _parsed(outcome.text)
        found = _unwrapped(value) if isinstance(value, dict) else None
        return [json.dumps(each, ensure_ascii=False) for each in found or ()]

    def under_key(self, outcome: Outcome) -> list[str]:
        """Return the texts of what stands under the wrapper's key, in an object that has a key of an item, too."""
        value = _parsed(outcome.text)
        found = _meant(value.get(KEY)) if isinstance(value, dict) else None
        if isinstance(found, dict):  # one item, without the brackets of the list
            found = [found]
        return [json.dumps(each, ensure_ascii=False) for each in found] if isinstance(found, list) else []

    def may_be(self, outcome: Outcome) -> bool:
        """Return whether what looks like a wrapper can be an item all the same."""
        return self._free and isinstance(outcome, Valid) and not {KEY}.issuperset(_parsed(outcome.text) or ())

    def _shares(self, outcome: Outcome, value: Json) -> bool:
        if not self._keys.isdisjoint(value):
            return True
        made = outcome.value if isinstance(outcome, Valid) else None  # by another alias, or a validator of the user's
        return bool(getattr(made, "model_fields_set", set()) - set(getattr(made, "model_extra", None) or ()))


def _parsed(text: str) -> Any:
    whole = fuzzy.repair(text)
    return None if whole is None else json.loads(whole)


def _unwrapped(value: Json) -> list[Any] | None:
    """Return the one list that an object holds, written as JSON or as a text of it, under one key or under several."""
    while True:
        inner = [_meant(each) for each in value.values()]
        lists = [each for each in inner if isinstance(each, list)]
        if len(lists) == 1:
            return lists[0]
        if len(inner) != 1 or not isinstance(inner[0], dict):
            return None
        if KEY in value and _unwrapped(inner[0]) is None:  # one item, without the brackets of the list
            return [inner[0]]
        value = inner[0]


def _meant(value: Any) -> Any:
    """Read a text that is JSON's object or array."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            pass
    return value


MOST = 10_000
"""Items of the first wrapper that are known, about. Of a longer list no repeat is known."""


class Repeats:
    """Leaves the repeats out of the items of one channel."""

    def __init__(self) -> None:
        self.first = array("q")
        """The hashes of the first wrapper's items."""
        self.in_first = False
        """Whether the first wrapper is open: all that comes before it closes is new, and is to be noted in `first`."""
        self._wrappers = 0  # how many were opened
        self._held: list[Slice] = []  # the items of a further wrapper, the same so far
        self._same_so_far = False

    def without(self, slices: Sequence[Slice], edges: list[int]) -> Sequence[Slice]:
        """Return the items that are certain to be no repeat; `edges`: before which of them a wrapper opens or ends."""
        found: list[Slice] = []
        start = 0
        for edge in edges:
            self._take(slices[start : abs(edge) - 1], found)
            start = abs(edge) - 1
            if edge > 0:
                self._open(found)
            else:
                self._leave(found)
        edges.clear()
        self._take(slices[start:], found)
        return found

    def rest(self) -> list[Slice]:
        """Return what waits when the text is over: it is not a complete repeat."""
        held, self._held = self._held, []
        return held

    def _open(self, found: list[Slice]) -> None:
        found += self.rest()
        self._wrappers += 1
        self.in_first = self._wrappers == 1
        self._same_so_far = self._wrappers > 1 and 0 < len(self.first) < MOST

    def _leave(self, found: list[Slice]) -> None:
        if len(self._held) < len(self.first):
            found += self._held
        self._held = []
        self.in_first = self._same_so_far = False

    def _take(self, slices: Sequence[Slice], found: list[Slice]) -> None:
        if self.in_first and len(self.first) < MOST:
            self.first.extend(map(hash, slices))
        for at, item in enumerate(slices):
            if not self._same_so_far:
                found += slices[at:]
                return
            index = len(self._held)
            self._held.append(item)
            if index == len(self.first) or hash(item) != self.first[index]:
                self._same_so_far = False
                found += self.rest()
