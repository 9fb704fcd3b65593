"""What the arguments of a call may be. Each check says what is wrong and what would work, before any request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel
from tenacity import AsyncRetrying, BaseRetrying

from instructor._compat import did_you_mean, warn_of_old
from instructor.core.retry_policy import OnInvalid, Policy, counted
from instructor.core.watchdog import Watchdog
from instructor.exceptions import ArgumentsError, ConfigurationError, TokenBudgetTypeError, TokenBudgetValueError
from instructor.hooks import Hooks

if TYPE_CHECKING:
    from instructor.cache.flow import CacheOptions
    from instructor.core.types import Arguments

_NOT_HERE = {
    "max_event_bytes": "it is given when the client is made, from_provider(..., max_event_bytes=...).",
    "mode": "a client has one, from_provider(..., mode=...), and its calls share it.",
}
"""Arguments that a call does not take, and why; None and False are nothing."""
_NAMES_NOT_HERE = frozenset(_NOT_HERE)
OURS = _NAMES_NOT_HERE.union(
    (
        "autodetect_images",
        "max_retries",
        "context",
        "strict",
        "hooks",
        "on_invalid",
        "max_continuations",
        "watchdog",
        "validation_context",
        "token_budget",
        "cache",
        "cache_ttl",
        "cache_namespace",
        "ground",
    )
)
"""Arguments that are not the SDK's."""
DEFAULT_RETRIES = 3
_READY = frozenset((str, list, dict, int, float, bool, type(None)))
_WATCHDOG = Watchdog()


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _may_be_number(value: Any) -> bool:
    return not isinstance(value, (str, bool))  # an SDK's own "not given" is an object


_NUMBER = (_may_be_number, "a number")
_FLAG = (_is_flag, "True or False")
_EXPECTED: dict[str, tuple[Callable[[Any], bool], str]] = {
    **dict.fromkeys(("temperature", "top_p", "max_tokens", "max_completion_tokens", "max_output_tokens"), _NUMBER),
    "timeout": (_may_be_number, "a number of seconds"),
    "stream": _FLAG,
    "autodetect_images": _FLAG,
    "ground": (lambda value: value is True or value is False or value == "require", 'True, False or "require"'),
    "strict": (_is_flag, "True, False or None"),
    "hooks": (lambda value: isinstance(value, Hooks), "an instructor.Hooks"),
}
"""What a value must be, by the argument's name, and how that is said."""
_ROLES = ("user", "system", "assistant", "tool", "developer", "function", "model")
_PROMPTS = frozenset(("prompt", "query", "question", "text", "message", "msgs", "conversation"))
"""What users call the messages by mistake."""


def read_once(value: Any) -> Any:
    """Return a list of what can be iterated only now, a generator's messages say: a re-ask sends them again."""
    if type(value) in _READY or isinstance(value, (str, bytes, Mapping, Sequence, BaseModel, type)):
        return value
    return list(value) if isinstance(value, Iterable) else value


def checked_messages(messages: Any, given: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the messages of a call, ready to be sent several times. `given` are the other arguments."""
    if messages is None:
        raise ConfigurationError(f"messages must be a list of messages, got None.{_meant(given)}")
    if isinstance(messages, (str, bytes, Mapping)) or not isinstance(messages, Sequence):
        text = messages if isinstance(messages, str) and len(messages) < 80 else "..."
        is_one = isinstance(messages, Mapping) and "role" in messages
        meant = [messages if is_one else {"role": "user", "content": text}]
        raise ConfigurationError(
            f"messages must be a list of messages, got {messages!r}. Did you mean messages={meant!r}?"
        )
    return [_checked_message(message, place) for place, message in enumerate(messages)]


def _meant(given: Mapping[str, Any]) -> str:
    """Return a hint for messages that were left out: another argument may have them."""
    for name in given:
        if name in _PROMPTS or did_you_mean(name, ["messages"]):
            text = given[name] if isinstance(given[name], str) and len(given[name]) < 80 else "..."
            return f" Did you mean messages={[{'role': 'user', 'content': text}]!r} instead of {name}=?"
    return " Did you mean messages=[{'role': 'user', 'content': '...'}]?"


def _checked_message(message: Any, place: int) -> Mapping[str, Any]:
    if isinstance(message, BaseModel):  # an SDK's own, from a response before this call
        return message.model_dump(mode="json", exclude_unset=True)
    if not isinstance(message, Mapping):
        raise ConfigurationError(
            f"messages[{place}] must be a dict such as {{'role': 'user', 'content': '...'}}, got {message!r}."
        )
    role = message.get("role")
    if "type" not in message:  # an item of OpenAI's responses has a type instead of a role
        if role is None and "content" in message:
            raise ConfigurationError(
                f"messages[{place}] must have a role: {', '.join(_ROLES[:3])} ... Got {message!r}."
            )
        if isinstance(role, str) and role.lower() not in _ROLES and (hint := did_you_mean(role.lower(), _ROLES)):
            raise ConfigurationError(f"The role of messages[{place}] is unknown: {role!r}.{hint}")
        if role in ("user", "system") and message.get("content") is None and "parts" not in message:
            raise ConfigurationError(f"messages[{place}] must have content or tool_calls, got {message!r}.")
    return {name: read_once(part) for name, part in message.items()}


def context_of(given: Mapping[str, Any]) -> Mapping[str, Any] | None:
    context: Mapping[str, Any] | None = given.get("context")
    old = given.get("validation_context")
    if old is not None:
        if context is not None:
            raise ConfigurationError("context and validation_context are one argument: give context only.")
        warn_of_old("validation_context is now called context.")
        context = old
    if context is not None and not isinstance(context, Mapping):
        raise ConfigurationError(f"context must be a dict, got {context!r}.")
    return context


def check_values(given: Mapping[str, Any]) -> None:
    """Raise for well-known arguments whose values no server takes."""
    for name, value in given.items():
        if name in _EXPECTED:
            expected, what = _EXPECTED[name]
            if not (value is None or expected(value)):
                raise ConfigurationError(f"{name} must be {what}, got {value!r}.")
    if isinstance(kind := given.get("response_format"), type):
        raise ArgumentsError(f"response_format= must be left out: pass response_model={kind.__name__}.")


def check_names(given: Mapping[str, Any], body: Mapping[str, Any], names: Arguments | None, provider: str) -> None:
    """Raise for arguments that the SDK's function does not take, and for required ones that are missing.

    `given` are the arguments of the call, `body` those of the SDK's function, `names` what that function takes.
    """
    if not _NAMES_NOT_HERE.isdisjoint(given):
        for name in _NOT_HERE:
            if given.get(name) not in (None, False):
                raise ArgumentsError(f"{name}= must be left out: {_NOT_HERE[name]}")
    if names is None or (names.taken.issuperset(body) and names.required.issubset(body)):
        return
    for name in body:
        if name not in names.taken:
            hint = did_you_mean(name, names.taken | OURS)
            more = " To send it anyway, use extra_body=." if "extra_body" in names.taken else ""
            raise ArgumentsError(f"Unknown argument {name!r}: the SDK of {provider} does not take it.{hint}{more}")
    missing = ", ".join(map(repr, sorted(names.required.difference(body))))
    raise ArgumentsError(
        f"Missing argument {missing}: the SDK of {provider} requires it. Pass it to the call or the client."
    )


def policy_of(given: Mapping[str, Any], *, is_async: bool, stream: bool) -> Policy:
    max_retries = given.get("max_retries", DEFAULT_RETRIES)
    if isinstance(max_retries, AsyncRetrying) and not is_async:
        raise ConfigurationError(
            f"max_retries of a sync client must be an int or a tenacity.Retrying, got {max_retries!r}."
        )
    if (
        isinstance(max_retries, bool)
        or not isinstance(max_retries, (int, BaseRetrying))
        or (isinstance(max_retries, int) and max_retries < 0)
    ):
        raise ConfigurationError(
            f"max_retries must be a number of re-asks (0, 1, 2 ...) or a tenacity.Retrying, got {max_retries!r}."
        )
    on_invalid: Any = given.get("on_invalid", "reask")
    if on_invalid not in get_args(OnInvalid):
        raise ConfigurationError(f"on_invalid must be one of {', '.join(get_args(OnInvalid))}, got {on_invalid!r}.")
    continuations = given.get("max_continuations")
    if continuations is not None and (type(continuations) is not int or continuations < 0):
        raise ConfigurationError(
            f"max_continuations must be a number of requests (0, 1, 2 ...), got {continuations!r}."
        )
    watchdog = given.get("watchdog", _WATCHDOG)
    if watchdog is not None and not isinstance(watchdog, Watchdog):
        raise ConfigurationError(f"watchdog must be an instructor.Watchdog or None (off), got {watchdog!r}.")
    if isinstance(max_retries, int):
        seconds = given.get("timeout")  # a stream's is for each of its reads, and says nothing about the whole
        timed = type(seconds) in (int, float) and not stream
        max_retries = counted(max_retries, seconds if timed else None)
    return Policy(max_retries, continuations, on_invalid, watchdog, token_budget_of(given))


def token_budget_of(given: Mapping[str, Any]) -> int | None:
    budget = given.get("token_budget")
    if budget is None:
        return None
    if isinstance(budget, bool) or not isinstance(budget, int):
        raise TokenBudgetTypeError(f"token_budget must be a number of tokens, got {budget!r}.")
    if budget < 1:
        raise TokenBudgetValueError(f"token_budget must be 1 or more, got {budget!r}.")
    return budget


def cache_options(given: Mapping[str, Any], *, is_async: bool) -> CacheOptions:
    from instructor.cache.flow import CacheOptions, is_awaited

    cache, ttl, namespace = given["cache"], given.get("cache_ttl"), given.get("cache_namespace")
    if not (callable(getattr(cache, "get", None)) and callable(getattr(cache, "set", None))) or isinstance(cache, type):
        raise ConfigurationError(
            f"cache must be an object with get(key) and set(key, value, ttl=None), such as AutoCache(), got {cache!r}."
        )
    if not is_async and (getattr(cache, "is_async", False) or is_awaited(cache.get)):
        raise ConfigurationError(f"cache must be sync for a sync client, got {cache!r}, whose get is async.")
    if ttl is not None and (isinstance(ttl, bool) or not isinstance(ttl, (int, float)) or ttl <= 0):
        raise ConfigurationError(f"cache_ttl must be a number of seconds above 0, got {ttl!r}.")
    if namespace is not None and (not isinstance(namespace, str) or not namespace):
        raise ConfigurationError(f"cache_namespace must be a str that is not empty, got {namespace!r}.")
    return CacheOptions(cache, ttl, namespace or "")


def check_for_one(arguments: Mapping[str, Any]) -> None:
    """Refuse what only a list can obey; a client's defaults may hold it for the lists among its calls."""
    if arguments.get("on_invalid") == "skip":
        raise ConfigurationError("on_invalid='skip' leaves items of a list out: for one value take 'reask' or 'raise'.")
    if (most := arguments.get("max_continuations")) is not None:
        raise ConfigurationError(f"max_continuations={most!r} is for lists: one value is asked for by max_retries.")
