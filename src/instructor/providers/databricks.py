import os

from instructor.providers import NOT_STRICT, openai_compatible

_PLACES = ("DATABRICKS_BASE_URL", "DATABRICKS_HOST", "DATABRICKS_WORKSPACE_URL")


def _options() -> dict[str, str]:
    """Find a workspace's address and key."""
    place = next(filter(None, map(os.environ.get, _PLACES)), "").rstrip("/")
    found = (
        {"base_url": place if place.endswith("/serving-endpoints") else f"{place}/serving-endpoints"} if place else {}
    )
    key = os.environ.get("DATABRICKS_API_KEY")
    return {**found, "api_key": key} if key and "DATABRICKS_TOKEN" not in os.environ else found


_REQUIRED = {"base_url": f"set {_PLACES[1]} or give base_url="}
PROVIDER = openai_compatible("databricks", key="DATABRICKS_TOKEN", options=_options, required=_REQUIRED, **NOT_STRICT)
