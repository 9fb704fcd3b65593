from functools import cache

from instructor.mode import Mode
from instructor.providers.base import Provider, Wire
from instructor.providers.openai.chat import OLDER, OpenAIChat


@cache
def _responses() -> Wire:
    """Return the wire of the Responses API. It is imported for clients of its mode only."""
    from instructor.providers.openai.responses import OpenAIResponses

    return Wire.at(OpenAIResponses("openai"), "responses.create")


PROVIDER = Provider(
    name="openai",
    sdk="openai",
    clients=("OpenAI", "AzureOpenAI"),
    async_clients=("AsyncOpenAI", "AsyncAzureOpenAI"),
    wire=Wire(OpenAIChat("openai", is_openai=True)),
    modes=(*OpenAIChat.modes, Mode.RESPONSES_TOOLS),
    other_wires={Mode.RESPONSES_TOOLS: _responses},
    same={Mode.RESPONSES_TOOLS_WITH_INBUILT_TOOLS: Mode.RESPONSES_TOOLS},
    legacy=OLDER,
    key="OPENAI_API_KEY",
)

AZURE = Provider(
    name="azure_openai",
    sdk="openai",
    extra="openai",
    clients=("AzureOpenAI",),
    async_clients=("AsyncAzureOpenAI",),
    wire=Wire(OpenAIChat("azure_openai", is_openai=True)),
    modes=PROVIDER.modes,
    other_wires=PROVIDER.other_wires,
    same=PROVIDER.same,
    legacy=PROVIDER.legacy,
    key="AZURE_OPENAI_API_KEY",
    options={"api_version": "2024-10-21"},
)
