"""What a request must be before the model hears of it: from this machine's own programs, bounded, and JSON.

A web page may send requests to any address of this machine. `Host` tells a page whose name was made to point here,
`Origin` (and `Sec-Fetch-Site`) any other page, and a page cannot send the JSON content type without asking first.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any

from starlette.requests import ClientDisconnect, Request

from instructor.core.types import Json

NAMES = ("127.0.0.1", "localhost", "[::1]")
"""The names that this machine has for itself."""
BODY = 8_000_000
"""The most bytes that a body may have."""
TOGETHER = 8
"""How many bodies of that size may be held at the same time, all in all."""
DRAINED = 40
"""How many times its size of a body that is too large is read, and forgotten, so that the client hears why."""
VALUES = 500_000
"""The most values that a body may hold: each costs far more as an object than as text."""
SECONDS = 30.0
"""How long a body may take to come."""


class Refused(Exception):
    """A request that is not answered: the status, why, and the field that is wrong."""

    def __init__(self, status: int, message: str, param: str | None = None) -> None:
        self.status, self.param = status, param
        super().__init__(message)


def check_sender(headers: Mapping[str, str], port: int) -> None:
    """Refuse what another machine's name, or a web page, has sent."""
    host = headers.get("host", "")
    if _name(host) not in NAMES:
        raise Refused(403, f"Host must be one of {', '.join(NAMES)}, got {host[:80]!r}")
    origin = headers.get("origin")
    if origin is not None and origin.lower() not in {f"http://{name}:{port}" for name in NAMES}:
        raise Refused(403, f"Origin must be this server's own, got {origin[:80]!r}")
    site = headers.get("sec-fetch-site", "none").lower()
    if site not in ("none", "same-origin"):
        raise Refused(403, f"Sec-Fetch-Site must be 'none' or 'same-origin', got {site[:80]!r}")


def _name(host: str) -> str:
    name, colon, port = host.lower().rpartition(":")
    return name if colon and port.isdigit() and name else host.lower()


class Intake:
    """Reads bodies, within bounds that hold for each of them and for all that are read at the same time."""

    def __init__(self, most: int = BODY, seconds: float = SECONDS) -> None:
        self._most, self._seconds = most, seconds
        self._held = 0

    async def json(self, request: Request) -> Json:
        """Return the JSON object that a request's body is."""
        kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise Refused(415, f"Content-Type must be 'application/json', got {kind[:80]!r}")
        return parsed(await self._body(request))

    async def _body(self, request: Request) -> bytearray:
        length = int(request.headers.get("content-length", "0"))
        body = bytearray()
        pieces = request.stream()
        try:
            if length > self._most:
                waits = "expect" in request.headers  # it has sent nothing yet
                await asyncio.wait_for(_nothing() if waits else self._drained(pieces), self._seconds)
                raise self._too_large()
            await asyncio.wait_for(self._read(pieces, body), self._seconds)
        except asyncio.TimeoutError:
            raise Refused(408, f"The body must come within {self._seconds:g} seconds") from None
        finally:
            self._held -= len(body)
            with suppress(ClientDisconnect):
                await pieces.aclose()
        return body

    async def _read(self, pieces: AsyncIterator[bytes], body: bytearray) -> None:
        async for piece in pieces:
            if len(body) + len(piece) > self._most:
                await self._drained(pieces)
                raise self._too_large()
            if self._held + len(piece) > self._most * TOGETHER:
                raise Refused(503, "The server holds as many requests as it can: try again later")
            self._held += len(piece)
            body += piece

    async def _drained(self, pieces: AsyncIterator[bytes]) -> None:
        left = self._most * DRAINED
        async for piece in pieces:
            left -= len(piece)
            if left < 0:
                return

    def _too_large(self) -> Refused:
        return Refused(413, f"The body must have at most {self._most} bytes")


async def _nothing() -> None:
    """Read nothing."""


def parsed(body: bytes | bytearray) -> Json:
    """Parse a body; Refused says why it is no JSON object, or too much of one."""
    if body.count(b",") + body.count(b"[") + body.count(b"{") > VALUES:
        raise Refused(400, f"The body must hold at most {VALUES} values")
    try:
        value: Any = json.loads(body, parse_constant=_no_number)
    except RecursionError:
        raise Refused(400, "The body must not be nested so deeply") from None
    except ValueError as error:
        raise Refused(400, f"The body must be JSON: {error}") from None
    if not isinstance(value, dict):
        raise Refused(400, "The body must be a JSON object")
    return value


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no number of JSON's")
