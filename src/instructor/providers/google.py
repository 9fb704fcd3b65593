from instructor.mode import Mode
from instructor.providers import Provider, Wire
from instructor.transport import google
from instructor.wire.google import Google

PROVIDER = Provider(
    name="google",
    sdk="google.genai",
    clients=("Client",),
    async_clients=("Client", "google.genai.client:AsyncClient"),
    wire=Wire(Google("google"), google.blocking, google.awaiting),
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
