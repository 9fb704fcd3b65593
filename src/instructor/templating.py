"""Jinja templates in messages, rendered with the call's context. Without a context no text is touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from jinja2.sandbox import SandboxedEnvironment

from instructor import _aliases
from instructor.engine.call import Message
from instructor.exceptions import ConfigurationError

_environment = SandboxedEnvironment(keep_trailing_newline=True)
_compiled = lru_cache(maxsize=256)(_environment.from_string)


def rendered(messages: Sequence[Message], context: Mapping[str, Any] | None) -> Sequence[Message]:
    """Render the text of each message; the messages given stay as they are."""
    return [_message(message, context) for message in messages] if context else messages


def _message(message: Message, context: Mapping[str, Any]) -> Message:
    content = message.get("content")
    if isinstance(content, str):
        return {**message, "content": _text(content, context)}
    if isinstance(content, (list, tuple)):
        return {**message, "content": [_part(part, context) for part in content]}
    return message


def _part(part: Any, context: Mapping[str, Any]) -> Any:
    if isinstance(part, Mapping) and isinstance(part.get("text"), str):
        return {**part, "text": _text(part["text"], context)}
    return part


def _text(text: str, context: Mapping[str, Any]) -> str:
    if "{" not in text:
        return text
    try:
        return _compiled(text).render({str(name): value for name, value in context.items()})
    except Exception as error:  # also what an expression in it raises: no request is made of half a prompt
        raise ConfigurationError(f"The template {text[:80]!r} cannot be rendered: {error}") from error


if not TYPE_CHECKING:  # a checker would take every name for one of this module

    def __getattr__(name: str) -> Any:
        return _aliases.older(__name__, name)
