"""The server itself: what it records, what it refuses, that nothing of it is left."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from typing import Any

import httpx2
import openai
import pytest
from scripted_chat import ASK, TEXT, arguments, chunks

from harness import Harness
from instructor.testing import Asked, Gate, Reply, Scripted, tools


async def test_requests_are_recorded_without_secrets(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([tools(TEXT)])
    headers = {"Cookie": "secret-1", "X-Api-Key": "secret-2", "X-Mine": "kept"}
    client = harness.sdk(server, organization="secret-3", project="secret-4", default_headers=headers)
    await harness.result(client.chat.completions.create(**ASK))
    (asked,) = server.requests
    assert (asked.number, asked.method, asked.path, asked.headers["x-mine"]) == (
        1,
        "POST",
        "/v1/chat/completions",
        "kept",
    )
    assert asked.body == ASK
    assert asked.messages == ASK["messages"]
    assert not [value for value in asked.headers.values() if "secret" in value or "sk-fake" in value]


async def test_more_requests_than_replies(harness: Harness) -> None:
    with Scripted([tools(TEXT)], strict=False) as server:
        await chunks(harness, server)
        with pytest.raises(openai.InternalServerError, match="request 2 was not expected: the script has 1 reply"):
            await chunks(harness, server)
        assert [asked.number for asked in server.unexpected] == [2]


async def test_a_strict_server_fails_the_test_for_them(harness: Harness) -> None:
    server = Scripted().__enter__()
    with pytest.raises(openai.InternalServerError):
        await chunks(harness, server)
    with pytest.raises(AssertionError, match="1 request more than the script"):
        leave(server)


def post(server: Scripted, **options: Any) -> httpx2.Response:
    return httpx2.post(f"{server.base_url}/chat/completions", **options)


def leave(server: Scripted) -> None:
    server.__exit__(None, None, None)


def test_an_error_of_the_test_is_not_covered_up() -> None:
    server = Scripted().__enter__()
    assert post(server).status_code == 500
    server.__exit__(ValueError, ValueError(), None)  # raises nothing of its own
    assert server.unexpected


async def test_replies_by_a_function_and_added_later(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server(lambda asked: tools(asked.messages[0]["content"]))
    assert arguments(await chunks(harness, server, messages=[{"role": "user", "content": "[7]"}])) == {0: "[7]"}
    server = scripted_server(allow_unused=True)
    server.add(tools("[8]"), tools("[9]"))
    assert arguments(await chunks(harness, server)) == {0: "[8]"}
    assert server.unused == 1
    with pytest.raises(AssertionError, match="1 reply was not requested, after 1 request"):
        server.assert_all_used()


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (tools(TEXT, cut_after=99), r"cut_after=99, but the reply has \d+ events"),
        (tools(TEXT, cut_after=99, finish="length"), "cut_after=99, but"),
        (tools(TEXT, malformed_after=-1), "malformed_after=-1, but"),
        (tools(TEXT, wait_after=99, gate=Gate()), "wait_after=99, but"),
        (tools(TEXT, wait_after=1), "needs a gate"),
        (tools(TEXT, cut_after=1, drop_after=2), "one way, not in 2: cut_after, drop_after"),
        (tools(TEXT, corrupt_item=2), "corrupt_item=2, but the answer has 2 items"),
        (tools(TEXT, chunk=0), "at least one character"),
    ],
)
def test_faults_that_cannot_be_fail_the_test(reply: Reply, message: str) -> None:
    server = Scripted([reply]).__enter__()
    assert post(server, json={"stream": True}).status_code == 500
    with pytest.raises(AssertionError, match=message):
        leave(server)


def test_an_unknown_fault_is_no_fault() -> None:
    with pytest.raises(TypeError, match="no such fault: cut_afer; there are chunk, "):
        tools(TEXT, cut_afer=3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def test_an_unknown_path_is_told() -> None:
    server = Scripted([tools(TEXT)]).__enter__()
    assert "no wire" in httpx2.post(f"{server.root}/v9/chat").text
    with pytest.raises(AssertionError, match="no wire is known for '/v9/chat'"):
        leave(server)


def test_a_gate_that_nobody_opens_fails_the_test() -> None:
    reply = tools(TEXT, wait_after=1, gate=Gate())
    server = Scripted([reply], timeout=0.1).__enter__()
    with pytest.raises(httpx2.RemoteProtocolError):
        post(server, json={"stream": True})
    with pytest.raises(AssertionError, match=r"a gate was not opened in .* s, after 1 event$"):
        leave(server)


def test_what_a_reply_function_raises_fails_the_test() -> None:
    def broken(asked: Asked) -> Reply:
        raise KeyError("oops")

    server = Scripted(broken).__enter__()
    with pytest.raises(httpx2.RemoteProtocolError):
        post(server)
    with pytest.raises(AssertionError, match="KeyError: 'oops'"):
        leave(server)


def test_a_chunked_request() -> None:
    with Scripted([tools(TEXT)]) as server:
        pieces = iter([b'{"mod', b'el": "m"}'])
        httpx2.post(f"{server.base_url}/chat/completions?x=1", content=pieces)
    assert (server.requests[0].body, server.requests[0].query) == ({"model": "m"}, "x=1")


async def test_fifty_streams_at_once_do_not_mix() -> None:
    async with Harness("async") as harness:
        with Scripted(lambda asked: tools(f"[{asked.messages[0]['content']}]", chunk=1)) as server:
            client = harness.sdk(server)

            async def one(number: int) -> dict[int, str]:
                found: list[Any] = []
                message = {"role": "user", "content": str(number) * 9}
                request = {**ASK, "messages": [message]}
                await harness.collect(client.chat.completions.create(stream=True, **request), found)
                return arguments(found)

            got = await asyncio.gather(*map(one, range(50)))
            assert got == [{0: f"[{str(number) * 9}]"} for number in range(50)]
            assert [served.asked.number for served in server.served] == list(range(1, 51))


def test_nothing_is_left_even_with_a_reply_under_way() -> None:
    before = set(threading.enumerate())
    with httpx2.Client() as client, Scripted([tools(TEXT, wait_after=2, gate=Gate())]) as server:
        with client.stream("POST", f"{server.base_url}/chat/completions", json={"stream": True}) as response:
            read = response.iter_bytes()
            next(read)
            next(read)
            server.stop()
            with pytest.raises(httpx2.RemoteProtocolError):
                next(read)
        assert server.open_connections == 0
        assert not server.served[0].client_left
    assert set(threading.enumerate()) <= before


def test_it_needs_no_sdk_and_no_pytest() -> None:
    script = (
        "import sys, instructor.testing; print(sorted({'openai', 'pytest', 'httpx2', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
