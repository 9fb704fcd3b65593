"""An answer that is one value: a model, or anything else under the key `content`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import Field, TypeAdapter, ValidationError, create_model

from instructor.engine import prompts
from instructor.engine.call import Call, Delta, Reply, ToolCall
from instructor.engine.ports import Bad, Good, Outcome, Tool
from instructor.exceptions import ResponseParsingError
from instructor.mode import Mode
from instructor.output import schema as schemas
from instructor.output.choice import choice_for
from instructor.output.judging import judged
from instructor.output.wrapping import LEVELS, Wrapping
from instructor.text import loose
from instructor.text.scan import Nest

_SHOWN = 200
"""Characters of a wrong reply that an error quotes."""

NO_ARGUMENTS = "{}"
"""What a tool was called with when it was called with nothing at all."""


class One:
    """The shape of an answer that is one value of type `kind`."""

    many = False

    def __init__(self, kind: Any) -> None:
        self.kind = kind
        self.adapter: TypeAdapter[Any] = schemas.adapter_for(kind)
        whole = schemas.schema_of(self.adapter)
        self.wrapped = whole.get("type") != "object" or "properties" not in whole
        self._choice = choice_for(kind)
        if self.wrapped:  # a wire's answer is an object: the value goes under a key
            response = create_model("Response", __doc__=prompts.SIMPLE, content=(kind, Field()))
            self.adapter = TypeAdapter(response)
            whole = schemas.schema_of(self.adapter)
        if self._choice:
            whole = schemas.with_part(whole, ("properties", "content"), self._choice.tagged)
        self.name = schemas.legal(whole.get("title") or schemas.name_of(kind))
        self.description = whole.get("description") or prompts.EXTRACT.format(name=self.name)
        self.schema = schemas.parameters(schemas.described(whole, kind))
        self.distinct = schemas.demands(whole)
        self.tools = (Tool(self.name, self.description, self.schema),)
        self._wrapping = Wrapping(self.name, self.schema)

    def validate(self, text: str, *, strict: bool | None = None, context: Any = None) -> Any:
        """Validate an answer's JSON text, and take the value out of its wrapper."""
        if self._choice:
            content = (loose.members(text) or {}).get("content")
            if content is not None:
                return self._choice.validate_json(content, strict=strict, context=context)
        value = self.adapter.validate_json(text, strict=strict, context=context)
        return value.content if self.wrapped else value

    def parse(self, text: str, call: Call) -> tuple[Any, bool]:
        """Find the answer in a reply's text; the flag tells that small faults of its syntax were mended.

        There is one. Arguments and JSON modes hold nothing else that may be it; in markdown what is in a fence counts
        first. Raises the ValidationError of what is wrong, or a ResponseParsingError where there are several readings.
        """
        parts = loose.found(text)
        if not parts:
            return self._only(text.strip(), text, call)
        if len(parts[0].text) == len(text):
            return self._only(text, text, call)
        if call.mode.by_tool:
            left = loose.left_over(loose.spoken(text), parts)
            if left and (len(parts) > 1 or loose.repair(parts[0].text) is not None):
                raise self._several(left, text, call)
            return self._only(parts[0].text, text, call)
        return self._chosen(parts, text, call)

    def judged(self, candidate: str, text: str, call: Call) -> Outcome:
        """Judge the one value of a call's arguments, which are `text`."""
        if len(candidate) < len(text.strip()) and (parts := loose.found(text)):
            left = loose.left_over(loose.spoken(text), parts)
            if left and loose.repair(candidate) is not None:
                return Bad(0, text, self._several(left, text, call))
        return self._outcome(candidate, call)

    def _only(self, candidate: str, text: str, call: Call) -> tuple[Any, bool]:
        outcome = self._outcome(candidate, call)
        if isinstance(outcome, Good):
            return outcome.value, outcome.mended
        raise self._error(outcome, text, call)

    def _chosen(self, parts: Sequence[loose.Found], text: str, call: Call) -> tuple[Any, bool]:
        """Find the one part of a text that is an answer."""
        outcomes = [(part, self._outcome(part.text, call)) for part in parts]
        good = [(part, outcome) for part, outcome in outcomes if isinstance(outcome, Good)]
        if call.mode is Mode.MD_JSON:
            good = [each for each in good if each[0].fence >= 0] or good
        if len(good) > 1:
            good = [each for each in good if self._wrapping.shares(each[1].text)] or good
            meant = loose.meaning(good[0][0].text)
            if other := next((part.text for part, _ in good if loose.meaning(part.text) != meant), None):
                raise self._several(other, text, call)
        part, outcome = good[0] if good else outcomes[-1]
        left = loose.torn_off(loose.spoken(text), part, parts) or (self._rest(part, parts, call) if good else "")
        if left and (good or loose.repair(part.text) is not None):
            raise self._several(left, text, call)
        if isinstance(outcome, Good):
            return outcome.value, outcome.mended
        raise self._error(outcome, text, call)

    def _rest(self, answer: loose.Found, parts: Sequence[loose.Found], call: Call) -> str:
        """Return what comes after an answer, is none by itself, and has keys of one: some of its fields, perhaps."""
        fenced = call.mode is Mode.MD_JSON and answer.fence >= 0
        after = [part for part in parts if part.begin > answer.begin and not (fenced and part.fence != answer.fence)]
        meant = loose.meaning(answer.text) if after else ""
        shares = self._wrapping.shares
        return next((part.text for part in after if shares(part.text) and loose.meaning(part.text) != meant), "")

    def _outcome(self, text: str, call: Call, level: int = 0) -> Outcome:
        """Judge one candidate, or what it is wrapped around."""
        outcome = judged(self.validate, text, 0, call)
        valid = isinstance(outcome, Good)
        if isinstance(outcome, Good) and not (outcome.mended or self._wrapping.suspects(text)):
            return outcome
        inner = self._wrapping.inside(text, valid=valid) if level < LEVELS else None
        if inner is None:
            return outcome
        better = self._outcome(inner, call, level + 1)
        if not self._wrapping.shares(better.text):
            return outcome
        if isinstance(better, Good):
            return better._replace(mended=True)
        return outcome if valid else better

    def _error(self, wrong: Bad, text: str, call: Call) -> Exception:
        if wrong.text.startswith(("{", "[")) or ("{" in text and isinstance(wrong.error, ResponseParsingError)):
            return wrong.error
        said = f"The reply holds no JSON object: {text[:_SHOWN]!r}"
        return ResponseParsingError(said, text=text, mode=call.mode.value)

    def _several(self, left: str, text: str, call: Call) -> ResponseParsingError:
        shown = left.strip()
        said = prompts.one_value(shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…")
        return ResponseParsingError(said, text=text, mode=call.mode.value)

    def replay(self, parts: Iterable[Outcome], mode: Mode) -> Reply:
        text = "".join(part.text for part in parts)
        return Reply(calls=(ToolCall("", self.name, text),)) if mode.by_tool else Reply(text=text)

    def sink(self, call: Call) -> OneSink:
        return OneSink(self, call)


class OneSink:
    """Gathers one answer, and judges it at its end."""

    def __init__(self, output: One, call: Call) -> None:
        self._output, self._call = output, call
        self._parts: dict[int, list[str]] = {}
        self.looked = 0
        self.started = False

    def feed(self, deltas: Sequence[Delta]) -> list[Outcome]:
        for delta in deltas:
            if (delta.text or delta.name) and (delta.channel >= 0) == self._call.mode.by_tool:
                self.started = True
                self._parts.setdefault(delta.channel, []).append(delta.text)
        return []

    def close(self, *, ended: bool = True) -> list[Outcome]:
        del ended  # the engine asks only where the answer is whole
        if not self.started:
            return []
        text = self._text()
        self.looked += len(text)
        try:
            value, mended = self._output.parse(text, self._call)
        except (ValidationError, ResponseParsingError) as error:
            return [Bad(0, text, error)]
        return [Good(0, value, text, mended=mended)]

    @property
    def closed(self) -> bool:
        """Whether the first object's last bracket came: the same rule as for a stream."""
        text = self._text()
        begin = loose.spoken(text).find("{")
        nest = Nest()
        nest.start("{")
        return begin >= 0 and nest.follow(text, begin + 1) >= 0

    def _text(self) -> str:
        said = ["".join(self._parts[channel]) for channel in sorted(self._parts)]
        return next((text for text in said if text.strip()), NO_ARGUMENTS)
