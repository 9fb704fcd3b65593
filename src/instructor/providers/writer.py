from typing import Any

from instructor.engine.call import Call, Json
from instructor.mode import Mode
from instructor.providers import Provider, Wire
from instructor.wire.openai_chat import OpenAIChat


class _Chat(OpenAIChat):
    """A choice of tools stands under `value`."""

    def choice(self, body: Json, call: Call) -> Any:
        return {"value": super().choice(body, call)}


PROVIDER = Provider(
    name="writer",
    sdk="writerai",
    clients=("Writer",),
    async_clients=("AsyncWriter",),
    wire=Wire.at(_Chat("writer"), "chat.chat"),
    modes=(Mode.TOOLS, Mode.JSON_SCHEMA, Mode.MD_JSON, Mode.PARALLEL_TOOLS),
    legacy={Mode.WRITER_TOOLS: Mode.TOOLS, Mode.WRITER_JSON: Mode.MD_JSON},
    key="WRITER_API_KEY",
)
