"""SDK objects as the wire JSON they stand for: the one place for clients that give no bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from instructor.engine.call import Json
from instructor.exceptions import ResponseParsingError


def as_wire(response: Any) -> Json:
    """Turn a response or a chunk, whatever its making, into a plain dict."""
    plain = _plain(response)
    if isinstance(plain, dict):
        return plain
    raise ResponseParsingError(
        f"The client gave {response!r}, which is no response that can be read as JSON: "
        "an SDK's object, a dict or a namespace is.",
        raw_response=response,
    )


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    dump = getattr(type(value), "model_dump", None)
    if dump is not None:
        return dump(value, mode="json", by_alias=True, warnings=False)  # an alias is the wire's own name
    if hasattr(value, "__dict__"):
        return {key: _plain(part) for key, part in vars(value).items() if not key.startswith("_")}
    return value
