"""Fields that are not what is documented: each in turn is null, missing, or of another kind.

Nothing of Python's own may come of it: the answer is right, or an error of this library's says why there is none.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from pydantic import BaseModel

from instructor.core.events import ResponseAccumulator
from instructor.core.types import Reply
from instructor.exceptions import InstructorError, ResponseParsingError
from instructor.providers.anthropic import Anthropic
from instructor.providers.bedrock import Bedrock
from instructor.providers.google.dialect import Google
from instructor.testing import Scripted, answer
from speakers import (
    HELLO,
    START,
    Speaker,
    block,
    candidate,
    converse,
    conversed,
    joined,
    message,
    on,
    speaker,
    text,
    thought,
    use,
)

pytestmark = pytest.mark.slow

__all__ = ["speaker"]
ANN = {"name": "Ann", "age": 1}
MISSING = object()
ODD: Sequence[Any] = (None, MISSING, 7, -1.5, True, [], [7], [None], [[{}]], "odd", "", {}, {"odd": 1}, {"type": None})
FOUND = {"type": "web_search_tool_result", "tool_use_id": "s", "content": []}


class User(BaseModel):
    name: str
    age: int = 0


SEARCH = use(1, {"query": "x"}, "web_search", "server_tool_use", 50)
CALLED = message([thought(0), SEARCH, block(2, FOUND), text(3, "Here:"), use(4, ANN, cut=50)])
SPOKEN = message([thought(0), text(1, json.dumps(ANN), 50)], "end_turn", stop_details=None, stop_sequence=None)
PAUSED = message([thought(0), SEARCH, text(2, "Hm.")], "pause_turn", container={"id": "c"})
FAILED = [START, {"type": "error", "error": {"type": "overloaded_error", "message": "BOOM"}}]
USED = {"toolUse": {"toolUseId": "t", "name": "User", "input": ANN}}
TRACED = conversed("guardrail_intervened", (0, {"text": "No."}), trace={"guardrail": {"actionReason": "No."}})
PARTIAL = {
    "willContinue": True,
    "partialArgs": [
        {"jsonPath": "$.name", "stringValue": "Ann", "willContinue": False},
        {"jsonPath": "$.age", "numberValue": 1.0},
        {"jsonPath": "$.tags[0]['x']", "boolValue": True},
    ],
}
BLOCKED = {"promptFeedback": {"blockReason": "SAFETY", "blockReasonMessage": "No."}, "usageMetadata": {}}
COUNTS = {"promptTokenCount": 3, "candidatesTokenCount": 5, "thoughtsTokenCount": 0, "totalTokenCount": 8}
SIGNED = {"functionCall": {"id": "f", "name": "User", "args": ANN}, "thoughtSignature": "AA=="}
GEMINI = [
    candidate({"text": "Hm", "thought": True}, {"executableCode": {"code": "x"}}),
    candidate(SIGNED),
    {**candidate({"text": ""}, reason="STOP"), "usageMetadata": COUNTS},
]
PIECES = [
    candidate({"functionCall": {"name": "User", "willContinue": True}}),
    candidate({"functionCall": PARTIAL}),
    candidate({"functionCall": {}}, reason="STOP"),
]
STREAMS: Sequence[tuple[Any, list[dict[str, Any]]]] = (
    (Anthropic, CALLED), (Anthropic, SPOKEN), (Anthropic, PAUSED), (Anthropic, FAILED),
    (Bedrock, conversed("tool_use", (0, {"text": "Here:"}), (1, USED))), (Bedrock, TRACED),
    (Google, GEMINI), (Google, PIECES), (Google, [BLOCKED]),
)  # fmt: skip
WHOLES: Sequence[tuple[Any, dict[str, Any]]] = (
    *((Anthropic, joined(each)) for each in (CALLED, SPOKEN, PAUSED)), (Anthropic, FAILED[1]),
    (Bedrock, converse("tool_use", {"text": "Here:"}, USED)),
    (Bedrock, converse("guardrail_intervened", {"text": "No."}, trace={"guardrail": {"actionReason": "No."}})),
    (Google, {**candidate({"text": "Hm"}, SIGNED, reason="STOP"), "usageMetadata": COUNTS}),
    (Google, BLOCKED),
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every field and of every element."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inside:
        if path[-1:] != ("content_block",) or key != "input":
            yield (*path, key)
            yield from places(each, (*path, key))


def changed(value: Any, path: tuple[Any, ...], odd: Any) -> Any:
    """Return a copy in which another thing stands at a place."""
    made = copy.deepcopy(value)
    holder = made
    for key in path[:-1]:
        holder = holder[key]
    if odd is MISSING:
        del holder[path[-1]]
    else:
        holder[path[-1]] = odd
    return made


def odd_ones(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield each oddity of a reply, and what it is."""
    for path in places(value):
        if isinstance(value, list) and len(path) == 1:
            continue  # an event that is no object is refused before any dialect sees it
        for odd in ODD:
            yield f"{path} {odd!r}", changed(value, path, odd)


def read(events: list[dict[str, Any]], dialect: Any, reading: Callable[[dict[str, Any]], Any]) -> None:
    gathered = ResponseAccumulator()
    gathered.head = events[0]
    try:
        for event in events:
            gathered.add(list(reading(event)))
        check(gathered.reply(), dialect, events[0])
    except InstructorError:
        pass


def check(reply: Reply, dialect: Any, head: dict[str, Any]) -> None:
    """A reply can be written as a response, and be gone on from."""
    assert isinstance(reply.text, str)
    assert all(isinstance(word, str) for call in reply.calls for word in call)
    json.dumps(dialect.assemble(reply, head))
    json.dumps(reply.reason)


@pytest.mark.parametrize(("kind", "events"), STREAMS, ids=range(len(STREAMS)))
def test_odd_events(kind: Any, events: list[dict[str, Any]]) -> None:
    dialect = kind("x")
    for what, odd in odd_ones(events):
        try:
            read(odd, dialect, dialect.reader())
            read(odd, dialect, dialect.delta)
        except Exception as error:
            raise AssertionError(what) from error


@pytest.mark.parametrize(("kind", "whole"), WHOLES, ids=range(len(WHOLES)))
def test_odd_replies(kind: Any, whole: dict[str, Any]) -> None:
    dialect = kind("x")
    for what, odd in odd_ones(whole):
        try:
            check(dialect.decode(odd), dialect, {})
        except InstructorError:
            pass
        except Exception as error:
            raise AssertionError(what) from error


STAND_FOR_ALL = (None, MISSING, 7, {"odd": 1})


@on("anthropic")
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_odd_fields_through_the_sdk(speaker: Speaker, streamed: bool) -> None:
    """The answer is right: it came, or was asked for again."""
    said: Any = CALLED if streamed else joined(CALLED)
    paths = [path for path in places(said) if not streamed or len(path) > 1]
    script: list[Any] = []
    with Scripted(lambda _: script.pop(0)) as server:
        client = speaker.client(server)
        for path in paths:
            for odd in STAND_FOR_ALL if path[-2:-1] != ("input",) else ():
                script[:] = [speaker.says(changed(said, path, odd), streamed=streamed), answer(ANN)]
                if streamed:
                    seen = await speaker.harness.items(client.create_partial(messages=HELLO, response_model=User))
                    assert seen[-1] == User(**ANN), (path, odd)
                else:
                    user = await speaker.harness.result(client.create(messages=HELLO, response_model=User))
                    assert user == User(**ANN), (path, odd)


def test_a_piece_that_is_no_text_is_never_left_out() -> None:
    """Without it the answer would be another, and valid."""
    for dialect, event in (
        (Anthropic("x"), {"type": "content_block_delta", "delta": {"type": "input_json_delta", "partial_json": 7}}),
        (Anthropic("x"), {"type": "content_block_delta", "delta": {"type": "text_delta", "text": ["x"]}}),
        (Bedrock("x"), {"contentBlockDelta": {"delta": {"toolUse": {"input": 7}}}}),
        (Bedrock("x"), {"contentBlockDelta": {"delta": {"text": {"a": 1}}}}),
        (Google("x"), candidate({"text": 7})),
        (Google("x"), candidate({"functionCall": {"name": "User", "partialArgs": [{"stringValue": "x"}]}})),
    ):
        with pytest.raises(ResponseParsingError, match="must"):
            dialect.delta(event)
