"""Tokens, in one vocabulary for all providers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from instructor.display import Displayed, Lines, lines_of_usage


@dataclass(frozen=True, slots=True)
class Usage(Displayed):
    """Tokens of one request, or the sum over several.

    All providers' counts are here under the same names. OpenAI's names work as well.
    """

    input_tokens: int = 0
    """Tokens of the requests: messages, tools and schemas."""
    output_tokens: int = 0
    """Tokens that the model wrote, with those of its reasoning."""
    cached_tokens: int = 0
    """Those input tokens that the provider took from its own cache."""
    reasoning_tokens: int = 0
    """Those output tokens that the model spent on reasoning, if the provider says so."""
    exact: bool = True
    """Whether the provider reported all numbers. Otherwise some are estimates."""
    by_cause: Mapping[str, Usage] = field(default_factory=dict, compare=False)
    """The same split by why a request was made: "first", "reask", "continuation"."""

    @property
    def total_tokens(self) -> int:
        """Return the sum of input and output tokens."""
        return self.input_tokens + self.output_tokens

    @property
    def prompt_tokens(self) -> int:
        """The same as `input_tokens`, by OpenAI's name."""
        return self.input_tokens

    @property
    def completion_tokens(self) -> int:
        """The same as `output_tokens`, by OpenAI's name."""
        return self.output_tokens

    @property
    def prompt_tokens_details(self) -> Usage:
        """This usage, so that `cached_tokens` is found where OpenAI has it."""
        return self

    @property
    def completion_tokens_details(self) -> Usage:
        """This usage, so that `reasoning_tokens` is found where OpenAI has it."""
        return self

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as values that JSON can hold, by our names."""
        return asdict(self)

    def _shown(self) -> tuple[str, Lines]:
        return "Tokens", lines_of_usage(self)

    __str__ = Displayed.__str__

    def model_dump(self) -> dict[str, Any]:
        """Return the sums as a dict, by OpenAI's names."""
        return {
            "prompt_tokens": self.input_tokens,
            "completion_tokens": self.output_tokens,
            "total_tokens": self.total_tokens,
            "prompt_tokens_details": {"cached_tokens": self.cached_tokens},
            "completion_tokens_details": {"reasoning_tokens": self.reasoning_tokens},
        }

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_tokens + other.cached_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            self.exact and other.exact,
            self.by_cause,
        )

    def spent(self, cause: str, usage: Usage) -> Usage:
        """Return the sum with one request's tokens, which also count under its cause."""
        split = dict(self.by_cause)
        split[cause] = split.get(cause, Usage()) + usage
        total = self + usage
        return Usage(
            total.input_tokens, total.output_tokens, total.cached_tokens, total.reasoning_tokens, total.exact, split
        )


_FILE = "-" * 4000
"""What a file counts as: with four characters a token, about the 1,000 tokens of an image."""
_BASE64 = re.compile(r"(?:data:[^,]{0,100},)?[A-Za-z0-9+/_=-]{1000}")


def with_short_files(value: Any) -> Any:
    """Return a value to estimate its tokens: each file in it, as bytes or base64, is a text of 4,000 characters.

    Providers count the tokens of an image by its pixels, not by its characters.
    """
    if isinstance(value, Mapping):
        return {key: with_short_files(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [with_short_files(each) for each in value]
    if isinstance(value, (bytes, bytearray)) or (isinstance(value, str) and _BASE64.match(value)):
        return _FILE
    return value


class Counted(NamedTuple):
    """The tokens of one reply as the provider reported them: counts by its own names."""

    input: Mapping[str, int]
    output: Mapping[str, int]
    cached: Mapping[str, int]
    reasoning: Mapping[str, int]

    @property
    def input_tokens(self) -> int:
        return sum(self.input.values())

    @property
    def output_tokens(self) -> int:
        return sum(self.output.values())

    def merged(self, later: Counted) -> Counted:
        """Join with later counts. A later count replaces one of the same name, unless it is 0."""
        return Counted(*map(_joined, self, later))

    def usage(self, estimate: Callable[[], Usage]) -> Usage:
        """Return the tokens. Those of the request or of the reply are estimated if they were not reported."""
        requested, answered, exact = self.input_tokens, self.output_tokens, bool(self.input and self.output)
        if not exact:
            guess = estimate()
            requested = requested if self.input else guess.input_tokens
            answered = answered if self.output else guess.output_tokens
        return Usage(requested, answered, sum(self.cached.values()), sum(self.reasoning.values()), exact)


def _joined(one: Mapping[str, int], later: Mapping[str, int]) -> Mapping[str, int]:
    return {**one, **{name: count for name, count in later.items() if count or name not in one}}
