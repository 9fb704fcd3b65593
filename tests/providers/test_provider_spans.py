"""Traces of every provider's requests, through its real SDK: the conventions' attributes are found on each wire."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from pydantic import BaseModel

import instructor
from cases import Case, cases
from harness import Harness
from instructor.observe.conventions import LATEST, OPT_IN
from instructor.testing import answer
from instructor.usage import Usage
from observed import Seen, identity, named, parent, watching

CASES = [case for case in cases() if not case.twin]
NAMES = {
    "azure_openai": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "google": "gcp.gemini",
    "mistral": "mistral_ai",
    "vertexai": "gcp.vertex_ai",
    "xai": "x_ai",
}
NO_ID = ("bedrock",)
"""Providers whose wire has no id of a response."""


class User(BaseModel):
    name: str


@pytest.fixture
async def staged(harness: Harness) -> AsyncIterator[Any]:
    async with AsyncExitStack() as made:

        def begun(case: Case, replies: Any) -> Any:
            server = made.enter_context(case.server(replies))
            options = case.options(server)
            client = instructor.from_provider(f"{case.name}/scripted", harness.is_async, **options)
            sdk = client.client
            made.push_async_callback(lambda: harness.result(case.close(sdk) if case.close else harness.close(sdk)))
            return client

        yield begun


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
async def test_requests_and_streams(case: Case, harness: Harness, staged: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OPT_IN, LATEST)
    usage = Usage(30, 7)
    client = staged(case, [answer({"name": "Ann"}, usage=usage), answer([{"name": "Ann"}] * 3, usage=usage)])
    asked: dict[str, Any] = {"messages": [{"role": "user", "content": "Extract."}], "response_model": User}
    with watching() as seen:
        seen.enable(content=True)
        await harness.result(client.create(**asked))
        await harness.items(client.create_iterable(**asked))
        check(case, seen)


def check(case: Case, seen: Seen) -> None:
    assert [parent(span) for span in seen.requests] == [identity(span) for span in seen.calls]
    for span in seen.requests:
        told = named(span)
        operation = "generate_content" if case.name in ("google", "vertexai") else "chat"
        assert span.name == f"{operation} scripted"
        assert told["gen_ai.provider.name"] == NAMES.get(case.name, case.name)
        assert told["gen_ai.request.model"] == "scripted"
        assert told["gen_ai.response.finish_reasons"][0] in ("stop", "tool_call")
        assert (told["gen_ai.usage.input_tokens"], told["gen_ai.usage.output_tokens"]) == (30, 7)
        assert span.status.is_unset
        (sent, *_) = json.loads(told["gen_ai.input.messages"])[-1]["parts"]
        assert sent == {"type": "text", "content": "Extract."}
        (came,) = json.loads(told["gen_ai.output.messages"])
        assert came["finish_reason"] == told["gen_ai.response.finish_reasons"][0]
        assert any("Ann" in part.get("arguments", part.get("content")) for part in came["parts"])
        if case.name not in NO_ID:
            assert told["gen_ai.response.id"]
    whole, streamed = map(named, seen.requests)
    assert "gen_ai.request.stream" not in whole
    assert streamed["gen_ai.request.stream"] is True
    assert streamed["gen_ai.response.time_to_first_chunk"] > 0
