"""What of a request may be shown in logs, errors and recordings.

Headers and query parameters are shown only if their name is on a short list of harmless ones: any other may hold a key.
In all other parts of a request, a value is hidden if its name is that of a secret, or if it looks like a key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

HIDDEN = "***"
_HARMLESS_HEADERS = {
    *("accept", "accept-encoding", "accept-language", "connection"),
    *("content-encoding", "content-length", "content-type", "date", "host", "retry-after"),
    *("retry-after-ms", "traceparent", "transfer-encoding", "user-agent", "x-correlation-id", "x-request-id"),
    *("x-client-name", "x-goog-api-client", "x-trace", "x-trace-id"),
}
_HARMLESS_FAMILIES = ("x-stainless-", "x-fern-", "amz-sdk-", "x-ratelimit-")
_HARMLESS_ENDINGS = ("-version", "-beta")
_HARMLESS_PARAMETERS = {"alt", "api-version", "api_version", "apiversion", "beta", "stream", "version"}
_WORDS = {
    *("apikey", "auth", "authorization", "bearer", "cookie", "cookies", "credential", "credentials", "jwt", "key"),
    *("keys", "passphrase", "passwd", "password", "pat", "pwd", "secret", "secrets", "session", "sig", "token"),
}
_PARTS = ("apikey", "authorization", "credential", "password", "secret", "cookie")
_NAMED = ("properties", "$defs", "definitions")
"""Where a schema has the names of the user's fields. `password` is not a password there."""
_URL_USER = re.compile(r"(?<=://)[^/\s@\"'?#]+@")
_QUERY = re.compile(r"\?[^\s\"'<>]+")
_PARAMETER = re.compile(r"(?<=[?&;])([\w.%\-\[\]]{1,64})=[^&;#]+")
_IN_PARAMETER = re.compile("key|token|sig|secret|passw|auth|cred|jwt|session|code", re.IGNORECASE)
_KEY = re.compile(
    r"\b((?:g?sk|pplx|[a-z]ai|org|proj)[-_])(?=[\w-]{0,64}\d)[\w-]{16,}|\b(AIza)[\w-]{20,}|\b(A[KS]IA)[A-Z0-9]{12,}"
    r"|\b(eyJ)[\w-]{8,2000}\.[\w-]{8,}\.[\w-]+|\b(Bearer )[\w.~+/=-]{8,}"
)


def is_harmless_header(name: str) -> bool:
    """Return whether a header of this name may be shown."""
    low = name.lower()
    return low in _HARMLESS_HEADERS or low.startswith(_HARMLESS_FAMILIES) or low.endswith(_HARMLESS_ENDINGS)


def is_harmless_parameter(name: str) -> bool:
    """Return whether a query parameter of this name may be shown."""
    return name.lower() in _HARMLESS_PARAMETERS


def is_secret(name: str) -> bool:
    """Return whether a name is that of a secret: `api_key`, `clientSecret`, `X-Auth-Token`."""
    words = re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower())
    joined = "".join(words)
    return not _WORDS.isdisjoint(words) or joined.endswith(("token", "key")) or any(part in joined for part in _PARTS)


def text(value: str, mark: str = HIDDEN) -> str:
    """Return a text in which all that looks like a key, and the keys in URLs, are hidden."""
    if "://" in value:
        value = _URL_USER.sub(f"{mark}@", value)
    if "?" in value and "=" in value:
        value = _QUERY.sub(lambda query: _PARAMETER.sub(lambda found: _parameter(found, mark), query[0]), value)
    return _KEY.sub(lambda found: f"{next(filter(None, found.groups()))}{mark}", value)


def _parameter(found: re.Match[str], mark: str) -> str:
    return f"{found[1]}={mark}" if _IN_PARAMETER.search(found[1]) else found[0]


def request(body: Mapping[str, Any], mark: str = HIDDEN) -> dict[str, Any]:
    """Return a copy of a request's keyword arguments in which secrets are hidden."""
    return {str(name): _part(value, str(name), mark) for name, value in body.items()}


def _part(value: Any, name: str, mark: str) -> Any:
    low = name.lower()
    if hasattr(value, "model_dump"):  # an object of an SDK's
        value = value.model_dump(exclude_none=True)
    if "header" in low and not isinstance(value, (str, bool, type(None))):
        return _pairs(value, is_harmless_header, mark)
    if "query" in low and isinstance(value, (Mapping, list, tuple)):
        return _pairs(value, is_harmless_parameter, mark)
    if is_secret(name) and value is not None and not isinstance(value, (bool, int, float)):
        return mark
    if isinstance(value, Mapping):
        return {each: _part(part, "" if name in _NAMED else str(each), mark) for each, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_part(part, "", mark) for part in value]
    if isinstance(value, str):
        return text(value, mark)
    return value if value is None or isinstance(value, (bool, int, float, bytes)) else f"<{type(value).__name__}>"


def _pairs(value: Any, is_harmless: Callable[[str], bool], mark: str) -> Any:
    """Return pairs of names and values, a mapping or a list, in which only harmless values are shown."""
    pairs: Any = value.items() if isinstance(value, Mapping) else value if isinstance(value, (list, tuple)) else ["?"]
    if not all(isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in pairs):
        return mark
    shown = [
        (name, text(part, mark) if isinstance(part, str) and is_harmless(str(name)) else mark) for name, part in pairs
    ]
    return dict(shown) if isinstance(value, Mapping) else [list(pair) for pair in shown]
