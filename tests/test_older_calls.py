"""What programs written for 1.x make and call, beside its names: errors that tests raise, members, tokens."""

from __future__ import annotations

import json
import pickle
from types import SimpleNamespace
from typing import Annotated, Any

import openai
import pydantic
import pytest
from openai.types import CompletionUsage
from pydantic import BaseModel

import instructor
from harness import Harness, asking
from instructor.exceptions import (
    AsyncValidationError,
    ClientError,
    ConfigurationError,
    FailedAttempt,
    IncompleteOutputException,
    InstructorError,
    InstructorRetryException,
    ModeError,
    MultimodalError,
    ProviderError,
    ResponseParsingError,
    TokenBudgetExceeded,
    TokenUsageUnavailableError,
    ValidationError,
)
from instructor.usage import Usage


class User(BaseModel):
    name: str
    age: int


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
    assert (type(made), made.args, made.failed_attempts) == (kind, ("no",), failed)
    assert str(made).startswith("no\n<failed_attempts>\n")
    assert str(kind.from_exception(ValueError("no"))) == "no"
    assert kind.from_exception(ValueError("no")).failed_attempts == []


def test_the_text_of_an_error_has_its_failed_attempts() -> None:
    failed = [FailedAttempt(1, ValueError("first"), "one"), FailedAttempt(2, ValueError("second"), "x" * 1000)]
    said = str(InstructorError("no", failed_attempts=failed))
    assert '<generation number="1">\n<exception>\nfirst\n</exception>\n<completion>\none\n' in said
    assert "<last_exception>\nsecond\n</last_exception>" in said
    assert len(said) < 800


def test_every_error_is_made_raised_and_inspected_by_hand() -> None:
    failed = [FailedAttempt(1, ValueError("no"))]
    errors: list[InstructorError] = [
        ModeError("json", "openai", ["TOOLS"], failed_attempts=failed),
        ProviderError("openai", "down", failed_attempts=failed),
        ClientError("wrong", failed_attempts=failed),
        MultimodalError("no picture", content_type="image", file_path="a.png", failed_attempts=failed),
        ValidationError("no", failed_attempts=failed),
        AsyncValidationError("no", errors=[ValueError("no")], failed_attempts=failed),
        TokenBudgetExceeded("spent", budget=3, n_attempts=1, total_usage=None, failed_attempts=failed),
        TokenUsageUnavailableError("unknown", budget=3, failed_attempts=failed),
        IncompleteOutputException(last_completion="half", message="mine", failed_attempts=failed),
    ]
    for error in errors:
        with pytest.raises(InstructorError) as raised:
            raise error
        assert raised.value.failed_attempts == failed
        assert "<failed_attempts>" in str(raised.value)
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), again.args) == (type(error), error.args)
        assert vars(again).keys() == vars(error).keys()
    assert isinstance(errors[3], ValueError)
    assert isinstance(errors[6], InstructorRetryException)


def test_our_own_validation_error_is_one_to_pydantic() -> None:
    def refuse(value: str) -> str:
        raise ValidationError(f"{value} is not allowed")

    with pytest.raises(pydantic.ValidationError, match="x is not allowed"):
        pydantic.TypeAdapter(Annotated[str, pydantic.AfterValidator(refuse)]).validate_python("x")


class Priced(CompletionUsage):
    """OpenRouter's usage: it says what a request cost."""

    model_config = pydantic.ConfigDict(extra="allow")


@pytest.mark.parametrize("made", ["model", "namespace"])
async def test_the_completion_has_the_usage_of_all_attempts(harness: Harness, made: str) -> None:
    def create(**_: Any) -> Any:
        replies.append({"name": "a"} if not replies else {"name": "a", "age": 1})
        usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "cost": 0.25}
        function = SimpleNamespace(name="User", arguments=json.dumps(replies[-1]))
        message = SimpleNamespace(content=None, tool_calls=[SimpleNamespace(id="c", function=function)])
        choices = [SimpleNamespace(message=message, finish_reason="tool_calls")]
        counted = Priced.model_validate(usage) if made == "model" else SimpleNamespace(**usage)
        sent.append(SimpleNamespace(choices=choices, usage=counted))
        return sent[-1]

    async def acreate(**body: Any) -> Any:
        return create(**body)

    replies: list[Any] = []
    sent: list[Any] = []
    client = instructor.from_litellm(acreate if harness.is_async else create)
    got, completion = await harness.result(client.create_with_completion(**asking(response_model=User)))
    assert got == User(name="a", age=1)
    assert (completion.usage.total_tokens, completion.usage.cost) == (30, 0.5)
    assert got._raw_response is sent[1]
    assert [response.usage.cost for response in sent] == [0.25, 0.25]


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
