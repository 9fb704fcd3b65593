from instructor.mode import Mode
from instructor.providers.base import Provider, Wire
from instructor.providers.xai import transport
from instructor.providers.xai.dialect import XAI

PROVIDER = Provider(
    name="xai",
    sdk="xai_sdk",
    clients=("Client",),
    async_clients=("AsyncClient",),
    wire=Wire(XAI("xai"), transport.XAI, transport.AsyncXAI),
    modes=XAI.modes,
    legacy={Mode.XAI_TOOLS: Mode.TOOLS, Mode.XAI_JSON: Mode.MD_JSON},
    key="XAI_API_KEY",
)
