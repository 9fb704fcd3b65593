"""`instructor providers`: what can be used here."""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import Any

from instructor._install import install_command
from instructor.cli.output import quiet_pipe
from instructor.exceptions import ConfigurationError


def list_providers() -> None:
    """List the providers: whether the SDK is installed, and whether the key is set. Keys are never shown.

    Example: instructor providers
    """
    from instructor import providers

    with quiet_pipe():
        for name in providers.names():
            row = providers.load(name)
            key = "no key" if not row.key else f"{row.key} is {'set' if os.environ.get(row.key) else 'not set'}"
            sdk = f"{row.sdk} is installed" if _is_there(row) else _install(row)
            sys.stdout.write(f"{name:14}{key:36}{sdk}\n")


def _is_there(row: Any) -> bool:
    try:
        if row.check is not None:
            row.check("")
        return importlib.util.find_spec(row.sdk) is not None
    except (ModuleNotFoundError, ConfigurationError):  # of a package that it is in; of what it needs besides
        return False


def _install(row: Any) -> str:
    command = install_command(row.extra or row.name)
    return command if row.check is None else f"{command} && instructor {row.name} install"
