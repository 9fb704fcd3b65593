"""Turn a reply into a list of steps for the socket. Pure functions."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple, cast

from instructor.testing.gates import Gate
from instructor.testing.replies import ENDINGS, Answer, Asked, Faults, Json, Payload, Reply, ToolCall, plural
from instructor.testing.typed import as_requested, requested_schema
from instructor.testing.wires import Cut, OpenAIChat, Wire, dump, wire_of


class Write(NamedTuple):
    """One network write, and how many events it completes."""

    data: bytes
    events: int


class Wait(NamedTuple):
    gate: Gate


class Stall(NamedTuple):
    """Send nothing until the client leaves."""


class Drop(NamedTuple):
    how: Literal["fin", "rst"]


Step = Write | Wait | Stall | Drop


class Plan(NamedTuple):
    """What to send: the status, the steps of the body, its length unless it is chunked, and how many events it had."""

    status: int
    content_type: str
    length: int | None
    steps: list[Step]
    events: int


def taken(reply: Reply, asked: Asked) -> Reply:
    """Return the reply, or the provider's error if the request breaks a rule of its wire."""
    wrong = wire_of(asked.path, OpenAIChat()).refuses(asked)
    return Reply(status=400, message=wrong) if wrong else reply


def plan(reply: Reply, asked: Asked) -> Plan:
    """Work out a reply to a request. LookupError: no wire is known for it. ValueError: its faults cannot be."""
    reply = taken(reply, asked)
    if reply.status >= 400 and reply.body is None:
        return _whole(reply, dump(wire_of(asked.path).error(reply.status, reply.message)).encode())
    answer = _answer(reply, asked)
    if answer is None and reply.body is not None:
        return _whole(reply, reply.body if isinstance(reply.body, bytes) else dump(reply.body).encode())
    if answer is None:
        wire = wire_of(asked.path, OpenAIChat())
        frames, faults = [wire.frame(each) for each in reply.events or ()], reply.faults
    else:
        wire = wire_of(asked.path)
        if not wire.streams(asked):
            return _whole(reply, dump(wire.whole(asked, answer)).encode())
        frames, faults = _frames(asked, answer, wire, reply.faults)
    return Plan(reply.status, wire.content_type, None, _steps(frames, faults, wire), len(frames))


def count_events(reply: Reply, path: str = "/v1/chat/completions", body: Json | None = None) -> int:
    """Return how many events the reply to a request has, without its faults. Default: to a streamed request."""
    asked = Asked(0, "POST", path, "", {}, body or {"stream": True}, b"")
    whole = {name: value for name, value in reply.faults.items() if name in ("chunk", "interleave", "corrupt_item")}
    return plan(replace(reply, faults=cast("Faults", whole)), asked).events


def _whole(reply: Reply, body: bytes) -> Plan:
    length = None if _ending(reply.faults) else len(body)
    kind = reply.headers.get("content-type", "application/json")
    return Plan(reply.status, kind, length, _steps([body], reply.faults, OpenAIChat()), 1)


def _answer(reply: Reply, asked: Asked) -> Answer | None:
    """Return what the model says. Raw events and bodies are read only if a fault changes them."""
    faults, answer = reply.faults, reply.answer
    if answer is None and not faults.keys() & {"chunk", "interleave", "corrupt_item", "finish"}:
        return None
    wire = wire_of(asked.path)
    if answer is None:
        answer = wire.read(wire.payloads([wire.frame(each) for each in reply.events or [reply.body or b""]]))
    elif answer.by_request:
        answer = _by_request(answer, asked, wire.tools(asked))
    if "corrupt_item" in faults:
        answer = answer.corrupted(faults["corrupt_item"])
    return wire.complete(asked, replace(answer, finish=faults.get("finish", answer.finish)))


def _by_request(answer: Answer, asked: Asked, tools: Sequence[str]) -> Answer:
    """Return an answer by tool calls, or as text if the request has no tools, with its values as the schema asks."""
    calls = []
    for call in answer.calls:
        kind = type(call.arguments).__name__
        name = call.name or (kind if kind in tools else next(iter(tools), None))
        value = as_requested(call.arguments, requested_schema(asked.body, name or ""))
        calls.append(
            ToolCall(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), name, call.id)
        )
    if tools:
        return replace(answer, calls=calls)
    return replace(answer, text="\n".join(call.arguments for call in calls), calls=())


def _frames(asked: Asked, answer: Answer, wire: Wire, faults: Faults) -> tuple[list[bytes], Faults]:
    channels, closing = wire.stream(asked, answer, _cutter(faults.get("chunk", 4)))
    if faults.get("interleave"):
        turns: Iterable[Iterable[Payload | None]] = itertools.zip_longest(*channels)
    else:
        turns = channels
    body = [wire.frame(each) for turn in turns for each in turn if each is not None]
    if "finish" in faults and "cut_after" in faults:
        # The provider itself cuts at a length limit: it leaves the rest out, and says so.
        _check("cut_after", faults["cut_after"], len(body))
        body = body[: faults["cut_after"]]
        faults = cast("Faults", {name: value for name, value in faults.items() if name != "cut_after"})
    return body + [wire.frame(each) for each in closing], faults


def _cutter(chunk: int | Sequence[int]) -> Cut:
    if (chunk if isinstance(chunk, int) else min(chunk, default=1)) < 1:
        raise ValueError(f"chunk={chunk!r}; a piece has at least one character")

    def cut(text: str) -> list[str]:
        sizes = itertools.repeat(chunk) if isinstance(chunk, int) else itertools.chain(chunk, [len(text)])
        pieces, at = [], 0
        while at < len(text):
            size = next(sizes)
            pieces.append(text[at : at + size])
            at += size
        return pieces

    return cut


def _steps(frames: list[bytes], faults: Faults, wire: Wire) -> list[Step]:
    if "malformed_after" in faults:
        _check("malformed_after", faults["malformed_after"], len(frames))
        frames = [*frames]
        frames.insert(faults["malformed_after"], wire.frame('{"choices": [{"index": 0, "delta": {"con'))
    ending, stop = _ending(faults) or ("", len(frames))
    _check(ending, stop, len(frames))
    last: list[Step] = []
    kept = frames[:stop]
    if ending == "error_after":
        kept.append(wire.frame(wire.error(500, "The server had an error while processing your request.")))
    elif ending == "half_utf8_after":
        last = [Write(_half((frames[stop:] or frames[-1:] or [b"data: "])[0]), 0)]
    elif ending == "drop_after":
        last = [Drop(faults.get("drop", "fin"))]
    elif ending == "silence_after":
        last = [Stall()]
    return [*_split(_grouped(kept, faults), faults.get("split_bytes", ())), *last]


def _ending(faults: Faults) -> tuple[str, int] | None:
    places = cast("dict[str, int]", faults)
    given = [(name, places[name]) for name in ENDINGS if name in places]
    if len(given) > 1:
        raise ValueError(f"a body ends in one way, not in {len(given)}: {', '.join(name for name, _ in given)}")
    return given[0] if given else None


def _check(name: str, place: int, length: int) -> None:
    if not 0 <= place <= length:
        raise ValueError(f"{name}={place}, but the reply has {plural(length, 'event')}")


def _grouped(frames: list[bytes], faults: Faults) -> list[Step]:
    """Join events to writes. A gate is between two writes."""
    size, places = faults.get("events_per_write", 1), faults.get("wait_after", ())
    waits = {places} if isinstance(places, int) else set(places)
    gate = faults.get("gate")
    if waits and gate is None:
        raise ValueError("wait_after needs a gate to wait for: gate=Gate()")
    for place in waits:
        _check("wait_after", place, len(frames))
    steps: list[Step] = []
    group: list[bytes] = []
    for place in range(len(frames) + 1):
        if group and (len(group) == size or place in waits or place == len(frames)):
            steps.append(Write(b"".join(group), len(group)))
            group = []
        if place in waits and gate is not None:
            steps.append(Wait(gate))
        group += frames[place : place + 1]
    return steps


def _split(steps: list[Step], offsets: int | Sequence[int]) -> list[Step]:
    """Cut writes at byte offsets of the whole body. The last piece of a write completes its events."""
    marks = sorted({offsets} if isinstance(offsets, int) else set(offsets))
    cut: list[Step] = []
    at = 0
    for step in steps:
        if not isinstance(step, Write):
            cut.append(step)
            continue
        inside = [0, *(mark - at for mark in marks if at < mark < at + len(step.data)), len(step.data)]
        pieces = [step.data[start:end] for start, end in itertools.pairwise(inside)]
        cut += [Write(piece, 0) for piece in pieces[:-1]]
        cut.append(Write(pieces[-1], step.events))
        at += len(step.data)
    return cut


def _half(frame: bytes) -> bytes:
    """Return the beginning of an event, up to the first byte of a character that has more."""
    for place, byte in enumerate(frame):
        if byte >= 0xC0:
            return frame[: place + 1]
    return frame[: len(frame) // 2] + "€".encode()[:2]
