"""`instructor providers`: what can be used here."""

from __future__ import annotations

import importlib.util
import os
import sys

from instructor import providers
from instructor._install import install_command


def list_providers() -> None:
    """List the providers: whether the SDK is installed, and whether the key is set. Keys are never shown.

    Example: instructor providers
    """
    for name in providers.names():
        row = providers.load(name)
        is_there = importlib.util.find_spec(row.sdk.partition(".")[0]) is not None
        key = "no key" if not row.key else f"{row.key} is {'set' if os.environ.get(row.key) else 'not set'}"
        sdk = f"{row.sdk} is installed" if is_there else install_command(row.extra or row.name)
        sys.stdout.write(f"{name:14}{key:36}{sdk}\n")
