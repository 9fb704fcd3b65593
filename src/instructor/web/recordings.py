"""Recordings as models: each request of a run is answered by the next reply of the file. Nothing is paid.

A recording also says what was asked, so that the page can begin with it. With another schema the same replies are read
anew.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from instructor import providers
from instructor.binding import Binding
from instructor.core.types import Arguments, AsyncConnection, Json, Received, Request
from instructor.exceptions import ConfigurationError, ProviderError
from instructor.hooks import Hooks
from instructor.mode import Mode
from instructor.parsing.sse import EventStream
from instructor.schema.json_schema import definition
from instructor.testing.recording import FIRST, Exchange, exchanges
from instructor.testing.replies import Reply

_WIRES = (
    ("/chat/completions", "openai", None),
    ("/responses", "openai", Mode.RESPONSES_TOOLS),
    ("/messages", "anthropic", None),
    ("GenerateContent", "google", None),
    ("/chat", "cohere", None),
)
"""How the paths end that a provider is asked at, the provider, and the mode if there is only one."""
_SCHEMAS = ("parameters", "input_schema", "parameters_json_schema", "json_schema", "schema", "response_json_schema")
"""Where a request has the schema of its answer."""


class Asked(NamedTuple):
    """What a recording was asked for, as far as its first request says it."""

    text: str
    schema: Json | None
    """The JSON Schema of an item, or of the answer."""
    many: bool


class Recording:
    """A file with a provider's replies.

    Raises:
        ConfigurationError: It is not a recording, or its provider is not known.
    """

    def __init__(self, path: Path) -> None:
        self.name = f"recording/{path.name}"
        """What stands for a model."""
        try:
            self._exchanges = exchanges(path)
        except (ValueError, LookupError) as error:
            raise ConfigurationError(f"{str(path)!r} cannot be read: {error}") from error
        if not self._exchanges:
            raise ConfigurationError(f"The recording {str(path)!r} has no replies.")
        first = self._exchanges[0]
        target = first.target.partition("?")[0]
        for ending, provider, mode in _WIRES:
            if target.endswith(ending):
                self._provider, self._mode = provider, mode or _mode(first.body)
                break
        else:
            known = ", ".join(ending for ending, _, _ in _WIRES)
            raise ConfigurationError(f"The wire of {target!r} is not known: its path must end in one of {known}.")
        self.asked = _asked(first.body)

    def binding(self) -> Binding:
        """Return a client that is answered by the recording, from its first reply on."""
        transport = _RecordedTransport(self._provider, self._exchanges)
        model = str(self._exchanges[0].body.get("model", "recorded"))
        dialect = providers.load(self._provider).wire_for(self._mode).dialect
        return Binding(None, self._provider, self._mode, dialect, transport, True, {"model": model}, Hooks())


def is_recording(path: Path) -> bool:
    """Return whether a file begins as a recording does."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(FIRST)) == FIRST.encode()


class _RecordedTransport:
    """Answers each request with the next reply."""

    def __init__(self, provider: str, found: Sequence[Exchange]) -> None:
        self._provider = provider
        self._replies = iter([exchange.reply for exchange in found])

    @property
    def create(self) -> Callable[..., Awaitable[Any]]:
        raise ConfigurationError("A recording answers calls with a response_model only.")

    @property
    def arguments(self) -> Arguments | None:
        return None

    def response(self, wire: Json) -> Any:
        return wire

    async def send(self, request: Request) -> Received:
        del request
        raise ConfigurationError("A recording answers streamed calls only.")

    async def open(self, request: Request) -> AsyncConnection:
        del request
        reply = next(self._replies, None)
        if reply is None:
            raise ConfigurationError("The recording ends here, and one more reply is needed.")
        if reply.status >= 400:
            shown = bytes(reply.body or b"").decode("utf-8", "replace") if isinstance(reply.body, bytes) else reply.body
            raise ProviderError(self._provider, f"status {reply.status}: {shown}")
        if reply.events is None:
            raise ConfigurationError("This reply of the recording came whole: only streamed replies can be shown.")
        return _RecordedConnection(self._provider, reply)


class _RecordedConnection:
    headers: Mapping[str, str]

    def __init__(self, provider: str, reply: Reply) -> None:
        self.headers = reply.headers
        self._provider, self._breaks = provider, bool(reply.faults)
        self._stream = EventStream()
        self._frames = iter(reply.events or ())

    async def read(self) -> Sequence[Json | bytes] | None:
        for frame in self._frames:
            assert isinstance(frame, bytes)
            if events := self._stream.feed(frame):
                return events
        if self._breaks:
            raise ProviderError(self._provider, "the connection broke off, as when it was recorded")
        return self._stream.end() or None

    async def close(self) -> None:
        """There is nothing to close."""


def _mode(body: Json) -> Mode:
    """Return the mode that a request was written in."""
    if body.get("tools") or (body.get("config") or {}).get("tools"):
        return Mode.TOOLS
    form = str(body.get("response_format") or body.get("output_format") or body.get("output_config") or "")
    return Mode.JSON_SCHEMA if "schema" in form else Mode.JSON if form else Mode.MD_JSON


def _asked(body: Json) -> Asked:
    turns = body.get("messages") or body.get("input") or body.get("contents") or ()
    texts = [_text(turn) for turn in turns if isinstance(turn, dict) and turn.get("role", "user") == "user"]
    schema = _schema(body)
    properties = (schema or {}).get("properties", {})
    items = properties.get("tasks", {}).get("items") if list(properties) == ["tasks"] else None
    if schema is None or items is None:
        return Asked(texts[0] if texts else "", schema, False)
    definitions = schema.get("$defs", {})
    item = {**definition(items, schema), **({"$defs": definitions} if definitions else {})}
    return Asked(texts[0] if texts else "", item, True)


def _text(turn: Json) -> str:
    content: Any = turn.get("content", turn.get("parts", ""))
    if isinstance(content, str):
        return content
    return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))


def _schema(value: Any) -> Json | None:
    """Return the first schema of an object in the tools, or in the form, of a request."""
    if isinstance(value, list):
        return next((found for each in value if (found := _schema(each)) is not None), None)
    if not isinstance(value, dict):
        return None
    for name, part in value.items():
        if name in _SCHEMAS and isinstance(part, dict) and "properties" in part:
            return part
        if name not in ("messages", "input", "contents", "properties") and (found := _schema(part)) is not None:
            return found
    return None
