"""What providers of a wire of their own are asked, as their SDKs write it: golden files, a first request and a re-ask.

`python tests/providers/test_requests.py` writes them anew.
"""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field

import instructor
from instructor.testing import answer

GOLDEN = Path(__file__).parent / "golden" / "requests"
NAMES = ("anthropic", "bedrock", "cohere", "google", "mistral", "openai", "xai")
OPTIONS: dict[str, Any] = {"max_tokens": 50, "temperature": 0.5, "stop": ["END"], "seed": 1}
UNKNOWN = {"anthropic": ("temperature", "stop", "seed"), "bedrock": ("seed",), "openai": ("stop", "seed")}
"""Options that an SDK does not take."""
ASKED = [
    {"role": "system", "content": "Be exact."},
    {"role": "user", "content": "Jason is 10."},
    {"role": "assistant", "content": "Go on."},
    {"role": "user", "content": [{"type": "text", "text": "Extract him."}]},
]


class User(BaseModel):
    """A person."""

    name: str
    age: int = Field(ge=0, description="In years.")
    nickname: str | None = None


def written(name: str) -> dict[str, Any]:
    """Give the bodies that each mode sends."""
    from cases import cases

    (case,) = [each for each in cases() if each.name == name]
    options = {key: value for key, value in OPTIONS.items() if key not in UNKNOWN.get(name, ())}
    bodies: dict[str, Any] = {}
    for mode in case.row.modes:
        model: Any = list[User] if mode is instructor.Mode.PARALLEL_TOOLS else User
        wrong, right = {"name": "Jason", "age": -1}, {"name": "Jason", "age": 10}
        with case.server([answer(wrong), answer(right)]) as server:
            client = instructor.from_provider(f"{name}/scripted", mode=mode, **case.options(server))
            with client.client if hasattr(client.client, "__exit__") else contextlib.closing(client.client):
                client.create(model, ASKED, **options)
            bodies[mode.name] = [asked.body for asked in server.requests]
    return bodies


@pytest.mark.parametrize("name", NAMES)
def test_requests_are_as_their_golden_file_says(name: str) -> None:
    assert written(name) == json.loads((GOLDEN / f"{name}.json").read_text("utf-8"))


if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]
    GOLDEN.mkdir(exist_ok=True)
    for each in NAMES:
        (GOLDEN / f"{each}.json").write_text(json.dumps(written(each), indent=1, ensure_ascii=False) + "\n", "utf-8")
