from instructor.providers import NOT_STRICT, openai_compatible

PROVIDER = openai_compatible(
    "anyscale", key="ANYSCALE_API_KEY", base_url="https://api.endpoints.anyscale.com/v1", **NOT_STRICT
)
