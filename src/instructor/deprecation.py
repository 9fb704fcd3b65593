"""Warnings of older names: they point at the line of the user's that has one, however deep in here it is read."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

_HERE = str(Path(__file__).parent) + os.sep


def warn_of_old(message: str) -> None:
    """Warn of an older name, at the nearest line that is not this library's."""
    level, frame = 1, sys._getframe()
    while (outer := frame.f_back) is not None and frame.f_code.co_filename.startswith(_HERE):
        level, frame = level + 1, outer
    warnings.warn(message, DeprecationWarning, stacklevel=level)
