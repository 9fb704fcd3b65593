"""The list that a list of items comes back as."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, SupportsIndex, TypeVar, overload

from instructor.report import Report
from instructor.usage import Usage

T = TypeVar("T")


class ListResponse(list[T]):
    """A list of items that remembers the response it was read from, and the report; so do its slices."""

    def __init__(
        self,
        items: Iterable[T] = (),
        raw_response: Any = None,
        total_usage: Usage | None = None,
        report: Report | None = None,
    ) -> None:
        super().__init__(items)
        self._raw_response, self._total_usage = raw_response, total_usage
        self.report = Report() if report is None else report

    @classmethod
    def from_list(cls, items: Iterable[T], *, raw_response: Any = None, total_usage: Any = None) -> ListResponse[T]:
        return cls(items, raw_response, total_usage)

    def get_raw_response(self) -> Any:
        """Give the SDK's own response object."""
        return self._raw_response

    def get_total_usage(self) -> Usage | None:
        """Give the tokens of all requests that this list took."""
        return self._total_usage

    @overload
    def __getitem__(self, index: SupportsIndex) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> ListResponse[T]: ...
    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        if isinstance(index, slice):
            return type(self)(found, self._raw_response, self._total_usage, self.report)
        return found


ResponseList = ListResponse
"""The same, by the name that older versions had for it too."""
