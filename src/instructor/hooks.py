"""Hooks: the user's functions, which are called at events of a call."""

from __future__ import annotations

import enum
import inspect
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from instructor import _compat
from instructor.exceptions import ConfigurationError

Hook = Callable[..., Any]


class HookName(str, enum.Enum):
    """The events, and what a hook gets."""

    COMPLETION_KWARGS = "completion:kwargs"
    """Before each request, with its keyword arguments."""
    COMPLETION_RESPONSE = "completion:response"
    """After each whole response, with the SDK's object."""
    COMPLETION_ERROR = "completion:error"
    """When a request failed, with the SDK's exception."""
    COMPLETION_LAST_ATTEMPT = "completion:last_attempt"
    """When no attempt is left, with the last exception."""
    COMPLETION_USAGE = "completion:usage"
    """After each response that reports its usage, with the sum so far."""
    PARSE_ERROR = "parse:error"
    """When a reply, or an item of it, is invalid, with the exception."""
    CACHE_HIT = "cache:hit"
    """When a call is answered from a cache, with the key. The hooks of requests are not called then."""
    ITEM_GOOD = "item:good"
    """When an item is valid, with its index and value."""
    ITEM_BAD = "item:bad"
    """When an item is invalid, with its index, text and exception."""
    EVIDENCE_MOVED = "evidence:moved"
    """When an answer has ended, with the indices of the items whose evidence is not what it was when it was read."""
    STREAM_CONTINUE = "stream:continue"
    """Before a broken answer is continued, with the report."""
    ANSWER = "answer"
    """When an answer is complete and valid, with an `instructor.Answer`: the messages, and what the model answered."""
    STREAM_END = "stream:end"
    """When an answer has ended, well or not, with the report."""


OF_REQUESTS = frozenset(name for name in HookName if name.value.startswith("completion:"))
"""The events of requests."""


def named(name: HookName | str) -> HookName:
    """Return the HookName for a name or its text. Raise an UnknownHookError for any other."""
    try:
        return HookName(name)
    except ValueError:
        known = [member.value for member in HookName]
        hint = _compat.did_you_mean(str(name), known)
        raise UnknownHookError(f"Unknown hook {name!r}.{hint} The hooks are {', '.join(known)}.") from None


class UnknownHookError(ConfigurationError, ValueError):
    """There is no hook of this name."""


class Hooks:
    """The user's functions, by event. `a + b` is a new Hooks with the functions of both."""

    def __init__(self) -> None:
        self._hooks: dict[HookName, list[Hook]] = {}

    def on(self, hook_name: HookName | str, handler: Hook) -> None:
        """Call `handler` at this event from now on. Async clients await an `async def` handler."""
        name = named(hook_name)
        if not callable(handler):
            raise ConfigurationError(f"The handler of {name.value} must be a function, got {handler!r}.")
        self._hooks.setdefault(name, []).append(handler)

    def off(self, hook_name: HookName | str, handler: Hook) -> None:
        """Stop calling `handler` at this event."""
        hooks = self._hooks.get(named(hook_name), [])
        if handler in hooks:
            hooks.remove(handler)

    def clear(self, hook_name: HookName | str | None = None) -> None:
        """Remove all functions of one event, or of all events."""
        if hook_name is None:
            self._hooks.clear()
        else:
            self._hooks.pop(named(hook_name), None)

    def at(self, hook_name: HookName) -> tuple[Hook, ...]:
        """Return the functions of an event, in the order in which they were added."""
        hooks = self._hooks.get(hook_name)
        return tuple(hooks) if hooks else ()

    def without(self, names: Collection[HookName]) -> Hooks:
        """Return the Hooks without the functions of these events."""
        if not self._hooks:
            return self
        rest = Hooks()
        rest._hooks = {name: list(hooks) for name, hooks in self._hooks.items() if name not in names}
        return rest

    def copy(self) -> Hooks:
        return self + Hooks()

    def __add__(self, other: Hooks) -> Hooks:
        both = Hooks()
        for source in (self, other):
            for name, hooks in source._hooks.items():
                both._hooks.setdefault(name, []).extend(hooks)
        return both

    @classmethod
    def combine(cls, *hooks: Hooks) -> Hooks:
        return sum(hooks, cls())


def accepted(hook: Hook, arguments: tuple[Any, ...], about: dict[str, Any]) -> dict[str, Any]:
    """Return the keyword arguments about an event if the function takes all of them, otherwise none."""
    try:
        inspect.signature(hook).bind(*arguments, **about)
    except (TypeError, ValueError):
        return {}
    return about


if not TYPE_CHECKING:  # a checker would take every name for one of this module

    def __getattr__(name: str) -> Any:
        return _compat.older(__name__, name)
