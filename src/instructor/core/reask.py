"""What is missing from a reply, in words: for the error that says it, and for the notes that ask for it."""

from __future__ import annotations

import json
from collections.abc import Sequence

from pydantic import ValidationError

from instructor.core import prompts
from instructor.core.types import Reply
from instructor.exceptions import IncompleteOutputException
from instructor.mode import Mode

_EVENT_SHOWN = 500
"""Characters of an event that are quoted."""
_REASONS = {"length": "at the length limit", "filter": "by the provider's content filter"}


def missing_answer(reply: Reply, names: Sequence[str], mode: Mode) -> tuple[str, str, str]:
    """Return what a reply without an answer is, what of its text matters, and what the model should do."""
    said = reply.text
    if not mode.by_tool:
        return f"holds no JSON of the form that was asked for: {said[:200]!r}{_why(reply)}", said, prompts.NO_JSON
    notes = prompts.missing_call(names, by_calls=mode is Mode.PARALLEL_TOOLS)
    if not reply.calls:
        return f"holds no tool call: {said[:200]!r}{_why(reply)}", said, notes
    if given := [call.arguments for call in reply.calls if call.name in names]:
        said = "\n".join(given)
        return f"calls the tool with no list and no item: {said[:200]!r}", said, prompts.NO_LIST
    return f"calls {', '.join(call.name for call in reply.calls)}, and no tool of the answer", said, notes


def unsure(doubted: int) -> str:
    """Return the error text for a stream whose values may have been part of a thought."""
    values = "1 value" if doubted == 1 else f"{doubted} values"
    return f"The text says that a thought ended, after {values} had been delivered: they may be drafts."


def incomplete(reply: Reply, broke: Exception | None) -> IncompleteOutputException:
    """Return the error for a reply that was cut off."""
    how = f"by {type(broke).__name__}: {broke}" if broke else _REASONS.get(reply.finish or "", "without an end")
    words = f" The provider's reason: {reply.reason}" if reply.reason else ""
    if reply.last_event is not None:
        words = f" The last event was: {json.dumps(reply.last_event, default=str)[:_EVENT_SHOWN]}"
    problem = IncompleteOutputException(f"The answer was cut {how.rstrip('.')}.{words}", text=reply.text)
    problem.__cause__ = broke
    return problem


def declined(reply: Reply) -> str:
    """Return the error text for a refusal."""
    said = f"The model declined: {reply.refusal}"
    return said if reply.reason in said else f"{said.rstrip('.')}{_why(reply)}"


def _why(reply: Reply) -> str:
    return f". The provider's reason: {reply.reason}" if reply.reason else ""


_SHOWN = 80
"""Characters of a wrong value that are quoted."""


def format_errors(error: BaseException) -> list[str]:
    """Return one line for each fault: what is wrong, where, and the value found there."""
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
