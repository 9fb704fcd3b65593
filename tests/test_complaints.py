"""What providers say of errors: which of it is repeated into the ground, and which not."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from instructor.exceptions import ProviderError
from instructor.providers.dialect import count_of
from instructor.providers.errors import error_of, words_of
from instructor.providers.openai.chat import OpenAIChat
from instructor.usage import Usage

COUNTS = OpenAIChat.counts


@pytest.mark.parametrize(
    ("message", "body", "lasting"),
    [
        ("You exceeded your current quota", {"code": "insufficient_quota"}, True),
        ("BOOM", {"code": 429}, True),
        ("BOOM", {"code": "401"}, True),
        ("BOOM", {"type": "authentication_error"}, True),
        ("BOOM", {"type": "rate_limit_error"}, True),
        ("Insufficient Balance", None, True),
        ("HTTP 402: add credits", None, True),
        ("Too Many Requests", "words", True),
        ("Invalid API key", None, True),
        ("BOOM", {"code": 502}, False),
        ("overloaded", {"type": "overloaded_error"}, False),
        ("insufficient_system_resource", None, False),
        ("load balancer at 10.0.0.1:4290 failed", None, False),
        ("no credit card found in line 403", None, False),
        ("BOOM", {"code": None, "type": ["x"], "status": {}}, False),
    ],
)
def test_what_asking_again_cannot_mend(message: str, body: Any, lasting: bool) -> None:
    error = ProviderError("openai", message, body)
    assert error.lasting is lasting
    assert pickle.loads(pickle.dumps(error)).lasting is lasting


@pytest.mark.parametrize(
    "event",
    [
        {}, {"type": "ping"}, {"object": "chat.completion.chunk"}, {"error": None}, {"error": {}}, {"error": ""},
        {"error": {"message": None, "code": None}}, {"code": 0, "message": "ok"}, {"code": 200, "message": "ok"},
        {"code": "success", "message": "ok"}, {"status": "processing", "message": "a while"}, {"message": "hello"},
        {"detail": ""}, {"errors": []}, {"success": True}, {"base_resp": {"status_code": 0}}, {"base_resp": None},
        {"type": None, "status": None, "code": None}, {"code": {}, "message": "x"},
    ],
)  # fmt: skip
def test_what_is_no_error(event: dict[str, Any]) -> None:
    assert error_of(event, answers=False) is None


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ({"error": True, "message": "BOOM"}, "BOOM"),
        ({"error": 5}, "5"),
        ({"error": {"type": "x"}}, '{"type": "x"}'),
        ({"error": {"error": {"message": "BOOM"}}}, "BOOM"),
        ({"error": {"message": "upstream", "metadata": {"raw": "BOOM"}}}, "upstream: BOOM"),
        ({"errors": [{"message": "A"}, "B", None, {"x": 1}]}, "A; B"),
        ({"__type": "ThrottlingException", "message": "BOOM"}, "BOOM"),
        ({"type": "BadRequestError", "message": "BOOM"}, "BOOM"),
        ({"status": "failed", "reason": "BOOM"}, "BOOM"),
        ({"code": "InvalidParameter", "message": "BOOM"}, "BOOM"),
        ({"code": "1211", "msg": "BOOM"}, "BOOM"),
        ({"success": False, "message": "BOOM"}, "BOOM"),
    ],
)
def test_what_is_one(event: dict[str, Any], words: str) -> None:
    assert words_of(error_of(event, answers=False)) == words


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (0, 0), (7, 7), (7.0, 7), ("7", 7), (" 7 ", 7), (True, None), (-1, None), (1.5, None), ("-1", None), ("", None),
        ("x", None), (None, None), ([], None), ({}, None), (float("inf"), None), (float("nan"), None), (3**999, 3**999),
        ("9" * 5000, None), ("\u0663", None),
    ],
)  # fmt: skip
def test_numbers_that_count(value: Any, count: int | None) -> None:
    assert count_of(value) == count


def test_counts_are_joined_name_by_name() -> None:
    said = [
        {"prompt_tokens": 10, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 4}},
        {"prompt_tokens": None, "completion_tokens": 3},
        {"prompt_tokens": 0, "completion_tokens_details": {"reasoning_tokens": 2}},
    ]
    joined = None
    for each in map(COUNTS.read, said):
        joined = each if joined is None or each is None else joined.merged(each)
    assert joined is not None
    assert joined.usage(lambda: Usage(99, 99, exact=False)) == Usage(10, 3, 4, 2)
    half = COUNTS.read({"completion_tokens": 3})
    assert half is not None
    assert half.usage(lambda: Usage(99, 98, exact=False)) == Usage(99, 3, exact=False)
    assert COUNTS.write(half)["total_tokens"] == 3
    nothing: Any
    for nothing in (None, 5, [1], "words", {}, {"prompt_tokens": None}, {"prompt_tokens": []}):
        assert COUNTS.read(nothing) is None
