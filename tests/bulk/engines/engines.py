"""The server of the engines' tests."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

from instructor.testing import Asked, Reply, answer


class Numbers:
    """A server's function: answers "Row 7" with 7, and counts the answers. `bad`: which of a hundred are invalid."""

    def __init__(self, bad: int | None = None) -> None:
        self.answers: Counter[int] = Counter()
        self.at: dict[int, Callable[[], object]] = {}
        """What is called before the answer of that number is sent."""
        self._lock, self._bad = threading.Lock(), bad

    def __call__(self, asked: Asked) -> Reply:
        number = int(str(asked.body["messages"][-1]["content"]).rpartition("Row ")[2].split()[0])
        with self._lock:
            self.answers[number] += 1
            act = self.at.pop(sum(self.answers.values()), None)
        if act is not None:
            act()
        return answer({"value": "none"} if self._bad is not None and number % 100 == self._bad else {"value": number})
