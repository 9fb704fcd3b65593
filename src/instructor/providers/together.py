from instructor.providers import NOT_STRICT, Provider, Wire
from instructor.wire.openai_chat import OpenAIChat

PROVIDER = Provider(
    name="together",
    sdk="together",
    clients=("Together", "openai:OpenAI"),
    async_clients=("AsyncTogether", "openai:AsyncOpenAI"),
    wire=Wire(OpenAIChat("together", counts_streams=False)),  # its last chunk does so anyway
    **NOT_STRICT,
    key="TOGETHER_API_KEY",
)
