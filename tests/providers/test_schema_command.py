"""`instructor schema`: what is printed where, and the status."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from instructor import cli
from instructor.outputs import output_for

MODELS = """
from pydantic import BaseModel, Field

class User(BaseModel):
    name: str = Field(min_length=2)
    age: int = 3

class Plain(BaseModel):
    name: str

class Counts(BaseModel):
    by_name: dict[str, int]
"""


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "shown_models.py").write_text(MODELS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "shown_models", raising=False)
    return "shown_models"


def command(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["instructor", "schema", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def test_the_schema_and_what_is_lost(
    models: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(monkeypatch, f"{models}:User", "--provider", "openai") == 0
    said = capsys.readouterr()
    schema = json.loads(said.out)
    assert schema["required"] == ["name", "age"]
    assert schema["additionalProperties"] is False
    assert [line.strip() for line in said.err.splitlines()[1:]] == ["minLength=2 @ $.name", "always written @ $.age"]


def test_nothing_is_lost(models: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(monkeypatch, f"{models}:Plain", "-p", "bedrock") == 0
    assert capsys.readouterr().err == ""


def test_a_type_that_has_no_such_form(
    models: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(monkeypatch, f"{models}:Counts", "-p", "bedrock") == 1
    said = capsys.readouterr()
    assert json.loads(said.out) == output_for(sys.modules[models].Counts).schema
    assert "keys of any name @ $.by_name" in said.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("shown_models",), "package.module:Name"),
        (("shown_models:Nobody",), "Nobody"),
        (("no_such_module:User",), "no_such_module"),
        (("shown_models:User", "-p", "nobody"), "Unknown provider 'nobody'"),
        (("shown_models:MODELS_HAS_NOT",), "cannot be found"),
    ],
)
def test_what_cannot_be_shown(
    models: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    said: str,
) -> None:
    assert command(monkeypatch, *arguments) == 2
    assert said in capsys.readouterr().err
