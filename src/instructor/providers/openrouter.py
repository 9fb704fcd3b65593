from instructor.mode import Mode
from instructor.providers import OLDER, openai_compatible

PROVIDER = openai_compatible(
    "openrouter",
    key="OPENROUTER_API_KEY",
    base_url="https://openrouter.ai/api/v1",
    legacy={**OLDER, Mode.OPENROUTER_STRUCTURED_OUTPUTS: Mode.JSON_SCHEMA},
)
