"""An answer that is shown while it grows: a snapshot for each piece of text, and the validated whole at the end.

Every snapshot is a *prefix* of those after it and of the final value: strings and lists only grow, keys only come, a
number or literal comes when it is whole. Field by field:

- a closed model, dataclass or TypedDict is validated, once, when the outermost of its kind inside the answer closes
  (strict and context as in the call); until then, or if it is not valid, it stands there as constructed;
- so is a closed container of other things than plain JSON: a `list[date]` holds texts until it is closed;
- what is constructed holds JSON's own values: the text of a date, a list where a set or tuple is meant;
- a missing field holds its default, or None where there is none; a missing model an instance with nothing in it;
- a default that a factory makes is made once: the final value has the id and the time that were shown;
- of a union the member is shown as soon as its class is known: by the bracket or mark it begins with, by its literal
  fields, or by our own tag; where nothing tells, when it is validated. Until then nothing stands there: the field holds
  its default, the list ends before the element;
- so it is with what is of another type than is declared: an object in the place of a text, a text in that of a model;
- what a validator of the whole answer makes of a value is seen in the final value only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydantic import ValidationError

from instructor.core.types import Call, Delta, Invalid, Json, Outcome, Reply, Tool, ToolCall, Valid
from instructor.exceptions import ResponseParsingError
from instructor.mode import Mode
from instructor.outputs.single import NO_ARGUMENTS, Single
from instructor.outputs.snapshot_types import SnapshotTypes, Wrapper
from instructor.parsing.fuzzy import spoken
from instructor.parsing.snapshot import Shape, Snapshot

_tuple = tuple.__new__  # it takes a third of the time of Valid(...), for each snapshot


class PartialValue:
    """The shape of an answer that is `one` value, shown while it grows."""

    many = False

    def __init__(self, one: Single) -> None:
        self.one, self.kind = one, one.kind
        self.name = f"Partial{one.name}"[:64]
        self.description: str = one.description
        self.schema: Json = one.schema
        self.distinct = one.distinct
        self.tools = (Tool(self.name, self.description, self.schema),)
        self.shapes = SnapshotTypes()
        inner = self.shapes.whole(one.kind)
        self.shape: Shape = Wrapper(inner) if one.wrapped else inner

    def replay(self, parts: Iterable[Outcome], mode: Mode) -> Reply:
        text = "".join(part.text for part in parts)
        return Reply(calls=(ToolCall("", self.name, text),)) if mode.by_tool else Reply(text=text)

    def parser(self, call: Call) -> PartialValueParser:
        return PartialValueParser(self, call)


class PartialValueParser:
    """Reads one answer: the text, or the first tool call that has any arguments."""

    waits_for = ""

    def __init__(self, output: PartialValue, call: Call) -> None:
        self._output, self._one, self._call = output, output.one, call
        self._reader = Snapshot(output.shape, "{", {"strict": call.strict, "context": call.context})
        self._by_tool = call.mode.by_tool
        self._channel: int | None = None
        self._called = False  # by a tool, with or without arguments
        self._good = False

    def feed(self, deltas: Sequence[Delta]) -> list[Outcome]:
        found: list[Outcome] = []
        for channel, text, _, name, _, _, _, _ in deltas:
            if (channel >= 0) != self._by_tool:
                continue
            self._called = self._called or name is not None
            if not text:
                continue
            if self._channel is None:
                self._channel = channel
            if channel != self._channel:
                continue
            value = self._reader.feed(text)
            if self._one.wrapped and value is not None:
                if "content" not in value:
                    continue
                value = value["content"]
            elif value is None:
                continue
            found.append(_tuple(Valid, (0, value, "", False, False, "")))
        return found

    def close(self, *, ended: bool = True) -> list[Outcome]:
        """Validate the whole answer."""
        del ended  # the engine asks only where the answer is whole
        if not self.started:
            return []
        text = self._reader.text or NO_ARGUMENTS
        try:
            value, mended = self._one.parse(text, self._call)
        except (ValidationError, ResponseParsingError) as error:
            return [Invalid(0, text, error)]
        self._good = True
        shown = self._reader.value
        under = "content" if self._one.wrapped else ""
        if under and type(shown) is dict:
            shown = shown.get(under)
        return [Valid(0, self._output.shapes.kept(shown, value, text, under), text, mended=mended)]

    @property
    def started(self) -> bool:
        return self._called or self._channel is not None

    @property
    def closed(self) -> bool:
        return self._good or self._reader.closed

    @property
    def doubted(self) -> int:
        reader = self._reader
        thought = self._good and reader.value is not None and spoken(reader.text)[reader.begin] == " "
        return int(reader.afresh or thought)

    @property
    def looked(self) -> int:
        return self._reader.looked
