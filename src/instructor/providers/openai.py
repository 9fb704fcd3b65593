from instructor.mode import Mode
from instructor.providers import Provider, Wire
from instructor.wire.openai_chat import OpenAIChat

PROVIDER = Provider(
    name="openai",
    sdk="openai",
    clients=("OpenAI", "AzureOpenAI"),
    async_clients=("AsyncOpenAI", "AsyncAzureOpenAI"),
    wire=Wire(OpenAIChat("openai")),
    modes=OpenAIChat.modes,
    legacy={Mode.FUNCTIONS: Mode.TOOLS, Mode.JSON_O1: Mode.JSON_SCHEMA},
    key="OPENAI_API_KEY",
)
