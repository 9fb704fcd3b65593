"""From where in the text an item comes, with offsets in UTF-16, which is what browsers count."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

from instructor.exceptions import ConfigurationError
from instructor.grounding.evidence import evidence

Json = dict[str, Any]


class PlacedText:
    """A text of which items say where in it they stand.

    Args:
        text: The text. Its characters that are two units of UTF-16 are looked for once: items are many.
        message: The index of the message that it is.
    """

    def __init__(self, text: str, message: int) -> None:
        self.text, self._message = text, message
        self._wide = [at for at, character in enumerate(text) if character > "\uffff"]

    def spans_of(self, item: Any) -> list[Json]:
        """Return the spans of an item: field, start, end and status."""
        try:
            found = evidence(item)
        except ConfigurationError:  # its type cannot carry evidence
            return []
        return [
            {"field": path, "start": self._utf16(span.start), "end": self._utf16(span.end), "status": span.status}
            for path, spans in found.fields.items()
            for span in spans
            if span.source.message == self._message
        ]

    def _utf16(self, offset: int) -> int:
        return offset + bisect_left(self._wide, offset)
