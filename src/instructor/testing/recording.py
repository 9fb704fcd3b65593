"""Record a provider's replies to a text file, and serve them again. docs/testing.md describes the file's format.

Nothing that identifies the user is written: of the headers only those of `_KEPT`, of the query only parameters that are
known to be harmless, and no text, sent or received, that equals another header or looks like a key or an organisation.
"""

from __future__ import annotations

import base64
import http.client
import json
import re
import socket
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

from typing_extensions import Self, Unpack

from instructor import redaction
from instructor.testing.loopback import SECRET, Link, Loopback
from instructor.testing.replies import Asked, Faults, Json, Reply
from instructor.testing.scripted import Scripted
from instructor.testing.wires import dump, split_events

FIRST = "instructor recording 1"
"""The first line of a recording."""
_KEPT = ("content-type", "content-encoding", "retry-after")
_HOP = {"host", "connection", "content-length", "transfer-encoding", "accept-encoding", "expect", "keep-alive"}
_KEY = re.compile(rb"\b(sk|gsk|pplx|xai|org|proj)[-_](?=[\w-]*\d)[\w-]{16,}")


class Recorder(Loopback):
    """Stand between a client and a provider: pass everything on unchanged, and write it to a file.

    Give the client `base_url=recorder.base_url`, which replaces `upstream` with its path. An existing file is replaced.
    An exchange is written when its reply has ended.
    """

    def __init__(self, upstream: str, path: str | Path, *, timeout: float = 600.0) -> None:
        super().__init__()
        self._upstream, self._path, self._timeout = urlsplit(upstream), Path(path), timeout
        self._open: dict[http.client.HTTPConnection, socket.socket] = {}

    @property
    def base_url(self) -> str:
        return self.root

    def __enter__(self) -> Self:
        self._path.write_text(FIRST + "\n", encoding="utf-8", newline="\n")
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if self.problems and kind is None:
            raise AssertionError("the recorder: " + "; ".join(self.problems))

    def hang_up(self) -> None:
        super().hang_up()
        with self._changed:
            for each in self._open.values():
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def serve(self, link: Link, asked: Asked) -> bool:
        https = self._upstream.scheme == "https"
        kind = http.client.HTTPSConnection if https else http.client.HTTPConnection
        upstream = kind(self._upstream.netloc, timeout=self._timeout)
        headers = {name: value for name, value in link.headers.items() if name not in _HOP}
        headers["accept-encoding"] = "identity"
        target = self._upstream.path.rstrip("/") + asked.path
        try:
            upstream.connect()
            with self._changed:  # kept apart: http.client forgets it when the reply says that it is the last
                self._open[upstream] = upstream.sock
            upstream.request(asked.method, target + (f"?{asked.query}" if asked.query else ""), asked.raw, headers)
            response = upstream.getresponse()
        except (OSError, http.client.HTTPException) as error:
            self._close(upstream)
            message = redaction.text(
                f"the recorder cannot reach {self._upstream.geturl()}: {error!r}", "REMOVED"
            ).encode()
            link.head(502, {"content-type": "text/plain"}, len(message))
            link.write(message)
            return True
        try:
            return self._pass(link, asked, target, response)
        finally:
            response.close()
            self._close(upstream)

    def _close(self, upstream: http.client.HTTPConnection) -> None:
        with self._changed:
            self._open.pop(upstream, None)
        upstream.close()

    def _pass(self, link: Link, asked: Asked, target: str, response: http.client.HTTPResponse) -> bool:
        headers = {name.lower(): value for name, value in response.getheaders()}
        link.head(response.status, {n: v for n, v in headers.items() if n not in _HOP}, response.length)
        pieces: list[bytes] = []
        whole = False
        try:
            while data := response.read1(65536):
                pieces.append(data)
                link.write(data)
            whole = not response.length  # read1 gives b"" for a body that is too short, and only counts
        except (OSError, http.client.HTTPException):
            pass  # the provider hung up: so do we
        finally:
            secrets = [value for name, value in link.headers.items() if _may_be_secret(name, value)]
            kept = {name: headers[name] for name in _KEPT if name in headers}
            lines = _exchange(asked, target, Reply(status=response.status, headers=kept), b"".join(pieces), secrets)
            with self._changed, self._path.open("a", encoding="utf-8", newline="\n") as file:
                file.writelines(f"{line}\n" for line in (*lines, *([] if whole else ["!"])))
        if whole:
            link.end()
        return whole


class Exchange(NamedTuple):
    """A request and its reply, as a recording has them."""

    target: str
    """The path and the query."""
    body: Json
    """What was sent, without secrets; {} if it was not JSON."""
    reply: Reply


def recorded(path: str | Path) -> list[Reply]:
    """Return the replies of a recording, for a script of your own."""
    return [exchange.reply for exchange in exchanges(path)]


def exchanges(path: str | Path) -> list[Exchange]:
    """Return the requests of a recording with their replies."""
    first, *lines = _lines_of(Path(path).read_bytes().decode())
    if first != FIRST:
        raise ValueError(f"{str(path)!r} is not a recording: it begins with {first[:40]!r}, not {FIRST!r}")
    found: list[Exchange] = []
    asked: list[str] = []
    at = 0
    while at < len(lines):
        if lines[at].startswith("> "):
            asked.append(lines[at][2:])
        if not lines[at].startswith("< "):
            at += 1
            continue
        head = [line[2:] for line in _run(lines, at, "<")]
        tail = list(_run(lines, at + len(head), "|"))
        at += len(head) + len(tail)
        headers = dict(line.split(": ", 1) for line in head[1:])
        reply = _reply(int(head[0]), headers, _data(tail), whole=lines[at : at + 1] != ["!"])
        target = asked[0].partition(" ")[2] if asked else ""
        found.append(Exchange(target, json.loads(asked[1]) if len(asked) > 1 else {}, reply))
        asked = []
    return found


class Replay(Scripted):
    """Serve a recording in order, each streamed reply with these faults. For faults of one reply: `recorded(path)`."""

    def __init__(
        self, path: str | Path, *, timeout: float = 30.0, strict: bool = True, **faults: Unpack[Faults]
    ) -> None:
        replies = [each if each.events is None else each.but(**faults) for each in recorded(path)]
        super().__init__(replies, timeout=timeout, strict=strict)


def _reply(status: int, headers: dict[str, str], data: bytes, *, whole: bool) -> Reply:
    if headers.get("content-type", "").startswith("text/event-stream"):
        events = split_events(data)
        return Reply(events=events, status=status, headers=headers, faults={} if whole else {"drop_after": len(events)})
    return Reply(body=data, status=status, headers=headers, faults={} if whole else {"drop_after": 1})


def _exchange(asked: Asked, target: str, reply: Reply, data: bytes, secrets: Iterable[str]) -> Iterator[str]:
    words = {word for secret in secrets for word in (secret, *secret.split()) if len(word) > 5 and word != "Bearer"}
    query = urlencode([pair for pair in parse_qsl(asked.query) if redaction.is_harmless_parameter(pair[0])])
    yield f"> {asked.method} {target}{'?' if query else ''}{query}"
    if asked.body:
        yield f"> {_cleaned(dump(redaction.request(asked.body, 'REMOVED')).encode(), words).decode()}"
    yield f"< {reply.status}"
    yield from (f"< {name}: {value}" for name, value in reply.headers.items())
    yield from _lines(_cleaned(data, words))


def _may_be_secret(name: str, value: str) -> bool:
    """Return whether text that equals this header must not be written. Short words are in every text."""
    return bool(SECRET.search(name)) or (not redaction.is_harmless_header(name) and name not in _HOP and len(value) > 7)


def _cleaned(data: bytes, words: Iterable[str]) -> bytes:
    for word in sorted(words, key=len, reverse=True):
        data = data.replace(word.encode(), b"REMOVED")
    return _KEY.sub(rb"\1-REMOVED", data)


def _lines(data: bytes) -> Iterator[str]:
    try:
        *lines, rest = data.decode().split("\n")
    except UnicodeDecodeError:
        yield from (f"|={base64.b64encode(data[at : at + 72]).decode()}" for at in range(0, len(data), 72))
        return
    yield from (f"| {line}" if line else "|" for line in lines)
    if rest:
        yield f"|-{rest}"


def _data(lines: Iterable[str]) -> bytes:
    data = b""
    for line in lines:
        if line.startswith("|="):
            data += base64.b64decode(line[2:])
        else:
            data += line[2:].encode() + (b"" if line.startswith("|-") else b"\n")
    return data


def _lines_of(text: str) -> list[str]:
    """Split a recording into its lines. If git ended all of them with CRLF, the CR is not data."""
    lines = text.removeprefix("\ufeff").split("\n")
    return [line.removesuffix("\r") for line in lines] if lines[0].endswith("\r") else lines


def _run(lines: list[str], at: int, mark: str) -> Iterator[str]:
    while at < len(lines) and lines[at].startswith(mark):
        yield lines[at]
        at += 1
