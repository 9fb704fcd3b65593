"""`CitationMixin`: an answer whose quotes are looked up in the text that they are said to be from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import BaseModel, Field, ValidationInfo, model_validator
from typing_extensions import Self

from instructor.engine import prompts

_ERRORS = 5
"""Characters in which a quote may differ from its place, and no more than one of its four."""


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
            span = _span(quote, context)
            if span is not None:
                yield span


def _span(quote: str, text: str) -> tuple[int, int] | None:
    """Find the first place of those that are most like a quote."""
    start = text.find(quote)
    if start >= 0:
        return (start, start + len(quote)) if quote else None
    allowed = min(_ERRORS, len(quote) // 4)
    if len(quote) > len(text) + allowed:
        return None
    errors, end = min(_distances(quote, text, anchored=False), default=(allowed + 1, 0))
    if errors > allowed:
        return None
    # Backwards from there, the place begins where as few errors are counted; as long as the quote, if it may be.
    before = text[max(0, end - len(quote) - errors) : end][::-1]
    lengths = [length for count, length in _distances(quote[::-1], before, anchored=True) if count == errors]
    return end - min(lengths, key=lambda length: abs(length - len(quote))), end


def _distances(quote: str, text: str, *, anchored: bool) -> Iterator[tuple[int, int]]:
    """Give for each place of a text the edits between a quote and what ends there; anchored, all that ends there.

    Myers' algorithm: the differences between neighbouring counts of a column are bits of two numbers (G. Myers, "A fast
    bit-vector algorithm for approximate string matching", 1999), so the work is the text's length.
    """
    bits: dict[str, int] = {}
    for at, character in enumerate(quote):
        bits[character] = bits.get(character, 0) | 1 << at
    every, top, count = (1 << len(quote)) - 1, 1 << len(quote) >> 1, len(quote)
    more, less = every, 0
    for end, character in enumerate(text, 1):
        equal = bits.get(character, 0)
        down = equal | less
        across = (((equal & more) + more) ^ more) | equal
        up, fewer = (less | ~(across | more)) & every, more & across
        count += bool(up & top) - bool(fewer & top)
        up, fewer = (up << 1 | anchored) & every, fewer << 1 & every
        more, less = (fewer | ~(down | up)) & every, up & down
        yield count, end
