"""What distinguishes a run from others: provider, model, mode, options, prompt and schema."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple


class Configuration(NamedTuple):
    """What distinguishes a run from others."""

    job: bytes
    text: str
    """JSON."""
    schema: str
    """The JSON schema of the answer, or of an item."""

    def described(self, total: int | None) -> str:
        """Return the description of one run: with the number of its rows, which makes no other job."""
        return json.dumps({**json.loads(self.text), "total": total})


def configuration(binding: Any, model: Any, options: Mapping[str, Any], prompt: str, output: Any) -> Configuration:
    """Return what describes a run."""
    return job_of(
        {
            "provider": binding.provider,
            "mode": getattr(binding.mode, "name", str(binding.mode)),
            "model": model,
            "options": dict(options),
            "prompt": prompt,
            "type": output.name,
            "many": output.many,
            "schema": {tool.name: tool.schema for tool in output.tools},
        }
    )


def job_of(facts: Mapping[str, Any]) -> Configuration:
    """Return the configuration that these facts are."""
    text = json.dumps(facts, default=str)
    order = json.dumps(facts, sort_keys=True, default=str)
    job = hashlib.blake2b(order.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return Configuration(job, text, json.dumps(facts["schema"], default=str))
