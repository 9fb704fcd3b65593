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
    return deepcopy(dialect.tool(output_for(model).tools[0], strict=False))  # the kept one is not for changing


class _OfClass:
    """An attribute made of the class that it is asked of."""

    def __init__(self, make: Callable[[Any], Json]) -> None:
        self._make = make

    def __get__(self, instance: object, owner: type[Any]) -> Json:
        return self._make(owner)


class ResponseSchema(BaseModel):
    """A model that knows its tools, and reads itself from a response."""

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
        """Read an instance from a whole response: the SDK's object, or the wire's JSON.

        Raises what is wrong with it: pydantic's ValidationError, a ResponseParsingError, an IncompleteOutputException.
        """
        row = providers.load(getattr(provider, "value", provider))
        chosen = row.mode_for(mode)
        given = Function(lambda **_: completion)
        caller = CallBuilder(Binding(None, row.name, chosen, row.wire_for(chosen).dialect, given, False, {}, Hooks()))
        arguments = {"max_retries": 0, "context": validation_context, "strict": strict}
        try:
            made: Self = caller.create(cls, [{"role": "user", "content": ""}], arguments)
        except InstructorRetryException as error:
            if isinstance(error.__cause__, (ValidationError, ValueError)):
                raise error.__cause__ from None
            raise
        return made


def response_schema(model: type[ModelT]) -> type[ModelT]:
    """Make a model a ResponseSchema too, as a decorator of its class."""
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise TypeError(f"{model!r} is no class of pydantic models.")
    if issubclass(model, ResponseSchema):
        return model
    make: Any = create_model  # a checker cannot name what is both
    made: type[ModelT] = make(
        model.__name__, __base__=(model, ResponseSchema), __doc__=model.__doc__, __module__=model.__module__
    )
    made.__qualname__ = model.__qualname__
    return made


OpenAISchema = ResponseSchema
openai_schema = response_schema
"""The same, by older names."""
