from instructor.mode import Mode
from instructor.providers import OLDER, Provider, Wire
from instructor.wire.openai_chat import OpenAIChat
from instructor.wire.openai_responses import OpenAIResponses

PROVIDER = Provider(
    name="openai",
    sdk="openai",
    clients=("OpenAI", "AzureOpenAI"),
    async_clients=("AsyncOpenAI", "AsyncAzureOpenAI"),
    wire=Wire(OpenAIChat("openai")),
    modes=(*OpenAIChat.modes, *OpenAIResponses.modes),
    other_wires={Mode.RESPONSES_TOOLS: Wire.at(OpenAIResponses("openai"), "responses.create")},
    same={Mode.RESPONSES_TOOLS_WITH_INBUILT_TOOLS: Mode.RESPONSES_TOOLS},
    legacy=OLDER,
    key="OPENAI_API_KEY",
)
