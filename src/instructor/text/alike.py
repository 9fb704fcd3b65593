"""Where a text has a passage that is like a quote: the same, or with a few characters other."""

from __future__ import annotations

from collections.abc import Iterator

_ERRORS = 5
"""Characters in which a quote may differ from its place, and no more than one of its four."""


def place_of(quote: str, text: str) -> tuple[int, int] | None:
    """Find the first of the places that are most like a quote; None where no place is like it."""
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
