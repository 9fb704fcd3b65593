from typing import Any

from instructor.mode import Mode
from instructor.providers import Provider, Wire, awaits
from instructor.transport import litellm
from instructor.wire.openai_chat import OpenAIChat


def _make(async_client: bool, options: dict[str, Any]) -> Any:  # noqa: ARG001 - all options are of the calls
    sdk = PROVIDER.load()
    return sdk.acompletion if async_client else sdk.completion


def _colours(client: Any) -> tuple[bool, ...]:
    """Take a function, or what has both of them: the module, a router."""
    if hasattr(client, "completion") and hasattr(client, "acompletion"):
        return (False, True)
    return (awaits(client),) if callable(client) else ()


PROVIDER = Provider(
    name="litellm",
    sdk="litellm",
    clients=("completion",),
    async_clients=("acompletion",),
    wire=Wire(OpenAIChat("litellm"), litellm.blocking, litellm.awaiting),
    modes=OpenAIChat.modes,
    legacy={Mode.FUNCTIONS: Mode.TOOLS, Mode.JSON_O1: Mode.JSON_SCHEMA},
    make=_make,
    colours=_colours,
)
