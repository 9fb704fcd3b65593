"""From where in the text an item comes, with offsets in UTF-16, which is what browsers count."""

from __future__ import annotations

from typing import Any

import instructor

Json = dict[str, Any]


def grounding() -> Json:
    """Return the arguments of a call whose items tell where they come from."""
    return {"ground": True} if hasattr(instructor, "evidence") else {}


def spans_of(item: Any, text: str) -> list[Json]:
    """Return the spans of an item: field, start and end in UTF-16, status."""
    evidence: Any = getattr(instructor, "evidence", None)
    if evidence is None:
        return []
    return [
        {"field": path, "start": span.utf16(text)[0], "end": span.utf16(text)[1], "status": span.status}
        for path, spans in evidence(item).fields.items()
        for span in spans
    ]
