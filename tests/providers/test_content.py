"""Content parts: every wire translates each kind, or refuses it by name before any request."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel

from harness import Harness
from instructor import providers
from instructor.core.types import Json
from instructor.exceptions import ConfigurationError
from instructor.providers.content import KINDS
from instructor.testing import Scripted, answer

PIXEL = base64.b64encode(b"pixel").decode()
PARTS: dict[str, Json] = {
    "text": {"type": "text", "text": "Look."},
    "image_url": {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
    "input_audio": {"type": "input_audio", "input_audio": {"data": PIXEL, "format": "wav"}},
    "file": {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PIXEL}"}},
}
REFUSED = {
    ("anthropic", "input_audio"),
    ("cohere", "input_audio"),
    ("cohere", "file"),
    ("xai", "input_audio"),
    ("xai", "file"),  # its files are uploaded before
}
"""What the wires' documentation does not have; chat-compatible servers decide themselves."""
OF_ANOTHER: dict[str, Json] = {
    "openai": {"inlineData": {"mimeType": "image/png", "data": PIXEL}},
    "anthropic": {"inlineData": {"mimeType": "image/png", "data": PIXEL}},
    "bedrock": {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
    "google": {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
    "mistral": {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
    "cohere": {"type": "input_image", "image_url": "https://example.com/a.png"},
    "xai": {"type": "input_image", "image_url": "https://example.com/a.png"},
}
WIRES = list(OF_ANOTHER)


class SDKPart(BaseModel):
    type: str = "text"
    text: str = "Look."


@dataclass
class DataPart:
    type: str = "text"
    text: str = "Look."


def written(provider: str, part: Any) -> str:
    """Return a request with one message that has this part, as the wire has it."""
    row = providers.load(provider)
    wires = {row.wire_for(mode).dialect for mode in row.modes}
    messages: list[Mapping[str, Any]] = [{"role": "user", "content": ["Read this.", part]}]
    return json.dumps([dialect.encode_plain(messages, {"model": "m"}) for dialect in wires], default=repr)


def test_the_union_is_what_is_tried() -> None:
    assert set(PARTS) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("provider", [name for name in providers.built_in() if name != "litellm"])
def test_each_kind_is_translated_or_refused(provider: str, kind: str) -> None:
    if (provider, kind) in REFUSED:
        with pytest.raises(ConfigurationError, match=rf"{provider} does not take .*{kind}.* It takes .*text") as raised:
            written(provider, PARTS[kind])
        assert PIXEL not in str(raised.value)
    else:
        body = written(provider, PARTS[kind])
        assert "Look." in body or PIXEL in body or "b'pixel'" in body


@pytest.mark.parametrize("provider", WIRES)
def test_a_part_of_another_wire_is_refused(provider: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{provider} does not take a content part of type"):
        written(provider, OF_ANOTHER[provider])


@pytest.mark.parametrize(
    "part",
    [SDKPart(), DataPart(), SimpleNamespace(to_dict=lambda: PARTS["text"])],
    ids=["model", "dataclass", "to_dict"],
)
@pytest.mark.parametrize("provider", WIRES)
def test_objects_of_an_sdk_are_parts(provider: str, part: Any) -> None:
    assert "Look." in written(provider, part)


@pytest.mark.parametrize("part", [7, object(), SDKPart], ids=["number", "object", "class"])
@pytest.mark.parametrize("provider", WIRES)
def test_what_is_no_part_is_an_error_of_ours(provider: str, part: Any) -> None:
    with pytest.raises(ConfigurationError, match="a text, a dict or an object of the provider's SDK, got"):
        written(provider, part)


@pytest.mark.parametrize(
    ("provider", "part", "expected"),
    [
        (
            "anthropic",
            {**PARTS["file"], "cache_control": {"type": "ephemeral"}},
            {
                "cache_control": {"type": "ephemeral"},
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": PIXEL},
                "title": "a.pdf",
            },
        ),
        (
            "anthropic",
            {"type": "file", "file": {"file_data": f"data:text/plain;base64,{PIXEL}"}},
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "pixel"}},
        ),
        (
            "anthropic",
            {"type": "file", "file": {"file_id": "f1"}},
            {"type": "document", "source": {"type": "file", "file_id": "f1"}},
        ),
        ("bedrock", PARTS["file"], {"document": {"format": "pdf", "name": "a", "source": {"bytes": b"pixel"}}}),
        ("bedrock", PARTS["input_audio"], {"audio": {"format": "wav", "source": {"bytes": b"pixel"}}}),
        ("google", PARTS["file"], {"inlineData": {"mimeType": "application/pdf", "data": PIXEL}}),
        ("mistral", PARTS["input_audio"], {"type": "input_audio", "input_audio": PIXEL}),
        (
            "mistral",
            PARTS["file"],
            {"type": "document_url", "document_url": f"data:application/pdf;base64,{PIXEL}", "document_name": "a.pdf"},
        ),
        ("xai", {"type": "file", "file": {"file_id": "f1"}}, {"file": {"file_id": "f1"}}),
    ],
)  # fmt: skip
def test_how_a_part_is_written(provider: str, part: Json, expected: Json) -> None:
    dialect: Any = providers.load(provider).wire.dialect
    assert dialect.encode_part(dict(part)) == expected


@pytest.mark.parametrize(
    ("provider", "part", "why"),
    [
        ("bedrock", {"type": "file", "file": {"file_data": f"data:video/mp4;base64,{PIXEL}"}}, "Files must be"),
        ("bedrock", {"type": "input_audio", "input_audio": {"data": "no base64!", "format": "wav"}}, "must be base64"),
        ("google", {"type": "file", "file": {"file_id": "f1"}}, "file_id"),
        ("anthropic", {"type": "file", "file": {}}, "must have file_data as a data URI"),
        ("anthropic", {"type": "file", "file": {"file_data": PIXEL}}, "must have file_data as a data URI"),
    ],
)
def test_why_a_part_is_refused(provider: str, part: Json, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        written(provider, part)


async def test_nothing_is_sent(harness: Harness) -> None:
    with Scripted([answer({"content": 5})]) as server:
        client = harness.client(server)
        with pytest.raises(ConfigurationError, match="openai does not take a content part of type 'image'"):
            await harness.create(client, int, messages=[{"role": "user", "content": [{"type": "image", "source": {}}]}])
        assert server.requests == []
        sound = [{"role": "user", "content": [PARTS["input_audio"], SDKPart()]}]
        assert await harness.create(client, int, messages=sound) == 5
        assert server.requests[0].body["messages"][0]["content"] == [PARTS["input_audio"], PARTS["text"]]
