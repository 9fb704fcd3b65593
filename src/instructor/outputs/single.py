"""An answer that is one value: a model, or anything else under the key `content`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import Field, TypeAdapter, ValidationError, create_model

from instructor.core import prompts
from instructor.core.types import Call, Delta, Invalid, Json, Outcome, Reply, Tool, ToolCall, Valid
from instructor.exceptions import ResponseParsingError
from instructor.mode import Mode
from instructor.outputs.union import tagged_union_for
from instructor.outputs.validation import validate_item
from instructor.parsing import fuzzy, is_json
from instructor.parsing.scanner import Nest
from instructor.schema import json_schema
from instructor.schema.types import adapter_for, described, legal, name_of, schema_of

_SHOWN = 200
"""Characters of a wrong reply that an error quotes."""

NO_ARGUMENTS = "{}"
"""What a tool was called with when it was called with nothing at all."""


class Single:
    """The shape of an answer that is one value of type `kind`."""

    many = False

    def __init__(self, kind: Any) -> None:
        self.kind = kind
        self.adapter: TypeAdapter[Any] = adapter_for(kind)
        whole = schema_of(self.adapter)
        self.wrapped = whole.get("type") != "object" or "properties" not in whole
        self._choice = tagged_union_for(kind)
        if self.wrapped:  # a wire's answer is an object: the value goes under a key
            response = create_model("Response", __doc__=prompts.SIMPLE, content=(kind, Field()))
            self.adapter = TypeAdapter(response)
            whole = schema_of(self.adapter)
        if self._choice:
            whole = json_schema.with_part(whole, ("properties", "content"), self._choice.tagged)
        self.name = legal(whole.get("title") or name_of(kind))
        self.description = whole.get("description") or prompts.EXTRACT.format(name=self.name)
        self.schema = json_schema.parameters(described(whole, kind))
        self.distinct = json_schema.demands(whole)
        self.tools = (Tool(self.name, self.description, self.schema),)
        self._wrapping = Wrapping(self.name, self.schema)

    def validate(self, text: str, *, strict: bool | None = None, context: Any = None) -> Any:
        """Validate an answer's JSON text, and take the value out of its wrapper."""
        if self._choice:
            content = (fuzzy.members(text) or {}).get("content")
            if content is not None:
                return self._choice.validate_json(content, strict=strict, context=context)
        value = self.adapter.validate_json(text, strict=strict, context=context)
        return value.content if self.wrapped else value

    def parse(self, text: str, call: Call) -> tuple[Any, bool]:
        """Find the answer in a reply's text; the flag tells that small faults of its syntax were mended.

        There is one. Arguments and JSON modes hold nothing else that may be it; in markdown what is in a fence counts
        first. Raises the ValidationError of what is wrong, or a ResponseParsingError where there are several readings.
        """
        try:
            return self._parsed(text, call)
        except (ValidationError, ResponseParsingError):
            outcome = self._bare(text, call) if self.wrapped else None
            if outcome is None:
                raise
            return outcome.value, True

    def _bare(self, text: str, call: Call) -> Valid | None:
        """Return the value that came without its wrapper, if it is all that came: `42` for an int, `[1, 2]` for a set.

        A text without quotes is read only where not every text is valid, for a Literal or a date.
        """
        said = fuzzy.spoken(text).strip()
        fenced = _FENCED.fullmatch(said)
        value = fenced[1].strip() if fenced else said
        if not value or value == NO_ARGUMENTS or "content" in (fuzzy.members(value) or ()):
            return None
        if not is_json(value):
            if value[0] in "{[" or isinstance(self._valid_as_content(json.dumps("\0"), call), Valid):
                return None
            value = json.dumps(value)
        outcome = self._valid_as_content(value, call)
        return outcome if isinstance(outcome, Valid) else None

    def _valid_as_content(self, value: str, call: Call) -> Outcome:
        return validate_item(self.validate, f'{{"content": {value}}}', 0, call)

    def _parsed(self, text: str, call: Call) -> tuple[Any, bool]:
        parts = fuzzy.found(text)
        if not parts:
            return self._only(text.strip(), text, call)
        if len(parts[0].text) == len(text):
            return self._only(text, text, call)
        if call.mode.by_tool:
            left = fuzzy.left_over(fuzzy.spoken(text), parts)
            if left and (len(parts) > 1 or fuzzy.repair(parts[0].text) is not None):
                raise self._several(left, text, call)
            return self._only(parts[0].text, text, call)
        return self._chosen(parts, text, call)

    def validate_item(self, candidate: str, text: str, call: Call) -> Outcome:
        """Judge the one value of a call's arguments, which are `text`."""
        if len(candidate) < len(text.strip()) and (parts := fuzzy.found(text)):
            left = fuzzy.left_over(fuzzy.spoken(text), parts)
            if left and fuzzy.repair(candidate) is not None:
                return Invalid(0, text, self._several(left, text, call))
        return self._outcome(candidate, call)

    def _only(self, candidate: str, text: str, call: Call) -> tuple[Any, bool]:
        outcome = self._outcome(candidate, call)
        if isinstance(outcome, Valid):
            return outcome.value, outcome.mended
        raise self._error(outcome, text, call)

    def _chosen(self, parts: Sequence[fuzzy.Found], text: str, call: Call) -> tuple[Any, bool]:
        """Find the one part of a text that is an answer."""
        outcomes = [(part, self._outcome(part.text, call)) for part in parts]
        good = [(part, outcome) for part, outcome in outcomes if isinstance(outcome, Valid)]
        if call.mode is Mode.MD_JSON:
            good = [each for each in good if each[0].fence >= 0] or good
        if len(good) > 1:
            good = [each for each in good if self._wrapping.shares(each[1].text)] or good
            meant = fuzzy.meaning(good[0][0].text)
            if other := next((part.text for part, _ in good if fuzzy.meaning(part.text) != meant), None):
                raise self._several(other, text, call)
        part, outcome = good[0] if good else outcomes[-1]
        left = fuzzy.torn_off(fuzzy.spoken(text), part, parts) or (self._rest(part, parts, call) if good else "")
        if left and (good or fuzzy.repair(part.text) is not None):
            raise self._several(left, text, call)
        if isinstance(outcome, Valid):
            return outcome.value, outcome.mended
        raise self._error(outcome, text, call)

    def _rest(self, answer: fuzzy.Found, parts: Sequence[fuzzy.Found], call: Call) -> str:
        """Return what comes after an answer, is none by itself, and has keys of one: some of its fields, perhaps."""
        fenced = call.mode is Mode.MD_JSON and answer.fence >= 0
        after = [part for part in parts if part.begin > answer.begin and not (fenced and part.fence != answer.fence)]
        meant = fuzzy.meaning(answer.text) if after else ""
        shares = self._wrapping.shares
        return next((part.text for part in after if shares(part.text) and fuzzy.meaning(part.text) != meant), "")

    def _outcome(self, text: str, call: Call, level: int = 0) -> Outcome:
        """Judge one candidate, or what it is wrapped around."""
        outcome = validate_item(self.validate, text, 0, call)
        valid = isinstance(outcome, Valid)
        if isinstance(outcome, Valid) and not (outcome.mended or self._wrapping.suspects(text)):
            return outcome
        inner = self._wrapping.inside(text, valid=valid) if level < LEVELS else None
        if inner is None:
            return outcome
        better = self._outcome(inner, call, level + 1)
        if not self._wrapping.shares(better.text):
            return outcome
        if isinstance(better, Valid):
            return better._replace(mended=True)
        return outcome if valid else better

    def _error(self, wrong: Invalid, text: str, call: Call) -> Exception:
        if wrong.text.startswith(("{", "[")) or ("{" in text and isinstance(wrong.error, ResponseParsingError)):
            return wrong.error
        message = f"The reply holds no JSON object: {text[:_SHOWN]!r}"
        return ResponseParsingError(message, text=text, mode=call.mode.value)

    def _several(self, left: str, text: str, call: Call) -> ResponseParsingError:
        shown = left.strip()
        message = prompts.one_value(shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…")
        return ResponseParsingError(message, text=text, mode=call.mode.value)

    def replay(self, parts: Iterable[Outcome], mode: Mode) -> Reply:
        text = "".join(part.text for part in parts)
        return Reply(calls=(ToolCall("", self.name, text),)) if mode.by_tool else Reply(text=text)

    def parser(self, call: Call) -> SingleParser:
        return SingleParser(self, call)


class SingleParser:
    """Gathers one answer, and judges it at its end."""

    waits_for = ""
    doubted = 0

    def __init__(self, output: Single, call: Call) -> None:
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
            return [Invalid(0, text, error)]
        return [Valid(0, value, text, mended=mended)]

    @property
    def closed(self) -> bool:
        """Return whether the first object's last bracket came: the same rule as for a stream."""
        text = self._text()
        begin = fuzzy.spoken(text).find("{")
        nest = Nest()
        nest.start("{")
        return begin >= 0 and nest.follow(text, begin + 1) >= 0

    def _text(self) -> str:
        texts = ["".join(self._parts[channel]) for channel in sorted(self._parts)]
        return next((text for text in texts if text.strip()), NO_ARGUMENTS)


_KEYS = frozenset({
    "parameters", "arguments", "properties", "input", "params", "args", "kwargs", "function",
    "response", "result", "output", "answer", "data", "json",
})  # fmt: skip
"""Keys under which models put arguments, beside the name of the answer itself."""
_BESIDE = frozenset({"type", "id", "index", "title", "description", "required"})
"""What may stand beside such a key, and is not part of the answer."""
_NAMES = ("name", "tool_name", "tool", "recipient_name")
LEVELS = 4
"""How many such things may stand one in the other."""


_FENCED = re.compile(r"```\w*\s*\n(.*?)\n?\s*```", re.DOTALL)
_FIRST = re.compile(r'\s*\{\s*"([^"\\]*)"\s*:\s*(?:"([^"\\]*)")?')


class Wrapping:
    """Knows the wrapped forms of one type's answer, by the answer's name and its JSON Schema."""

    def __init__(self, name: str, schema: Json) -> None:
        self._own: frozenset[str] = frozenset(schema["properties"])
        self._free = json_schema.may_have_any_key(schema)
        self._names = frozenset({name, f"Partial{name}"})
        self._keys = (_KEYS | {form for each in self._names for form in (each, each.lower(), _snake(each))}) - self._own
        self._quoted = tuple(f'"{key}"' for key in self._keys)

    def suspects(self, text: str) -> bool:
        """Return whether a valid text may be a wrapped answer all the same: where every field may be missing, say."""
        first = _FIRST.match(text)  # most texts begin with a key of the answer, and are not looked at any more
        if first is None or first[1] in self._keys:
            return first is not None
        named = first[1] in _NAMES and first[2] in self._names
        return (named or first[1] in _BESIDE) and any(key in text for key in self._quoted)

    def called(self, text: str) -> str | None:
        """Return the arguments of a text that is a call by the answer's name, `{"name": …, "arguments": …}`."""
        first = _FIRST.match(text)
        return self.inside(text, valid=False) if first and first[2] in self._names else None

    def inside(self, text: str, *, valid: bool) -> str | None:
        """Return the text that a wrapped answer holds; None for what is not wrapped.

        `valid`: the text itself is valid, so it is opened only if it cannot be meant as the answer.
        """
        inner = fuzzy.inner(text)
        if inner is not None:
            return inner
        whole = fuzzy.repair(text)
        if whole and whole.startswith("["):  # of one
            return alone if fuzzy.members(alone := whole[1:-1]) else None
        parts = fuzzy.members(whole) if whole else None
        if not parts:
            return None
        called = any(self._is_name(parts.get(key, "")) for key in _NAMES)
        keys = [key for key in parts if key in self._keys]
        beside = parts.keys() - keys
        if len(keys) != 1 or not beside <= (_BESIDE.union(_NAMES) if called else _BESIDE):
            return None
        if valid and not called and (self._free or not self._own.isdisjoint(beside)):
            return None
        inner = parts[keys[0]]
        return inner if inner[:1] in ("{", '"') else None

    def shares(self, text: str) -> bool:
        """Return whether an object has a key of the answer."""
        whole = fuzzy.repair(text)
        return not self._own or not self._own.isdisjoint((whole and fuzzy.members(whole)) or ())

    def _is_name(self, written: str) -> bool:
        return written[:1] == '"' and json.loads(written) in self._names


def is_call(text: str) -> bool:
    """Return whether a text begins as a call does, with a name."""
    first = _FIRST.match(text)
    return first is not None and first[1] in _NAMES


def _snake(name: str) -> str:
    return "".join(f"_{each.lower()}" if each.isupper() else each for each in name).lstrip("_")
