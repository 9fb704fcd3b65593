from instructor.providers import Provider, Wire
from instructor.wire.openai_chat import OpenAIChat

PROVIDER = Provider(
    name="azure_openai",
    sdk="openai",
    extra="openai",
    clients=("AzureOpenAI",),
    async_clients=("AsyncAzureOpenAI",),
    wire=Wire(OpenAIChat("azure_openai")),
    modes=OpenAIChat.modes,
    key="AZURE_OPENAI_API_KEY",
    options={"api_version": "2024-10-21"},
)
