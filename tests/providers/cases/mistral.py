from cases import Case

CASE = Case(
    name="mistral",
    options=lambda server: {"api_key": "none", "server_url": f"{server.root}/mistral"},
)
