"""The command `instructor`. It needs the extra `cli`, and nothing else before a command asks for it."""

from __future__ import annotations

import importlib
import sys


def main() -> None:
    """Run the command. Without typer, print what to install."""
    try:
        run = importlib.import_module("instructor.cli.app").run
    except ModuleNotFoundError as error:
        if error.name not in ("typer", "rich", "click"):
            raise
        install = importlib.import_module("instructor._install").install_command("cli")
        sys.stderr.write(f"The command needs the module {error.name!r}.\nhint: {install}\n")
        raise SystemExit(2) from None
    raise SystemExit(run())
