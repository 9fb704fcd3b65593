"""What may be given as `messages`: whatever can be iterated, read once, and sent again by a re-ask."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import BaseModel

import instructor
from harness import Harness
from instructor import Mode
from instructor.exceptions import ConfigurationError
from instructor.testing import answer, content, tools


class User(BaseModel):
    name: str
    age: int


ANN = {"name": "Ann", "age": 3}
SAID: list[dict[str, Any]] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Extract."}]


class Turns:
    """Can be iterated, and no more."""

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(SAID)


KINDS: dict[str, Callable[[], Any]] = {
    "generator": lambda: (message for message in SAID),
    "iterator": lambda: iter(SAID),
    "map": lambda: map(dict, SAID),
    "tuple": lambda: tuple(SAID),
    "deque": lambda: deque(SAID),
    "values": lambda: dict(enumerate(SAID)).values(),
    "object": Turns,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", [Mode.TOOLS, Mode.MD_JSON])
async def test_any_iterable(harness: Harness, scripted_server: Any, kind: str, mode: Mode) -> None:
    made = KINDS[kind]
    answers = [answer(ANN), answer({"tasks": [ANN]}), answer({"tasks": [ANN]}), answer(ANN), answer(ANN), content("Hi")]
    server = scripted_server(answers)
    client = harness.client(server, mode)
    assert (await harness.create(client, User, messages=made())).name == "Ann"
    assert len(await harness.create(client, list[User], messages=made())) == 1
    assert len(await harness.items(client.create_iterable(messages=made(), response_model=User, model="m"))) == 1
    assert (await harness.items(client.create_partial(User, made(), model="m")))[-1].name == "Ann"
    user, _ = await harness.result(client.create_with_completion(made(), User, model="m"))
    assert user.name == "Ann"
    await harness.create(client, None, messages=made())
    for request in server.requests:
        assert request.messages[-1]["content"].startswith("Extract.")
        assert request.messages[0]["content"].startswith("Be brief.")
    assert server.requests[-1].body["messages"] == SAID


async def test_a_re_ask_sends_them_again(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer({"name": "Ann"}), answer(ANN)])
    parts = ({"type": "text", "text": text} for text in ("one", "two"))
    messages = (message for message in [*SAID[:1], {"role": "user", "content": parts}])
    await harness.create(harness.client(server, Mode.JSON), User, messages=messages, stop=iter(["END"]))
    first, second = server.requests
    assert [part["text"] for part in first.messages[1]["content"]] == ["one", "two"]
    assert second.messages[: len(first.messages)] == first.messages
    assert first.body["stop"] == second.body["stop"] == ["END"]


async def test_a_continuation_sends_them_again(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([tools({"tasks": [ANN, ANN]}, finish="length", cut_after=9), tools({"tasks": [ANN]})])
    stream = harness.client(server).create_iterable(messages=iter(SAID), response_model=User, model="m")
    assert len(await harness.items(stream)) >= 1
    first, second = server.requests
    assert second.messages[:2] == first.messages == SAID


async def test_a_template_in_a_generator(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer(ANN)])
    messages = ({"role": "user", "content": text} for text in ["{{ who }}"])
    await harness.create(harness.client(server), User, messages=messages, context={"who": "Ann"})
    assert server.requests[0].messages[-1]["content"] == "Ann"


async def test_patched_clients_too(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer({"name": "Ann"}), answer(ANN)])
    sdk = instructor.patch(harness.sdk(server))
    user = await harness.result(
        sdk.chat.completions.create(response_model=User, messages=(each for each in SAID), model="m")
    )
    assert user == User(**ANN)
    assert server.requests[1].messages[:2] == server.requests[0].messages[:2] == SAID


async def test_responses_too(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer({"name": "Ann"}), answer(ANN)] * 2)
    client = harness.client(server, Mode.RESPONSES_TOOLS)
    givens: list[dict[str, Any]] = [{"messages": iter(SAID)}, {"input": iter(SAID)}]
    for given in givens:
        await harness.result(client.create(User, model="m", **given))
        first, second = (request.body["input"] for request in server.requests[-2:])
        assert second[: len(first)] == first
        assert "Extract." in str(first)


async def test_texts_for_google_too(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer(ANN)])
    options: Any = {"api_key": "none", "http_options": {"base_url": server.root}}
    client = instructor.from_provider("google/m", harness.is_async, **options)
    contents: Any = (text for text in ("one", "two"))
    await harness.result(client.create(User, contents))
    assert [turn["parts"][0]["text"] for turn in server.requests[0].body["contents"]][:2] == ["one", "two"]


async def _later() -> Any:
    yield SAID[0]


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("Extract.", "[{'role': 'user', 'content': 'Extract.'}]"),
        (b"Extract.", "'role': 'user'"),
        (SAID[1], "messages=[{'role': 'user', 'content': 'Extract.'}]"),
        ({"a": 1}, "'role': 'user'"),
        (None, "'role': 'user'"),
        (7, "'role': 'user'"),
        (User(**ANN), "'role': 'user'"),
        (User, "'role': 'user'"),
        (_later, "'role': 'user'"),
        (iter, "got 'a'"),
        ({"Extract."}, "got 'Extract.'"),
        (map, "got None"),
    ],
)
async def test_what_is_no_list_of_messages(harness: Harness, scripted_server: Any, wrong: Any, hint: str) -> None:
    server = scripted_server([])
    fresh: dict[Any, Any] = {iter: (text for text in "ab"), map: iter([None])}
    wrong = fresh[wrong] if wrong in (iter, map) else wrong
    with pytest.raises(ConfigurationError) as raised:
        await harness.create(harness.client(server), User, messages=wrong)
    assert hint in str(raised.value)
    assert server.requests == []
