import os
from typing import Any

from instructor.mode import Mode
from instructor.providers import Provider, Wire
from instructor.transport import google
from instructor.wire.google import Google


def _options() -> dict[str, Any]:
    """Give what makes a client of google-genai one of Vertex AI; it finds project and credentials by itself."""
    return {"vertexai": True, "location": os.environ.get("GOOGLE_CLOUD_LOCATION", "us-central1")}


PROVIDER = Provider(
    name="vertexai",
    sdk="google.genai",
    extra="google",
    clients=("Client",),
    async_clients=("Client", "google.genai.client:AsyncClient"),
    wire=Wire(Google("vertexai"), google.blocking, google.awaiting),
    modes=Google.modes,
    legacy={
        Mode.VERTEXAI_TOOLS: Mode.TOOLS,
        Mode.VERTEXAI_JSON: Mode.MD_JSON,
        Mode.VERTEXAI_PARALLEL_TOOLS: Mode.PARALLEL_TOOLS,
    },
    options=_options,
)
