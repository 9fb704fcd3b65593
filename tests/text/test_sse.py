"""Event streams: the data of each event, whatever the line ends, the other fields and the cuts are."""

from __future__ import annotations

import pytest
from documents import cuts
from hypothesis import given, settings
from hypothesis import strategies as st

from instructor.exceptions import EventTooLargeError
from instructor.parsing.sse import EventStream

LINES = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=20).map(str.encode)
EVENTS = st.lists(st.lists(LINES, min_size=1, max_size=3).filter(lambda lines: any(lines)), max_size=5)
OTHERS = st.sampled_from([b"", b": keep-alive\n", b"event: item\n", b"id: 7\nretry: 10\n", b"database: x\n", b"\n"])


def read(pieces: list[bytes]) -> list[bytes]:
    stream = EventStream()
    return [data for piece in pieces for data in stream.feed(piece)]


@settings(max_examples=150, deadline=None)
@given(data=st.data(), events=EVENTS, end=st.sampled_from([b"\n", b"\r\n", b"\r"]), others=st.lists(OTHERS, min_size=9))
def test_events_come_whole_however_the_bytes_are_cut(
    data: st.DataObject, events: list[list[bytes]], end: bytes, others: list[bytes]
) -> None:
    stream = data.draw(st.sampled_from([b"", b"\xef\xbb\xbf"]))
    for event, other in zip(events, others, strict=False):
        space = b" " if any(line.startswith(b" ") for line in event) else data.draw(st.sampled_from([b" ", b""]))
        stream += other + b"".join(b"data:" + space + line + b"\n" for line in event) + b"\n"
    assert read(data.draw(cuts(stream.replace(b"\n", end)))) == [b"\n".join(event) for event in events]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b'data: {"a":1}\n\ndata: {"b":2}\n\ndata: [DONE]\n\n', [b'{"a":1}', b'{"b":2}', b"[DONE]"]),
        (b"event: a\ndata: x\n\nevent: b\ndata: y\n\n", [b"x", b"y"]),
        (b"data: x\rdata: y\r\rdata: z\r\n\r\n", [b"x\ny", b"z"]),
        (b"data:x\n\n\n\ndata: y\n\n", [b"x", b"y"]),
        (b": ping\n\ndata\n\ndata: \n\ndata: x\n\n", [b"x"]),
        ("data: é😀\n\n".encode(), ["é😀".encode()]),
        (b"data: data: x\n\n", [b"data: x"]),
        (b"data: x\n\ndata: cut", [b"x"]),
    ],
)
def test_each_form_of_event(stream: bytes, events: list[bytes], size: int) -> None:
    assert read([stream[at : at + size] for at in range(0, len(stream), size)]) == events


def test_an_event_is_given_at_its_last_byte() -> None:
    stream = EventStream()
    assert stream.feed(b"data: x\r\n") == []
    assert stream.feed(b"\r") == [b"x"]
    assert stream.feed(b"\ndata: y\n\n") == [b"y"]


ERROR = b'{"type": "error", "error": "BOOM"}'


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b'data: x\n\ndata: {"a": 1}', [b"x", b'{"a": 1}']),
        (b'data: x\n\ndata: {"a": 1}\n', [b"x", b'{"a": 1}']),
        (b"data: x\n\ndata: [DONE]", [b"x", b"[DONE]"]),
        (b'data: x\n\ndata: {"a": 1', [b"x"]),
        (b"data: x\n\ndata: 12", [b"x"]),
        (b"data: x\n\ndata: [DON", [b"x"]),
        (b'data: x\n\ndata: {"a": 1}\ndata: {"b"', [b"x", b'{"a": 1}']),
        (b'data: {"a": 1}\ndata: {"b": 2}\ndata: [DONE]\n\n', [b'{"a": 1}', b'{"b": 2}', b"[DONE]"]),
        (b'data: {"a":\ndata: 1}\n\n', [b'{"a":\n1}']),
        (b'data: {"a": 1}\ndata: {"b"\n\n', [b'{"a": 1}\n{"b"']),
        (b"event: error\ndata: BOOM\n\n", [ERROR]),
        (b"event: error\ndata: BOOM", [ERROR]),
        (b"event:error\nid: 1\ndata: BOOM\n\n", [ERROR]),
        (b"data: BOOM\nevent: error\n\n", [ERROR]),
        (b'event: error\ndata: "BOOM"\n\n', [ERROR]),
        (b"error: BOOM\n\n", [ERROR]),
        (b'event: error\ndata: {"type": "error", "error": "BOOM"}\n\n', [ERROR]),
        (b'event: error\ndata: {"error": "BOOM"}\n\n', [ERROR]),
        (b"event: error\n\n", [b'{"type": "error", "error": "an error without words"}']),
        (b'event: errors\ndata: {"error": 1}\n\n', [b'{"error": 1}']),
        (b'data: x\n\n{"error": 1}\n\n', [b"x", b'{"error": 1}']),
        (b'data: x\n\n{"error":\n 1}', [b"x", b'{"error":\n 1}']),
        (b'{"a": 1}\n{"b": 2}\n', [b'{"a": 1}', b'{"b": 2}']),
        (b'\xef\xbb\xbf{"error": 1}', [b'{"error": 1}']),
        (b"Internal Server Error", [b"Internal Server Error"]),
        (b"data: x\n\nInternal Server Error", [b"x"]),
        (b": ping", []),
        (b"\n\n", []),
    ],
)
def test_what_servers_forget(stream: bytes, events: list[bytes], end: bytes, size: int) -> None:
    stream = stream.replace(b"\n", end)
    reader = EventStream()
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    found = [data for piece in pieces for data in reader.feed(piece)] + reader.end()
    assert [data.replace(end, b"\n") for data in found] == events
    assert reader.end() == []


@pytest.mark.parametrize("size", [1, 3, 50, 1000])
def test_the_bound_is_on_one_event(size: int) -> None:
    stream = b"data: 34567890\n\n" * 3 + b"data: 3456789012345\n\n" + b"data: x\n\n"
    reader, found = EventStream(16), list[bytes]()

    def fed() -> None:
        for at in range(0, len(stream), size):
            found.extend(reader.feed(stream[at : at + size]))
        found.extend(reader.end())

    for again in (fed, lambda: reader.feed(b"data: y\n\n"), reader.end):
        with pytest.raises(EventTooLargeError, match="at most 16 bytes"):
            again()
    assert found == [b"34567890"] * 3
