"""The seam between a broken list and its continuation: where, and only where, an item may be a repeat."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from instructor.engine.ports import Outcome

SHOWN = 3
"""How many of the last items a model is shown when it is asked to go on."""


class Seam:
    """Holds the first items of a continuation back as long as they may repeat the items that the model was shown.

    Dropped is only the longest run at the start that equals the last items shown. Equal items elsewhere are real.
    """

    def __init__(self, shown: Iterable[Outcome]) -> None:
        self._shown = [_key(outcome.text) for outcome in shown]
        self._held: list[Outcome] = []
        self._keys: list[str] = []
        self.dropped = 0

    def passed(self, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
        """Give those outcomes that are certain to be no repeat."""
        if not self._shown:
            return outcomes
        for at, outcome in enumerate(outcomes):
            self._held.append(outcome)
            self._keys.append(_key(outcome.text))
            if not self._longer_run_possible():
                return [*self.close(), *outcomes[at + 1 :]]
        return ()

    def close(self) -> Sequence[Outcome]:
        """Decide, now that no more comes or no more is needed."""
        length = next((n for n in range(len(self._keys), 0, -1) if self._keys[:n] == self._shown[-n:]), 0)
        released, self.dropped = self._held[length:], self.dropped + length
        self._shown, self._held, self._keys = [], [], []
        return released

    def _longer_run_possible(self) -> bool:
        met = len(self._keys)
        return any(self._keys == self._shown[-n:][:met] for n in range(met + 1, len(self._shown) + 1))


def _key(text: str) -> str:
    """Write equal JSON values alike, however they were spaced; text that is no JSON stands for itself."""
    try:
        return json.dumps(json.loads(text), sort_keys=True)
    except (ValueError, RecursionError):
        return text.strip()
