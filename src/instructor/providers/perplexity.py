from instructor.mode import Mode
from instructor.providers import Wire, openai_compatible
from instructor.wire.openai_chat import OpenAIChat

PROVIDER = openai_compatible(
    "perplexity",
    key="PERPLEXITY_API_KEY",
    base_url="https://api.perplexity.ai",
    wire=Wire(OpenAIChat("perplexity", schema_keys=("schema",))),
    modes=(Mode.JSON_SCHEMA, Mode.MD_JSON),  # no tools
    legacy={Mode.PERPLEXITY_JSON: Mode.JSON_SCHEMA},  # what it always was on the wire
)
