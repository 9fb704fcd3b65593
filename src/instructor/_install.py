"""The one place that says how to install what an extra needs."""

from __future__ import annotations

import importlib.metadata
import re

_NAME = "instructor"


def install_command(extra: str) -> str:
    """Return the shell command that installs what an extra needs, beside the library that is installed already.

    It names the packages themselves. An extra of a name on an index could bring another version of this library along.

    Args:
        extra: the extra's name, "openai" for example.

    Returns:
        The command, `pip install "openai<4,>=2"` for example.
    """
    try:
        requirements = importlib.metadata.requires(_NAME) or []
    except importlib.metadata.PackageNotFoundError:  # it runs from its source
        requirements = []
    packages = []
    for requirement in requirements:
        package, _, marker = requirement.partition(";")
        if re.fullmatch(rf"extra\s*==\s*['\"]{re.escape(extra)}['\"]", marker.strip()):
            packages.append(f'"{package.strip()}"')
    return f"pip install {' '.join(sorted(packages))}" if packages else f'pip install "{_NAME}[{extra}]"'
