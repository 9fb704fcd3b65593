"""What a request must be before the page's server answers it, and what every answer says.

Any web page may send requests to this machine. `Host` tells a page whose name was made to point here (DNS rebinding),
`Origin` and `Sec-Fetch-Site` any other. What changes something must be JSON, which another page cannot send without
asking first, and must say that it comes from this server's own page.
"""

from __future__ import annotations

import json

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from instructor.local.intake import NAMES, Refused, check_sender

POLICY = "; ".join((
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'",
    "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
))  # fmt: skip
_HEADERS = {
    "content-security-policy": POLICY,
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}
_SAFE = ("GET", "HEAD")


class Guard:
    """Answers what this server's own page, or a program of this machine, asks; all else with 403 or 415."""

    def __init__(self, inner: ASGIApp) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        try:
            check(scope)
        except Refused as error:
            await _refuse(error, guarded)
        else:
            await self._inner(scope, receive, guarded)


def check(scope: Scope) -> None:
    """Raise a Refused for a request that is not from this server's own page or a program of this machine."""
    headers, port = Headers(scope=scope), scope["server"][1]
    check_sender(headers, port)
    host = headers["host"].lower()
    if host not in {f"{name}:{port}" for name in NAMES}:
        raise Refused(403, f"Host must be {NAMES[0]}:{port}, got {host[:80]!r}")
    if len(headers.getlist("host")) > 1 or len(headers.getlist("origin")) > 1:
        raise Refused(403, "Host and Origin must be there once")
    if scope["method"] in _SAFE:
        return
    if headers.get("sec-fetch-site", "").lower() != "same-origin":
        raise Refused(403, f"Sec-Fetch-Site must be 'same-origin', got {headers.get('sec-fetch-site', '')[:80]!r}")
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refused(415, f"Content-Type must be 'application/json', got {kind[:80]!r}")


async def _refuse(error: Refused, send: Send) -> None:
    body = json.dumps({"error": f"{error}."}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),  # of a body that was not read, what is left is no request
    ]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
