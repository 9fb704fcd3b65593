"""What every wire promises: an answer that it writes, streamed or whole, is the answer that it reads again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from instructor.testing import WIRES, Answer, Asked, Reply, ToolCall
from instructor.testing.faults import Write, plan
from instructor.testing.wires import wire_of
from instructor.usage import Usage

PATHS = {
    "/v1/chat/completions": "/v1/chat/completions",
    "/inference/v1/chat/completions": "/inference/v1/chat/completions",
    "/openai/v1/chat/completions": "/openai/v1/chat/completions",
    "/mistral/v1/chat/completions": "/mistral/v1/chat/completions",
    "/v1/responses": "/v1/responses",
    "/v1/messages": "/v1/messages",
    "/model/m/invoke-with-response-stream": "/model/m/invoke",
    "/model/m/converse-stream": "/model/m/converse",
    "/v2/chat": "/v2/chat",
    "/v1/models/m:streamGenerateContent": "/v1/models/m:generateContent",
    "/xai_api.Chat/GetCompletionChunk": "/xai_api.Chat/GetCompletion",
}
USED = Usage(11, 5)
CALLS = [ToolCall('{"city":"Köln"}', "Place", "id1"), ToolCall('{"n":2}', "Count", "id2")]
REFUSING = ("/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/models/m:streamGenerateContent")


def again(path: str, answer: Answer, *, stream: bool) -> tuple[Answer, Answer]:
    """Give an answer as a wire completes it, and as it reads what it made of it."""
    asked = Asked(1, "POST", path, "", {}, {"stream": stream, "stream_options": {"include_usage": True}}, b"")
    wire, steps = wire_of(path), plan(Reply(answer), asked).steps
    read = wire.read(wire.payloads([step.data for step in steps if isinstance(step, Write)]))
    complete = wire.complete(asked, answer)
    return replace(complete, finish=complete.finish or None), read


def test_every_wire_is_here() -> None:
    for paths in (PATHS.keys(), PATHS.values()):
        assert {wire_of(path) for path in paths} == set(WIRES.values())


@pytest.mark.parametrize("answer", [Answer("Wörds.", usage=USED), Answer("So: ", CALLS, usage=USED)])
@pytest.mark.parametrize("path", PATHS)
def test_what_is_written_is_read_again(path: str, answer: Answer) -> None:
    written, streamed = again(path, answer, stream=True)
    assert streamed == written
    written, whole = again(PATHS[path], answer, stream=False)
    assert whole == written


@pytest.mark.parametrize("path", REFUSING)
def test_a_refusal_is_read_where_the_wire_has_one(path: str) -> None:
    refused = Answer(refusal="Nein.", usage=USED)
    for place, stream in ((path, True), (PATHS[path], False)):
        assert again(place, refused, stream=stream)[1].refusal == "Nein."


@pytest.mark.parametrize("path", PATHS)
def test_an_error_is_named_by_the_wire(path: str) -> None:
    kinds = {str(wire_of(path).error(status, "No.")) for status in (400, 401, 429, 500)}
    assert len(kinds) == 4
    assert all("No." in kind for kind in kinds)
