"""What failed requests and headers mean."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import httpx
import openai
import pytest

from instructor.bulk.failures import Failure, duration, failure_of, held_until, retry_after

NOW = 1_700_000_000.0


def failed(status: int, message: str = "", headers: dict[str, str] | None = None, code: str = "") -> Exception:
    request = httpx.Request("POST", "http://127.0.0.1/")
    response: Any = httpx.Response(status, headers=headers, request=request)
    return openai.APIStatusError(message, response=response, body={"code": code})


class BotoError(Exception):
    response = {"ResponseMetadata": {"HTTPStatusCode": 429, "HTTPHeaders": {"Retry-After": "2"}}}  # noqa: RUF012 - as boto has it


class GoogleError(Exception):
    code = 503


class RequestTimeoutError(Exception): ...


RequestTimeoutError.__module__ = "some_sdk"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (failed(429), Failure("rate_limit", None, 429)),
        (failed(429, headers={"Retry-After": "0"}), Failure("rate_limit", 0.0, 429)),
        (failed(429, headers={"retry-after-ms": "250", "retry-after": "9"}), Failure("rate_limit", 0.25, 429)),
        (failed(429, headers={"retry-after": "86400"}), Failure("account", 86400.0, 429)),
        (failed(529), Failure("rate_limit", None, 529)),
        (failed(503, headers={"retry-after": "1"}), Failure("rate_limit", 1.0, 503)),
        (failed(429, code="insufficient_quota"), Failure("account", None, 429)),
        (failed(400, "Your credit balance is too low"), Failure("account", None, 400)),
        (failed(401), Failure("account", None, 401)),
        (failed(403), Failure("account", None, 403)),
        (failed(404, "The model `x` does not exist"), Failure("account", None, 404)),
        (failed(404, "no such file"), Failure("row", None, 404)),
        (failed(400, "too long"), Failure("row", None, 400)),
        (failed(500), Failure("transient", None, 500)),
        (BotoError(), Failure("rate_limit", 2.0, 429)),
        (GoogleError(), Failure("transient", None, 503)),
        (ConnectionResetError(), Failure("transient")),
        (TimeoutError(), Failure("transient")),
        (RequestTimeoutError(), Failure("transient")),
        (KeyError("x"), Failure("row")),
        (SimpleNamespace(status_code=True), Failure("row")),
    ],
)
def test_what_an_error_means(error: Any, expected: Failure) -> None:
    assert failure_of(error, now=NOW) == expected


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1s", 1.0), ("6m0s", 360.0), ("250ms", 0.25), ("1h2m3.5s", 3723.5), ("12", 12.0), ("soon", None), ("", None),
     ("2023-11-14T22:13:30Z", 10.0)],
)  # fmt: skip
def test_durations(text: str, seconds: float | None) -> None:
    assert duration(text, now=NOW) == seconds


def test_a_date_in_retry_after() -> None:
    assert retry_after({"Retry-After": "Tue, 14 Nov 2023 22:13:40 GMT"}, now=NOW) == 20.0
    assert retry_after({"Retry-After": "later"}, now=NOW) is None


def test_headers_of_an_exhausted_limit() -> None:
    openais = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "2s",
               "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1m0s"}  # fmt: skip
    anthropics = {"anthropic-ratelimit-requests-remaining": "0",
                  "anthropic-ratelimit-requests-reset": "2023-11-14T22:13:30Z"}  # fmt: skip
    assert held_until(openais, now=NOW) == 60.0
    assert held_until(anthropics, now=NOW) == 10.0
    assert held_until({**openais, "x-ratelimit-remaining-tokens": "5"}, now=NOW) == 2.0
    assert held_until({"x-ratelimit-remaining-requests": "3", "x-ratelimit-reset-requests": "2s"}, now=NOW) is None
