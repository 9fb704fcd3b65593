"""What programs written for 1.x make and call, beside its names: errors that tests raise, members, tokens."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from pydantic import BaseModel

import instructor
from harness import Harness, asking
from instructor.exceptions import (
    ConfigurationError,
    FailedAttempt,
    IncompleteOutputException,
    InstructorError,
    InstructorRetryException,
    ResponseParsingError,
)
from instructor.usage import Usage


def test_the_error_of_retries_is_made_by_hand() -> None:
    messages = [{"role": "user", "content": "Extract."}]
    made = InstructorRetryException("x", last_completion=None, messages=messages, n_attempts=1, total_usage=Usage())
    assert (str(made), made.n_attempts, made.messages) == ("x", 1, messages)
    assert made.create_kwargs == {"messages": messages}
    made = InstructorRetryException("x", 3, create_kwargs={"model": "m", "messages": messages}, failed_attempts=None)
    assert (made.args, made.messages, made.failed_attempts) == (("x", 3), messages, [])


def test_the_error_of_a_cut_reply_says_so_by_itself() -> None:
    assert "cut" in str(IncompleteOutputException(last_completion=None))
    assert str(IncompleteOutputException("mine")) == "mine"


@pytest.mark.parametrize("kind", [InstructorError, ResponseParsingError, InstructorRetryException])
def test_an_error_of_another(kind: type[InstructorError]) -> None:
    failed = [FailedAttempt(1, ValueError("no"))]
    made = kind.from_exception(ValueError("no"), failed)
    assert (type(made), str(made), made.failed_attempts) == (kind, "no", failed)
    assert kind.from_exception(ValueError("no")).failed_attempts == []


def test_tokens_by_openais_names() -> None:
    usage = Usage(input_tokens=7, output_tokens=3, cached_tokens=2, reasoning_tokens=1)
    dumped = openai.types.CompletionUsage.model_validate(usage.model_dump())
    assert (dumped.prompt_tokens, dumped.completion_tokens, dumped.total_tokens) == (7, 3, 10)
    assert dumped.prompt_tokens_details
    assert dumped.completion_tokens_details
    assert usage.prompt_tokens_details.cached_tokens == dumped.prompt_tokens_details.cached_tokens == 2
    assert usage.completion_tokens_details.reasoning_tokens == dumped.completion_tokens_details.reasoning_tokens == 1


def test_members_of_a_client() -> None:
    with openai.OpenAI(api_key="none") as sdk:
        assert instructor.from_openai(sdk).default_model is None
        client = instructor.from_openai(sdk, model="m", temperature=0)
    assert client.default_model == "m"
    assert client.handle_kwargs({"temperature": 1}) == {"model": "m", "temperature": 1}
    assert client.kwargs["temperature"] == 0


async def test_a_model_without_fields_is_refused(harness: Harness, scripted_server: Any) -> None:
    client = harness.client(scripted_server([]))
    for kind in (BaseModel, list[BaseModel]):
        with pytest.raises(ConfigurationError, match="has no fields"):
            await harness.result(client.create(kind, **asking()))
