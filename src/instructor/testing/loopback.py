"""A small HTTP/1.1 server on 127.0.0.1: a thread for each connection, and the caller decides on each network write."""

from __future__ import annotations

import contextlib
import json
import re
import selectors
import socket
import struct
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from http.client import responses
from typing import Literal

from instructor.testing.gates import Gate
from instructor.testing.replies import Asked, plural

SECRET = re.compile(r"auth|key|token|secret|cookie|organi[sz]ation|project", re.IGNORECASE)
"""Names of headers that are never kept."""


class ClientLeft(Exception):
    """The other side closed the connection."""


class Link:
    """One connection: read requests, write replies, notice when the client leaves."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = sock
        self.headers: Mapping[str, str] = {}
        self._buffer = b""
        self._chunked = False
        self._selector = selectors.DefaultSelector()
        self._selector.register(sock, selectors.EVENT_READ)

    def request(self) -> Asked:
        """Wait for a request, and return it without secrets. `self.headers` has all of its headers."""
        first, *lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ", 2)
        self.headers = headers = {
            name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
        }
        if "100-continue" in headers.get("expect", ""):
            self._send(b"HTTP/1.1 100 Continue\r\n\r\n")
        if "chunked" in headers.get("transfer-encoding", ""):
            raw = b""
            while size := int(self._until(b"\r\n").split(b";")[0], 16):
                raw += self._exactly(size + 2)[:-2]
            self._until(b"\r\n")
        else:
            raw = self._exactly(int(headers.get("content-length", 0)))
        path, _, query = target.partition("?")
        body = None
        with contextlib.suppress(ValueError):
            body = json.loads(raw)
        kept = {name: value for name, value in headers.items() if not SECRET.search(name)}
        body = body if isinstance(body, dict) else {}
        return Asked(0, method, path, query, kept, body, raw)

    def head(self, status: int, headers: Mapping[str, str], length: int | None) -> None:
        """Begin a reply; without a length its body is chunked."""
        self._chunked = length is None
        size = "transfer-encoding: chunked" if length is None else f"content-length: {length}"
        lines = [
            f"HTTP/1.1 {status} {responses.get(status, 'Scripted')}",
            *(f"{name}: {value}" for name, value in headers.items()),
            size,
        ]
        self._send("\r\n".join([*lines, "", ""]).encode("latin-1"))

    def write(self, data: bytes) -> None:
        """Send a piece of the body, as one network write and, in a chunked body, one chunk."""
        self.wait(0)
        if data:
            self._send(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)

    def end(self) -> None:
        """End the body as HTTP requires."""
        if self._chunked:
            self._send(b"0\r\n\r\n")

    def wait(self, seconds: float, gate: Gate | None = None) -> bool:
        """Wait so many seconds, or for a gate. Return True if the gate opened.

        Raises:
            ClientLeft: the client closed the connection.
        """
        deadline = time.monotonic() + seconds
        if gate is not None:
            self._selector.register(gate.receiver, selectors.EVENT_READ)
        try:
            while True:
                for key, _ in self._selector.select(max(0.0, deadline - time.monotonic())):
                    if key.fileobj is self._socket:
                        self._receive()
                    elif gate is not None and gate.passed():
                        return True
                if time.monotonic() >= deadline:
                    return False
        finally:
            if gate is not None:
                self._selector.unregister(gate.receiver)

    def hang_up(self) -> None:
        """Make every read and wait on this connection end, from any thread."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self, how: Literal["fin", "rst"] = "fin") -> None:
        if how == "rst":
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._selector.close()
        self._socket.close()

    def _send(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise ClientLeft from error

    def _receive(self) -> None:
        try:
            data = self._socket.recv(65536)
        except OSError as error:
            raise ClientLeft from error
        if not data:
            raise ClientLeft
        self._buffer += data

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._buffer:
            self._receive()
        found, _, self._buffer = self._buffer.partition(mark)
        return found

    def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._receive()
        found, self._buffer = self._buffer[:size], self._buffer[size:]
        return found


class Loopback(ABC):
    """Listen, and pass each request to `serve(link, asked)`, which answers it."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self._changed = threading.Condition()
        self._links: set[Link] = set()
        self._threads: list[threading.Thread] = []
        self._stopping = False

    @abstractmethod
    def serve(self, link: Link, asked: Asked) -> bool:
        """Answer a request; False if the connection is to be closed now."""

    def start(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self._port = self._listener.getsockname()[1]
        self._begin(self._accept)

    def stop(self) -> None:
        """Close everything: no thread and no socket is left. A second time it does nothing."""
        if self._stopping:
            return
        self._stopping = True
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self._port)).close()  # wakes accept() on every platform
        self._threads[0].join()
        self.hang_up()
        for thread in self._threads:
            thread.join(30)
            if thread.is_alive():
                self.problems.append("a reply function did not return")

    def hang_up(self) -> None:
        """End all requests that are running."""
        with self._changed:
            for link in self._links:
                link.hang_up()

    @property
    def root(self) -> str:
        """The address of the server, without a path and without a slash at the end."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def open_connections(self) -> int:
        """Count the connections that are open now, idle ones in a client's pool included."""
        with self._changed:
            return len(self._links)

    def wait_closed(self, timeout: float = 30.0) -> None:
        """Block until no connection is open. In a coroutine call it by `asyncio.to_thread`.

        Raises:
            AssertionError: connections are still open after `timeout` seconds.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: not self._links, timeout):
                connections = plural(len(self._links), "connection is", "connections are")
                raise AssertionError(f"{connections} still open after {timeout} s")

    def _begin(self, run: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=run, args=arguments, daemon=True, name="instructor.testing")
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with self._listener:
            while not self._stopping:
                sock, _ = self._listener.accept()
                if self._stopping:
                    sock.close()
                    break
                link = Link(sock)
                with self._changed:
                    self._links.add(link)
                self._begin(self._talk, link)

    def _talk(self, link: Link) -> None:
        try:
            while self.serve(link, link.request()):
                pass
        except ClientLeft:
            pass
        except Exception as error:  # a thread has nobody to raise to: the test hears of it when the server closes
            self.problems.append(f"{type(error).__name__}: {error}")
        finally:
            link.close()
            with self._changed:
                self._links.discard(link)
                self._changed.notify_all()
