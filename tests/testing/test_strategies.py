"""What the strategies refuse, where they are called."""

from __future__ import annotations

from typing import Any

import pytest

from instructor.testing import strategies


@pytest.mark.parametrize(
    "called",
    [
        strategies.turns,
        lambda endings: strategies.scripts(int, endings=endings),
        lambda endings: strategies.answers(int, endings=endings),
    ],
)
@pytest.mark.parametrize(
    ("endings", "message"),
    [
        (["bogus"], r"An ending must be one of 'end', 'length', .*, got 'bogus'\.$"),
        (["end", "lenght"], r"got 'lenght'\. Did you mean 'length'\?"),
        ("end", "endings must be a list .*, got 'end'"),
        ([], r"endings must be a list of at least one of .*, got \[\]"),
    ],
)
def test_unknown_endings_are_an_error_at_the_call(called: Any, endings: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        called(endings)
