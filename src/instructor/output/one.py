"""An answer that is one value: a model, or anything else under the key `content`."""

from __future__ import annotations

import json
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
from instructor.text import loose

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
        self.tools = (Tool(self.name, self.description, self.schema),)

    def validate(self, text: str, *, strict: bool | None = None, context: Any = None) -> Any:
        """Validate an answer's JSON text, and take the value out of its wrapper."""
        if self._choice:
            inner = json.loads(text) if text.lstrip().startswith("{") else None
            if isinstance(inner, dict) and "content" in inner:
                return self._choice.validate_json(json.dumps(inner["content"]), strict=strict, context=context)
        value = self.adapter.validate_json(text, strict=strict, context=context)
        return value.content if self.wrapped else value

    def parse(self, text: str, call: Call) -> tuple[Any, bool]:
        """Find the answer in a reply's text; the flag tells that small faults of its syntax were mended.

        In prose with several JSON values the last one that validates counts. Raises the ValidationError of the last.
        """
        wrong: Bad | None = None
        for candidate in reversed(loose.values(text) or [text.strip()]):
            outcome = judged(self.validate, candidate, 0, call)
            if isinstance(outcome, Good):
                return outcome.value, outcome.mended
            wrong = wrong or outcome
        if wrong is None or not wrong.text.startswith(("{", "[")):
            raise ResponseParsingError(
                f"The reply holds no JSON object: {text[:_SHOWN]!r}", text=text, mode=call.mode.value
            )
        raise wrong.error

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
        self.closed = False
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
        said = ["".join(self._parts[channel]) for channel in sorted(self._parts)]
        text = next((text for text in said if text.strip()), NO_ARGUMENTS)
        self.looked += len(text)
        try:
            value, mended = self._output.parse(text, self._call)
        except (ValidationError, ResponseParsingError) as error:
            return [Bad(0, text, error)]
        self.closed = True
        return [Good(0, value, text, mended=mended)]
