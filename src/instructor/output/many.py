"""An answer that is a list: each item is read, judged and handed out on its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, Field, TypeAdapter, create_model

from instructor.engine import prompts
from instructor.engine.call import Call, Delta, Reply, ToolCall
from instructor.engine.ports import Bad, Good, Outcome, Tool
from instructor.exceptions import ResponseParsingError
from instructor.mode import Mode
from instructor.output import schema as schemas
from instructor.output.choice import choice_for
from instructor.output.judging import judged
from instructor.output.lone import KEY, Lone
from instructor.output.repeats import MOST, Repeats
from instructor.output.spelling import readable
from instructor.output.wrapping import Wrapping, is_call
from instructor.text.items import Items
from instructor.text.last import LastList
from instructor.text.loose import spoken
from instructor.text.scan import unescaped
from instructor.text.waiting import Slice


class Segmentation(BaseModel):
    """What all wrappers of a list have in common: `task_type`, the type of their items."""

    task_type: ClassVar[Any] = None
    if TYPE_CHECKING:
        tasks: list[Any]


def IterableModel(subtask_class: Any, name: str | None = None, description: str | None = None) -> type[Segmentation]:  # noqa: N802 - the field's name for it
    """Make the wrapper object of a list: a model `IterableT` with one field, `tasks`.

    As a response model it gives the list itself. `name` stands for T's own, `description` for the docstring.
    """
    told = name or schemas.name_of(subtask_class)
    item: Any = readable(subtask_class)
    tasks: Any = (list[item], Field(repr=False, description=prompts.tasks(told)))
    doc = description or prompts.segmentation(told)
    model = create_model(schemas.legal(f"Iterable{told}"), __base__=Segmentation, __doc__=doc, tasks=tasks)
    model.task_type = subtask_class
    return model


class Many:
    """The shape of an answer that is a list of `kind`."""

    many = True

    def __init__(self, kind: Any, wrapper: type[Segmentation] | None = None) -> None:
        self.kind = kind
        self.adapter: TypeAdapter[Any] = schemas.adapter_for(kind)
        item = schemas.schema_of(self.adapter)
        self.opens = schemas.starts(item)
        self.distinct = schemas.demands(item)
        wrapper = wrapper or IterableModel(kind)
        self.name = schemas.legal(wrapper.__name__)
        self.description = wrapper.__doc__ or prompts.segmentation(schemas.name_of(kind))
        choice = choice_for(kind)
        self.validate = choice.validate_json if choice else self.adapter.validator.validate_json
        self.lone = Lone(schemas.name_of(kind), item, *((choice.tag,) if choice else ()))
        whole = schemas.schema_of(schemas.adapter_for(wrapper))
        if choice:
            whole = schemas.with_part(whole, ("properties", KEY, "items"), choice.tagged)
        self.schema = schemas.parameters(whole)
        self.tools = (Tool(self.name, self.description, self.schema),)
        self.wrapping = Wrapping(self.name, self.schema)
        single = item.get("type") == "object" and "properties" in item
        self.single = Wrapping(schemas.legal(schemas.name_of(kind)), item) if single else None
        # What the text of an item holds that is a call: to look for this is cheaper than to read how the text begins.
        self.mark = _common_end(self.name, schemas.legal(schemas.name_of(kind))) + '"' if single else ""

    def sink(self, call: Call) -> ManySink:
        return ManySink(self, call)

    def replay(self, parts: Iterable[Outcome], mode: Mode) -> Reply:
        text = f'{{"{KEY}": [{", ".join(part.text for part in parts)}]}}'
        return Reply(calls=(ToolCall("", self.name, text),)) if mode.by_tool else Reply(text=text)


class ManySink:
    """Cuts a reply into items, one reader a channel, and judges each as its last bracket arrives."""

    def __init__(self, output: Many, call: Call) -> None:
        self._output, self._call, self._by_tool = output, call, call.mode.by_tool
        self._lone, self._validate = output.lone, output.validate
        self._wrapping, self._single = output.wrapping, output.single
        self._mark = output.mark
        self._readers: dict[int, Items] = {}
        self._repeats: dict[int, Repeats] = {}
        self._by_id: dict[str, Repeats] = {}  # calls with one id are one call, which may be sent again
        self._held: list[Outcome] = []  # objects by themselves, which may be items, a list or a part of the prose
        self._by_lines = False  # such an object was an item: so is every other
        self._count = 0
        self.doubted = 0
        """How many items were given before the text told that all so far was a thought."""
        self.awaits = ""

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
            opens, rivals = self._output.opens, self._lone.rivals
            last = not (self._call.stream or self._call.mode.by_tool)
            reader = LastList(opens, rivals) if last else Items(opens=opens, rivals=rivals)
            self._readers[channel] = reader
            self._repeats[channel] = self._by_id.setdefault(name, Repeats()) if name else Repeats()
            if last:  # it comes in one piece
                text = spoken(text)
        slices = reader.feed(text)
        self.awaits = reader.awaits if len(self._readers) == 1 else ""
        if slices or reader.edges:
            repeats = self._repeats[channel]
            if reader.edges or not repeats.in_first:
                slices = repeats.without(slices, reader.edges)
            elif len(repeats.first) < MOST:
                repeats.first.extend(map(hash, slices))
        return self._judge(slices) if slices else []

    def _judge(self, slices: Sequence[Slice]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for text, is_loose in slices:
            if not text:
                self._held.clear()
                self._by_lines, self.doubted = False, self._count
                continue
            if self._mark and self._mark in text and self._single is not None and is_call(text):
                if call := self._wrapping.called(text):
                    listed = Bad(0, call, ResponseParsingError(prompts.NO_LIST, text=text))
                    if is_loose:
                        self._held.append(listed)
                    else:
                        inside = self._lone.inside(listed)
                        outcomes += self._numbered(judged(self._validate, each, 0, self._call) for each in inside)
                    continue
                text = self._single.called(text) or text
            outcome = judged(self._validate, text, self._count, self._call)
            if type(outcome) is Bad:
                outcome = self._unquoted(outcome)
            if is_loose and not (self._by_lines and self._lone.certain):
                if not self._by_lines and not (isinstance(outcome, Good) and self._lone.owns(outcome)):
                    self._held.append(outcome)
                    continue
                self._by_lines = True
                outcomes += self._lines()
                outcome = self._lone.line(outcome)
            outcomes.append(outcome if outcome.at == self._count else outcome._replace(at=self._count))
            self._count += 1
        return outcomes

    def _judged(self, text: str) -> Outcome:
        outcome = judged(self._validate, text, self._count, self._call)
        return self._unquoted(outcome) if type(outcome) is Bad else outcome

    def _unquoted(self, wrong: Bad) -> Outcome:
        """Read an item that was written as a JSON string of itself."""
        text = wrong.text
        if text[0] != '"' or '"' in self._output.opens:
            return wrong
        inner = judged(self._validate, unescaped(text[1:-1]), self._count, self._call)
        return inner._replace(mended=True) if isinstance(inner, Good) else wrong

    def _lines(self) -> list[Outcome]:
        """Take all that was held for items, right or wrong."""
        held, self._held = self._held, []
        return self._numbered(map(self._lone.line, held))

    def _settled(self) -> list[Outcome]:
        """Take what is held for what it is, now that no list came: items, or the list by another name."""
        found: list[Outcome] = []
        if all(isinstance(outcome, Bad) for outcome in self._held):  # a wrapper with a key of an item may look like one
            for outcome in self._held:
                found += map(self._judged, self._lone.under_key(outcome))
            if found and all(isinstance(outcome, Good) for outcome in found):
                return self._numbered(map(self._lone.line, found))
        if any(map(self._lone.owns, self._held)):
            return self._lines()
        found = []
        for outcome in self._held:
            inner = [judged(self._validate, text, 0, self._call) for text in self._lone.inside(outcome)]
            if any(map(self._lone.counts, inner)):
                found += map(self._lone.line, inner)
            elif self._lone.may_be(outcome):
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
