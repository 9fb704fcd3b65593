from instructor.providers import openai_compatible

PROVIDER = openai_compatible("deepseek", key="DEEPSEEK_API_KEY", base_url="https://api.deepseek.com")
