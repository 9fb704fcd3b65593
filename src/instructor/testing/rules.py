"""Conversations that a provider refuses with status 400: pure functions over wire JSON.

Each returns what is wrong, or an empty text. Only what is known to be refused is refused. Accepted is what is not a
conversation: bytes of a test, a body without messages.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from instructor.testing.replies import Json

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}\Z")
"""What a tool's name is made of, on OpenAI's wires and those after it."""
ROLES = ("system", "developer", "user", "assistant", "tool", "function")

Check = Callable[[Json, "list[Json]"], str]
"""Returns what is wrong with a message, given those before it; an empty text if nothing is."""


def refused(messages: Any, *checks: Check) -> str:
    """Return what is wrong with a list of messages: what the checks find, then calls without an answer."""
    if not isinstance(messages, list):
        return ""
    for at, message in enumerate(messages):
        if not isinstance(message, Mapping):
            return f"messages[{at}] must be an object, got {message!r}"
        before = messages[:at]
        wrong = next(filter(None, (check(dict(message), before) for check in checks)), "")
        if wrong:
            return f"messages[{at}]: {wrong}"
    return unanswered(messages)


def unanswered(messages: Sequence[Json], tool: str = "tool") -> str:
    """Return which call is not answered right after the turn that made it, or which answer has no call."""
    open_ids: list[str] = []
    for at, message in enumerate(messages):
        if message.get("role") == tool:
            answered = message.get("tool_call_id")
            if answered not in open_ids:
                return (
                    f"messages[{at}]: a message with role 'tool' must answer a call of the turn before it, "
                    f"got {answered!r}"
                )
            open_ids.remove(answered)
            continue
        if open_ids:
            break
        open_ids = [call.get("id") for call in message.get("tool_calls") or ()]
    if open_ids:
        return f"tool calls must be followed by tool messages that answer each of them; none answers {open_ids[0]!r}"
    return ""


def roles(*known: str) -> Check:
    """Refuse roles that the wire does not have."""
    return lambda message, _: "" if message.get("role") in known else f"no role {message.get('role')!r}"


def calls(message: Json, before: Sequence[Json]) -> str:
    """Refuse calls without a unique id, a legal name, or a string of arguments."""
    del before
    seen: set[str] = set()
    for call in message.get("tool_calls") or ():
        call_id, function = call.get("id"), call.get("function") or {}
        if not isinstance(call_id, str) or not call_id or call_id in seen:
            return f"a tool call's id must be a unique string, got {call_id!r}"
        seen.add(call_id)
        if not NAME.match(str(function.get("name"))):
            return f"a tool's name must match {NAME.pattern!r}, got {function.get('name')!r}"
        if not isinstance(function.get("arguments"), str):
            return f"a tool call's arguments must be a text, got {function.get('arguments')!r}"
    return ""


def contents(message: Json, before: Sequence[Json]) -> str:
    """Refuse a message without content, except a turn that calls tools."""
    del before
    spoken = message.get("tool_calls") or message.get("function_call") or message.get("refusal") is not None
    if message.get("content") is None and not (message.get("role") == "assistant" and spoken):
        return "content must be a text or a list of parts, got null"
    for part in message["content"] if isinstance(message.get("content"), list) else ():
        if not isinstance(part, Mapping) or "type" not in part:
            return f"a part must be an object with a type, got {part!r}"
    return ""


def not_blank(message: Json, before: Sequence[Json]) -> str:
    """Refuse a message whose text is blank, except a turn that calls tools."""
    del before
    if message.get("tool_calls"):
        return ""
    return "" if any(text.strip() for text in _texts(message.get("content"))) else "the text must not be blank"


def not_both(message: Json, before: Sequence[Json]) -> str:
    """Refuse a turn that has both text and tool calls."""
    del before
    both = message.get("tool_calls") and any(text.strip() for text in _texts(message.get("content")))
    return "a message must have either content or tool_calls, but not both" if both else ""


def _texts(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    for part in content if isinstance(content, list) else ():
        if isinstance(part, Mapping):
            yield str(part["text"]) if "text" in part else "."  # a picture, say
        else:
            yield str(part)


def tool_ids(pattern: str, said: str) -> Check:
    """Refuse ids of calls, and of their answers, that do not match the pattern."""
    made = re.compile(pattern + r"\Z")

    def check(message: Json, before: Sequence[Json]) -> str:
        del before
        ids = [call.get("id") for call in message.get("tool_calls") or ()]
        ids += [message.get("tool_call_id")] if message.get("role") == "tool" else []
        return next((f"{said}, got {each!r}" for each in ids if not made.match(str(each))), "")

    return check


def order(follows: Mapping[str, Sequence[str]]) -> Check:
    """Refuse a role that may not come after the one before it."""

    def check(message: Json, before: Sequence[Json]) -> str:
        role, last = message.get("role"), before[-1].get("role") if before else None
        return f"unexpected role {role!r} after role {last!r}" if role not in follows.get(str(last), (role,)) else ""

    return check
