from instructor.local import sdk
from instructor.local.weights import NAMES, check
from instructor.providers import Provider, Wire
from instructor.wire.openai_chat import OpenAIChat

PROVIDER = Provider(
    name="local",
    sdk="instructor.local.sdk",
    clients=("Local",),
    async_clients=("AsyncLocal",),
    wire=Wire(OpenAIChat("local"), sdk.blocking, sdk.awaiting),
    modes=OpenAIChat.modes,
    model=NAMES[0],
    check=check,
)
