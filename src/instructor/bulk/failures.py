"""What a failed request means for a run, and what the headers of a provider say about its limits.

SDKs have different errors, so they are read by what they have in common: a status code, a response, words.
"""

from __future__ import annotations

import datetime
import email.utils
import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from instructor.exceptions import ProviderError

Kind = Literal["rate_limit", "transient", "account", "row"]
"""`rate_limit` and `transient`: send it again. `account`: no other request can succeed either. `row`: only this one."""

_ACCOUNT = re.compile(
    r"insufficient.?(quota|balance|credit|fund)|exceeded your current quota|billing|credit balance|payment required"
    r"|invalid.?(api|x-api).?key|incorrect api key|account (is )?(suspended|deactivated|not active)|model_not_found"
    r"|the model .{1,80} does not exist|model:? .{0,80}not found",
    re.IGNORECASE,
)
_RATE = (429, 529)
_TRANSIENT = (408, 409, 423, 425, 500, 502, 503, 504, 520, 521, 522, 523, 524)
_NETWORK = re.compile(r"Timeout|Connect|Connection|Network|Protocol|Transport|RemoteDisconnected|ServiceUnavailable")
_LONGEST = 3600.0
"""Seconds. A provider that says to come back later than this stops the run."""


class Failure(NamedTuple):
    """What a failed request means."""

    kind: Kind
    retry_after: float | None = None
    """Seconds, where the provider says them."""
    status: int | None = None


def failure_of(error: BaseException, *, now: float) -> Failure:
    """Return what an error of an SDK, or of the network, means. `now` is the time in seconds since the epoch."""
    status, headers = status_of(error), _headers_of(error)
    after = retry_after(headers, now=now)
    words = _words_of(error)
    if status in (401, 402, 403) or (status in (400, 404, 429, None) and _ACCOUNT.search(words)):
        return Failure("account", None, status)
    if status == 404 and "model" in words.lower():
        return Failure("account", None, status)
    if status in _RATE or (status == 503 and after is not None):
        return Failure("account" if after is not None and after > _LONGEST else "rate_limit", after, status)
    if status in _TRANSIENT or (status is not None and status >= 500):
        return Failure("transient", after, status)
    if status is None and (isinstance(error, (OSError, TimeoutError)) or _is_of_network(error)):
        return Failure("transient", None, None)
    if isinstance(error, ProviderError) and not error.lasting:
        return Failure("transient", None, None)
    return Failure("row", None, status)


def status_of(error: Any) -> int | None:
    """Return the HTTP status that an error has, if any."""
    for holder in (error, getattr(error, "response", None)):
        for name in ("status_code", "status", "code", "http_status"):
            value = getattr(holder, name, None)
            if isinstance(value, int) and 100 <= value < 600:
                return value
    response = getattr(error, "response", None)  # botocore's is a dict
    if isinstance(response, Mapping):
        value = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return value if isinstance(value, int) else None
    return None


def _headers_of(error: Any) -> Mapping[str, str]:
    for holder in (getattr(error, "response", None), error):
        headers = getattr(holder, "headers", None)
        if isinstance(headers, Mapping):
            return headers
        if isinstance(holder, Mapping):
            found = holder.get("ResponseMetadata", {}).get("HTTPHeaders")
            if isinstance(found, Mapping):
                return found
    return {}


def _words_of(error: Any) -> str:
    body = getattr(error, "body", None)
    return f"{error} {getattr(error, 'code', '')} {getattr(error, 'type', '')} {body if body is not None else ''}"


def _is_of_network(error: BaseException) -> bool:
    return any(_NETWORK.search(kind.__name__) for kind in type(error).__mro__ if kind.__module__ != "builtins")


def retry_after(headers: Mapping[str, str], *, now: float) -> float | None:
    """Return how many seconds a provider asks to wait, by `retry-after-ms` or `retry-after` (seconds, or a date)."""
    low = _lower(headers)
    if (milliseconds := _number(low.get("retry-after-ms"))) is not None:
        return max(0.0, milliseconds / 1000)
    text = low.get("retry-after")
    if text is None:
        return None
    if (seconds := _number(text)) is not None:
        return max(0.0, seconds)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - now)
    except ValueError:
        return None


_REMAINING = re.compile(r"^(?:x-|anthropic-)?ratelimit-(?:remaining-(requests|tokens)|(requests|tokens)-remaining)$")


def held_until(headers: Mapping[str, str], *, now: float) -> float | None:
    """Return in how many seconds a provider has room again, if its headers say that nothing remains.

    Two spellings are read: `x-ratelimit-remaining-requests` with `x-ratelimit-reset-requests: 1m30s`, and
    `anthropic-ratelimit-requests-remaining` with a time in `...-reset`.
    """
    low = _lower(headers)
    waits: list[float] = []
    for name, value in low.items():
        if "ratelimit" in name and _REMAINING.match(name) and _number(value) == 0:
            seconds = duration(low.get(name.replace("remaining", "reset"), ""), now=now)
            if seconds is not None:
                waits.append(seconds)
    return max(waits, default=None)


_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def duration(text: str, *, now: float) -> float | None:
    """Return seconds from "6m0s", "250ms", "12", or a time in ISO form; None if the text is none of them."""
    if (number := _number(text)) is not None:
        return number
    parts = _PART.findall(text)
    if parts and "".join(map("".join, parts)) == text:
        return sum(float(amount) * _UNITS[unit] for amount, unit in parts)
    try:
        return max(0.0, datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() - now)
    except ValueError:
        return None


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {str(name).lower(): str(value) for name, value in headers.items()}


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
