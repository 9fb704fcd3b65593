from instructor.mode import Mode
from instructor.providers import Provider, Wire
from instructor.wire.anthropic import Anthropic

_CLIENTS = ("Anthropic", "AnthropicBedrock", "AnthropicBedrockMantle", "AnthropicVertex")

PROVIDER = Provider(
    name="anthropic",
    sdk="anthropic",
    clients=_CLIENTS,
    async_clients=tuple(f"Async{name}" for name in _CLIENTS),
    wire=Wire.at(Anthropic("anthropic"), "messages.create"),
    variants={"beta": Wire.at(Anthropic("anthropic"), "beta.messages.create")},
    modes=Anthropic.modes,
    legacy={
        Mode.ANTHROPIC_TOOLS: Mode.TOOLS,
        Mode.ANTHROPIC_REASONING_TOOLS: Mode.TOOLS,
        Mode.ANTHROPIC_JSON: Mode.JSON,
        Mode.ANTHROPIC_PARALLEL_TOOLS: Mode.PARALLEL_TOOLS,
    },
    key="ANTHROPIC_API_KEY",
)
