"""Long documents: cut into chunks along their sentences, and the items of overlapping chunks put together."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Hashable, Iterable
from typing import Any, Literal, NamedTuple, TypeVar

from pydantic_core import to_json

from instructor.exceptions import ConfigurationError

T = TypeVar("T")
_PARAGRAPH = re.compile(r"\n\s*\n|\f")
_SENTENCE = re.compile(r"(?<=[.!?…。！？])[\"'”’)\]]*\s+|\n")  # noqa: RUF001 - full stops of other scripts
_ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:\w|Dr|Mr|Mrs|Ms|Prof|St|No|Nr|vs|etc|e\.g|i\.e|z\.B|cf|ca|approx|Inc|Ltd)\.$"
)
_WORD = re.compile(r"\s+")


class Chunk(NamedTuple):
    """A part of a text: `text` is `whole[start:end]`."""

    text: str
    start: int
    end: int


def chunks(text: str, size: int, overlap: int = 0) -> list[Chunk]:
    """Cut a text into parts of at most `size` characters, which begin and end with a paragraph or a sentence.

    A sentence that is longer is cut between words, and a longer word anywhere. White space between chunks is left out.

    Args:
        text: The text.
        size: How many characters a chunk has at most.
        overlap: How many characters of the end of a chunk the next one repeats at most: whole sentences.

    Raises:
        ConfigurationError: `size` is not a number above 0, or `overlap` is not smaller than it.

    Example:
        >>> [chunk.text for chunk in chunks("Ann is 3. Bob is 4. Cid is 5.", 20, 10)]
        ['Ann is 3. Bob is 4.', 'Bob is 4. Cid is 5.']
    """
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise ConfigurationError(f"size must be a number of characters above 0, got {size!r}.")
    if isinstance(overlap, bool) or not isinstance(overlap, int) or not 0 <= overlap < size:
        raise ConfigurationError(f"overlap must be a number of characters from 0 to {size - 1}, got {overlap!r}.")
    units = _units(text, size)
    found: list[Chunk] = []
    first = 0
    while first < len(units):
        last = first
        while last + 1 < len(units) and units[last + 1][1] - units[first][0] <= size:
            last += 1
        last = _paragraph_end(text, units, first, last)
        found.append(Chunk(text[units[first][0] : units[last][1]], units[first][0], units[last][1]))
        end, following = units[last][1], last + 1
        while following - 1 > first and end - units[following - 1][0] <= overlap and last + 1 < len(units):
            if units[last + 1][1] - units[following - 1][0] > size:
                break
            following -= 1
        first = following
    return found


def _paragraph_end(text: str, units: list[tuple[int, int]], first: int, last: int) -> int:
    """Return the last unit of a chunk: the end of a paragraph, if one is in the second half and others follow."""
    if last + 1 >= len(units):
        return last
    half = units[first][0] + (units[last][1] - units[first][0]) / 2
    for at in range(last, first - 1, -1):
        if units[at][1] < half:
            break
        if _PARAGRAPH.search(text, units[at][1], units[at + 1][0]):
            return at
    return last


def _units(text: str, size: int) -> list[tuple[int, int]]:
    """Return where the sentences of a text are; those that are too long, in pieces."""
    units: list[tuple[int, int]] = []
    start = 0
    for match in _SENTENCE.finditer(text):
        if not _ABBREVIATION.search(text, max(start, match.start() - 12), match.start()):
            _append(text, start, match.start() + len(match.group().rstrip()), size, units)
            start = match.end()
    _append(text, start, len(text), size, units)
    return units


def _append(text: str, start: int, end: int, size: int, units: list[tuple[int, int]]) -> None:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    while end - start > size:
        spaces = [match.start() for match in _WORD.finditer(text, start + 1, start + size + 1)]
        cut = spaces[-1] if spaces else start + size
        units.append((start, cut))
        start = cut
        while text[start].isspace():
            start += 1
    if end > start:
        units.append((start, end))


def merge(items: Iterable[T], key: Literal["exact", "normalized"] | Callable[[T], Hashable] = "exact") -> list[T]:
    """Return the items of overlapping chunks without those that came before.

    Args:
        items: The items of all chunks, in their order.
        key: When two items are the same: "exact" if all their fields are equal; "normalized" if they are equal but for
            case, white space and the form of characters; or a function that returns what must be equal.

    Raises:
        ConfigurationError: `key` is something else.

    Example:
        >>> merge(["Ann", "Bob", "ann "], key="normalized")
        ['Ann', 'Bob']
    """
    if key not in ("exact", "normalized") and not callable(key):
        raise ConfigurationError(f"key must be 'exact', 'normalized' or a function of the item, got {key!r}.")
    kept: dict[Hashable, T] = {}
    for item in items:
        kept.setdefault(key(item) if callable(key) else _identity(item, key), item)
    return list(kept.values())


def _identity(item: Any, how: str) -> Hashable:
    text = to_json(item, fallback=repr).decode()
    if how == "exact":
        return text
    return re.sub(r"\s+", " ", unicodedata.normalize("NFKC", text)).casefold().replace('" ', '"').replace(' "', '"')
