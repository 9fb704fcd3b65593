"""The user's texts in the messages of a call: what an answer may come from."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from instructor.grounding.evidence import Source, Span


class Sources:
    """The texts of the user's messages, in order. System texts, answers and results of tools are none."""

    def __init__(self, messages: Sequence[Mapping[str, Any]]) -> None:
        self._parts: list[_Part] = []
        self.unavailable = False
        """Whether there are also parts without a text: images, sounds, files."""
        base = 0
        for number, message in enumerate(messages):
            if message.get("role") != "user":
                continue
            for index, part in enumerate(_parts_of(message)):
                text = _text_of(part)
                if text is None:
                    self.unavailable = self.unavailable or not _is_of_a_tool(part)
                elif text:
                    self._parts.append(_Part(base, text, tuple(_pages(text, number, index))))
                    base += len(text) + 1
        self._bases = [part.base for part in self._parts]
        self.texts = [part.text for part in self._parts]

    def span(self, start: int, end: int, status: str) -> Span:
        """Return a place, counted from the start of the first text, as a span of its own text."""
        base, _, pages = self._parts[bisect_right(self._bases, start) - 1]
        at = bisect_right(pages, start - base, key=_begin) - 1
        return Span(start - base, end - base, pages[at][1], status)

    def bounds(self, start: int) -> tuple[int, int]:
        """Return where the text around a place begins and ends."""
        base, text, _ = self._parts[bisect_right(self._bases, start) - 1]
        return base, base + len(text)


class _Part(NamedTuple):
    base: int
    text: str
    pages: tuple[tuple[int, Source], ...]
    """Where each page begins, and what it is."""


def _begin(page: tuple[int, Source]) -> int:
    return page[0]


def _pages(text: str, message: int, part: int) -> Iterator[tuple[int, Source]]:
    """Yield the pages of a text: form feeds are between them."""
    if "\f" not in text:
        yield 0, Source(message, part, None, text)
        return
    begin, page = 0, 1
    while True:
        yield begin, Source(message, part, page, text)
        begin = text.find("\f", begin) + 1
        page += 1
        if not begin:
            return


def _parts_of(message: Mapping[str, Any]) -> Sequence[Any]:
    content = message.get("content")
    if content is None:
        content = message.get("parts")
    return content if isinstance(content, (list, tuple)) else () if content is None else (content,)


def _text_of(part: Any) -> str | None:
    if isinstance(part, str):
        return part
    if not isinstance(part, Mapping):
        text: object = getattr(part, "text", None)
        return text if isinstance(text, str) else None
    if isinstance(text := part.get("text"), str):
        return text
    source = part.get("source")
    if isinstance(source, Mapping) and source.get("type") == "text" and isinstance(data := source.get("data"), str):
        return data
    return None


def _is_of_a_tool(part: Any) -> bool:
    kind = part.get("type") if isinstance(part, Mapping) else None
    return isinstance(kind, str) and kind.startswith(("tool", "function"))
