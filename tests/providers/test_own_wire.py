"""A provider of another package, with a wire of its own: what it needs is one file and an entry point."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel

import instructor
from harness import Harness
from instructor import providers
from instructor.exceptions import ConfigurationError

FILE = Path(__file__).with_name("imaginary_parley.py")
FULL = '{"tasks": [{"n": 1}, {"n": 2}, {"n": "three"}, {"n": 4'
REST = '{"tasks": [{"n": 4}]}'
MENDED = '{"tasks": [{"n": 3}]}'


class Count(BaseModel):
    n: int


def events(text: str, over: str) -> Iterator[dict[str, Any]]:
    """Stream an answer in the imaginary wire's events."""
    for at in range(0, len(text), 3):
        yield {"piece": text[at : at + 3]}
    yield {"over": over, "tokens": {"asked": 10, "said": len(text)}}


def installed(folder: Path, entry_points: str) -> None:
    """Put a package into a folder as pip would."""
    info = folder / "parley-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: parley\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{providers.ENTRY_POINTS}]\n{entry_points}")


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """Install the provider's file and its SDK; give the requests that the SDK is called with."""
    requests: list[dict[str, Any]] = []
    answers = iter([(FULL, "full"), (REST, "done"), (MENDED, "done")])

    class Client:
        def __init__(self, api_key: str) -> None:
            self.key = api_key

        def talk(self, **body: Any) -> Any:
            requests.append(body)
            text, over = next(answers)
            return (
                events(text, over)
                if body["piecemeal"]
                else {"form": text, "over": over, "tokens": {"asked": 10, "said": len(text)}}
            )

    class AsyncClient(Client):
        async def talk(self, **body: Any) -> Any:
            answer = super().talk(**body)

            async def awaited() -> AsyncIterator[Any]:
                for event in answer:
                    yield event

            return awaited() if body["piecemeal"] else answer

    sdk = ModuleType("parley_sdk")
    vars(sdk).update(Client=Client, AsyncClient=AsyncClient)
    monkeypatch.setitem(sys.modules, "parley_sdk", sdk)
    (tmp_path / "parley.py").write_text(FILE.read_text())
    installed(tmp_path, "parley = parley:PROVIDER\nwrong = parley:Parley\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PARLEY_KEY", "theirs")
    yield requests
    sys.modules.pop("parley", None)


def test_it_is_one_file_of_150_lines_at_most() -> None:
    assert len(FILE.read_text().splitlines()) <= 150


@pytest.mark.parametrize("stream", [True, False])
async def test_it_streams_repairs_and_continues(harness: Harness, asked: list[dict[str, Any]], stream: bool) -> None:
    client = instructor.from_provider("parley/large", harness.is_async)
    messages = [{"role": "user", "content": "Count."}]
    if stream:
        found = client.create_iterable(messages=messages, response_model=Count)
        counts = await harness.items(found)
    else:
        found = counts = await harness.result(client.create(response_model=list[Count], messages=messages))
    assert [count.n for count in counts] == [1, 2, 4, 3]
    assert (found.report.repaired, found.report.continuations, found.report.complete) == (1, 1, True)
    assert found.report.usage.output_tokens == len(FULL + REST + MENDED)
    assert [len(body["turns"]) for body in asked] == [1, 3, 3]
    assert asked[0]["model"] == "large"
    assert asked[0]["form"]["title"] == "IterableCount"


@pytest.mark.usefixtures("asked")
def test_it_is_known_by_its_name() -> None:
    assert "parley" in providers.names()
    assert providers.is_known("parley")
    assert "parley" not in providers.built_in()


@pytest.mark.usefixtures("asked")
def test_an_entry_point_that_is_no_provider_is_told() -> None:
    with pytest.raises(
        ConfigurationError, match=r"'wrong' \(parley:Parley\) must be an instructor.providers.base.Provider"
    ):
        providers.load("wrong")
