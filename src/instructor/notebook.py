"""A stream in the output of a notebook's cell, which changes in place while the stream is read."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from instructor.display import Displayed, html_of_items

_EVERY = 0.1
"""Seconds between two changes of the output."""
_LAST = 10
"""How many of the last values are shown."""


class LiveView:
    """The output of a cell. It keeps the last values, and no reference to the stream."""

    def __init__(self, handle: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._handle, self._clock = handle, clock
        self._values: deque[Any] = deque(maxlen=_LAST)
        self.count = 0
        """How many values came; 1 if each takes the place of the one before."""
        self._drawn = -_EVERY

    def add(self, shown: Displayed, value: Any, *, replaces: bool) -> None:
        """Note a value; `replaces`: it is the one before, as it has grown."""
        if replaces:
            self._values.clear()
        self._values.append(value)
        self.count = 1 if replaces else self.count + 1
        if self._clock() - self._drawn >= _EVERY:
            self.draw(shown)

    def draw(self, shown: Displayed) -> None:
        """Replace the output."""
        self._drawn = self._clock()
        self._handle.update(content(shown, list(self._values), self.count), raw=True)


def content(shown: Displayed, values: list[Any], count: int) -> dict[str, str]:
    """Return what a cell shows, by its kinds."""
    items = html_of_items(values, first=count - len(values), total=count) if values else ""
    return {"text/plain": str(shown), "text/html": shown._repr_html_() + items}


def show(shown: Displayed) -> LiveView | None:
    """Show a stream as the output of a cell; return what changes it later, or None where nothing can: in a terminal."""
    display = sys.modules["IPython.display"].display
    shell = sys.modules["IPython"].get_ipython()
    handle = display(content(shown, [], 0), raw=True, display_id=True)
    return LiveView(handle) if getattr(shell, "kernel", None) is not None else None
