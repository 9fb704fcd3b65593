from instructor.mode import Mode
from instructor.providers import Provider, Wire
from instructor.transport import cohere
from instructor.wire.cohere import Cohere

PROVIDER = Provider(
    name="cohere",
    sdk="cohere",
    clients=("ClientV2", "Client"),
    async_clients=("AsyncClientV2", "AsyncClient"),
    wire=Wire(Cohere("cohere"), cohere.blocking, cohere.awaiting),
    modes=Cohere.modes,
    legacy={Mode.COHERE_TOOLS: Mode.TOOLS, Mode.COHERE_JSON_SCHEMA: Mode.JSON_SCHEMA},
    key="CO_API_KEY",
)
