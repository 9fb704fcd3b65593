"""Do what the README says, as a new user would: `make test-install`.

For each Python, each block of the section "Install" is typed line by line into a new virtual environment, in a clone of
the last commit. After the first block the README's programs run there, and print what the README says.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from test_docs import ROOT, run

PYTHONS = ("3.10", "3.13")
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
PLACEHOLDER = "git+https://HOST/PATH/instructor.git"


def main() -> None:
    """Try all Pythons that are here. Fail if a line fails, or if there is none of them."""
    found = {version: interpreter(version) for version in PYTHONS}
    for version, python in found.items():
        if python is None:
            say(f"Python {version}: skipped, there is no such interpreter here")
        else:
            attempt(version, python)
    if not any(found.values()):
        sys.exit(f"None of Python {', '.join(PYTHONS)} is here")


def attempt(version: str, python: str) -> None:
    """Type the README's lines with one Python."""
    with tempfile.TemporaryDirectory() as folder:
        checkout = Path(folder) / "checkout"
        subprocess.run(["git", "clone", "-q", ROOT, checkout], check=True)
        section = (checkout / "README.md").read_text("utf-8").partition("\n## Install\n")[2].partition("\n## ")[0]
        blocks = BLOCK.findall(section)
        assert len(blocks) > 1, "the README has no blocks under ## Install"
        for number, block in enumerate(blocks):
            environment = Path(folder) / f"environment{number}"
            subprocess.run([python, "-m", "venv", environment], check=True)
            for line in block.replace(PLACEHOLDER, f"git+file://localhost{checkout}").splitlines():
                say(f"Python {version}: {line}")
                typed(line, environment, checkout)
            if number == 0:
                run("README.md", environment / "bin" / "python")
                say(f"Python {version}: the README's programs print what it says")


def typed(line: str, environment: Path, checkout: Path) -> None:
    """Run a line in a shell where the environment is active."""
    active = {**os.environ, "PATH": f"{environment / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        line, shell=True, cwd=checkout, env=active, capture_output=True, text=True, timeout=600, check=False
    )
    if done.returncode != 0:
        sys.exit(f"{line}\n{done.stdout}{done.stderr}")


def interpreter(version: str) -> str | None:
    """Return the path of an interpreter of this version that runs: from the path, or pyenv's."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = [shutil.which(f"python{version}"), *sorted(map(str, pyenv.glob(f"versions/{version}.*/bin/python")))]
    question = "import sys; print('.'.join(map(str, sys.version_info[:2])))"
    for candidate in filter(None, found):
        said = subprocess.run([candidate, "-c", question], capture_output=True, text=True, check=False)
        if said.stdout.strip() == version:
            return candidate
    return None


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
