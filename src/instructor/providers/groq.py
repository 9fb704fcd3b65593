from instructor.providers import NOT_STRICT, Provider, Wire
from instructor.wire.openai_chat import OpenAIChat

PROVIDER = Provider(
    name="groq",
    sdk="groq",
    clients=("Groq",),
    async_clients=("AsyncGroq",),
    wire=Wire(OpenAIChat("groq", counts_streams=False)),
    **NOT_STRICT,
    key="GROQ_API_KEY",
)
