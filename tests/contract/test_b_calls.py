"""Appendix B of the contract, 27 to 43: hooks, templates, defaults, patches, caches, budgets and the small types."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from typing import Annotated, Any

import openai
import pytest
from pydantic import AfterValidator, BaseModel, Field, ValidationError

import instructor
from harness import Harness, asking
from instructor import CitationMixin, IterableModel, Maybe, OpenAISchema, Usage, llm_validator
from instructor.cache import AutoCache
from instructor.exceptions import ConfigurationError, InstructorRetryException, TokenBudgetExceeded
from instructor.testing import answer, tools


class User(BaseModel):
    name: str
    age: int


USER, WRONG = {"name": "a", "age": 1}, {"name": "a"}


async def test_27_hooks_are_called_in_order(harness: Harness, scripted_server: Any) -> None:
    heard: list[Any] = []
    client = harness.client(scripted_server([tools(WRONG), tools(WRONG), tools(USER)]))

    def note_error(error: Exception, *, attempt_number: int, max_attempts: int, is_last_attempt: bool) -> None:
        heard.append(("error", attempt_number, max_attempts, is_last_attempt))

    def fail(_: Any) -> None:
        raise RuntimeError("a hook's own")

    client.on("completion:kwargs", lambda **_: heard.append("kwargs"))
    client.on("completion:response", lambda _: heard.append("response"))
    client.on("completion:usage", lambda _: heard.append("usage"))
    client.on("parse:error", note_error)
    client.on("completion:last_attempt", lambda _: heard.append("last"))
    with pytest.raises(InstructorRetryException):
        await harness.create(client, User, max_retries=1)
    once = ["kwargs", "response", "usage"]
    assert heard == [*once, ("error", 1, 2, False), *once, ("error", 2, 2, True), "last"]
    client.clear()
    client.on("completion:response", fail)
    with pytest.warns(UserWarning, match="a hook's own"):
        assert await harness.create(client, User) == User(**USER)
    client.off("completion:response", fail)
    assert not client.hooks.at(instructor.HookName.COMPLETION_RESPONSE)


async def test_28_templates(harness: Harness, scripted_server: Any) -> None:
    class Described(BaseModel):
        name: str = Field(description="Not {{ rendered }}.")

    server = scripted_server([answer({"name": "a"})] * 2)
    client = harness.client(server)
    parts = [{"type": "text", "text": "{{ x }}"}]
    messages = [{"role": "user", "content": "  S {{ x }}\n    y"}, {"role": "user", "content": parts}]
    for context in ({"x": 1}, {}):
        await harness.create(client, Described, messages=messages, context=context)
    rendered, plain = (request.body for request in server.requests)
    assert rendered["messages"][0]["content"] == "  S 1\n    y"  # 1.x: dedented
    assert rendered["messages"][1]["content"][0]["text"] == "1"
    assert plain["messages"] == messages
    assert "Not {{ rendered }}." in str(rendered["tools"])  # 1.x: rendered
    wrong = [{"role": "user", "content": "{{ documnet }}"}]
    with pytest.raises(ConfigurationError, match="'documnet' is undefined"):  # 1.x: it is rendered as nothing
        await harness.create(client, User, messages=wrong, context={"document": 1})


async def test_29_the_older_name_of_the_context(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([tools(USER)])
    client = harness.client(server)
    messages = [{"role": "user", "content": "{{ x }}"}]
    with pytest.warns(DeprecationWarning, match="validation_context is now called context"):
        await harness.create(client, User, messages=messages, validation_context={"x": "it"})
    assert server.requests[0].body["messages"][0]["content"] == "it"
    with pytest.raises(ConfigurationError, match="one argument"):
        await harness.create(client, User, context={}, validation_context={})


async def test_30_defaults_of_a_client(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([tools(USER), tools(USER), tools({**USER, "age": "1"}), tools(WRONG)])
    client = instructor.from_openai(harness.sdk(server), temperature=0.3, max_retries=0, strict=False, context={"x": 1})
    await harness.create(client, User)
    await harness.create(client, User, temperature=0.9)
    assert [request.body["temperature"] for request in server.requests] == [0.3, 0.9]
    assert await harness.create(client, User) == User(**USER)  # 1.x: TypeError for max_retries, context, strict
    with pytest.raises(InstructorRetryException, match="after 1 attempt"):
        await harness.create(client, User)


async def test_31_patch(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([tools(WRONG)] * 2)
    sdk = harness.sdk(server)
    assert instructor.patch(sdk) is sdk
    with pytest.raises(InstructorRetryException):
        await harness.result(sdk.chat.completions.create(response_model=User, **asking()))
    assert len(server.requests) == 2


async def test_32_a_client_is_its_own_chat_and_the_sdks_beside(harness: Harness, scripted_server: Any) -> None:
    sdk = harness.sdk(scripted_server([]))
    client = instructor.from_openai(sdk)
    assert client.chat is client.completions is client.messages is client
    assert client.embeddings is sdk.embeddings
    assert client.client is sdk


async def test_35_a_cache(harness: Harness, scripted_server: Any) -> None:
    class Noting(AutoCache):
        def set(self, key: str, value: Any, ttl: int | None = None) -> None:
            ttls.append(ttl)
            super().set(key, value, ttl)

    ttls: list[Any] = []
    server = scripted_server([tools(USER), tools({"tasks": [USER]}), tools({"content": 5})])
    cache = Noting()
    for _ in range(2):  # 1.x: another client with the same cache misses, lists and scalars always do
        client = instructor.from_openai(harness.sdk(server), cache=cache)
        user = await harness.create(client, User, cache_ttl=60)
        assert user == User(**USER)
        assert user._raw_response.choices[0].message.tool_calls[0].function.name == "User"
        assert await harness.create(client, list[User]) == [user]
        assert await harness.create(client, int) == 5
    assert len(server.requests) == 3
    assert ttls == [60, None, None]


async def test_36_a_token_budget(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([tools(WRONG, usage=Usage(10, 5))] * 2 + [tools(USER, usage=Usage(10, 5))])
    client = harness.client(server)
    with pytest.raises(TokenBudgetExceeded) as failed:
        await harness.create(client, User, token_budget=20, max_retries=5)
    assert failed.value.budget == 20
    assert len(server.requests) == 2
    assert await harness.create(client, User, token_budget=1) == User(**USER)
    for budget, kind in ((True, TypeError), ("9", TypeError), (0, ValueError)):
        with pytest.raises(kind):
            await harness.create(client, User, token_budget=budget)


async def test_37_pictures_papers_and_texts_that_are_pictures(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([tools(USER)] * 2)
    client = harness.client(server)
    uri = "data:image/png;base64,iVBORw0KGgo="
    content = ["Who is it?", instructor.Image.from_base64(uri), instructor.PDF.from_bytes(b"%PDF-1.4")]
    assert await harness.create(client, User, messages=[{"role": "user", "content": content}]) == User(**USER)
    text, picture, paper = server.requests[0].body["messages"][-1]["content"]
    assert text == {"type": "text", "text": "Who is it?"}
    assert picture == {"type": "image_url", "image_url": {"url": uri}}
    assert paper["type"] == "file"
    assert paper["file"]["file_data"] == "data:application/pdf;base64,JVBERi0xLjQ="
    await harness.create(client, User, messages=[{"role": "user", "content": ["Who?", uri]}], autodetect_images=True)
    assert server.requests[1].body["messages"][-1]["content"][1] == picture


def test_38_a_model_validates(scripted_server: Any) -> None:
    verdict = {"is_valid": False, "reason": "It is rude.", "fixed_value": "Hello."}
    server = scripted_server([answer(verdict)] * 2)
    with openai.OpenAI(base_url=server.base_url, api_key="none", max_retries=0) as sdk:
        client = instructor.from_openai(sdk)
        rule = llm_validator("The text is polite.", client)
        mend = llm_validator("The text is polite.", client, allow_override=True)

        class Strict(BaseModel):
            text: Annotated[str, AfterValidator(rule)]

        class Mended(BaseModel):
            text: Annotated[str, AfterValidator(mend)]

        with pytest.raises(ValidationError, match=r"It is rude\."):
            Strict(text="Hey!")
        assert Mended(text="Hey!").text == "Hello."


async def test_40_citations_maybe_and_schemas(harness: Harness, scripted_server: Any) -> None:
    class Fact(CitationMixin):
        fact: str

    class Person(OpenAISchema):
        """A person."""

        name: str

    text = "Jason lives in Toronto."
    said = {"fact": "He lives there.", "substring_quotes": ["lives in Torronto", "never said this at all"]}
    server = scripted_server([tools(said), tools({"error": True, "message": "none"}), tools({"name": "a"})])
    client = harness.client(server)
    fact = await harness.create(client, Fact, context={"context": text})
    assert fact.substring_quotes == ["lives in Toronto"]
    maybe = await harness.create(client, Maybe(User))
    assert not maybe
    assert maybe.message == "none"
    assert IterableModel(User, name="Zed", description="DD").__name__ == "IterableZed"
    assert Person.openai_schema["name"] == "Person"
    assert Person.openai_schema["description"] == "A person."
    person = await harness.create(client, Person)
    assert Person.from_response(person._raw_response) == Person(name="a")


def test_42_a_line_of_training_data(caplog: pytest.LogCaptureFixture) -> None:
    instructions = instructor.Instructions(name="sums")

    @instructions.distil
    def birthday(name: str, age: int = 0) -> User:
        """Make somebody a year older."""
        return User(name=name, age=age + 1)

    with caplog.at_level(logging.INFO, "sums"):
        assert birthday("Ann", age=2) == User(name="Ann", age=3)
    line = json.loads(caplog.records[0].getMessage())
    system, user, said = line["messages"]
    assert system["role"] == "system"
    assert "def birthday(name: str, age: int = 0) -> " in system["content"]
    assert "Make somebody a year older." in system["content"]
    assert user == {"role": "user", "content": "Return `birthday('Ann', age=2)`"}
    assert said["function_call"]["name"] == "User"
    assert json.loads(said["function_call"]["arguments"]) == {"name": "Ann", "age": 3}
    assert line["functions"][0]["name"] == "User"


def test_43_the_command_needs_no_key() -> None:
    said = subprocess.run(
        [sys.executable, "-m", "instructor", "--help"], check=True, capture_output=True, text=True, env={"PATH": ""}
    )
    assert "Usage" in said.stdout


def test_every_scenario_has_its_test() -> None:
    """41 (batches) is not there yet."""
    from pathlib import Path

    found = {
        int(line.split("test_")[1][:2])
        for path in Path(__file__).parent.glob("test_b_*.py")
        for line in path.read_text("utf-8").splitlines()
        if "def test_" in line and line.split("test_")[1][:2].isdigit()
    }
    assert found == set(range(1, 45)) - {41}
