"""Fetching a picture, a sound or a paper from a public address, and nothing from anywhere else.

Theory of operation. An address in a prompt may come from anybody, so a request must not reach what only this machine
can reach. Each hop is resolved here, every resolved address must be public, and the connection is made to the address
that was checked: a name that is resolved differently a moment later changes nothing. Redirects are hops of the same
kind. Proxies of the environment are not used. Size and time are bounded.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import time
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from instructor.exceptions import RemoteFetchError

SECONDS = 30.0
"""The time for all hops together."""
_HOPS = 5
_CHUNK = 65536
_REDIRECTS = (301, 302, 303, 307, 308)
_allows_this_machine = False
"""Only tests set it: their server is on this machine."""


class Fetched(NamedTuple):
    """What came from an address."""

    data: bytes
    media_type: str
    """As the server said, without its parameters; it may be wrong."""


def fetch(url: str, most: int) -> Fetched:
    """Return what is at an address.

    Args:
        url: The address, http or https.
        most: The largest size, in bytes.

    Raises:
        RemoteFetchError: The address is not public, does not answer with 200 in time, or has more bytes.
    """
    until = time.monotonic() + SECONDS
    for _ in range(_HOPS + 1):
        answer = _hop(url, most, until)
        if isinstance(answer, Fetched):
            return answer
        url = urljoin(url, answer)
    raise RemoteFetchError(f"{_shown(url)} redirects more than {_HOPS} times.")


def _hop(url: str, most: int, until: float) -> Fetched | str:
    """Return what one address gives: bytes, or another address."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
        raise RemoteFetchError(f"An address must be http(s)://host/..., without a user, got {_shown(url)}.")
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        connection = _connected(parts.hostname, port, is_safe=parts.scheme == "https", until=until)
        try:
            wire = connection.sock
            target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
            connection.request("GET", target, headers={"Accept": "*/*", "User-Agent": "instructor"})
            response = connection.getresponse()
            if response.status in _REDIRECTS and (location := response.getheader("Location")):
                return location
            if response.status != 200:
                raise RemoteFetchError(f"{_shown(url)} answers with status {response.status}.")
            kind = (response.getheader("Content-Type") or "").partition(";")[0].strip().lower()
            return Fetched(_read(response, wire, most, until, url), kind)
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError) as error:
        if isinstance(error, RemoteFetchError):
            raise
        raise RemoteFetchError(f"{_shown(url)} cannot be fetched: {type(error).__name__}: {error}") from error


def _connected(host: str, port: int, *, is_safe: bool, until: float) -> http.client.HTTPConnection:
    """Connect to a checked address of a host. Certificates are checked against the host's name."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(each[4][0]) for each in found]
    for address in addresses:
        if not _is_public(address):
            raise RemoteFetchError(f"{host} is at {address}, which is not a public address.")
    kind = http.client.HTTPSConnection if is_safe else http.client.HTTPConnection
    connection = kind(host, port, timeout=_left(until))
    plain = socket.create_connection((addresses[0], port), timeout=_left(until))
    connection.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=host) if is_safe else plain
    return connection


def _is_public(address: str) -> bool:
    if _allows_this_machine:
        return True
    ip = ipaddress.ip_address(address.partition("%")[0])
    inner = getattr(ip, "ipv4_mapped", None) or getattr(ip, "sixtofour", None)
    return ip.is_global and not ip.is_multicast and (inner is None or inner.is_global)


def _read(response: http.client.HTTPResponse, wire: socket.socket, most: int, until: float, url: str) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        wire.settimeout(_left(until))
        if not (part := response.read1(_CHUNK)):
            return b"".join(parts)
        size += len(part)
        if size > most:
            raise RemoteFetchError(f"{_shown(url)} has more than {most:,} bytes.")
        parts.append(part)


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError(f"not done in {SECONDS:.0f} seconds")
    return left


def _shown(url: str) -> str:
    return repr(url.partition("?")[0][:200])  # a query may hold a key
