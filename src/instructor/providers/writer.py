from functools import partial

from instructor.engine.call import Call, Request
from instructor.mode import Mode
from instructor.providers import Provider, Wire
from instructor.transport.stainless import AsyncStainless, Stainless
from instructor.wire.openai_chat import OpenAIChat

_PATH = "chat.chat"


class _Chat(OpenAIChat):
    """A choice of tools stands under `value`."""

    def encode(self, call: Call) -> Request:
        request = super().encode(call)
        choice = request.body.get("tool_choice")
        if choice is None or "value" in choice:
            return request
        return Request({**request.body, "tool_choice": {"value": choice}}, request.stream)


PROVIDER = Provider(
    name="writer",
    sdk="writerai",
    clients=("Writer",),
    async_clients=("AsyncWriter",),
    wire=Wire(_Chat("writer"), partial(Stainless, path=_PATH), partial(AsyncStainless, path=_PATH)),
    modes=(Mode.TOOLS, Mode.JSON_SCHEMA, Mode.MD_JSON, Mode.PARALLEL_TOOLS),
    legacy={Mode.WRITER_TOOLS: Mode.TOOLS, Mode.WRITER_JSON: Mode.MD_JSON},
    key="WRITER_API_KEY",
)
