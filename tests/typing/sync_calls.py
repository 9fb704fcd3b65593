"""What a type checker knows of the sync client. Read by mypy and pyright, never run."""

from __future__ import annotations

import enum
import typing
from collections import deque
from collections.abc import Collection, Iterable, MutableSequence, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Annotated, Any, Literal, Optional, TypeVar, Union

from anthropic import Anthropic
from anthropic.lib.vertex import AnthropicVertex
from anthropic.types import MessageParam
from google.genai import Client as Genai
from mistralai.client import Mistral
from openai import AzureOpenAI, OpenAI
from openai.types.chat import ChatCompletionMessage
from pydantic import BaseModel, Field
from typing_extensions import TypedDict, assert_type

import instructor
from instructor import Instructor, ListResponse, Partial, Report, Stream, Usage

T = TypeVar("T")
ModelT = TypeVar("ModelT", bound=BaseModel)


class User(BaseModel):
    name: str


class Admin(BaseModel):
    rights: list[str]


class Row(TypedDict):
    name: str


@dataclass
class Point:
    x: int


class Colour(enum.Enum):
    RED = "red"


class Word(str, enum.Enum):
    YES = "yes"


def the_client(openai: OpenAI, azure: AzureOpenAI) -> None:
    assert_type(instructor.from_openai(openai), Instructor)
    assert_type(instructor.from_openai(azure, mode=instructor.Mode.JSON, model="gpt", max_retries=1), Instructor)
    assert_type(instructor.from_provider("openai/gpt"), Instructor)
    assert_type(instructor.from_provider("openai/gpt", client=openai), Instructor)
    assert_type(instructor.from_openrouter(openai, model="gpt"), Instructor)
    assert_type(instructor.from_deepseek("deepseek-chat", api_key="none"), Instructor)
    assert_type(instructor.from_provider("openai/gpt", async_client=False, mode=instructor.Mode.JSON), Instructor)


def the_client_of_another(claude: Anthropic, vertex: AnthropicVertex, genai: Genai, mistral: Mistral) -> None:
    assert_type(instructor.from_anthropic(claude, beta=True), Instructor)
    assert_type(instructor.from_anthropic(vertex, mode=instructor.Mode.JSON), Instructor)
    assert_type(instructor.from_anthropic(claude).create(User, []), User)
    assert_type(instructor.from_genai(genai), Instructor)
    assert_type(instructor.from_provider("google/gemini", client=genai), Instructor)
    assert_type(instructor.from_provider("mistral/m", client=mistral), Instructor)
    assert_type(instructor.from_mistral(mistral, use_async=False), Instructor)
    assert_type(instructor.from_litellm(print), Instructor)


def the_resource(client: Instructor) -> None:
    assert_type(client.responses.create(input="text"), Any)
    assert_type(client.responses.create(input="text", response_model=User), User)
    assert_type(client.responses.create_iterable(input="text", response_model=User), Stream[User])
    assert_type(client.responses.create_with_completion(input="text", response_model=User), tuple[User, Any])


def a_model(client: Instructor) -> None:
    assert_type(client.create(response_model=User, messages=[], model="m", temperature=0.5), User)
    assert_type(client.create(User, []), User)
    assert_type(client.chat.completions.create(model="m", response_model=User, messages=[], max_retries=2), User)
    assert_type(client.messages.create(response_model=User, messages=[], context={"a": 1}, strict=False), User)
    assert_type(client.create(response_model=User, messages=[], stream=True), Stream[User])
    assert_type(client.create(response_model=User, messages=[], stream=False), User)


def many(client: Instructor) -> None:
    assert_type(client.create(response_model=Iterable[User], messages=[]), ListResponse[User])
    assert_type(client.create(response_model=typing.Iterable[User], messages=[]), ListResponse[User])
    assert_type(client.create(response_model=list[User], messages=[], max_continuations=2), ListResponse[User])
    assert_type(client.create(response_model=Iterable[User | Admin], messages=[]), ListResponse[User | Admin])
    assert_type(client.create(response_model=list[Union[User, Admin]], messages=[]), ListResponse[User | Admin])  # noqa: UP007
    assert_type(client.create(response_model=Iterable[int], messages=[]), ListResponse[int])
    assert_type(client.create(response_model=Iterable[User], messages=[], stream=True), Stream[User])
    assert_type(client.create(response_model=list[User], messages=[], stream=True, on_invalid="skip"), Stream[User])
    assert_type(client.create(response_model=Iterable[User | Admin], messages=[], stream=True), Stream[User | Admin])
    assert_type(client.create(response_model=Iterable[Literal["a", "b"]], stream=True), Stream[Literal["a", "b"]])


def a_list(client: Instructor) -> None:
    users = client.create(response_model=list[User], messages=[])
    assert_type(users.report, Report)
    assert_type(users.get_raw_response(), Any)
    assert_type(users.get_total_usage(), Usage | None)
    assert_type(users[0], User)
    assert_type(users[1:], ListResponse[User])
    plain: list[User] = users
    wider: list[User | Admin] = client.create(response_model=list[User], messages=[])
    print(plain, wider)


def promises_that_a_list_keeps(client: Instructor) -> None:
    assert_type(client.create(response_model=Sequence[User], messages=[]), ListResponse[User])
    assert_type(client.create(response_model=Collection[User], messages=[]), ListResponse[User])
    assert_type(client.create(response_model=MutableSequence[int], messages=[], stream=True), Stream[int])
    assert_type(client.create_iterable(response_model=Sequence[User], messages=[]), Stream[User])


def containers_that_are_one_value(client: Instructor) -> None:
    assert_type(client.create(response_model=deque[User], messages=[]), deque[User])
    assert_type(client.create(response_model=deque[User], messages=[], stream=True), Stream[deque[User]])
    assert_type(client.create_iterable(response_model=deque[User], messages=[]), Stream[deque[User]])
    assert_type(client.create_iterable(response_model=frozenset[int], messages=[]), Stream[frozenset[int]])
    assert_type(client.create(response_model=IPv4Network, messages=[]), IPv4Network)


def growing(client: Instructor) -> None:
    assert_type(client.create(response_model=Partial[User], messages=[]), User)
    assert_type(client.create(response_model=Partial[User], messages=[], stream=True), Stream[User])
    assert_type(client.create(response_model=Partial[list[User]], messages=[], stream=True), Stream[list[User]])
    assert_type(client.create_partial(response_model=User, messages=[]), Stream[User])
    assert_type(client.create_partial(response_model=Partial[User], messages=[]), Stream[User])
    assert_type(client.create_partial(response_model=list[User], messages=[]), Stream[list[User]])
    assert_type(client.create_partial(User, []), Stream[User])


def items(client: Instructor) -> None:
    assert_type(client.create_iterable(response_model=User, messages=[], on_invalid="raise"), Stream[User])
    assert_type(client.create_iterable(messages=[], response_model=Iterable[User]), Stream[User])
    assert_type(client.chat.completions.create_iterable(messages=[], response_model=list[User]), Stream[User])
    assert_type(client.create_iterable([], User), Stream[User])
    assert_type(client.create_iterable([], list[User], model="m"), Stream[User])
    assert_type(client.create_iterable([], User | Admin), Stream[User | Admin])
    assert_type(client.create_iterable(response_model=User, input="text"), Stream[User])
    assert_type(client.create_iterable(messages=[], response_model=User | Admin), Stream[User | Admin])
    assert_type(client.create_iterable(messages=[], response_model=int), Stream[int])
    assert_type(client.create_iterable(messages=[], response_model=str), Stream[str])
    assert_type(client.create_iterable(messages=[], response_model=dict[str, int]), Stream[dict[str, int]])


def with_completion(client: Instructor) -> None:
    assert_type(client.create_with_completion(response_model=User, messages=[]), tuple[User, Any])
    assert_type(
        client.create_with_completion(response_model=Iterable[User], messages=[]), tuple[ListResponse[User], Any]
    )
    assert_type(client.create_with_completion([], User), tuple[User, Any])
    assert_type(client.create_with_completion([], list[User]), tuple[ListResponse[User], Any])
    assert_type(client.create_with_completion(response_model=Partial[User], messages=[]), tuple[User, Any])
    assert_type(client.create_with_completion(response_model=int, messages=[]), tuple[int, Any])
    assert_type(client.create_with_completion(response_model=None, messages=[]), tuple[Any, Any])


def any_type(client: Instructor) -> None:
    assert_type(client.create(response_model=int, messages=[]), int)
    assert_type(client.create(response_model=str, messages=[]), str)
    assert_type(client.create(response_model=dict[str, int], messages=[]), dict[str, int])
    assert_type(client.create(response_model=set[str], messages=[]), set[str])
    assert_type(client.create(response_model=tuple[str, int], messages=[]), tuple[str, int])
    assert_type(client.create(response_model=Row, messages=[]), Row)
    assert_type(client.create(response_model=Point, messages=[]), Point)
    assert_type(client.create(response_model=Colour, messages=[]), Colour)
    assert_type(client.create(response_model=Word, messages=[]), Word)
    assert_type(client.create(response_model=Literal["a", "b"], messages=[]), Literal["a", "b"])
    assert_type(client.create(response_model=User | Admin, messages=[]), User | Admin)
    assert_type(client.create(response_model=User | int, messages=[]), User | int)
    assert_type(client.create(response_model=Optional[User], messages=[]), User | None)  # noqa: UP045
    assert_type(client.create(response_model=Annotated[User, Field(description="who")], messages=[]), User)
    assert_type(client.create(response_model=Annotated[int, Field(gt=0)], messages=[]), int)
    assert_type(client.create(response_model=User | Admin, messages=[], stream=True), Stream[User | Admin])
    assert_type(client.create(response_model=Annotated[int, Field(gt=0)], messages=[], stream=True), Stream[int])


def not_known(client: Instructor, anything: Any, flag: bool) -> None:
    """What a checker cannot know is Any, never an error."""
    assert_type(client.create(response_model=None, messages=[]), Any)
    assert_type(client.create(response_model=None, messages=[], stream=True), Any)
    assert_type(client.create(response_model=anything, messages=[]), Any)
    assert_type(client.create(response_model=User, messages=[], stream=flag), Any)
    assert_type(client.create_iterable([], anything), Stream[Any])
    assert_type(client.embeddings, Any)


def generic(client: Instructor, model: type[ModelT], some: type[T]) -> tuple[ModelT, T]:
    return client.create(response_model=model, messages=[]), client.create(response_model=some, messages=[])


def a_stream(client: Instructor) -> None:
    with client.create_iterable(response_model=User, messages=[]) as users:
        assert_type(users, Stream[User])
        for user in users:
            assert_type(user, User)
            user.nome  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]  # noqa: B018
    assert_type(users.report, Report)
    users.close()
    assert_type(list(client.create(response_model=Iterable[User], messages=[], stream=True)), list[User])


def wrong(client: Instructor) -> None:
    """A checker objects to these."""
    client.create(User, [], max_retries="3")  # type: ignore[call-overload]  # pyright: ignore
    client.create(User, [], strict="x")  # type: ignore[call-overload]  # pyright: ignore
    client.create(list[User], [], stream=True, on_invalid="pass")  # type: ignore[call-overload]  # pyright: ignore
    client.create_partial(User, [], context=3)  # type: ignore[call-overload]  # pyright: ignore
    client.create_iterable([], User, max_continuations="2")  # type: ignore[call-overload]  # pyright: ignore
    client.create_with_completion([], User, hooks=print)  # type: ignore[call-overload]  # pyright: ignore
    instructor.no_such_name  # type: ignore[attr-defined]  # pyright: ignore  # noqa: B018
    client.create(messages=[])  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    client.create(response_model=User, messages=[]).age  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]  # noqa: B018


def mistakes(client: Instructor, ann: User, some: list[dict[str, str]]) -> None:
    """Each line is an error to both checkers: an ignored error that is none would be one itself."""
    client.create(ann, some)  # type: ignore[call-overload]  # pyright: ignore
    client.create("what is not a type", some)  # type: ignore[call-overload]  # pyright: ignore
    client.create([User], some)  # type: ignore[call-overload]  # pyright: ignore
    client.create(some, User)  # type: ignore[call-overload]  # pyright: ignore
    client.create(User, "Ann is 1")  # type: ignore[arg-type]  # pyright: ignore
    client.create(User, {"role": "user", "content": "Ann is 1"})  # type: ignore[arg-type, dict-item]  # pyright: ignore
    client.create(User, ["Ann is 1"])  # type: ignore[arg-type, list-item]  # pyright: ignore
    client.create(User, some, max_retries="3")  # type: ignore[call-overload]  # pyright: ignore
    client.create(User, some, temperature="hot")  # type: ignore[call-overload]  # pyright: ignore
    client.create(User, some, max_tokens="100")  # type: ignore[call-overload]  # pyright: ignore
    client.create(User, some, model=4)  # type: ignore[call-overload]  # pyright: ignore
    client.create(User, some, token_budget="1000")  # type: ignore[call-overload]  # pyright: ignore
    client.create(User, some, on_invalid="skp")  # type: ignore[call-overload]  # pyright: ignore
    client.create(resp_model=User, messages=some)  # type: ignore[call-overload]  # pyright: ignore
    client.create_iterable("Ann is 1", User)  # type: ignore[arg-type]  # pyright: ignore
    client.create_iterable(some, ann)  # type: ignore[call-overload]  # pyright: ignore
    client.create_partial(ann, some)  # type: ignore[call-overload]  # pyright: ignore
    client.create_with_completion("Ann is 1", User)  # type: ignore[arg-type]  # pyright: ignore


def messages(client: Instructor, said: ChatCompletionMessage, asked: MessageParam, texts: Iterable[str]) -> None:
    assert_type(client.create(User, [{"role": "user", "content": "Ann"}, said]), User)
    assert_type(client.create(User, [asked, {"role": "user", "content": [{"type": "text", "text": "Ann"}]}]), User)
    assert_type(client.create(User, ({"role": "user", "content": text} for text in texts)), User)
    assert_type(client.create(User, [], model="m", temperature=0, max_tokens=100, timeout=10, top_k=3), User)
