from instructor.mode import Mode
from instructor.providers import Provider, Wire
from instructor.transport import xai
from instructor.wire.xai import XAI

PROVIDER = Provider(
    name="xai",
    sdk="xai_sdk",
    clients=("Client",),
    async_clients=("AsyncClient",),
    wire=Wire(XAI("xai"), xai.XAI, xai.AsyncXAI),
    modes=XAI.modes,
    legacy={Mode.XAI_TOOLS: Mode.TOOLS, Mode.XAI_JSON: Mode.MD_JSON},
    key="XAI_API_KEY",
)
