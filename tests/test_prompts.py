"""Prompts: each is in the docs, and a program may replace each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import instructor
from harness import Harness
from instructor import Mode
from instructor.exceptions import ConfigurationError
from instructor.testing import answer, content

ROOT = Path(__file__).parent.parent


class User(BaseModel):
    name: str
    age: int


USER = {"name": "a", "age": 1}


@pytest.fixture
def replace() -> Iterator[Any]:
    """Replace prompts, and put them back."""
    before: dict[str, Any] = {}
    yield lambda **texts: before.update(instructor.prompts.replace(**texts))
    instructor.prompts.replace(**before)


def test_each_prompt_is_in_the_docs() -> None:
    page = (ROOT / "docs" / "prompts.md").read_text("utf-8")
    assert [name for name in instructor.prompts._NAMES if f"`{name}`" not in page] == []


async def test_prompts_of_the_request(harness: Harness, scripted_server: Any, replace: Any) -> None:
    server = scripted_server([content(USER), content(USER), answer({"result": USER}), answer({"tasks": []})])
    client = harness.client(server, Mode.MD_JSON)
    await harness.create(client, User)
    replace(CODE_BLOCK="Bitte als ```json-Block.", schema=lambda schema: f"Form: {schema['title']}")
    await harness.create(client, User)
    said = str(server.requests[1].body["messages"])
    assert "Bitte als" in said
    assert "Form: User" in said
    replace(MAYBE_RESULT="Das Ergebnis.", tasks=lambda name: f"Alle {name}.", EXTRACT="Ein {name}.")
    tools = harness.client(server)
    await harness.create(tools, instructor.Maybe(User))
    assert "Das Ergebnis." in str(server.requests[2].body["tools"])
    await harness.create(tools, list[User])
    assert "Alle User." in str(server.requests[3].body["tools"])


async def test_prompts_of_a_correction(harness: Harness, scripted_server: Any, replace: Any) -> None:
    replace(wrong=lambda lines: "Falsch: " + "; ".join(lines))
    server = scripted_server([answer({"name": "a"}), answer(USER)])
    await harness.create(harness.client(server), User)
    assert server.requests[1].body["messages"][-1]["content"] == "Falsch: Field required @ $.age"


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ({"CODE_BLOK": "x"}, "Unknown prompt 'CODE_BLOK'. Did you mean 'CODE_BLOCK'?"),
        ({"EXTRACT": "x"}, r"The prompt 'EXTRACT' must be a str with \{name\}, got 'x'"),
        ({"CODE_BLOCK": 3}, "The prompt 'CODE_BLOCK' must be a str, got 3"),
        ({"wrong": "x"}, "The prompt 'wrong' must be a function of"),
        ({"wrong": lambda: "x"}, "must be a function of"),
        ({"QUOTES": "x"}, "describes a field"),
    ],
)
def test_what_is_no_prompt(texts: dict[str, Any], said: str) -> None:
    code_block = instructor.prompts.CODE_BLOCK
    with pytest.raises(ConfigurationError, match=said):
        instructor.prompts.replace(**{"CODE_BLOCK": "new", **texts})
    assert code_block == instructor.prompts.CODE_BLOCK
