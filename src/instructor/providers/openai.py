from instructor.providers import Provider
from instructor.transport.stainless import AsyncStainless, Stainless
from instructor.wire.openai_chat import OpenAIChat

PROVIDER = Provider(
    name="openai",
    sdk="openai",
    clients=("OpenAI", "AzureOpenAI"),
    async_clients=("AsyncOpenAI", "AsyncAzureOpenAI"),
    dialect=OpenAIChat("openai"),
    transport=Stainless,
    async_transport=AsyncStainless,
    modes=OpenAIChat.modes,
    key="OPENAI_API_KEY",
)
