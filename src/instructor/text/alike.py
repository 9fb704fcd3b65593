"""Where a text has a passage that is like a quote: the same, or with a few characters other.

Errors are few, so some pieces of the quote stand in its place as they are. `str.find` finds those; only around them are
errors counted, which costs a hundred times as much a character.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

_ERRORS = 5
"""Characters in which a quote may differ from its place, and no more than one of its four."""
_CUTS = 100
"""How often the length of the text may be cut out around pieces; beyond, errors are counted in all of it."""


def place_of(quote: str, text: str) -> tuple[int, int] | None:
    """Find the first of the places that are most like a quote; None where no place is like it."""
    start = text.find(quote)
    if start >= 0:
        return (start, start + len(quote)) if quote else None
    allowed = min(_ERRORS, len(quote) // 4)
    if not allowed or len(quote) > len(text) + allowed:
        return None
    nearest = (allowed + 1, 0)
    for begin, part in _likely(quote, text, allowed):
        errors, end = min(_distances(quote, part, anchored=False))
        nearest = min(nearest, (errors, begin + end))
    errors, end = nearest
    if errors > allowed:
        return None
    # Backwards from there, the place begins where as few errors are counted; as long as the quote, if it may be.
    before = text[max(0, end - len(quote) - errors) : end][::-1]
    lengths = [length for count, length in _distances(quote[::-1], before, anchored=True) if count == errors]
    return end - min(lengths, key=lambda length: abs(length - len(quote))), end


def _likely(quote: str, text: str, allowed: int) -> Iterator[tuple[int, str]]:
    """Give the parts of a text in which a place with so many errors may be; of equal parts the first."""
    counts = (allowed + 2, len(quote) // 2)
    finer = [(_pieces(quote, count), count - allowed) for count in counts if count > allowed + 1]
    width, left = len(quote) + 2 * allowed, _CUTS * len(text)
    found: dict[str, int] = {}
    for offset, piece in _pieces(quote, allowed + 1):
        at = text.find(piece)
        while at >= 0:
            begin = max(0, at - offset - allowed)
            part = text[begin : at - offset - allowed + width]
            found[part] = min(begin, found.get(part, begin))
            left -= width
            if left < 0:
                yield 0, text
                return
            at = text.find(piece, at + 1)
    likely = [
        (begin, part)
        for part, begin in found.items()
        if all(sum(piece in part for _, piece in pieces) >= least for pieces, least in finer)
    ]
    if sum(len(part) for _, part in likely) > len(text):
        yield 0, text
    else:
        yield from likely


def _pieces(quote: str, count: int) -> list[tuple[int, str]]:
    """Cut a quote into so many pieces, each with its place: of one more than the errors one has none."""
    places = [len(quote) * at // count for at in range(count + 1)]
    return [(begin, quote[begin:end]) for begin, end in pairwise(places)]


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
