"""llama.cpp's events as OpenAI's chunks, without a model."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest

from instructor.exceptions import ProviderError
from instructor.local.answer import Answer, fold
from instructor.local.request import LocalRequest

SCHEMA = {"type": "object"}


def events(text: str, size: int, finish: str = "stop") -> Iterable[dict[str, Any]]:
    cuts = [text[at : at + size] for at in range(0, len(text), size)]
    deltas: list[tuple[dict[str, Any], str | None]] = [({"role": "assistant", "content": None}, None)]
    deltas += [({"content": cut}, None) for cut in cuts] + [({}, finish)]
    for number, (delta, end) in enumerate(deltas):
        timings = {"prompt_n": 5, "cache_n": 20, "predicted_n": number}
        yield {
            "id": "chatcmpl-x",
            "created": 1,
            "choices": [{"delta": delta, "finish_reason": end}],
            "timings": timings,
        }


def answered(
    request: LocalRequest, text: str, size: int = 3, finish: str = "stop"
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    answer = Answer(request)
    chunks = [chunk for event in events(text, size, finish) for chunk in answer.feed(event)] + answer.close()
    return chunks, fold(chunks)


def test_a_text() -> None:
    chunks, whole = answered(LocalRequest({}, None, model="m"), "Hello you")
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert whole["choices"][0]["message"]["content"] == "Hello you"
    assert (whole["choices"][0]["finish_reason"], whole["model"], whole["object"]) == ("stop", "m", "chat.completion")
    assert whole["usage"] == {
        "prompt_tokens": 25,
        "completion_tokens": 4,
        "total_tokens": 29,
        "prompt_tokens_details": {"cached_tokens": 20},
    }


def test_a_forced_tool() -> None:
    chunks, whole = answered(LocalRequest({}, SCHEMA, tool="User"), '{"age": 7}')
    first = chunks[0]["choices"][0]["delta"]["tool_calls"][0]
    assert (first["index"], first["function"]) == (0, {"name": "User", "arguments": ""})
    assert all("id" not in c["choices"][0]["delta"].get("tool_calls", [{}])[0] for c in chunks[1:-1])
    message = whole["choices"][0]["message"]
    assert message["content"] is None
    assert [call["function"] for call in message["tool_calls"]] == [{"name": "User", "arguments": '{"age": 7}'}]
    assert whole["choices"][0]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("size", [1, 2, 7, 500])
def test_a_list_of_calls_is_cut_into_calls(size: int) -> None:
    calls = [
        {"name": "User", "arguments": {"name": 'a "quoted" }], {', "kids": [{"n": 1}]}},
        {"name": "Nothing", "arguments": {}},
    ]
    _, whole = answered(LocalRequest({}, SCHEMA, several=True), json.dumps({"calls": calls}), size)
    found = whole["choices"][0]["message"]["tool_calls"]
    assert [(c["function"]["name"], json.loads(c["function"]["arguments"])) for c in found] == [
        (call["name"], call["arguments"]) for call in calls
    ]
    assert len({call["id"] for call in found}) == 2


def test_a_run_that_was_cut_is_not_complete() -> None:
    text = json.dumps({"tasks": [{"name": "Ann", "age": 1}] * 9})
    chunks, whole = answered(LocalRequest({}, SCHEMA, tool="Users"), text)
    assert whole["choices"][0]["finish_reason"] == "length"
    got = whole["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"]
    assert text.startswith(got)
    assert got.count("Ann") == 3
    assert chunks[-1]["usage"]["completion_tokens"] > 0
    assert answered(LocalRequest({}, SCHEMA), '{"a"', finish="length")[1]["choices"][0]["finish_reason"] == "length"


def test_usage_comes_only_where_it_was_asked_for() -> None:
    assert all(chunk["choices"] for chunk in answered(LocalRequest({}, None, usage=False), "Hi")[0])


def test_a_grammar_that_was_dropped_is_an_error() -> None:
    with pytest.raises(ProviderError, match="grammar"):
        answered(LocalRequest({}, SCHEMA), "Sure, here it is")
