from instructor.providers import openai_compatible

PROVIDER = openai_compatible("anyscale", key="ANYSCALE_API_KEY", base_url="https://api.endpoints.anyscale.com/v1")
