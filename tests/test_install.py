"""What the errors say about missing packages."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys

import pytest

from instructor._install import install_command
from instructor.exceptions import ConfigurationError
from instructor.local import weights


def test_the_command_names_the_packages_of_an_extra() -> None:
    """`pip install "instructor[openai]"` would take another project's package from the index."""
    assert install_command("openai") == 'pip install "openai<4,>=2"'
    assert install_command("redis") == 'pip install "redis>=6"'
    assert '"rich>=14"' in install_command("cli")
    assert "xllamacpp" in install_command("local")


def test_from_its_source_the_command_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> list[str]:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", missing)
    assert install_command("openai") == 'pip install "instructor[openai]"'


def test_nothing_is_downloaded_before_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)

    def run(*_: object, **__: object) -> None:
        raise AssertionError("a program was started")

    monkeypatch.setattr(subprocess, "run", run)
    for call in (weights.install, weights.check):
        with pytest.raises(ConfigurationError, match=r"'xllamacpp'.*pip install .*&& instructor local install"):
            call()
