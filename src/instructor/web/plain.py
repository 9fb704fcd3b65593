"""Values as a page can hold them."""

from __future__ import annotations

from typing import Any

_SAFE = (1 << 53) - 1
"""The largest integer that JavaScript does not round."""


def for_page(value: Any) -> Any:
    """Return a value as a page can hold it: integers that JavaScript would round become text."""
    if isinstance(value, dict):
        return {name: for_page(part) for name, part in value.items()}
    if isinstance(value, list):
        return [for_page(part) for part in value]
    if isinstance(value, int) and abs(value) > _SAFE:
        return str(value)
    return value
