from collections.abc import Iterable

from instructor.engine.call import Delta, Json
from instructor.providers import NOT_STRICT, Provider, Wire
from instructor.wire.openai_chat import OpenAIChat


class _Chat(OpenAIChat):
    """Its streams tell of tokens under a key of their own."""

    def delta(self, event: Json) -> Iterable[Delta]:
        theirs = event.get("x_groq")
        return super().delta({**event, "usage": theirs.get("usage")} if theirs else event)


PROVIDER = Provider(
    name="groq",
    sdk="groq",
    clients=("Groq",),
    async_clients=("AsyncGroq",),
    wire=Wire(_Chat("groq", counts_streams=False)),
    **NOT_STRICT,
    key="GROQ_API_KEY",
)
