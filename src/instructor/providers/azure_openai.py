from instructor.providers import Provider
from instructor.transport.stainless import AsyncStainless, Stainless
from instructor.wire.openai_chat import OpenAIChat

PROVIDER = Provider(
    name="azure_openai",
    sdk="openai",
    extra="openai",
    clients=("AzureOpenAI",),
    async_clients=("AsyncAzureOpenAI",),
    dialect=OpenAIChat("azure_openai"),
    transport=Stainless,
    async_transport=AsyncStainless,
    modes=OpenAIChat.modes,
    key="AZURE_OPENAI_API_KEY",
    options={"api_version": "2024-10-21"},
)
