"""The page's server over a scripted provider, and a client that is no browser."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from collections.abc import Iterator, Mapping
from typing import Any

from instructor.testing import Scripted
from instructor.web.app import PageServer, Session

KEY = "sk-test-0123456789abcdef0123"
OWN = {"content-type": "application/json", "sec-fetch-site": "same-origin"}
FIELDS = {"kind": "fields", "text": "name, age int"}
PEOPLE = [{"name": "Jason", "age": 10}, {"name": "John", "age": 30}]


class Event:
    """One event of a stream."""

    def __init__(self, number: int | None, kind: str, data: Any) -> None:
        self.number, self.kind, self.data = number, kind, data

    def __repr__(self) -> str:
        return f"{self.number} {self.kind} {self.data}"


class Served:
    """What a program asks the page's server."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.root = f"http://127.0.0.1:{port}"

    def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] = OWN
    ) -> tuple[int, Any, http.client.HTTPMessage]:
        """Return status, body (parsed if it is JSON) and headers."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request(method, path, None if body is None else json.dumps(body), dict(headers))
            reply = connection.getresponse()
            data = reply.read()
            kind = reply.headers.get_content_type()
            read = json.loads(data) if kind == "application/json" and "export" not in path else data.decode()
            return reply.status, read, reply.headers

    def start(self, text: str = "Jason is 10, John is 30.", **body: Any) -> str:
        """Begin a run, and return its id."""
        status, run, _ = self.ask("POST", "/runs", {"text": text, "schema": FIELDS, **body})
        assert status == 201, run
        return str(run["id"])

    @contextlib.contextmanager
    def following(self, run: str, after: int | None = None) -> Iterator[Iterator[Event]]:
        """Follow the events of a run, as a browser does that has seen some of them."""
        headers = {} if after is None else {"last-event-id": str(after)}
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request("GET", f"/runs/{run}/events", headers=headers)
            reply = connection.getresponse()
            assert reply.status == 200
            yield _events(reply)

    def events(self, run: str, after: int | None = None) -> list[Event]:
        """Return all events of a run, when it has ended."""
        with self.following(run, after) as events:
            return list(events)

    def raw(self, request: str) -> tuple[int, str]:
        """Send bytes as they are, and return status and body."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.sendall(request.encode())
            reply = http.client.HTTPResponse(connection)
            reply.begin()
            return reply.status, reply.read().decode()


def _events(reply: http.client.HTTPResponse) -> Iterator[Event]:
    fields: dict[str, str] = {}
    while line := reply.readline().decode().rstrip("\n") or (None if reply.isclosed() else "\n"):
        if line != "\n":
            name, _, value = line.partition(": ")
            fields[name] = value
            continue
        if "event" in fields:
            if fields["event"] == "end":
                return
            yield Event(int(fields["id"]) if "id" in fields else None, fields["event"], json.loads(fields["data"]))
        fields = {}


@contextlib.contextmanager
def served(server: Scripted, model: str = "openai/scripted", **session: Any) -> Iterator[Served]:
    """Serve the page for a scripted provider."""
    address = server.base_url if model.startswith("openai/") else server.root
    options = {"base_url": address, "api_key": KEY, "max_retries": 0}
    made = Session(model=model, options=options, **session)
    with PageServer(made) as running:
        yield Served(running.port)


def of_kind(events: list[Event], *kinds: str) -> list[Any]:
    return [event.data for event in events if event.kind in kinds]
