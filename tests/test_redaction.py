"""A secret that is planted everywhere is in no log, error, repr, traceback, pickle or recording."""

from __future__ import annotations

import copy
import pickle
import traceback
from pathlib import Path
from typing import Any

import openai
import pytest
from pydantic import BaseModel

import instructor
from harness import Harness, asking
from instructor import redaction
from instructor.exceptions import InstructorRetryException
from instructor.testing import Recorder, answer, error, tools


class User(BaseModel):
    name: str


ANN = {"name": "Ann"}
SECRET = "Tr0ub4dor-and-3-horses"
HEADERS = {
    "Authorization": f"Bearer {SECRET}",
    "X-Api-Key": SECRET,
    "X-Goog-Anything": SECRET,
    "X-Auth-Tenant": SECRET,
    "Ocp-Apim-Subscription": SECRET,
    "cf-access-client-id": SECRET,
    "X-Mine": SECRET,
    "x-request-id": "shown-1",
    "x-trace": "shown-2",
}
PLANTED: dict[str, Any] = {
    "extra_headers": HEADERS,
    "extra_query": {"sig": SECRET, "tenant": SECRET, "api-version": "shown-3", "key": SECRET},
    "extra_body": {
        "api_key": SECRET,
        "clientSecret": SECRET,
        "auth": {"kind": "bearer", "value": SECRET},
        "nested": [{"access_token": SECRET, "password": SECRET, "credentials": [SECRET]}],
        "callback": f"https://me:{SECRET}@host.example/path?a=shown-4&sig={SECRET}&X-Amz-Signature={SECRET}#end",
        "headers": {"X-Whatever": SECRET},
        "max_tokens": 77,
    },
}
SHOWN = ("shown-1", "shown-2", "shown-3", "shown-4", '"max_tokens": 77')


async def test_a_planted_secret_is_nowhere(
    harness: Harness, scripted_server: Any, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level("DEBUG", logger="instructor")
    server = scripted_server([answer({}), answer({}), error(429, "Slow down."), tools({"tasks": [ANN]}), answer(ANN)])
    with Recorder(server.base_url, tmp_path / "all.txt") as recorder:
        client: Any = instructor.from_openai(
            harness.sdk(
                recorder.base_url, api_key=SECRET, default_headers={"X-Own": SECRET}, default_query={"t": SECRET}
            )
        )
        before = copy.deepcopy(PLANTED)
        errors: list[Any] = []
        for kind in (InstructorRetryException, openai.RateLimitError):
            with pytest.raises(kind) as failed:
                await harness.create(client, User, max_retries=1, **PLANTED)
            errors.append(failed.value)
        stream = client.create_iterable(response_model=User, **asking(**PLANTED))
        assert await harness.items(stream) == [User(**ANN)]
        await harness.create(client, User, **PLANTED)
    assert before == PLANTED
    assert [request.body["api_key"] for request in server.requests] == [SECRET] * 5  # it is sent, of course
    for wrong in errors:
        assert wrong.create_kwargs["extra_headers"]["x-request-id"] == "shown-1"
        assert wrong.create_kwargs["extra_body"]["max_tokens"] == 77
        shown = [repr(wrong), str(wrong), repr(wrong.create_kwargs), repr(wrong.failed_attempts)]
        shown += ["".join(traceback.format_exception(wrong)), repr(pickle.dumps(wrong)), repr(wrong.report)]
        shown += [repr(vars(pickle.loads(pickle.dumps(wrong)))), repr(client._caller), repr(client)]
        for each in shown:
            assert SECRET not in each
    ours = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("instructor"))
    written = (tmp_path / "all.txt").read_text()
    assert SECRET not in ours
    assert SECRET not in written
    for each in SHOWN:
        assert each in ours
    assert "> POST /v1/chat/completions?api-version=shown-3\n" in written
    assert '"max_tokens":77' in written
    assert "shown-4" in written


@pytest.mark.parametrize(
    "body",
    [
        {"extra_headers": [("X-Auth", SECRET), ("Accept", "json")]},
        {"http_headers": {"x-a": SECRET.encode()}},
        {"headers": {"x-a": [SECRET]}},
        {"default_headers": SECRET.encode()},
        {"request_options": {"additional_headers": {"x": SECRET}, "additional_query_parameters": {"x": SECRET}}},
        {"config": {"http_options": {"headers": {"x-goog-user-project": SECRET}}}},
        {"base_url": f"https://host/v1?token={SECRET}"},
        {"api_base": f"https://{SECRET}@host/v1"},
        {"aws_secret_access_key": SECRET, "aws_session_token": SECRET},
        {"x": {"Api-Key": SECRET, "apiKey": SECRET, "APIKEY": SECRET, "authToken": SECRET, "pwd": SECRET}},
        {"x": [[{"bearer": SECRET}]]},
        {"x": "sk-proj-" + SECRET},
        {"x": f"Bearer {SECRET}"},
        {"x": f"see /v1/models?api_key={SECRET}"},
        {"client": type("Client", (), {"__repr__": lambda _: SECRET})()},
    ],
)
def test_other_places(body: dict[str, Any]) -> None:
    assert SECRET not in repr(redaction.request(body))


def test_an_object_of_an_sdks() -> None:
    class Options(BaseModel):
        headers: dict[str, str]
        timeout: int = 3

    shown = redaction.request({"http_options": Options(headers={"x": SECRET, "accept": "json"})})
    assert shown == {"http_options": {"headers": {"x": "***", "accept": "json"}, "timeout": 3}}


def test_what_is_no_secret_is_shown() -> None:
    body: dict[str, Any] = {
        "model": "m",
        "max_tokens": 5,
        "messages": [{"role": "user", "content": "if a ? b : c; key=5 and http://x.example/?page=2&q=a"}],
        "tools": [
            {"function": {"parameters": {"properties": {"password": {"type": "string"}, "key": {"type": "integer"}}}}}
        ],
        "keywords": ["a", "b"],
        "author": "Ann",
        "monkey_count": 3,
        "max_completion_tokens": 7,
        "image": b"bytes",
        "extra_headers": {"Content-Type": "application/json", "Retry-After": "3", "User-Agent": "me"},
        "none": None,
    }
    assert redaction.request(body) == body


@pytest.mark.parametrize(
    "text", ["sk-" * 30_000, "?" * 90_000, "?a=" * 30_000, "-eyJ" * 20_000, "://" * 30_000, ";key" * 20_000]
)
def test_it_is_linear(text: str) -> None:
    """A quadratic search of these would take minutes."""
    assert redaction.text(text)
