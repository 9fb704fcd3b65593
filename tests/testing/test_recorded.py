"""Recording a provider (another scripted server stands for it) and serving the file again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from scripted_chat import ASK, TEXT, arguments, chunks, finish, stream

from harness import Harness
from instructor.testing import Faults, Recorder, Replay, Scripted, body, error, events, recorded, tools

KEY, ORG = "sk-proj-abcdefgh1234567890", "org-ABCDEFGH1234567890abcdef"


@pytest.fixture
async def recording(tmp_path: Path) -> Path:
    """One streamed reply and one whole, as a file."""
    path = tmp_path / "two.txt"
    async with Harness("sync") as harness:
        with Scripted([tools(TEXT), tools("[1, 2]")]) as upstream, Recorder(upstream.base_url, path) as recorder:
            client = harness.sdk(recorder.base_url)
            await stream(harness, client, [])
            client.chat.completions.create(**ASK)
    return path


async def test_recording_changes_nothing(harness: Harness, scripted_server: Any, tmp_path: Path) -> None:
    upstream = scripted_server([tools(TEXT), tools(TEXT), error(429, headers={"retry-after": "3"})])
    with Recorder(upstream.base_url, tmp_path / "all.txt") as recorder:
        found: list[Any] = []
        client = harness.sdk(recorder.base_url)
        await stream(harness, client, found)
        whole = await harness.result(client.chat.completions.create(**ASK))
        with pytest.raises(openai.RateLimitError):
            await stream(harness, client, found)
    assert arguments(found) == {0: TEXT}
    assert whole.choices[0].message.tool_calls[0].function.arguments == TEXT
    assert [asked.body for asked in upstream.requests[:2]] == [{**ASK, "stream": True}, ASK]
    first, second, third = recorded(tmp_path / "all.txt")
    assert (len(first.events or ()), second.events, third.status) == (len(found) + 1, None, 429)
    assert third.headers["retry-after"] == "3"


async def test_no_secret_is_written(harness: Harness, scripted_server: Any, tmp_path: Path) -> None:
    told = {"error": {"message": f"Incorrect API key {KEY} in organization {ORG}; your cookie is c00kie-value"}}
    upstream = scripted_server([body(told, status=401)])
    with Recorder(upstream.base_url, tmp_path / "secret.txt") as recorder:
        options = {"api_key": KEY, "organization": ORG, "default_headers": {"cookie": "c00kie-value"}}
        client = harness.sdk(recorder.base_url, **options, default_query={"key": "AIza-query-key", "alt": "sse"})
        said = {"role": "user", "content": f"My key is sk-{'a1' * 12}."}
        with pytest.raises(openai.AuthenticationError, match=KEY):
            await stream(harness, client, [], messages=[said])
    text = (tmp_path / "secret.txt").read_text()
    assert "> POST /v1/chat/completions?alt=sse\n" in text
    assert "Incorrect API key REMOVED in organization REMOVED; your cookie is REMOVED" in text
    assert "My key is sk-REMOVED." in text
    for secret in (KEY, ORG, "c00kie", "AIza", "a1a1", "uthorization"):
        assert secret not in text


def test_the_file_is_readable(recording: Path) -> None:
    lines = recording.read_text().split("\n")
    assert lines[:2] == ["instructor recording 1", "> POST /v1/chat/completions"]
    assert lines[2].startswith('> {"model":"scripted","stream":true,"messages":[{"role":"user"')
    assert lines[3:5] == ["< 200", "< content-type: text/event-stream"]
    assert lines[5].startswith('| data: {"id":"chatcmpl-1"')
    assert lines[6] == "|"
    assert "| data: [DONE]" in lines
    assert lines[-2].startswith('|-{"id":"chatcmpl-2"')


@pytest.mark.parametrize(
    "faults",
    [{}, {"chunk": 1}, {"chunk": 30, "events_per_write": 2}, {"split_bytes": range(1, 3000, 7)}, {"speed": 1e5}],
)
async def test_the_text_is_the_same_at_every_cutting(harness: Harness, recording: Path, faults: Any) -> None:
    with Replay(recording, **faults) as server:
        found = await chunks(harness, server)
        whole = await harness.result(harness.sdk(server).chat.completions.create(**ASK))
    assert (arguments(found), finish(found)) == ({0: TEXT}, "tool_calls")
    assert whole.choices[0].message.tool_calls[0].function.arguments == "[1, 2]"


async def test_a_replay_takes_faults(harness: Harness, recording: Path, scripted_server: Any) -> None:
    first, _ = recorded(recording)
    cases: list[tuple[Faults, str, str | None]] = [
        ({"cut_after": 4}, TEXT[:12], None),
        ({"cut_after": 4, "finish": "length"}, TEXT[:12], "length"),
        ({"corrupt_item": 0}, TEXT.replace('{"name": "Jörg", "age": 10}', '{"corrupt": true}'), "tool_calls"),
    ]
    for faults, text, reason in cases:
        found = await chunks(harness, scripted_server([first.but(**faults)]))
        assert (arguments(found), finish(found)) == ({0: text}, reason)
    with pytest.raises(openai.APIConnectionError):
        await chunks(harness, scripted_server([first.but(drop_after=4)]))


async def test_a_recording_without_its_end_replays_without_it(harness: Harness, tmp_path: Path) -> None:
    path = tmp_path / "dropped.txt"
    with Scripted([tools(TEXT, drop_after=4)]) as upstream, Recorder(upstream.base_url, path) as recorder:
        client = harness.sdk(recorder.base_url)
        with pytest.raises(openai.APIConnectionError):
            await stream(harness, client, [])
    assert path.read_text().endswith("|\n!\n")
    found: list[Any] = []
    with Replay(path) as server, pytest.raises(openai.APIConnectionError):
        await stream(harness, harness.sdk(server), found)
    assert arguments(found) == {0: TEXT[:12]}


@pytest.mark.parametrize("data", [b"\xff\x00\n| x" * 40, b"", b"\n\n", "\r\né\r\n|-".encode()])
def test_any_bytes_come_back(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "bytes.txt"
    with Scripted([body(data)]) as upstream, Recorder(upstream.root, path) as recorder:
        assert httpx2.post(recorder.base_url, content=b"x").content == data
    with Replay(path) as server:
        assert httpx2.post(server.root).content == data


@pytest.mark.parametrize("bom", ["", "\ufeff"])
@pytest.mark.parametrize(
    "data",
    [b"data: a\n\ndata: b\n\n", b"data: a\r\n\r\n", b"\r", b"\r\n", b"no end", b"\n\n\n", b"\xff\x00" * 100, b"a\rb\n"],
)
def test_a_recording_with_other_line_ends(tmp_path: Path, data: bytes, bom: str) -> None:
    path = tmp_path / "ends.txt"
    with Scripted([body(data), body({}, status=429)]) as upstream, Recorder(upstream.root, path) as recorder:
        httpx2.post(recorder.base_url, content=b"x")
        httpx2.post(recorder.base_url, content=b"x")
    written = path.read_bytes()
    path.write_bytes(bom.encode() + written.replace(b"\n", b"\r\n"))
    whole, refused = recorded(path)
    assert whole.body == data
    assert (refused.status, refused.headers["content-type"]) == (429, "application/json")
    path.write_bytes(bom.encode() + written)
    assert recorded(path)[0].body == data


def crlf(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))


async def test_a_stream_with_other_line_ends(harness: Harness, recording: Path) -> None:
    crlf(recording)
    with Replay(recording, chunk=7) as server:
        found = await chunks(harness, server)
    assert (arguments(found), finish(found)) == ({0: TEXT}, "tool_calls")


def test_several_recorded_at_once_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "raw.txt"
    script = [events([b"data: a\r\n\r\n", b"event: b\r\ndata: b\r\n\r\n", b"data: cut"])] * 2
    with Scripted(script) as upstream, Recorder(upstream.root, path) as recorder, httpx2.Client() as client:
        url = f"{recorder.base_url}/anything"
        with client.stream("POST", url) as one, client.stream("POST", url) as two:
            assert (two.read(), one.read()) == (two.content, two.content)
    assert [len(reply.events or ()) for reply in recorded(path)] == [3, 3]


def test_no_upstream_is_told(tmp_path: Path) -> None:
    with Scripted() as gone:
        root = gone.root
    with Recorder(root, tmp_path / "none.txt") as recorder:
        response = httpx2.post(recorder.base_url)
    assert (response.status_code, "cannot reach http://127.0.0.1" in response.text) == (502, True)


def test_a_recorder_ends_with_a_reply_under_way(tmp_path: Path) -> None:
    with Scripted([tools(TEXT, silence_after=2)]) as upstream, httpx2.Client() as client:
        with Recorder(upstream.base_url, tmp_path / "left.txt") as recorder:
            url = f"{recorder.base_url}/chat/completions"
            with client.stream("POST", url, json={"stream": True}) as response:
                next(response.iter_bytes())
                recorder.stop()
        upstream.wait_closed()
        assert upstream.served[0].client_left


def test_another_file_is_no_recording(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("hello\n")
    with pytest.raises(ValueError, match="is not a recording: it begins with 'hello'"):
        Replay(tmp_path / "x.txt")
