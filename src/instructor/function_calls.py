"""A model as a tool: what providers get, and how it is read from a response that came without a client."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ValidationError, create_model
from typing_extensions import Self

from instructor import providers
from instructor.binding import Binding
from instructor.call import CallBuilder
from instructor.core.types import Json
from instructor.exceptions import InstructorRetryException
from instructor.hooks import Hooks
from instructor.mode import Mode
from instructor.outputs import output_for
from instructor.providers.anthropic import Anthropic
from instructor.providers.dialect import BaseDialect
from instructor.providers.functions import Function
from instructor.providers.google.dialect import Google
from instructor.providers.openai.chat import OpenAIChat

ModelT = TypeVar("ModelT", bound=BaseModel)


def generate_openai_schema(model: Any) -> Json:
    """Return the function for a type in OpenAI's format: `name`, `description`, `parameters`."""
    function: Json = _tool(OpenAIChat("openai"), model)["function"]
    return function


def generate_anthropic_schema(model: Any) -> Json:
    """Return the tool for a type in Anthropic's format: `name`, `description`, `input_schema`."""
    return _tool(Anthropic("anthropic"), model)


def generate_gemini_schema(model: Any) -> Json:
    """Return the function declaration for a type in Google's format, as google-genai takes it."""
    return _tool(Google("google"), model)


def _tool(dialect: BaseDialect, model: Any) -> Json:
    return deepcopy(dialect.tool(output_for(model).tools[0], strict=False))  # the schema is shared


class _OfClass:
    """A class attribute that is computed from the class."""

    def __init__(self, make: Callable[[Any], Json]) -> None:
        self._make = make

    def __get__(self, instance: object, owner: type[Any]) -> Json:
        return self._make(owner)


class ResponseSchema(BaseModel):
    """A model with its tool schemas, which can read an instance from a response."""

    openai_schema: ClassVar[_OfClass] = _OfClass(generate_openai_schema)
    anthropic_schema: ClassVar[_OfClass] = _OfClass(generate_anthropic_schema)
    gemini_schema: ClassVar[_OfClass] = _OfClass(generate_gemini_schema)

    @classmethod
    def from_response(
        cls,
        completion: Any,
        validation_context: Mapping[str, Any] | None = None,
        strict: bool | None = None,
        mode: Mode = Mode.TOOLS,
        provider: str = "openai",
    ) -> Self:
        """Return an instance that is read from a complete response: the SDK's object, or its JSON.

        Raises:
            ValidationError: The answer is not valid for this model.
            ResponseParsingError: The response does not have an answer that can be read.
            IncompleteOutputException: The answer was cut off.
        """
        value: Self = read_response(cls, completion, validation_context, strict, mode, provider)
        return value


def read_response(
    response_model: Any,
    completion: Any,
    context: Mapping[str, Any] | None = None,
    strict: bool | None = None,
    mode: Mode = Mode.TOOLS,
    provider: str = "openai",
) -> Any:
    """Return the validated answer of a complete response. An older mode that names a provider means its wire."""
    row, chosen = providers.reading(getattr(provider, "value", provider), mode)
    dialect = row.wire_for(chosen).dialect
    transport = Function(lambda **_: completion)
    caller = CallBuilder(Binding(None, row.name, chosen, dialect, transport, False, {}, Hooks()))
    arguments = {"max_retries": 0, "context": context, "strict": strict}
    try:
        return caller.create(response_model, [{"role": "user", "content": ""}], arguments)
    except InstructorRetryException as error:
        if isinstance(error.__cause__, (ValidationError, ValueError)):
            raise error.__cause__ from None
        raise


def response_schema(model: type[ModelT]) -> type[ModelT]:
    """Return a model that is a ResponseSchema, too. This is a decorator of its class."""
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise TypeError(f"The model must be a subclass of pydantic.BaseModel, got {model!r}.")
    if issubclass(model, ResponseSchema):
        return model
    make: Any = create_model  # a type checker has no type for both
    joined: type[ModelT] = make(
        model.__name__, __base__=(model, ResponseSchema), __doc__=model.__doc__, __module__=model.__module__
    )
    joined.__qualname__ = model.__qualname__
    return joined


OpenAISchema = ResponseSchema
openai_schema = response_schema
"""The same, by older names."""
