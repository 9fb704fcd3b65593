"""What follows a reply, as a table: no server, no model."""

from __future__ import annotations

from itertools import product
from typing import Any, get_args

import pytest

from instructor.core.reask import Action, Decision, Progress, decide
from instructor.core.types import Finish

DONE = Decision(Action.DONE)
TABLE: list[tuple[dict[str, Any], Decision]] = [
    ({"finish": "stop", "refused": True}, Decision(Action.GIVE_UP, "consent")),
    ({"finish": "stop", "started": False}, Decision(Action.RESTART, "answer")),
    ({"finish": "stop"}, DONE),
    ({"finish": "tool"}, DONE),
    ({"finish": "stop", "invalid": 1}, Decision(Action.REASK, "validity")),
    ({"many": False, "finish": None}, DONE),  # its last bracket came
    ({"many": False, "finish": "other"}, DONE),
    ({"many": False, "finish": None, "closed": False}, Decision(Action.RESTART, "end")),
    ({"many": False, "finish": "length"}, Decision(Action.GIVE_UP, "end")),
    ({"many": False, "finish": "filter"}, Decision(Action.GIVE_UP, "end")),
    ({"many": True, "finish": None, "items": 3}, Decision(Action.CONTINUE, "end")),
    ({"many": True, "finish": "other", "items": 3}, Decision(Action.CONTINUE, "end")),
    ({"many": True, "finish": "length", "items": 3, "invalid": 1}, Decision(Action.CONTINUE, "end")),
    ({"many": True, "finish": "length", "items": 0}, Decision(Action.RESTART, "end")),
    ({"many": True, "finish": "stop", "closed": False, "items": 3}, Decision(Action.CONTINUE, "end")),
    ({"many": True, "finish": "filter", "items": 3}, Decision(Action.GIVE_UP, "end")),
    ({"many": True, "finish": "length", "items": 3, "asks_first": True}, Decision(Action.REASK, "end")),
    ({"many": True, "finish": "stop", "asked": True, "list_waits": True}, Decision(Action.CONTINUE, "end")),
    ({"many": True, "finish": "length", "asked": True, "invalid": 1}, Decision(Action.REASK, "validity")),
    ({"many": True, "finish": "length", "asked": True, "invalid": 0}, DONE),  # the list itself was complete before
    ({"many": True, "finish": "stop", "invalid": 2, "skips": True}, DONE),
    ({"many": True, "finish": "stop", "started": False, "no_more": True, "items": 3}, DONE),
]


@pytest.mark.parametrize(("known", "expected"), TABLE, ids=lambda value: str(value)[:60])
def test_what_follows(known: dict[str, Any], expected: Decision) -> None:
    for many in [known["many"]] if "many" in known else [True, False]:
        assert decide(Progress(**{**known, "many": many})) == expected


def test_every_case_is_decided() -> None:
    """In all 8,192 cases: nothing invalid is called done, a list that was cut is never done, a refusal is the end."""
    flags = [name for name in Progress._fields if name not in ("finish", "items", "invalid")]
    for finish in (None, *get_args(Finish)):
        for values in product((False, True), repeat=len(flags)):
            known: dict[str, Any] = dict(zip(flags, values, strict=True))
            for invalid in (0, 1):
                progress = Progress(**known, finish=finish, items=2, invalid=invalid)
                action, missing = decide(progress)
                assert (action is Action.DONE) == (missing == "")
                if action is Action.DONE:
                    assert progress.has_answer
                    assert progress.skips or not invalid
                    if progress.many and not progress.asked and not progress.no_more:
                        assert progress.ended
                        assert progress.closed
                if progress.refused:
                    assert action is Action.GIVE_UP
                if action is Action.CONTINUE:
                    assert progress.many
