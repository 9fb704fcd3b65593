"""What is logged, at which level, and what never is."""

from __future__ import annotations

import json
import logging
from typing import Any

import openai
import pytest
from pydantic import BaseModel

import instructor
from harness import Harness, asking
from instructor.exceptions import InstructorRetryException
from instructor.testing import answer, error, tools


class User(BaseModel):
    name: str
    age: int


USER = {"name": "Jason", "age": 10}
WRONG = {"name": "Jason", "age": "ten"}
KEY = "sk-secret-0123456789"


async def test_a_call_that_is_asked_again(
    harness: Harness, scripted_server: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="instructor")
    await harness.create(harness.client(scripted_server([answer(WRONG), answer(USER)])), User)
    said = [record.getMessage() for record in caplog.records if record.name == "instructor"]
    assert {record.levelname for record in caplog.records if record.name == "instructor"} == {"DEBUG"}
    number = said[0].split(",")[0]
    asked, answered, wrong, again, right, end = said
    assert json.loads(asked.removeprefix(f"{number}, request 1 is: "))["messages"] == asking()["messages"]
    assert wrong == (
        f"{number}, request 1 brought what is not valid: Input should be a valid integer @ $.age, not 'ten'"
    )
    assert answered.startswith(f"{number}, request 1 is answered: ChatCompletion(id='chatcmpl-1'")
    assert again.startswith(f"{number}, request 2 is: ")
    assert right.startswith(f"{number}, request 2 is answered: ")
    assert end.startswith(f"{number}, request 2 was the last: Report(good=1, repaired=1")


async def test_a_stream_that_breaks_off(
    harness: Harness, scripted_server: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="instructor")
    first = tools({"tasks": [USER, USER]}, finish="length", cut_after=14)
    client = harness.client(scripted_server([first, error(500)]))
    policy = instructor.Hooks()
    with pytest.raises(openai.InternalServerError):
        await harness.items(client.create_iterable(response_model=User, **asking(hooks=policy)))
    assert "broke off: Report(" in caplog.text
    assert "failed: InternalServerError: " in caplog.text


async def test_a_call_that_fails_is_one_line_without_anybodys_words(
    harness: Harness, scripted_server: Any, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("INFO", logger="instructor")
    with pytest.raises(InstructorRetryException):
        await harness.create(harness.client(scripted_server([answer(WRONG)] * 2)), User, max_retries=1)
    ours = [(record.levelname, record.getMessage()) for record in caplog.records if record.name == "instructor"]
    assert ours == [("ERROR", "No valid User after 2 attempts: ValidationError")]
    assert capfd.readouterr() == ("", "")


def test_nobody_who_set_up_no_logging_sees_anything() -> None:
    assert any(isinstance(handler, logging.NullHandler) for handler in logging.getLogger("instructor").handlers)


async def test_what_nobody_reads_is_not_listened_for(
    harness: Harness, scripted_server: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="instructor")
    monkeypatch.setattr("instructor.core.logs._listeners", None)  # to call it would fail
    assert await harness.create(harness.client(scripted_server([answer(USER)])), User) == User(**USER)


def test_a_client_by_name_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="instructor")
    instructor.from_provider("openai/gpt-4o-mini", api_key=KEY)
    told = [(each.name, each.levelname, each.getMessage()) for each in caplog.records]
    assert told == [("instructor.auto_client", "INFO", "A client of openai for the model gpt-4o-mini")]


async def test_keys_are_not_logged(harness: Harness, scripted_server: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="instructor")
    server = scripted_server([answer(USER), error(401, "Who are you?")])
    client = instructor.from_openai(harness.sdk(server, api_key=KEY))
    headers = {"Authorization": f"Bearer {KEY}", "X-Api-Key": KEY, "x-trace": "seen"}
    body = {"nested": [{"access_token": KEY, "client_secret": KEY}], "max_tokens": 77}
    await harness.create(client, User, extra_headers=headers, extra_body=body)
    with pytest.raises(openai.AuthenticationError):
        await harness.create(client, User)
    ours = "".join(record.getMessage() for record in caplog.records if record.name == "instructor")
    assert KEY not in ours
    assert "seen" in ours
    assert '"max_tokens": 77' in ours
