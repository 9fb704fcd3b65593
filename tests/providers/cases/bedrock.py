from typing import Any

from botocore.config import Config

from cases import Case


def text(response: Any) -> str:
    if "output" in response:
        return "".join(block.get("text", "") for block in response["output"]["message"]["content"])
    return str(response.get("contentBlockDelta", {}).get("delta", {}).get("text", ""))


CASE = Case(
    name="bedrock",
    options=lambda server: {
        "endpoint_url": server.root,
        "region": "us-east-1",
        "aws_access_key_id": "none",
        "aws_secret_access_key": "none",
        "config": Config(retries={"total_max_attempts": 1}),
    },
    length="max_tokens",
    text=text,
    objects=False,
    counts=("cached_tokens",),
    status=lambda error: int(error.response["ResponseMetadata"]["HTTPStatusCode"]),
)
