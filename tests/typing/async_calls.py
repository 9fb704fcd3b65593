"""What a type checker knows of the async client. Read by mypy and pyright, never run."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal, Optional, TypeVar

from anthropic import AsyncAnthropic
from google.genai import Client as Genai
from mistralai.client import Mistral
from openai import AsyncAzureOpenAI, AsyncOpenAI
from pydantic import BaseModel, Field
from typing_extensions import assert_type

import instructor
from instructor import AsyncInstructor, AsyncStream, Instructor, ListResponse, Partial, Report

ModelT = TypeVar("ModelT", bound=BaseModel)


class User(BaseModel):
    name: str


class Admin(BaseModel):
    rights: list[str]


def the_client(openai: AsyncOpenAI, azure: AsyncAzureOpenAI) -> None:
    assert_type(instructor.from_openai(openai), AsyncInstructor)
    assert_type(instructor.from_openai(azure, mode=instructor.Mode.JSON), AsyncInstructor)
    assert_type(instructor.from_provider("openai/gpt", async_client=True), AsyncInstructor)
    assert_type(instructor.from_provider("openai/gpt", client=openai), AsyncInstructor)
    assert_type(instructor.from_provider("openai/gpt", async_client=True, client=azure), AsyncInstructor)
    assert_type(instructor.from_openrouter(openai, model="gpt"), AsyncInstructor)
    assert_type(instructor.from_deepseek("deepseek-chat", async_client=True), AsyncInstructor)


async def acomplete(model: str) -> None: ...


def the_client_of_another(claude: AsyncAnthropic, genai: Genai, mistral: Mistral, flag: bool) -> None:
    assert_type(instructor.from_anthropic(claude, beta=True), AsyncInstructor)
    assert_type(instructor.from_genai(genai, use_async=True), AsyncInstructor)
    assert_type(instructor.from_genai(genai.aio), AsyncInstructor)
    assert_type(instructor.from_mistral(mistral, use_async=True), AsyncInstructor)
    assert_type(instructor.from_litellm(acomplete), AsyncInstructor)
    assert_type(instructor.from_together("m", async_client=flag), Instructor | AsyncInstructor)


async def the_resource(client: AsyncInstructor) -> None:
    assert_type(await client.responses.create(input="text"), Any)
    assert_type(await client.responses.create(input="text", response_model=User), User)
    async for user in await client.responses.create_iterable(input="text", response_model=User):
        assert_type(user, User)


async def one(client: AsyncInstructor) -> None:
    assert_type(await client.create(response_model=User, messages=[], model="m", temperature=0.5), User)
    assert_type(await client.chat.completions.create(model="m", response_model=User, messages=[]), User)
    assert_type(await client.create(User, [], stream=True), AsyncStream[User])
    assert_type(await client.create(response_model=int, messages=[]), int)
    assert_type(await client.create(response_model=str, messages=[]), str)
    assert_type(await client.create(response_model=dict[str, int], messages=[]), dict[str, int])
    assert_type(await client.create(response_model=Literal["a", "b"], messages=[]), Literal["a", "b"])
    assert_type(await client.create(response_model=User | Admin, messages=[]), User | Admin)
    assert_type(await client.create(response_model=Optional[User], messages=[]), User | None)  # noqa: UP045
    assert_type(await client.create(response_model=Annotated[int, Field(gt=0)], messages=[]), int)
    assert_type(await client.create(response_model=None, messages=[]), Any)
    assert_type(await client.create(response_model=None, messages=[], stream=True), Any)


async def many(client: AsyncInstructor) -> None:
    assert_type(await client.create(response_model=Iterable[User], messages=[]), ListResponse[User])
    assert_type(await client.create(response_model=list[User | Admin], messages=[]), ListResponse[User | Admin])
    assert_type(await client.create(response_model=Iterable[User], messages=[], stream=True), AsyncStream[User])
    assert_type(await client.create(response_model=list[User], messages=[], stream=True), AsyncStream[User])
    assert_type(client.create_iterable(response_model=User, messages=[]), AsyncStream[User])
    assert_type(client.create_iterable(response_model=Iterable[User], messages=[]), AsyncStream[User])
    assert_type(client.create_iterable([], User), AsyncStream[User])
    assert_type(client.create_iterable([], Sequence[User]), AsyncStream[User])
    assert_type(client.create_iterable([], deque[User]), AsyncStream[deque[User]])
    assert_type((await client.create(response_model=Sequence[User], messages=[])).report, Report)
    assert_type(client.create_iterable(response_model=list[int], messages=[]), AsyncStream[int])
    assert_type([user async for user in client.create_iterable(response_model=User, messages=[])], list[User])


async def growing(client: AsyncInstructor) -> None:
    assert_type(await client.create(response_model=Partial[User], messages=[]), User)
    assert_type(await client.create(response_model=Partial[User], messages=[], stream=True), AsyncStream[User])
    assert_type(client.create_partial(response_model=User, messages=[]), AsyncStream[User])
    assert_type(client.create_partial(response_model=Partial[User], messages=[]), AsyncStream[User])


async def with_completion(client: AsyncInstructor) -> None:
    assert_type(await client.create_with_completion(response_model=User, messages=[]), tuple[User, Any])
    assert_type(
        await client.create_with_completion(response_model=list[User], messages=[]), tuple[ListResponse[User], Any]
    )
    assert_type(await client.create_with_completion([], User), tuple[User, Any])
    assert_type(await client.create_with_completion(response_model=None, messages=[]), tuple[Any, Any])


async def generic(client: AsyncInstructor, model: type[ModelT]) -> ModelT:
    return await client.create(response_model=model, messages=[])


async def a_stream(client: AsyncInstructor) -> None:
    async with client.create_iterable(response_model=User, messages=[]) as users:
        assert_type(users, AsyncStream[User])
        async for user in users:
            assert_type(user, User)
    assert_type(users.report, Report)
    await users.aclose()


async def wrong(client: AsyncInstructor, sync_client: Instructor) -> None:
    """A checker objects to these."""
    await client.create(User, [], max_retries="3")  # type: ignore[call-overload]  # pyright: ignore
    client.create_iterable([], User, strict="x")  # type: ignore[call-overload]  # pyright: ignore
    await sync_client.create(response_model=User, messages=[])  # type: ignore[misc]  # pyright: ignore[reportGeneralTypeIssues]
    for _ in client.create_iterable(response_model=User, messages=[]):  # type: ignore[attr-defined]  # pyright: ignore[reportGeneralTypeIssues]
        pass
    also_sync: Instructor = client  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    print(also_sync)
