"""What is promised of every provider, for litellm: in an environment of its own, by `make test-litellm`."""

from __future__ import annotations

from typing import Any

import pytest

litellm = pytest.importorskip("litellm", reason="it asks for an older openai: make test-litellm")

import cases as folder  # noqa: E402 - what follows needs litellm

CASES = [
    folder.Case(
        name="litellm",
        model="openai/scripted",
        options=lambda server: {"api_base": server.base_url, "api_key": "none", "num_retries": 0},
        counts=("cached_tokens", "reasoning_tokens"),
        close=lambda client: None,
        impossible={"refusal": "litellm keeps nothing of a refusal that is streamed"},
    )
]
folder.__dict__["cases"] = lambda: CASES  # the contract's tests ask for all cases when they are imported

import instructor  # noqa: E402
from harness import Harness  # noqa: E402
from instructor.exceptions import ClientError, RefusalError  # noqa: E402
from instructor.testing import answer, refusal  # noqa: E402
from test_contract import *  # noqa: E402, F403 - its tests are run here

USER = {"name": "Jason", "age": 10}
ASKED = [{"role": "user", "content": "Jason is 10"}]

del test_every_provider_has_a_case  # noqa: F821 - the one that is about all the others


@pytest.mark.parametrize("form", ["function", "module", "router"])
async def test_functions_the_module_and_routers(harness: Harness, scripted_server: Any, form: str) -> None:
    server = scripted_server([answer(USER)])
    where = {"api_base": server.base_url, "api_key": "none"}
    router = litellm.Router([{"model_name": "mine", "litellm_params": {"model": "openai/scripted", **where}}])
    functions = {False: litellm.completion, True: litellm.acompletion}
    given = {"function": functions[harness.is_async], "module": litellm, "router": router}[form]
    options: dict[str, Any] = {"model": "mine"} if form == "router" else {"model": "openai/scripted", **where}
    client = instructor.from_litellm(given, async_client=harness.is_async, **options)
    assert isinstance(client, instructor.AsyncInstructor if harness.is_async else instructor.Instructor)
    user = await harness.result(client.create(User, ASKED))  # noqa: F405
    assert user == User(**USER)  # noqa: F405
    assert server.requests[0].body["model"] == "scripted"


async def test_a_refusal_that_comes_whole(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([refusal("I cannot do that.")])
    function = litellm.acompletion if harness.is_async else litellm.completion
    client = instructor.from_litellm(function, model="openai/scripted", api_base=server.base_url, api_key="none")
    with pytest.raises(RefusalError, match="I cannot do that"):
        await harness.result(client.create(User, ASKED))  # noqa: F405


def test_an_async_function_is_known() -> None:
    assert isinstance(instructor.from_litellm(litellm.acompletion), instructor.AsyncInstructor)
    assert isinstance(instructor.from_litellm(litellm.completion), instructor.Instructor)
    with pytest.raises(ClientError, match="other kind"):
        instructor.from_litellm(litellm.completion, async_client=True)
    with pytest.raises(ClientError, match=r"litellm\.completion"):
        instructor.from_litellm(object())


def test_the_models_name_is_kept() -> None:
    client = instructor.from_provider("litellm/openai/gpt-4o", temperature=0)
    assert client.kwargs == {"model": "openai/gpt-4o", "temperature": 0}
