from typing import Any

from cases import Case
from scripted_grpc import CODES, ScriptedGrpc


def text(response: Any) -> str:
    said = response[1] if isinstance(response, tuple) else response  # a stream gives what came so far, and the chunk
    return str(said.content)


CASE = Case(
    name="xai",
    options=lambda server: {"api_host": server.root, "api_key": "none", "use_insecure_channel": True},
    server=ScriptedGrpc,
    length="REASON_MAX_LEN",
    text=text,
    counts=("cached_tokens", "reasoning_tokens"),
    status=lambda error: next(status for status, code in CODES.items() if code is error.code()),
    impossible={
        "refusal": "the wire has no refusals: a model declines in words",
        "gradual TOOLS": "tool calls come whole",
    },
)
