from instructor.mode import Mode
from instructor.providers import OLDER, Provider, Wire
from instructor.wire.openai_chat import OpenAIChat

PROVIDER = Provider(
    name="fireworks",
    sdk="fireworks",
    clients=("Fireworks",),
    async_clients=("AsyncFireworks",),
    wire=Wire(OpenAIChat("fireworks", counts_streams=False)),  # its last chunk does so anyway
    modes=OpenAIChat.modes,
    legacy={**OLDER, Mode.FIREWORKS_TOOLS: Mode.TOOLS, Mode.FIREWORKS_JSON: Mode.MD_JSON},
    key="FIREWORKS_API_KEY",
)
