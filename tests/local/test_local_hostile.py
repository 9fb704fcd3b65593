"""A hostile client against `instructor local serve`, by real sockets: what is refused and what bounded."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from instructor.local.fields import BadRequest, check
from instructor.local.grammar import grammar
from instructor.local.request import read_request

pytest.importorskip("starlette")

from instructor.local.intake import BODY, VALUES, Refused, check_sender, parsed

ASKED = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 4}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}


def a_tool(parameters: Any) -> Any:
    return {"type": "function", "function": {"name": "f", "parameters": parameters}}


def deep(kind: str, levels: int) -> Any:
    value: Any = {}
    for _ in range(levels):
        value = [value] if kind == "list" else {"properties": {"a": value}}
    return value


PARAMETERS, FORMAT = "tools[0].function.parameters", "response_format.json_schema"
WRONG: list[tuple[str, Any, str]] = [
    ("messages", "x", "messages"),
    ("messages", {}, "messages"),
    ("messages", [], "messages"),
    ("messages", [None], "messages[0]"),
    ("messages", [["user", "hi"]], "messages[0]"),
    ("messages", [{"content": "hi"}], "messages[0].role"),
    ("messages", [{"role": 7, "content": "hi"}], "messages[0].role"),
    ("messages", [{"role": "user", "content": 7}], "messages[0].content"),
    ("messages", [{"role": "user", "content": {"type": "text"}}], "messages[0].content"),
    ("messages", [{"role": "user", "content": [7]}], "messages[0].content[0]"),
    ("messages", [{"role": "user", "content": [{"type": "text", "text": 7}]}], "messages[0].content[0].text"),
    ("messages", [{"role": "user", "content": [{"type": "image_url"}]}], "messages[0].content[0]"),
    ("messages", [{"role": "assistant", "tool_calls": 7}], "messages[0].tool_calls"),
    ("messages", [{"role": "assistant", "tool_calls": [7]}], "messages[0].tool_calls[0]"),
    ("messages", [{"role": "assistant", "tool_calls": [{"function": {"arguments": {}}}]}], "messages[0].tool_calls[0]"),
    ("model", 5, "model"),
    ("model", ["m"], "model"),
    ("stream", 7, "stream"),
    ("stream", "true", "stream"),
    ("stream_options", True, "stream_options"),
    ("stream_options", {"include_usage": "yes"}, "stream_options"),
    ("n", -1, "n"),
    ("n", "1", "n"),
    ("n", True, "n"),
    ("n", 3, "n"),
    ("max_tokens", "a", "max_tokens"),
    ("max_tokens", -5, "max_tokens"),
    ("max_tokens", 1.5, "max_tokens"),
    ("max_tokens", 10**30, "max_tokens"),
    ("max_completion_tokens", [], "max_completion_tokens"),
    ("temperature", [], "temperature"),
    ("temperature", "hot", "temperature"),
    ("temperature", -1, "temperature"),
    ("temperature", True, "temperature"),
    ("top_p", 2, "top_p"),
    ("seed", "x", "seed"),
    ("seed", 10**40, "seed"),
    ("stop", 7, "stop"),
    ("stop", [7], "stop"),
    ("presence_penalty", {}, "presence_penalty"),
    ("logit_bias", [], "logit_bias"),
    ("logit_bias", {"1": "x"}, "logit_bias"),
    ("tools", {}, "tools"),
    ("tools", "x", "tools"),
    ("tools", [7], "tools[0]"),
    ("tools", [{}], "tools[0]"),
    ("tools", [{"function": {"name": 7}}], "tools[0]"),
    ("tools", [a_tool(7)], "tools[0].function.parameters"),
    ("tools", [a_tool({"properties": []})], f"{PARAMETERS}.properties"),
    ("tools", [a_tool({"properties": {"a": 7}, "required": ["a"]})], f"{PARAMETERS}.properties.a"),
    (
        "tools",
        [a_tool({"type": "object", "properties": {"a": {"enum": 7}}})],
        f"{PARAMETERS}.properties.a.enum",
    ),
    ("tools", [a_tool({"anyOf": 7})], f"{PARAMETERS}.anyOf"),
    ("tools", [a_tool({"$defs": 7})], f"{PARAMETERS}.$defs"),
    ("tools", [a_tool({"anyOf": [{"items": "x"}]})], f"{PARAMETERS}.anyOf[0].items"),
    ("tools", [a_tool(deep("object", 300))], "tools"),
    ("tool_choice", 7, "tool_choice"),
    ("tool_choice", {"function": 7}, "tool_choice"),
    ("tool_choice", {"function": {"name": "nobody"}}, "tool_choice"),
    ("parallel_tool_calls", 7, "parallel_tool_calls"),
    ("response_format", 7, "response_format"),
    ("response_format", {"type": 7}, "response_format"),
    ("response_format", {"type": "json_schema"}, "response_format.json_schema"),
    ("response_format", {"type": "json_schema", "json_schema": 5}, "response_format.json_schema"),
    ("response_format", {"type": "json_schema", "json_schema": {"schema": 5}}, "response_format.json_schema"),
    (
        "response_format",
        {"type": "json_schema", "json_schema": {"schema": {"type": 5}}},
        "response_format.json_schema.schema.type",
    ),
]


@pytest.mark.parametrize(("name", "value", "param"), WRONG)
def test_a_wrong_field_is_named(name: str, value: Any, param: str) -> None:
    with pytest.raises(BadRequest) as raised:
        read_request({**ASKED, "tool_choice": "required", name: value})
    assert raised.value.param == param
    assert param in str(raised.value)
    assert len(str(raised.value)) < 600


def test_null_is_as_good_as_nothing() -> None:
    check({**ASKED, **dict.fromkeys({name for name, _, _ in WRONG} - {"messages"})})


def test_what_is_right_passes() -> None:
    check(
        {
            **ASKED,
            "n": 1, "stream": True, "stream_options": {"include_usage": True}, "temperature": 0, "top_p": 1.0,
            "stop": ["a"], "seed": 7, "logit_bias": {"1": -100}, "tools": [a_tool(SCHEMA), a_tool(None)],
            "tool_choice": {"type": "function", "function": {"name": "f"}}, "response_format": {"type": "text"},
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"[" * 100_000, "nested"),
        (b'{"a":' * 100_000, "nested"),
        (b"[" + b"[]," * VALUES, "at most"),
        (b'{"temperature": NaN}', "NaN"),
        (b'{"n": ' + b"1" * 5000 + b"}", "JSON"),
        (b"\xff\xfe", "JSON"),
        (b"", "JSON"),
        (b"7", "JSON object"),
        (b"null", "JSON object"),
    ],
)
def test_bodies_that_are_none(body: bytes, said: str) -> None:
    with pytest.raises(Refused, match=said) as raised:
        parsed(body)
    assert raised.value.status == 400


@pytest.mark.parametrize(
    ("headers", "let_in"),
    [
        ({"host": "127.0.0.1:8000"}, True),
        ({"host": "localhost"}, True),
        ({"host": "LOCALHOST:9000"}, True),
        ({"host": "[::1]:8000"}, True),
        ({"host": "[::1]"}, True),
        ({"host": "localhost:8000", "origin": "http://localhost:8000"}, True),
        ({"host": "localhost:8000", "sec-fetch-site": "same-origin"}, True),
        ({}, False),
        ({"host": ""}, False),
        ({"host": "evil.example"}, False),
        ({"host": "localhost.evil.example:8000"}, False),
        ({"host": "127.0.0.1.nip.io"}, False),
        ({"host": "127.0.0.2:8000"}, False),
        ({"host": "localhost:8000@evil.example"}, False),
        ({"host": "localhost:x"}, False),
        ({"host": ":8000"}, False),
        ({"host": "localhost:8000", "origin": "https://evil.example"}, False),
        ({"host": "localhost:8000", "origin": "http://localhost:3000"}, False),
        ({"host": "localhost:8000", "origin": "http://localhost:8000.evil.example"}, False),
        ({"host": "localhost:8000", "origin": "null"}, False),
        ({"host": "localhost:8000", "origin": ""}, False),
        ({"host": "localhost:8000", "sec-fetch-site": "cross-site"}, False),
        ({"host": "localhost:8000", "sec-fetch-site": "same-site"}, False),
    ],
)
def test_who_is_let_in(headers: dict[str, str], let_in: bool) -> None:
    if let_in:
        check_sender(headers, 8000)
        return
    with pytest.raises(Refused, match="must be") as raised:
        check_sender(headers, 8000)
    assert raised.value.status == 403


class Hostile:
    """The server's process, and what is sent to it."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process, self.port = process, port

    def send(
        self, body: Any = None, path: str = "/v1/chat/completions", method: str = "POST", **headers: str
    ) -> tuple[int, Any]:
        """Send one request, and give the status and the JSON of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        given = {
            "content-type": "application/json",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        try:
            connection.request(method, path, body if isinstance(body, bytes) else json.dumps(body), given)
            response = connection.getresponse()
            return response.status, json.loads(response.read() or b"null")
        finally:
            connection.close()

    def raw(self, data: bytes) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        connection.sendall(data)
        return connection

    def answers(self) -> None:
        status, body = self.send(ASKED)
        assert status == 200, body
        assert body["choices"][0]["message"]["content"]

    def memory(self) -> int:
        """Read the most memory that the process has had, in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return 1024 * int(status.split("VmHWM:")[1].split()[0])


@pytest.fixture(scope="module")
def server() -> Iterator[Hostile]:
    process = subprocess.Popen(
        [sys.executable, "-c", "from instructor.cli import main; main()", "local", "serve", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        yield Hostile(process, int(url.rpartition(":")[2].removesuffix("/v1")))
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
        assert "Traceback" not in told
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def head(length: int | None = None, *more: str) -> bytes:
    lines = ["POST /v1/chat/completions HTTP/1.1", "Host: localhost", "Content-Type: application/json", *more]
    lines += [] if length is None else [f"Content-Length: {length}"]
    return "\r\n".join([*lines, "", ""]).encode()


@pytest.mark.model
def test_wrong_fields(server: Hostile) -> None:
    for name, value, param in WRONG:
        for stream in (False, True):
            status, body = server.send({**ASKED, "stream": stream, "tool_choice": "required", name: value})
            assert status == 400, (name, value)
            assert body["error"]["type"] == "invalid_request_error"
            assert body["error"]["param"] == param
            assert param in body["error"]["message"]
    server.answers()


@pytest.mark.model
def test_hosts_origins_and_kinds(server: Hostile) -> None:
    own = f"http://127.0.0.1:{server.port}"
    for path, method in (
        ("/v1/chat/completions", "POST"),
        ("/v1/models", "GET"),
        ("/v1/models/x", "GET"),
        ("/x", "PUT"),
    ):
        assert server.send(ASKED, path, method, host="evil.example")[0] == 403
        assert server.send(ASKED, path, method, origin="https://evil.example")[0] == 403
        assert server.send(ASKED, path, method, origin="null")[0] == 403
    assert server.send(ASKED, method="OPTIONS", origin="https://evil.example")[0] == 403
    for kind in (
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "text/plain;application/json",
    ):
        status, body = server.send(ASKED, content_type=kind)
        assert (status, "Content-Type" in body["error"]["message"]) == (415, True)
    assert server.send(ASKED, host=f"localhost:{server.port}", origin=own)[0] == 200
    assert server.send(ASKED, content_type="application/json; charset=utf-8")[0] == 200


@pytest.mark.model
def test_bodies(server: Hostile) -> None:
    server.answers()
    before = server.memory()
    for body in (
        b"[" * 100_000,
        b'{"messages":' * 100_000,
        b"{" * 1_000_000,
        b"",
        b"\xff",
        b"7",
        b'{"messages": ["\\ud83d"]}',
    ):
        status, told = server.send(body)
        assert (status, told["error"]["type"]) == (400, "invalid_request_error")
    assert server.send({**ASKED, "model": "\ud83d"})[0] == 200
    assert server.send({**ASKED, "model": "\ud83d", "stream": "\ud83d"})[0] == 400
    large = b'{"messages": "' + b"a" * 80_000_000 + b'"}'
    status, told = server.send(large)
    assert (status, str(BODY) in told["error"]["message"]) == (413, True)
    chunk = b"100000\r\n" + b"a" * 0x100000 + b"\r\n"
    with server.raw(head(None, "Transfer-Encoding: chunked")) as connection:
        for _ in range(40):
            connection.sendall(chunk)
        connection.sendall(b"0\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 413")
    with server.raw(head(10**12, "Expect: 100-continue")) as connection:
        assert connection.recv(100).startswith(b"HTTP/1.1 413")
    full = b'{"messages": "' + b"a" * (BODY - 100) + b'"}'
    assert server.send(full)[0] == 400
    server.answers()
    assert server.memory() - before < 150_000_000


@pytest.mark.model
def test_slow_and_half_requests_hold_nobody_up(server: Hostile) -> None:
    held = [server.raw(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nX-") for _ in range(50)]
    held += [server.raw(head(1000) + b'{"messages"') for _ in range(50)]
    held += [server.raw(head(None, "Transfer-Encoding: chunked") + b"5\r\n{") for _ in range(50)]
    held += [server.raw(b"GET / HTTP/1.1\r\nX: " + b"a" * 1_000_000)]
    server.answers()
    for connection in held:
        connection.close()
    for garbage in (b"\0" * 1000, b"GET\r\n\r\n", head(-1), head(None, "Content-Length: x"), b"\x16\x03\x01" * 50):
        with server.raw(garbage) as connection:
            connection.shutdown(socket.SHUT_WR)
            assert not connection.recv(100) or True
    server.answers()


@pytest.mark.model
@pytest.mark.parametrize("stream", [False, True])
def test_abandoned_answers_do_not_hold_the_next_one_up(server: Hostile, stream: bool) -> None:
    words = " ".join(f"word{n}" for n in range(100))
    asked = {"messages": [{"role": "user", "content": f"Tell a story of {words}"}], "max_tokens": 1000}
    body = json.dumps({**asked, "stream": stream}).encode()
    server.answers()
    before = server.memory()
    left = [server.raw(head(len(body)) + body) for _ in range(200)]
    for at, connection in enumerate(left):
        if at % 3 == 0:  # some go with a reset
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.close()
    server.answers()
    assert server.memory() - before < 150_000_000
    assert threads(server.process.pid) < 100


def threads(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/task"))


def test_the_grammar_of_a_good_schema() -> None:
    assert "integer" in grammar(SCHEMA)
