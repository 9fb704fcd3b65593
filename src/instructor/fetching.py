"""Fetching a file from a public address, and nothing from anywhere else.

Theory of operation. An address in a prompt may come from anybody, so a request must not reach what only this machine
can reach. Each hop is resolved here, every resolved address must be public, and the connection is made to an address
that was checked: a name that is resolved differently a moment later changes nothing. Redirects are hops of the same
kind. Proxies of the environment are not used. Size and time are bounded: each read of the socket has only the time that
is left for all hops together, so that a server cannot send its headers one byte at a time. (The time of the system's
resolver is its own.)
"""

from __future__ import annotations

import http.client
import ipaddress
import re
import socket
import ssl
import time
from typing import Any, NamedTuple, cast
from urllib.parse import quote, urljoin, urlsplit

from instructor.exceptions import RemoteFetchError

SECONDS = 30.0
"""The time for all hops together."""
_HOPS = 5
_CHUNK = 65536
_REDIRECTS = (301, 302, 303, 307, 308)
_UNICAST = ipaddress.IPv6Network("2000::/3")
"""The addresses of IPv6 that are given to anybody's machines."""
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""Addresses of IPv4, as networks that have only IPv6 write them."""
_ESCAPED = "%/?:@!$&'()*+,;=~[]"
"""What an address may have; other characters are percent-encoded."""
_allows_loopback = False
"""Only tests set it: their server is on this machine."""


class Fetched(NamedTuple):
    """What came from an address."""

    data: bytes
    media_type: str
    """As the server said, without its parameters; it may be wrong."""


def fetch(url: str, most: int, seconds: float = SECONDS) -> Fetched:
    """Return what is at an address.

    Args:
        url: The address, http or https.
        most: The largest size, in bytes.
        seconds: The time for all of it.

    Raises:
        RemoteFetchError: The address is not public, does not answer with 200 in time, or has more bytes.
    """
    until = time.monotonic() + seconds
    for _ in range(_HOPS + 1):
        try:
            answer = _hop(url, most, until)
            if isinstance(answer, Fetched):
                return answer
            url = urljoin(url, answer)
        except RemoteFetchError:
            raise
        except TimeoutError as error:
            raise RemoteFetchError(f"{_shown(url)} cannot be fetched in {seconds:g} seconds.") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise RemoteFetchError(f"{_shown(url)} cannot be fetched: {type(error).__name__}: {error}") from error
    raise RemoteFetchError(f"{_shown(url)} redirects more than {_HOPS} times.")


def _hop(url: str, most: int, until: float) -> Fetched | str:
    """Return what one address gives: bytes, or another address."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
        raise RemoteFetchError(f"An address must be http(s)://host/..., without a user, got {_shown(url)}.")
    connection = _connected(parts.hostname, parts.port, is_safe=parts.scheme == "https", until=until)
    try:
        target = quote(parts.path or "/", _ESCAPED) + (f"?{quote(parts.query, _ESCAPED)}" if parts.query else "")
        connection.request("GET", target, headers={"Accept": "*/*", "User-Agent": "instructor"})
        response = connection.getresponse()
        if response.status in _REDIRECTS and (location := response.getheader("Location")):
            return location
        if response.status != 200:
            raise RemoteFetchError(f"{_shown(url)} answers with status {response.status}.")
        kind = (response.getheader("Content-Type") or "").partition(";")[0].strip().lower()
        return Fetched(_read(response, most, url), kind)
    finally:
        connection.close()


class _Socket(socket.socket):
    """A socket whose reads have only the time that is left."""

    until: float

    def recv_into(self, *arguments: Any, **named: Any) -> int:
        self.settimeout(_left(self.until))
        return super().recv_into(*arguments, **named)


class _SafeSocket(_Socket, ssl.SSLSocket):
    """The same with TLS."""


def _connected(host: str, port: int | None, *, is_safe: bool, until: float) -> http.client.HTTPConnection:
    """Connect to the first checked address of a host that answers. Certificates are checked against the host's name."""
    kind = http.client.HTTPSConnection if is_safe else http.client.HTTPConnection
    found = socket.getaddrinfo(host, port or kind.default_port, type=socket.SOCK_STREAM)
    for *_, address in found:
        if not _is_public(str(address[0])):
            raise RemoteFetchError(f"{host} is at {address[0]}, which is not a public address.")
    error: Exception = OSError("it has no address")
    for rest, (family, of_type, protocol, _, address) in zip(range(len(found), 0, -1), found, strict=True):
        wire = _Socket(family, of_type, protocol)
        try:
            wire.settimeout(_left(until) / rest)  # an address that does not answer leaves time for the others
            wire.connect(address)
            if is_safe:
                wire.settimeout(_left(until))
                context = ssl.create_default_context()
                context.sslsocket_class = _SafeSocket
                wire = cast("_SafeSocket", context.wrap_socket(wire, server_hostname=host))
        except OSError as problem:
            wire.close()
            error = problem
            continue
        wire.until = until
        connection = kind(host, port)
        connection.sock = wire
        return connection
    raise error


def _is_public(address: str) -> bool:
    """Return whether an address can be anybody's, also one of IPv4 that is written as one of IPv6."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and not ip.is_loopback:
        inner = ip.ipv4_mapped or ip.sixtofour
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is None and ip not in _UNICAST:
            return False
        ip = inner or ip
    return _allows_loopback if ip.is_loopback else ip.is_global and not ip.is_multicast


def _read(response: http.client.HTTPResponse, most: int, url: str) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := response.read1(_CHUNK):
        size += len(part)
        if size > most:
            raise RemoteFetchError(f"{_shown(url)} has more than {most:,} bytes.")
        parts.append(part)
    if response.length:
        raise RemoteFetchError(f"{_shown(url)} ended {response.length:,} bytes too early.")
    return b"".join(parts)


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _shown(url: str) -> str:
    """Return an address for a message: without a query, which may hold a key, and without a password."""
    return repr(re.sub(r"//[^/?#]*@", "//", url.partition("?")[0])[:200])
