import os
from typing import Any

from instructor.mode import Mode
from instructor.providers.base import Provider, Wire
from instructor.providers.google import transport
from instructor.providers.google.dialect import Google

PROVIDER = Provider(
    name="google",
    sdk="google.genai",
    clients=("Client",),
    async_clients=("Client", "google.genai.client:AsyncClient"),
    wire=Wire(Google("google"), transport.sync_transport, transport.async_transport),
    modes=Google.modes,
    legacy={
        Mode.GENAI_TOOLS: Mode.TOOLS,
        Mode.GENAI_JSON: Mode.JSON,
        Mode.GENAI_STRUCTURED_OUTPUTS: Mode.JSON,
        Mode.GEMINI_TOOLS: Mode.TOOLS,
        Mode.GEMINI_JSON: Mode.MD_JSON,
    },
    key="GOOGLE_API_KEY",
    options={"api_key": None},  # the SDK finds the key by itself, and takes none beside a project
)


def _options() -> dict[str, Any]:
    """Return what makes a client of google-genai one of Vertex AI; it finds project and credentials by itself."""
    return {"vertexai": True, "location": os.environ.get("GOOGLE_CLOUD_LOCATION", "us-central1")}


VERTEXAI = Provider(
    name="vertexai",
    sdk="google.genai",
    extra="google",
    clients=("Client",),
    async_clients=("Client", "google.genai.client:AsyncClient"),
    wire=Wire(Google("vertexai"), transport.sync_transport, transport.async_transport),
    modes=Google.modes,
    legacy={
        Mode.VERTEXAI_TOOLS: Mode.TOOLS,
        Mode.VERTEXAI_JSON: Mode.MD_JSON,
        Mode.VERTEXAI_PARALLEL_TOOLS: Mode.PARALLEL_TOOLS,
    },
    options=_options,
)
