"""How replies end on the wires of blocks: what proves an end, and what the user and the model hear of other endings."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from instructor import Mode
from instructor.exceptions import IncompleteOutputException, ProviderError, RefusalError
from instructor.providers.anthropic import Anthropic
from instructor.providers.bedrock import Bedrock
from instructor.providers.google.dialect import Google
from instructor.testing import answer
from speakers import START, Speaker, candidate, converse, conversed, joined, message, on, speaker, text, use

pytestmark = pytest.mark.slow

__all__ = ["speaker"]
STREAMED = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
ANN, BOB = {"name": "Ann", "age": 1}, {"name": "Bob", "age": 2}


class User(BaseModel):
    name: str
    age: int = 0


@pytest.fixture(autouse=True)
def words_that_the_sdk_does_not_know() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".* is not a valid (FinishReason|BlockedReason)")
        yield


@pytest.mark.parametrize(
    ("dialect", "word", "finish"),
    [
        *((Google("x"), word, "other") for word in (
            "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MALFORMED_RESPONSE", "OTHER",
            "MISSING_THOUGHT_SIGNATURE", "NO_IMAGE", "IMAGE_OTHER", "BRAND_NEW", {"a": 1}, 7,
        )),
        *((Google("x"), word, "filter") for word in (
            "SAFETY", "MODEL_ARMOR", "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "ESCALATION",
            "PROHIBITED_CONTENT", "SPII", "BLOCKLIST", "RECITATION", "LANGUAGE",
        )),
        (Google("x"), "FINISH_REASON_UNSPECIFIED", None),
        (Google("x"), "stop", "stop"),
        (Google("x"), "max_tokens", "length"),
        *((Bedrock("x"), word, "other") for word in ("malformed_model_output", "malformed_tool_use", "new", [1])),
        (Bedrock("x"), "stop_sequence", "stop"),
        *((Anthropic("x"), word, "other") for word in ("compaction", "new", {}, {"a": 1}) if word),
        (Anthropic("x"), "pause_turn", "pause"),
        (Anthropic("x"), "model_context_window_exceeded", "length"),
        (Anthropic("x"), None, None),
    ],
)  # fmt: skip
def test_what_a_word_means(dialect: Any, word: Any, finish: Any) -> None:
    assert dialect.finish(word) == finish


def ended(name: str, word: str, *, streamed: bool, said: str = "", part: str = "") -> Any:
    """Write a reply that ends with a word, after a part of a text."""
    if name in ("google", "vertexai"):
        parts = [{"text": part}] if part else []
        told = candidate(*parts, reason=word, **({"finishMessage": said} if said else {}))
        return [told] if streamed else told
    if name == "bedrock":
        blocks = [{"text": part}] if part else []
        return conversed(word, *enumerate(blocks)) if streamed else converse(word, *blocks)
    events = message([text(0, part)] if part else [], word)
    return events if streamed else joined(events)


OTHERS = [
    ("google", "MALFORMED_FUNCTION_CALL", "", ""),
    ("vertexai", "MALFORMED_FUNCTION_CALL", "Malformed function call: print(User(", ""),
    ("google", "UNEXPECTED_TOOL_CALL", "", ""),
    ("google", "TOO_MANY_TOOL_CALLS", "", "Well"),
    ("google", "MALFORMED_RESPONSE", "", ""),
    ("google", "OTHER", "", "Hm"),
    ("google", "A_NEW_ONE", "", ""),
    ("bedrock", "malformed_model_output", "", ""),
    ("bedrock", "malformed_tool_use", "", "I call"),
    ("bedrock", "a_new_one", "", ""),
    ("anthropic", "compaction", "", ""),
    ("anthropic", "a_new_one", "", "Well"),
]


@STREAMED
@pytest.mark.parametrize(("speaker", "word", "said", "part"), OTHERS, indirect=["speaker"])
async def test_another_ending_is_quoted_and_asked_about(
    speaker: Speaker, scripted_server: Any, word: str, said: str, part: str, streamed: bool
) -> None:
    reply = speaker.says(ended(speaker.name, word, streamed=streamed, said=said, part=part), streamed=streamed)
    server = scripted_server([reply, answer(ANN)])
    assert await speaker.value(server, User, streamed=streamed) == User(**ANN)
    for words in (word, said, part):
        assert words in json.dumps(server.requests[1].body)
    server = scripted_server([reply])
    with pytest.raises(IncompleteOutputException) as failed:
        await speaker.value(server, User, streamed=streamed, max_retries=0)
    assert word in str(failed.value)
    assert said in str(failed.value)


@STREAMED
@pytest.mark.parametrize(("speaker", "word", "said", "part"), OTHERS, indirect=["speaker"])
async def test_a_list_with_another_ending_is_asked_for_again(
    speaker: Speaker, scripted_server: Any, word: str, said: str, part: str, streamed: bool
) -> None:
    whole = json.dumps({"tasks": [ANN]})
    reply = ended(speaker.name, word, streamed=streamed, said=said, part=whole)
    server = scripted_server([speaker.says(reply, streamed=streamed), answer({"tasks": [BOB]})])
    mode = Mode.JSON_SCHEMA
    assert await speaker.items(server, User, streamed=streamed, mode=mode) == [User(**ANN), User(**BOB)]
    server = scripted_server([speaker.says(reply, streamed=streamed)])
    with pytest.raises(IncompleteOutputException, match=word) as failed:
        await speaker.items(server, User, streamed=streamed, mode=mode, max_retries=0)
    assert failed.value.items == ([] if streamed else [User(**ANN)])


@STREAMED
@pytest.mark.parametrize("word", ["MODEL_ARMOR", "IMAGE_PROHIBITED_CONTENT", "SAFETY", "RECITATION"])
@on("vertexai")
async def test_a_filter_is_quoted_and_final(speaker: Speaker, scripted_server: Any, word: str, streamed: bool) -> None:
    reply = ended("vertexai", word, streamed=streamed, said="It was not fine.")
    server = scripted_server([speaker.says(reply, streamed=streamed)])
    with pytest.raises(IncompleteOutputException, match=f"content filter.*{word}: It was not fine"):
        await speaker.value(server, User, streamed=streamed)
    assert len(server.requests) == 1


@STREAMED
@pytest.mark.parametrize("reason", ["SAFETY", "MODEL_ARMOR", "JAILBREAK", "A_NEW_ONE"])
@on("google", "vertexai")
async def test_a_blocked_prompt_says_why(speaker: Speaker, scripted_server: Any, reason: str, streamed: bool) -> None:
    told = {"promptFeedback": {"blockReason": reason, "blockReasonMessage": "Not that."}}
    server = scripted_server([speaker.says([told] if streamed else told, streamed=streamed)])
    with pytest.raises(RefusalError, match=f"{reason}.*Not that"):
        await speaker.value(server, User, streamed=streamed)


@STREAMED
@on("bedrock")
async def test_a_guardrail_is_heard(speaker: Speaker, scripted_server: Any, streamed: bool) -> None:
    trace = {"guardrail": {"actionReason": "Topic: money."}}
    held = {"text": "Sorry, I may not speak of money at all."}
    said = (
        conversed("guardrail_intervened", (0, held), trace=trace)
        if streamed
        else converse("guardrail_intervened", held, trace=trace)
    )
    server = scripted_server([speaker.says(said, streamed=streamed)])
    with pytest.raises(RefusalError, match=r"may not speak of money at all.*Topic: money") as failed:
        await speaker.value(server, User, streamed=streamed)
    assert failed.value.text == held["text"]


@STREAMED
@on("bedrock")
async def test_a_trace_of_a_reply_that_was_let_through(speaker: Speaker, scripted_server: Any, streamed: bool) -> None:
    trace = {"guardrail": {"actionReason": "No action."}}
    held = {"toolUse": {"toolUseId": "t", "name": "PartialUser" if streamed else "User", "input": ANN}}
    said = conversed("tool_use", (0, held), trace=trace) if streamed else converse("tool_use", held, trace=trace)
    server = scripted_server([speaker.says(said, streamed=streamed)])
    assert await speaker.value(server, User, streamed=streamed) == User(**ANN)


@STREAMED
@pytest.mark.parametrize(
    ("details", "said", "words"),
    [
        ({"explanation": "It is unsafe."}, "", "It is unsafe"),
        ({"category": "cyber", "explanation": None}, "", "cyber"),
        (None, "I would rather not.", "I would rather not"),
        (7, "", "refusal"),
    ],
)
@on("anthropic")
async def test_a_refusal_says_why(
    speaker: Speaker, scripted_server: Any, details: Any, said: str, words: str, streamed: bool
) -> None:
    told = message([text(0, said, 4)] if said else [], "refusal", stop_details=details)
    server = scripted_server([speaker.says(told if streamed else joined(told), streamed=streamed)])
    with pytest.raises(RefusalError, match=words):
        await speaker.value(server, User, streamed=streamed)


ERRORS = [
    {"type": "error", "error": {"type": "overloaded_error", "message": "BOOM"}},
    {"type": "error", "error": "BOOM"},
    {"type": "error", "message": "BOOM"},
    {"error": {"message": "BOOM"}},
    {"detail": "BOOM"},
    {"errors": [{"message": "BOOM"}]},
    {"object": "error", "message": "BOOM", "code": 500},
    {"type": "error", "error": None, "request_id": "BOOM"},
]


@pytest.mark.parametrize("event", ERRORS)
@on("anthropic")
async def test_the_providers_words_inside_a_stream(speaker: Speaker, scripted_server: Any, event: Any) -> None:
    begun = use(0, {"tasks": [ANN, BOB]}, "IterableUser")[:-3]
    server = scripted_server(
        [speaker.says([START, *begun, {**event, "type": event.get("type", "error")}], streamed=True)]
    )
    found: list[Any] = []
    stream = speaker.client(server).create_iterable(
        response_model=User, messages=[{"role": "user", "content": "x"}], max_retries=0
    )
    with pytest.raises(IncompleteOutputException, match="BOOM") as failed:
        await speaker.harness.collect(stream, found)
    assert found == [User(**ANN)]
    assert isinstance(failed.value.__cause__, ProviderError)


@pytest.mark.parametrize("event", ERRORS)
def test_the_providers_words_in_either_form(event: dict[str, Any]) -> None:
    for read in (Anthropic("x").delta, Anthropic("x").decode_response):
        with pytest.raises(Exception, match="BOOM") as failed:
            read(event)
        assert type(failed.value).__module__ == "instructor.exceptions"
