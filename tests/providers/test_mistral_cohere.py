"""What is Mistral's own, and Cohere's: names of options, calls without numbers, replies that end in an error."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from pydantic import BaseModel

import instructor
from cases import Case
from cases.cohere import CASE as COHERE
from cases.mistral import CASE as MISTRAL
from harness import Harness
from instructor import Mode
from instructor.exceptions import ConfigurationError, IncompleteOutputException, InstructorError, ProviderError
from instructor.testing import Scripted, answer, body, content, events, tools

USER = {"name": "Jason", "age": 10}


class User(BaseModel):
    name: str
    age: int


class Place(BaseModel):
    city: str


class Maybe(BaseModel):
    user: User | Place


async def run(harness: Harness, case: Case, server: Scripted, mode: Mode, model: Any, **options: Any) -> Any:
    """Make one call with a client of its own; a stream's items where `options` say so."""
    client: Any = instructor.from_provider(f"{case.name}/scripted", harness.is_async, mode=mode, **case.options(server))
    try:
        made = client.create(response_model=model, **{"messages": [{"role": "user", "content": "x"}], **options})
        return await (harness.items(made) if options.get("stream") else harness.result(made))
    finally:
        assert case.close is not None
        await case.close(client.client)


@pytest.mark.parametrize(
    ("case", "named"),
    [
        (MISTRAL, {"random_seed": 1, "max_tokens": 5}),
        (COHERE, {"seed": 1, "max_tokens": 5, "p": 0.5, "k": 2, "stop_sequences": ["END"]}),
    ],
    ids=["mistral", "cohere"],
)
async def test_options_by_their_other_names(harness: Harness, case: Case, named: Any) -> None:
    options: Any = {"seed": 1, "max_completion_tokens": 5}
    if case is COHERE:
        options |= {"top_p": 0.5, "top_k": 2, "stop": "END"}
    messages = [{"role": "developer", "content": "Be exact."}, {"role": "user", "content": "x"}]
    with Scripted([answer(USER)]) as server:
        assert await run(harness, case, server, Mode.TOOLS, User, messages=messages, **options) == User(**USER)
    sent = server.requests[0].body
    assert {name: sent.get(name) for name in named} == named
    assert [message["role"] for message in sent["messages"]] == ["system", "user"]


async def test_mistrals_calls_without_an_index_are_several(harness: Harness) -> None:
    calls = [
        {"id": f"c{at}", "function": {"name": type(each).__name__, "arguments": each.model_dump_json()}}
        for at, each in enumerate((User(**USER), Place(city="Bath")))
    ]
    chunk = {"id": "1", "model": "m", "object": "chat.completion.chunk", "created": 1}
    choice = {"index": 0, "delta": {"role": "assistant", "tool_calls": calls}, "finish_reason": "tool_calls"}
    with Scripted([events([{**chunk, "choices": [choice]}, "[DONE]"])]) as server:
        found = await run(harness, MISTRAL, server, Mode.PARALLEL_TOOLS, list[User | Place], stream=True)
    assert found == [User(**USER), Place(city="Bath")]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    ("case", "reason"), [(MISTRAL, "error"), (COHERE, "ERROR"), (COHERE, "TIMEOUT")], ids=["mistral", "cohere", "late"]
)
async def test_a_reply_that_ends_in_an_error(harness: Harness, case: Case, reason: str, streamed: bool) -> None:
    cut = content('{"name": "Jas').but(finish=reason)
    with Scripted([cut]) as server, pytest.raises(InstructorError) as failed:
        await run(harness, case, server, Mode.MD_JSON, User, stream=streamed, max_retries=0)
    assert isinstance(failed.value.__cause__, ProviderError)
    assert "ended with" in str(failed.value)
    assert isinstance(failed.value, IncompleteOutputException)  # whole or streamed: it was cut by the provider


async def test_mistrals_model_has_a_length_too(harness: Harness) -> None:
    cut = content('{"name": "Jas').but(finish="model_length")
    with Scripted([cut]) as server, pytest.raises(IncompleteOutputException, match="length limit"):
        await run(harness, MISTRAL, server, Mode.MD_JSON, User)
    assert len(server.requests) == 1


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_mistral_takes_no_text_beside_calls(harness: Harness, streamed: bool) -> None:
    wrong = tools({"tasks": [USER, {"name": "Jim"}]} if streamed else {"name": "Jason"}, text="Here it is:")
    right = answer({"tasks": [{"name": "Jim", "age": 5}]} if streamed else USER)
    with Scripted([wrong, right]) as server:
        found = await run(
            harness, MISTRAL, server, Mode.TOOLS, Iterable[User] if streamed else User, **_asking(streamed)
        )
    assert found == ([User(**USER), User(name="Jim", age=5)] if streamed else User(**USER))
    again = server.requests[1].body["messages"]
    assert [bool(each.get("content")) for each in again if each.get("tool_calls")] == [False]


def _asking(streamed: bool) -> dict[str, Any]:
    return {"max_retries": 1, **({"stream": True} if streamed else {})}


async def test_what_the_sdk_cannot_read_of_cohere_is_no_end(harness: Harness) -> None:
    arguments = ['{"tasks": [1, 2', 0, "3, 4]}"]
    start = {"id": "c", "type": "function", "function": {"name": "Iterableint", "arguments": ""}}
    told: list[Any] = [
        {"type": "message-start", "id": "m", "delta": {"message": {"role": "assistant"}}},
        {"type": "tool-call-start", "index": 0, "delta": {"message": {"tool_calls": start}}},
        *(
            {
                "type": "tool-call-delta",
                "index": 0,
                "delta": {"message": {"tool_calls": {"function": {"arguments": a}}}},
            }
            for a in arguments
        ),
        {"type": "message-end", "delta": {"finish_reason": "TOOL_CALL", "usage": None}},
    ]
    told[3] = '{"type": "tool-call-delta", "index": 0, "delta": {"message": {"tool_calls": {"func'
    with Scripted([events(told), answer({"tasks": [12, 23, 4]})]) as server:
        found = await run(harness, COHERE, server, Mode.TOOLS, Iterable[int], stream=True, max_retries=1)
    assert (found, len(server.requests)) == ([1, 12, 23, 4], 2)


async def test_an_event_of_coheres_has_a_bound(harness: Harness) -> None:
    with Scripted([answer({"tasks": [1, 2]}, chunk=1000)]) as server:
        options = {**COHERE.options(server), "max_event_bytes": 60}
        client: Any = instructor.from_provider("cohere/scripted", harness.is_async, **options)
        with pytest.raises(IncompleteOutputException, match="at most 60 bytes"):
            await harness.items(client.create_iterable([{"role": "user", "content": "x"}], int))
        assert COHERE.close is not None
        await COHERE.close(client.client)


async def test_a_function_in_the_place_of_coheres_own_is_called(harness: Harness) -> None:
    with Scripted([answer({"tasks": [1, 2]})]) as server:
        client: Any = instructor.from_provider("cohere/scripted", harness.is_async, **COHERE.options(server))
        sdk, seen = client.client, list[Any]()
        own = sdk.chat_stream

        def traced(**asked: Any) -> Any:
            seen.append(asked)
            return own(**asked)

        sdk.chat_stream = traced
        made = instructor.from_cohere(sdk).create(
            model="m", response_model=Iterable[int], stream=True, messages=[{"role": "user", "content": "x"}]
        )
        assert await harness.items(made) == [1, 2]
        assert len(seen) == 1
        assert COHERE.close is not None
        await COHERE.close(sdk)


async def test_coheres_first_clients_have_its_second_chat(harness: Harness) -> None:
    cohere = COHERE.row.load()
    with Scripted([answer(USER)]) as server:
        sdk = (cohere.AsyncClient if harness.is_async else cohere.Client)(**COHERE.options(server))
        client = instructor.from_cohere(sdk, model="m")
        found = await harness.result(client.create(User, [{"role": "user", "content": "x"}]))
        assert COHERE.close is not None
        await COHERE.close(sdk)
    assert found == User(**USER)
    assert server.requests[0].path == "/v2/chat"


async def test_coheres_tool_turns_have_only_what_it_knows(harness: Harness) -> None:
    with Scripted([tools({"name": 1}), answer(USER)]) as server:
        assert await run(harness, COHERE, server, Mode.TOOLS, User) == User(**USER)
    _, said, answered = server.requests[1].body["messages"]
    assert set(said) == {"role", "tool_calls"}
    assert set(answered) == {"role", "tool_call_id", "content"}
    assert said["tool_calls"][0]["id"] == answered["tool_call_id"]


async def test_cohere_cannot_be_held_to_a_choice(harness: Harness) -> None:
    with Scripted() as server, pytest.raises(ConfigurationError, match=r"Mode\.TOOLS"):
        await run(harness, COHERE, server, Mode.JSON_SCHEMA, Maybe)
    assert not server.requests


async def test_thoughts_are_no_answer(harness: Harness) -> None:
    thinking = {"type": "thinking", "thinking": "Not {this}."}
    message = {"role": "assistant", "content": [thinking, {"type": "text", "text": json.dumps(USER)}]}
    whole = {"id": "1", "finish_reason": "COMPLETE", "message": message}
    with Scripted([body(whole)]) as server:
        assert await run(harness, COHERE, server, Mode.JSON, User) == User(**USER)
