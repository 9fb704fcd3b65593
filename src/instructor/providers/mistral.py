from instructor.mode import Mode
from instructor.providers import Provider, Wire
from instructor.transport import mistral
from instructor.wire.mistral import Mistral

PROVIDER = Provider(
    name="mistral",
    sdk="mistralai.client",
    clients=("Mistral",),
    async_clients=("Mistral",),
    wire=Wire(Mistral("mistral"), mistral.blocking, mistral.awaiting),
    modes=Mistral.modes,
    legacy={Mode.MISTRAL_TOOLS: Mode.TOOLS, Mode.MISTRAL_STRUCTURED_OUTPUTS: Mode.JSON_SCHEMA},
    key="MISTRAL_API_KEY",
)
