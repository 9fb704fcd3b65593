"""What follows a reply: `decide` says it, and the texts here say why. Pure: no I/O, no dialect, no output.

    what came                                           what follows
    a refusal                                           give up
    an ending, but no answer                            restart: ask again, and say what is missing
    one value: cut off                                  restart; give up at a length limit or a content filter
    one value: complete, but invalid                    re-ask
    a list: cut off by a content filter                 give up
    a list: cut off, with items                         continue after the last item
    a list: cut off, no item came                       restart
    a list: cut off, and what came may be corrections   re-ask the invalid items first, then continue
    a list: complete, with invalid items                re-ask only these (not with on_invalid="skip")
    anything else                                       done

The retry policy decides afterwards whether there is another request at all.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Sequence
from typing import Literal, NamedTuple

from pydantic import ValidationError

from instructor.core import prompts
from instructor.core.types import PROVEN, UNPROVEN, Finish, Reply
from instructor.exceptions import IncompleteOutputException
from instructor.mode import Mode


class Action(enum.Enum):
    """What follows a reply."""

    DONE = enum.auto()
    REASK = enum.auto()
    """Ask for what is invalid again, and for nothing else."""
    CONTINUE = enum.auto()
    """Ask the list to go on after its last item."""
    RESTART = enum.auto()
    """Ask for all again."""
    GIVE_UP = enum.auto()
    """Asking again cannot help."""


class Decision(NamedTuple):
    """What follows, and what is missing: the model's consent, any answer, its end, its validity, or nothing."""

    action: Action
    missing: Literal["", "consent", "answer", "end", "validity"] = ""


class Progress(NamedTuple):
    """What is known when a reply has ended."""

    many: bool
    """Whether the answer is a list."""
    finish: Finish | None
    refused: bool = False
    started: bool = True
    """Whether any part of an answer came."""
    closed: bool = True
    """Whether the answer's last bracket came."""
    items: int = 0
    """How many items the list has so far."""
    invalid: int = 0
    """How many of them are invalid, and not corrected."""
    asked: bool = False
    """Whether the request asked for the invalid items only."""
    list_waits: bool = False
    """Whether the list must go on after that."""
    asks_first: bool = False
    """Whether the last items may be corrections, so that the invalid ones are asked for before the list goes on."""
    no_more: bool = False
    """Whether a continuation in tool calls has no call: it cannot say otherwise that the list is complete."""
    skips: bool = False
    """Whether invalid items are left out and reported."""

    @property
    def ended(self) -> bool:
        """Whether the reply came to an end of the model's own, whatever broke after that."""
        return self.finish in PROVEN

    @property
    def has_answer(self) -> bool:
        """Whether there is anything to validate."""
        return not (self.refused or (self.ended and not self.started and not self.no_more))

    @property
    def is_complete(self) -> bool:
        """Whether one value is complete: also by its last bracket, unless the wire says it was cut."""
        return self.ended or (self.finish in UNPROVEN and self.started and self.closed)


def decide(progress: Progress) -> Decision:
    """Return what follows a reply."""
    if progress.refused:
        return Decision(Action.GIVE_UP, "consent")
    if not progress.has_answer:
        return Decision(Action.RESTART, "answer")
    if not progress.many:
        if not progress.is_complete:
            # A length limit cuts the same answer again; a lost connection may not.
            return Decision(Action.GIVE_UP if progress.finish in ("length", "filter") else Action.RESTART, "end")
    elif progress.asked:
        if progress.list_waits:
            return Decision(Action.CONTINUE, "end")
    elif not (progress.no_more or (progress.ended and progress.closed)):
        if progress.finish == "filter":
            return Decision(Action.GIVE_UP, "end")
        if progress.asks_first:
            return Decision(Action.REASK, "end")
        return Decision(Action.CONTINUE if progress.items else Action.RESTART, "end")
    if progress.skips or not progress.invalid:
        return Decision(Action.DONE)
    return Decision(Action.REASK, "validity")


_EVENT_SHOWN = 500
"""Characters of an event that are quoted."""
_REASONS = {"length": "at the length limit", "filter": "by the provider's content filter"}


def missing_answer(reply: Reply, names: Sequence[str], mode: Mode) -> tuple[str, str, str]:
    """Return what a reply without an answer is, what of its text matters, and what the model should do."""
    text = reply.text
    if not mode.by_tool:
        return f"holds no JSON of the form that was asked for: {text[:200]!r}{_why(reply)}", text, prompts.NO_JSON
    notes = prompts.missing_call(names, by_calls=mode is Mode.PARALLEL_TOOLS)
    if not reply.calls:
        return f"holds no tool call: {text[:200]!r}{_why(reply)}", text, notes
    if given := [call.arguments for call in reply.calls if call.name in names]:
        text = "\n".join(given)
        return f"calls the tool with no list and no item: {text[:200]!r}", text, prompts.NO_LIST
    return f"calls {', '.join(call.name for call in reply.calls)}, and no tool of the answer", text, notes


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
    message = f"The model declined: {reply.refusal}"
    return message if reply.reason in message else f"{message.rstrip('.')}{_why(reply)}"


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
