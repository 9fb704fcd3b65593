"""An imaginary provider with a wire of its own, in one file: what such a file takes. `test_own_wire.py` drops it in.

Its SDK has `Client(key).talk(...)` and `AsyncClient(key).talk(...)`; its wire has turns with a speaker and words, one
form to be filled in, and streams of `{"piece": ...}` events, ended by `{"over": reason}`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from instructor.core.types import AsyncTransport, Call, Delta, Finish, Json, Message, Reply, Tool, Transport
from instructor.exceptions import ProviderError
from instructor.mode import Mode
from instructor.providers.base import Provider, Wire
from instructor.providers.dialect import BaseDialect, Counts, lacking
from instructor.providers.functions import AsyncFunction, Function


class Parley(BaseDialect):
    """The dialect: forms that are filled in."""

    modes = (Mode.TOOLS,)
    turns_key = "turns"
    finishes: Mapping[str, Finish] = {"done": "tool", "full": "length", "refused": "filter"}
    counts = Counts(("asked",), ("said",))

    def encode_plain(self, messages: Sequence[Message], options: Mapping[str, Any]) -> Json:
        return {**options, "turns": self.encode_messages(messages)}

    def encode_messages(self, messages: Sequence[Message], before: Sequence[Json] = ()) -> list[Json]:
        filled = [call for message in messages for call in message.get("tool_calls") or ()]
        forms = [{"speaker": "model", "words": call["function"]["arguments"]} for call in filled]
        said = [{"speaker": "user", "words": message["content"]} for message in messages if message["content"]]
        return [*before, *forms, *said]

    def tool(self, tool: Tool, strict: bool) -> Json:
        del strict  # no form is
        return {"title": tool.name, "help": tool.description, "fields": tool.schema}

    def choice(self, body: Json, call: Call) -> bool:
        del body
        return call.mode is Mode.TOOLS

    def ask_by_tool(self, body: Json, call: Call, tools: Sequence[Json]) -> None:
        body |= {"form": tools[0], "must": self.choice(body, call), "piecemeal": call.stream}

    def decode_response(self, wire: Json) -> Sequence[Delta]:
        if "over" not in wire:
            raise lacking("word about its end", wire)
        return (Delta(0, wire["form"]), *self.delta(wire))

    def delta(self, event: Json) -> Sequence[Delta]:
        if "trouble" in event:
            raise ProviderError(self.provider, event["trouble"], event)
        if "piece" in event:
            return (Delta(0, event["piece"]),)
        return (Delta(finish=self.finish(event["over"]), usage=self.counts.read(event.get("tokens"))),)

    def assemble(self, reply: Reply, head: Json) -> Json:
        del head  # its events have nothing in common
        return {"form": reply.calls[0].arguments if reply.calls else "", "over": self.reason(reply.finish)}


def sync_transport(client: Any) -> Transport:
    return Function(client.talk)


def async_transport(client: Any) -> AsyncTransport:
    return AsyncFunction(client.talk)


PROVIDER = Provider(
    name="parley",
    sdk="parley_sdk",
    clients=("Client",),
    async_clients=("AsyncClient",),
    wire=Wire(Parley("parley"), sync_transport, async_transport),
    modes=Parley.modes,
    key="PARLEY_KEY",
)
