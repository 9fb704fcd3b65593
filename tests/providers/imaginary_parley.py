"""An imaginary provider with a wire of its own, in one file: what such a file takes. `test_own_wire.py` drops it in.

Its SDK has `Client(key).talk(...)` and `AsyncClient(key).talk(...)`; its wire has turns with a speaker and words, one
form to be filled in, and streams of `{"piece": ...}` events, ended by `{"over": reason}`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from instructor.engine.call import Call, Delta, Finish, Json, Message, Reply, Request, ToolCall
from instructor.engine.ports import AsyncTransport, Transport
from instructor.exceptions import ProviderError, ResponseParsingError
from instructor.mode import Mode
from instructor.providers import Provider, Wire
from instructor.transport.function import AsyncFunction, Function
from instructor.usage import Usage

_OVER: dict[str, Finish] = {"done": "tool", "full": "length", "refused": "filter"}


class Parley:
    """The dialect: forms that are filled in."""

    def plain(self, messages: Sequence[Message], options: Mapping[str, Any]) -> Json:
        turns = [{"speaker": message["role"], "words": message["content"]} for message in messages]
        return {**options, "turns": turns}

    def encode(self, call: Call) -> Request:
        body = self.plain(call.messages, call.options)
        body["form"] = {"title": call.output.name, "help": call.output.description, "fields": call.output.schema}
        return Request({**body, "piecemeal": call.stream}, call.stream)

    def decode(self, wire: Json) -> Reply:
        if "over" not in wire:
            raise ResponseParsingError(f"The response does not say how it ended: {wire!r}")
        return Reply(calls=[ToolCall("form", "", wire["form"])], finish=_OVER[wire["over"]], usage=_usage(wire))

    def delta(self, event: Json) -> Sequence[Delta]:
        if "trouble" in event:
            raise ProviderError("parley", event["trouble"], event)
        if "piece" in event:
            return (Delta(0, event["piece"]),)
        return (Delta(finish=_OVER[event["over"]], usage=_usage(event)),)

    def correct(self, request: Request, reply: Reply, notes: str) -> Request:
        said = [{"speaker": "model", "words": call.arguments} for call in reply.calls]
        turns = [*request.body["turns"], *said, {"speaker": "user", "words": notes}]
        return Request({**request.body, "turns": turns}, request.stream)

    def assemble(self, reply: Reply, head: Json) -> Json:
        del head  # its events have nothing in common
        return {"form": reply.calls[0].arguments if reply.calls else "", "over": reply.finish}


def _usage(wire: Json) -> Usage | None:
    return Usage(*wire["tokens"]) if "tokens" in wire else None


def _blocking(client: Any) -> Transport:
    return Function(client.talk)


def _awaiting(client: Any) -> AsyncTransport:
    return AsyncFunction(client.talk)


PROVIDER = Provider(
    name="parley",
    sdk="parley_sdk",
    clients=("Client",),
    async_clients=("AsyncClient",),
    wire=Wire(Parley(), _blocking, _awaiting),
    modes=(Mode.TOOLS,),
    key="PARLEY_KEY",
)
