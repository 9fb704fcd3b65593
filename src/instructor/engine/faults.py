"""Errors as a model reads them best: short flat lines, `what @ $.path`."""

from __future__ import annotations

from pydantic import ValidationError

_SHOWN = 80
"""Characters of a wrong value that are quoted."""


def lines(error: BaseException) -> list[str]:
    """Say what is wrong, a line for each fault: what, where, and what was there instead."""
    if not isinstance(error, ValidationError):
        return [" ".join(str(error).split()) or type(error).__name__]
    return [
        _line(fault["msg"], fault["loc"], fault.get("input"), fault["type"])
        for fault in error.errors(include_url=False)
    ]


def _line(what: str, where: tuple[int | str, ...], got: object, kind: str) -> str:
    path = "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in where)
    if kind in ("missing", "json_invalid"):
        return f"{what} @ {path}"
    shown = repr(got)
    return f"{what} @ {path}, not {shown if len(shown) <= _SHOWN else shown[:_SHOWN] + '…'}"
