"""`CitationMixin`: an answer whose quotes are looked up in the text that they are said to be from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import BaseModel, Field, ValidationInfo, model_validator
from typing_extensions import Self

from instructor.engine import prompts
from instructor.text.alike import place_of


class CitationMixin(BaseModel):
    """A model with quotes. With `context={"context": text}` each becomes the place in the text that it is like.

    A quote that is in no place of the text is left out.
    """

    substring_quotes: list[str] = Field(description=prompts.QUOTES)

    @model_validator(mode="after")
    def _found_in_context(self, info: ValidationInfo) -> Self:
        text = info.context.get("context") if isinstance(info.context, Mapping) else None
        if isinstance(text, str):  # past the validation of assignments, which would come here again
            vars(self)["substring_quotes"] = [text[start:end] for start, end in self.get_spans(text)]
        return self

    def get_spans(self, context: str) -> Iterator[tuple[int, int]]:
        """Find where each quote stands; those that stand nowhere are passed over."""
        for quote in self.substring_quotes:
            span = place_of(quote, context)
            if span is not None:
                yield span
