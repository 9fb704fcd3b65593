from functools import partial

from instructor.mode import Mode
from instructor.providers import OLDER, Provider, Wire
from instructor.transport.stainless import AsyncStainless, Stainless
from instructor.wire.openai_chat import OpenAIChat
from instructor.wire.openai_responses import OpenAIResponses

_PATH = "responses.create"

PROVIDER = Provider(
    name="openai",
    sdk="openai",
    clients=("OpenAI", "AzureOpenAI"),
    async_clients=("AsyncOpenAI", "AsyncAzureOpenAI"),
    wire=Wire(OpenAIChat("openai")),
    modes=(*OpenAIChat.modes, *OpenAIResponses.modes),
    other_wires={
        Mode.RESPONSES_TOOLS: Wire(
            OpenAIResponses("openai"), partial(Stainless, path=_PATH), partial(AsyncStainless, path=_PATH)
        )
    },
    legacy={**OLDER, Mode.RESPONSES_TOOLS_WITH_INBUILT_TOOLS: Mode.RESPONSES_TOOLS},
    key="OPENAI_API_KEY",
)
