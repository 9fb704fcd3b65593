"""The list that a list of items comes back as."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

T = TypeVar("T")


class ListResponse(list[T]):
    """A list of items that remembers the response it was read from."""

    _raw_response: Any = None
    _total_usage: Any = None
    report: Any = None

    def __init__(self, items: Iterable[T] = (), raw_response: Any = None, total_usage: Any = None) -> None:
        super().__init__(items)
        self._raw_response, self._total_usage = raw_response, total_usage

    @classmethod
    def from_list(cls, items: Iterable[T], *, raw_response: Any = None, total_usage: Any = None) -> ListResponse[T]:
        return cls(items, raw_response, total_usage)

    def get_raw_response(self) -> Any:
        """Give the SDK's own response object."""
        return self._raw_response

    def get_total_usage(self) -> Any:
        """Give the tokens of all requests that this list took."""
        return self._total_usage

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        return type(self)(found, self._raw_response, self._total_usage) if isinstance(index, slice) else found
