from typing import Any

from instructor.mode import Mode
from instructor.providers.base import Provider, Wire
from instructor.providers.bedrock import transport
from instructor.providers.bedrock.dialect import Bedrock

_TAKEN = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token", "endpoint_url", "config", "verify")


def _make(async_client: bool, options: dict[str, Any]) -> Any:  # noqa: ARG001 - one class serves sync and async
    """Make a client; `region` stands before what the environment and the profile say."""
    session = PROVIDER.load().Session(profile_name=options.pop("profile_name", None))
    region = options.pop("region", None) or options.pop("region_name", None) or session.region_name or "us-east-1"
    settings = {key: options.pop(key) for key in _TAKEN if key in options}
    return session.client("bedrock-runtime", region_name=region, **settings)


PROVIDER = Provider(
    name="bedrock",
    sdk="boto3",
    clients=("botocore.client:BaseClient",),
    async_clients=("botocore.client:BaseClient",),
    wire=Wire(Bedrock("bedrock"), transport.Bedrock, transport.AsyncBedrock),
    modes=Bedrock.modes,
    legacy={Mode.BEDROCK_TOOLS: Mode.TOOLS, Mode.BEDROCK_JSON: Mode.MD_JSON},
    make=_make,
)
