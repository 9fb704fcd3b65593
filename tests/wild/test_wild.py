"""The habits of real servers, as data: each line of `<wire>.jsonl` is played by the wire's own SDK over raw bytes.

`docs/wild.md` says what a line holds, and how to add one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import instructor
from harness import Harness
from instructor import Mode
from instructor.testing import Asked
from instructor.testing.loopback import Link, Loopback

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
KEYS = {
    "name", "servers", "mode", "response_model", "stream", "events", "bytes", "body", "content_type", "then", "right",
    "report", "requests", "asks", "max_retries", "options",
}  # fmt: skip
CUTTINGS = ("whole", "each byte", "each line")
_BYTES, _LINE = re.compile(rb".", re.DOTALL), re.compile(rb"[^\n]*\n|[^\n]+")


class User(BaseModel):
    name: str
    age: int | None = None
    tags: list[str] = []


class Weather(BaseModel):
    city: str
    unit: str = "C"


def _chat(root: str) -> dict[str, Any]:
    return {"base_url": f"{root}/v1", "api_key": "none", "max_retries": 0}


WIRES: Mapping[str, tuple[str, Any]] = {
    "openai": ("openai", _chat),
    "responses": ("openai", _chat),
    "anthropic": ("anthropic", lambda root: {"base_url": root, "api_key": "none", "max_retries": 0}),
    "google": ("google", lambda root: {"api_key": "none", "http_options": {"base_url": root}}),
    "mistral": ("mistral", lambda root: {"api_key": "none", "server_url": root}),
    "cohere": ("cohere", lambda root: {"api_key": "none", "base_url": root, "max_retries": 0}),
}
"""The provider whose SDK speaks a wire, and its client's arguments for a server at a root."""


@dataclass(frozen=True)
class Oddity:
    """One line of the table."""

    wire: str
    name: str
    line: Mapping[str, Any]

    @property
    def replies(self) -> list[tuple[str, bytes]]:
        then = [reply if isinstance(reply, dict) else {"events": reply} for reply in self.line.get("then", ())]
        return [_written(reply, stream=self.line["stream"]) for reply in (self.line, *then)]


def _oddities() -> Iterator[Oddity]:
    for path in sorted(HERE.glob("*.jsonl")):
        for text in path.read_text("utf-8").splitlines():
            line = json.loads(text)
            yield Oddity(path.stem, line["name"], line)


def _written(reply: Mapping[str, Any], *, stream: bool) -> tuple[str, bytes]:
    """Return the content type and the bytes of a reply."""
    if "events" in reply:
        lines = [each + "\n" if isinstance(each, str) else f"data: {json.dumps(each)}\n\n" for each in reply["events"]]
        return reply.get("content_type", "text/event-stream"), "".join(lines).encode()
    kind = "text/event-stream" if stream and "bytes" in reply else "application/json"
    text = reply["bytes"] if "bytes" in reply else json.dumps(reply["body"])
    return reply.get("content_type", kind), text.encode()


def _cut(data: bytes, cutting: str) -> list[bytes]:
    if cutting == "whole":
        return [data]
    return (_BYTES if cutting == "each byte" else _LINE).findall(data)


class Bytes(Loopback):
    """Answer each request with the next body, written in pieces."""

    def __init__(self) -> None:
        super().__init__()
        self.replies: list[tuple[str, list[bytes]]] = []
        self.requests: list[Asked] = []

    def serve(self, link: Link, asked: Asked) -> bool:
        self.requests.append(asked)
        if not self.replies:
            link.head(500, {"content-type": "application/json"}, 2)
            link.write(b"{}")
            return False
        kind, pieces = self.replies.pop(0)
        link.head(200, {"content-type": kind}, None)
        for piece in pieces:
            link.write(piece)
        link.end()
        return True


@pytest.fixture
def server() -> Iterator[Bytes]:
    started = Bytes()
    started.start()
    yield started
    started.stop()
    assert started.problems == []


ODDITIES = list(_oddities())


@pytest.mark.parametrize("oddity", ODDITIES, ids=[f"{each.wire}-{each.name}" for each in ODDITIES])
async def test_oddity(oddity: Oddity, harness: Harness, server: Bytes) -> None:
    line = oddity.line
    client = _client(oddity.wire, harness, server, Mode[line["mode"]])
    for cutting in CUTTINGS if line["stream"] else CUTTINGS[:1]:
        server.requests = []
        server.replies = [(kind, _cut(data, cutting)) for kind, data in oddity.replies]
        found = await _played(line, harness, client)
        right, said = line["right"], found.pop("said")
        wanted = {
            **{key: right[key] for key in ("items", "value") if key in right},
            "report": line.get("report", {}),
            "requests": line.get("requests", 1 + len(line.get("then", ()))),
        }
        found = {key: found[key] for key in wanted if key in found}
        found["report"], found["requests"] = _same_parts(found["report"], wanted["report"]), len(server.requests)
        for words in (*_listed(right.get("says", ())), *_listed(right.get("error", ()))):
            assert words in said, (cutting, words, said)
        assert bool(said) == ("error" in right), (cutting, said)
        assert found == wanted, (cutting, said)
        for words in line.get("asks", ()):
            assert words in server.requests[-1].raw.decode(), (cutting, words)


def _client(wire: str, harness: Harness, server: Bytes, mode: Mode) -> Any:
    provider, options = WIRES[wire]
    client = instructor.from_provider(
        f"{provider}/scripted", async_client=harness.is_async, mode=mode, **options(server.root)
    )
    if hasattr(client.client, "close") or hasattr(client.client, "aclose"):
        harness.kept(client.client)
    else:
        harness.kept(_Closing(client.client, harness))
    return client


class _Closing:
    """Closes an SDK's client that has no name for that, but is a context."""

    def __init__(self, client: Any, harness: Harness) -> None:
        self._client, self._harness = client, harness

    async def aclose(self) -> None:
        for kind in ("__exit__", "__aexit__"):
            if hasattr(self._client, kind):
                await self._harness.result(getattr(self._client, kind)(None, None, None))


async def _played(line: Mapping[str, Any], harness: Harness, client: Any) -> dict[str, Any]:
    """Make the call of a line; return its items or its value, its report, and what an error said."""
    kind = line["response_model"]
    many = kind.startswith("Iterable[")
    names = {"Iterable": Iterable, "User": User, "Weather": Weather}
    asked: dict[str, Any] = {
        "response_model": eval(kind, names),
        "messages": [{"role": "user", "content": "Extract."}],
        "max_retries": line.get("max_retries", len(line.get("then", ()))),
        **line.get("options", {}),
    }
    items: list[Any] = []
    said, report = "", None
    try:
        if line["stream"]:
            ask = client.create if many else client.create_partial
            stream = await harness.result(ask(**asked, **({"stream": True} if many else {})))
            try:
                await harness.collect(stream, items)
            finally:
                report = stream.report
        else:
            value = await harness.result(client.create(**asked))
            report, items = value.report, list(value) if many else [value]
    except Exception as error:
        said = _told(error)
        report = report or getattr(error, "report", None)
        if not line["stream"]:
            items = getattr(error, "items", [])
    plain = [each.model_dump(exclude_defaults=True) if isinstance(each, BaseModel) else each for each in items]
    return {"report": report, "said": said, "items": plain, **({"value": plain[-1]} if plain else {})}


def _told(error: BaseException | None) -> str:
    """Return the classes and the words of an error and of its causes."""
    said = ""
    while error is not None:
        said += f"{[kind.__name__ for kind in type(error).__mro__]} {error}\n"
        error = error.__cause__
    return said


def _listed(words: Any) -> Sequence[str]:
    return [words] if isinstance(words, str) else words


def _same_parts(thing: Any, wanted: Any) -> Any:
    """Return those parts of a thing that are wanted of it."""
    if not isinstance(wanted, dict):
        return thing
    return {key: _same_parts(getattr(thing, key, None), part) for key, part in wanted.items()}


def test_every_line_is_well_formed() -> None:
    assert len({(each.wire, each.name) for each in ODDITIES}) == len(ODDITIES)
    for each in ODDITIES:
        line = each.line
        assert each.wire in WIRES, each.wire
        assert set(line) <= KEYS, (each.name, set(line) - KEYS)
        assert line["servers"], each.name
        assert Mode[line["mode"]], each.name
        assert len({"events", "bytes", "body"} & set(line)) == 1, each.name
        assert len({"items", "value", "error"} & set(line["right"])) >= 1, each.name
        assert isinstance(line["stream"], bool), each.name


def test_the_document_lists_the_servers_whose_habits_are_known() -> None:
    document = (HERE.parent.parent / "docs" / "wild.md").read_text("utf-8")
    wanted = {f"{name}: {count}" for name, count in _habits().items()}
    found = set(re.findall(r"^- (.+: \d+)$", document, re.MULTILINE))
    assert found == wanted, f"write in docs/wild.md: {sorted(wanted - found)}, not {sorted(found - wanted)}"


def _habits() -> dict[str, int]:
    """Return how many lines each server has."""
    counts: dict[str, int] = {}
    for each in ODDITIES:
        for server in each.line["servers"]:
            counts[server] = counts.get(server, 0) + 1
    return counts
