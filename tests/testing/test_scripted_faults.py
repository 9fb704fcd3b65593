"""Every fault, as the real SDK feels it, sync and async."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import openai
import pytest
from scripted_chat import ASK, TEXT, arguments, chunks, finish, stream

from harness import Harness
from instructor.testing import (
    Gate,
    Reply,
    ToolCall,
    answer,
    body,
    content,
    count_events,
    error,
    events,
    refusal,
    silence,
    tools,
)
from instructor.usage import Usage


@pytest.mark.parametrize(
    "faults",
    [
        {"chunk": 1},
        {"chunk": [1, 2, 3, 5, 8]},
        {"chunk": 7, "events_per_write": 3},
        {"events_per_write": "all"},
        {"chunk": 1000},
        {"split_bytes": range(1, 4000)},
        {"events_per_write": "all", "split_bytes": [11, 150, 151, 152, 900]},
        {"speed": 100_000.0},
    ],
)
async def test_the_text_is_the_same_at_every_cutting(harness: Harness, scripted_server: Any, faults: Any) -> None:
    found = await chunks(harness, scripted_server([tools(TEXT, **faults)]))
    assert arguments(found) == {0: TEXT}
    assert finish(found) == "tool_calls"


async def test_a_write_is_one_read_of_the_client(harness: Harness, scripted_server: Any) -> None:
    reply = tools(TEXT, events_per_write=5)
    server = scripted_server([reply])
    client = harness.sdk(server).chat.completions.with_streaming_response
    reads: list[bytes] = []
    if harness.is_async:
        async with client.create(stream=True, **ASK) as response:
            await harness.collect(response.iter_bytes(), reads)
    else:
        with client.create(stream=True, **ASK) as response:
            reads += response.iter_bytes()
    whole, rest = divmod(count_events(reply), 5)
    assert [read.count(b"\n\n") for read in reads] == [5] * whole + [rest] * bool(rest)


async def test_cut_after_ends_as_if_all_were_well(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([tools(TEXT, cut_after=4)])
    found = await chunks(harness, server)
    assert arguments(found) == {0: TEXT[:12]}
    assert finish(found) is None
    assert (server.served[0].events, server.served[0].sent) == (count_events(tools(TEXT)), 4)


async def test_finish_with_cut_after_is_the_provider_s_own_cut(harness: Harness, scripted_server: Any) -> None:
    found = await chunks(harness, scripted_server([tools(TEXT, cut_after=4, finish="length")]))
    assert arguments(found) == {0: TEXT[:12]}
    assert finish(found) == "length"


@pytest.mark.parametrize(
    ("faults", "kind"),
    [
        ({"drop_after": 4}, openai.APIConnectionError),
        ({"drop_after": 4, "drop": "rst"}, openai.APIConnectionError),
        ({"malformed_after": 4}, json.JSONDecodeError),
        ({"half_utf8_after": 4}, UnicodeDecodeError),
        ({"error_after": 4}, openai.APIError),
    ],
)
async def test_what_came_before_the_fault_is_there(
    harness: Harness, scripted_server: Any, faults: Any, kind: type[Exception]
) -> None:
    found: list[Any] = []
    client = harness.sdk(scripted_server([tools(TEXT, **faults)]))
    with pytest.raises(kind):
        await stream(harness, client, found)
    assert arguments(found) == {0: TEXT[:12]}


@pytest.mark.parametrize("place", range(count_events(tools(TEXT)) + 1))
async def test_a_drop_is_felt_after_every_event(harness: Harness, scripted_server: Any, place: int) -> None:
    found: list[Any] = []
    client = harness.sdk(scripted_server([tools(TEXT, drop_after=place)]))
    if place < count_events(tools(TEXT)):
        with pytest.raises(openai.APIConnectionError):
            await stream(harness, client, found)
        assert len(found) == place
    else:  # the SDK has read [DONE]; what becomes of the connection then is nothing to it
        await stream(harness, client, found)
        assert arguments(found) == {0: TEXT}


async def test_a_half_character_is_the_end_of_the_body(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([tools(TEXT, chunk=1000, half_utf8_after=1)])
    async with httpx2.AsyncClient() as client:
        reply = await client.post(f"{server.base_url}/chat/completions", json={"stream": True})
    with pytest.raises(UnicodeDecodeError, match="unexpected end of data"):
        reply.content.decode()


async def test_a_gate_holds_the_reply_until_it_is_opened(harness: Harness, scripted_server: Any) -> None:
    gate = Gate()
    server = scripted_server([tools(TEXT, wait_after=[3, 4], gate=gate)])
    created = await harness.result(harness.sdk(server).chat.completions.create(stream=True, **ASK))
    iterator = created.__aiter__() if harness.is_async else iter(created)
    first = [await harness.next(iterator) for _ in range(3)]
    await harness.off_loop(gate.reached)
    assert server.served[0].sent == 3
    gate.open()
    fourth = await harness.next(iterator)
    await harness.off_loop(gate.reached)
    assert server.served[0].sent == 4
    gate.open()
    rest = await harness.items(iterator)
    assert arguments([*first, fourth, *rest]) == {0: TEXT}


async def test_leaving_early_is_seen(harness: Harness, scripted_server: Any) -> None:
    gate = Gate()
    server = scripted_server([tools(TEXT, wait_after=3, gate=gate)])
    created = await harness.result(harness.sdk(server).chat.completions.create(stream=True, **ASK))
    iterator = created.__aiter__() if harness.is_async else iter(created)
    await harness.next(iterator)
    await harness.off_loop(gate.reached)
    assert server.open_connections == 1
    await harness.close(created)
    await harness.off_loop(server.wait_closed)
    served = await harness.off_loop(server.served[0].wait)
    assert (served.client_left, served.sent) == (True, 3)


@pytest.mark.parametrize("reply", [silence(), tools(TEXT, silence_after=0), tools(TEXT, silence_after=5)])
async def test_silence_lasts_until_the_client_has_enough(harness: Harness, scripted_server: Any, reply: Reply) -> None:
    server = scripted_server([reply])
    with pytest.raises((openai.APITimeoutError, httpx2.ReadTimeout)):
        await stream(harness, harness.sdk(server, timeout=0.2), [])
    await harness.off_loop(server.wait_closed)
    assert server.served[0].client_left


@pytest.mark.parametrize("interleave", [False, True])
async def test_several_calls_in_one_reply(harness: Harness, scripted_server: Any, interleave: bool) -> None:
    texts = ['{"a": 1, "long": "yes, quite long"}', '{"b": 2}', '{"c": 3, "d": 4}']
    found = await chunks(harness, scripted_server([tools(*texts, interleave=interleave)]))
    order = [call.index for chunk in found for choice in chunk.choices for call in choice.delta.tool_calls or ()]
    assert arguments(found) == dict(enumerate(texts))
    assert (order == sorted(order)) is not interleave
    assert order[:3] == ([0, 1, 2] if interleave else [0, 0, 0])


@pytest.mark.parametrize(
    ("text", "corrupt", "expected"),
    [
        (TEXT, 1, TEXT.replace('{"name": "Žofie €", "age": 30}', '{"corrupt": true}')),
        (TEXT, {0: '{"name": 7}'}, TEXT.replace('{"name": "Jörg", "age": 10}', '{"name": 7}')),
        ("[1, 2,3]", [0, 2], '[{"corrupt": true}, 2,{"corrupt": true}]'),
        ('As [1] says: [{"a": [1, 2]}, {"a": []}]', 1, 'As [1] says: [{"a": [1, 2]}, {"corrupt": true}]'),
        ('{"a": 1}\n{"a": 2}\n', 1, '{"a": 1}\n{"corrupt": true}\n'),
        ('{"tasks": [{"a": 1}, {"a": ', 0, '{"tasks": [{"corrupt": true}, {"a": '),
    ],
)
async def test_corrupt_item(harness: Harness, scripted_server: Any, text: str, corrupt: Any, expected: str) -> None:
    found = await chunks(harness, scripted_server([tools(text, corrupt_item=corrupt)]))
    assert arguments(found) == {0: expected}


async def test_corrupt_item_counts_through_all_calls(harness: Harness, scripted_server: Any) -> None:
    found = await chunks(harness, scripted_server([tools("[1, 2]", "[3, 4]", corrupt_item=2)]))
    assert arguments(found) == {0: "[1, 2]", 1: '[{"corrupt": true}, 4]'}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (529, openai.InternalServerError),
    ],
)
async def test_http_errors(harness: Harness, scripted_server: Any, status: int, kind: type[openai.APIError]) -> None:
    server = scripted_server([error(status, "Slow down.", headers={"retry-after": "7"})])
    with pytest.raises(kind, match="Slow down") as caught:
        await chunks(harness, server)
    assert isinstance(caught.value, openai.APIStatusError)
    assert caught.value.status_code == status
    assert caught.value.response.headers["retry-after"] == "7"
    assert caught.value.type is not None


async def test_a_refusal_streamed_and_whole(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([refusal("Rather not."), refusal("Rather not.")])
    found = await chunks(harness, server)
    whole = await harness.result(harness.sdk(server).chat.completions.create(**ASK))
    assert "".join(c.delta.refusal or "" for chunk in found for c in chunk.choices) == "Rather not."
    assert (whole.choices[0].message.refusal, whole.choices[0].message.content) == ("Rather not.", None)


async def test_whole_replies(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server(
        [tools(TEXT, ToolCall({"a": 1}, "other", "id7"), text="Well: "), content(["a"], finish="length")]
    )
    client = harness.sdk(server)
    called = (await harness.result(client.chat.completions.create(**ASK))).choices[0]
    said = (await harness.result(client.chat.completions.create(**ASK))).choices[0]
    assert [(call.function.name, call.function.arguments) for call in called.message.tool_calls] == [
        ("People", TEXT),
        ("other", '{"a": 1}'),
    ]
    assert (called.message.tool_calls[1].id, called.message.content, called.finish_reason) == (
        "id7",
        "Well: ",
        "tool_calls",
    )
    assert (said.message.content, said.message.tool_calls, said.finish_reason) == ('["a"]', None, "length")
    assert server.open_connections == 1  # kept alive for both


async def test_answer_comes_by_the_channel_that_is_asked_for(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer(TEXT), answer(TEXT)])
    assert arguments(await chunks(harness, server)) == {0: TEXT}
    found = await chunks(harness, server, tools=openai.omit, tool_choice=openai.omit)
    assert "".join(choice.delta.content or "" for chunk in found for choice in chunk.choices) == TEXT


async def test_usage_is_streamed_if_asked_for(harness: Harness, scripted_server: Any) -> None:
    used = Usage(11, 5, cached_tokens=3, reasoning_tokens=2)
    server = scripted_server([tools(TEXT, usage=used), tools(TEXT, usage=used), tools(TEXT, usage=False), tools(TEXT)])
    plain = await chunks(harness, server)
    asked = await chunks(harness, server, stream_options={"include_usage": True})
    unable = await chunks(harness, server, stream_options={"include_usage": True})
    whole = await harness.result(harness.sdk(server).chat.completions.create(**ASK))
    assert not [chunk for chunk in plain + unable if chunk.usage]
    assert [chunk.choices for chunk in asked if chunk.usage] == [[]]
    assert (asked[-1].usage.prompt_tokens, asked[-1].usage.total_tokens) == (11, 16)
    assert asked[-1].usage.prompt_tokens_details.cached_tokens == 3
    assert asked[-1].usage.completion_tokens_details.reasoning_tokens == 2
    assert whole.usage.completion_tokens == 1 + len(TEXT) // 4


async def test_raw_events_and_bodies(harness: Harness, scripted_server: Any) -> None:
    delta = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    piece = {**delta, "choices": [{"index": 0, "delta": {"content": "é"}, "finish_reason": None}]}
    server = scripted_server([events([b": a comment\n\n", piece, "[DONE]"]), body({"choices": [], "odd": True})])
    found = await chunks(harness, server)
    whole = await harness.result(harness.sdk(server).chat.completions.create(**ASK))
    assert [chunk.choices[0].delta.content for chunk in found] == ["é"]
    assert whole.odd is True
