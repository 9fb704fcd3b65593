from instructor.providers import Provider, Wire
from instructor.providers.openai import PROVIDER as OPENAI
from instructor.wire.openai_chat import OpenAIChat

PROVIDER = Provider(
    name="azure_openai",
    sdk="openai",
    extra="openai",
    clients=("AzureOpenAI",),
    async_clients=("AsyncAzureOpenAI",),
    wire=Wire(OpenAIChat("azure_openai")),
    modes=OPENAI.modes,
    other_wires=OPENAI.other_wires,
    same=OPENAI.same,
    legacy=OPENAI.legacy,
    key="AZURE_OPENAI_API_KEY",
    options={"api_version": "2024-10-21"},
)
