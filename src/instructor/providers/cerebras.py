from instructor.mode import Mode
from instructor.providers import OLDER, Provider, Wire
from instructor.wire.openai_chat import OpenAIChat

PROVIDER = Provider(
    name="cerebras",
    sdk="cerebras.cloud.sdk",
    clients=("Cerebras",),
    async_clients=("AsyncCerebras",),
    wire=Wire(OpenAIChat("cerebras")),
    modes=OpenAIChat.modes,
    legacy={**OLDER, Mode.CEREBRAS_TOOLS: Mode.TOOLS, Mode.CEREBRAS_JSON: Mode.MD_JSON},
    key="CEREBRAS_API_KEY",
    options={"warm_tcp_connection": False},  # else making a client sends a request
)
