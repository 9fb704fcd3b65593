"""Validators that ask somebody else: a model, a moderation service, or anything that must be awaited.

`llm_validator` and `openai_moderation` return functions for pydantic's own validators, which are sync. Asynchronous
ones are methods of a model:

    class User(BaseModel):
        name: str

        @async_field_validator("name")
        async def is_known(self, name: str, info: AsyncValidationContext) -> str:
            return await look_up(name)

They run in async clients, after pydantic's own: on each answer, on each item of a list, on each item of a stream. All
fields of all items that came together are validated concurrently, and then all models by their `async_model_validator`.
A fault is a pydantic ValidationError at its field, so the model is asked again as for every other fault. A sync client
cannot await them, and refuses such a model before any request.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import types
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple, TypeVar, cast, get_args, get_type_hints

import anyio
from pydantic import BaseModel, Field, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError
from typing_extensions import is_typeddict

from instructor.core import prompts
from instructor.core.types import Invalid, Outcome, Valid
from instructor.exceptions import ConfigurationError

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

ASYNC_VALIDATOR_KEY = "__async_field_validator__"
ASYNC_MODEL_VALIDATOR_KEY = "__async_model_validator__"
_DEFAULT_MODEL = "gpt-3.5-turbo"
_NO_PLACE: tuple[Any, ...] = (str, bytes, int, float, bool, type(None))


class Validator(BaseModel):
    """What a model says about a value that it validates."""

    is_valid: bool = Field(description=prompts.JUDGED_VALID)
    reason: str | None = Field(default=None, description=prompts.JUDGED_REASON)
    fixed_value: str | None = Field(default=None, description=prompts.JUDGED_FIXED)


def llm_validator(
    statement: str,
    client: Any,
    allow_override: bool = False,
    model: str | None = None,
    temperature: float = 0,
) -> Callable[[Any], Any]:
    """Return a validator that asks a model whether a value keeps a rule.

    Args:
        statement: The rule, for example "The text does not name a person".
        client: A sync client of this library, or a patched client of an SDK.
        allow_override: Whether a value that breaks the rule is replaced by the model's correction, if it has one.
        model: The model to ask. None: the client's default.
        temperature: Of the request.

    Returns:
        A function for `pydantic.AfterValidator` or `BeforeValidator`. It raises a ValueError with the model's reason.

    Raises:
        ConfigurationError: `client` is async, and pydantic cannot await it.

    Example:
        >>> Polite = Annotated[str, AfterValidator(llm_validator("The text is polite.", client))]
    """
    _refuse_async(client, "llm_validator")

    def validate(value: Any) -> Any:
        named = model or getattr(client, "default_model", None)
        verdict: Validator = client.chat.completions.create(
            response_model=Validator,
            messages=[
                {"role": "system", "content": prompts.JUDGE},
                {"role": "user", "content": json.dumps({"rule": statement, "value": value}, default=str)},
            ],
            model=named if isinstance(named, str) else _DEFAULT_MODEL,
            temperature=temperature,
        )
        if verdict.is_valid:
            return value
        if allow_override and verdict.fixed_value is not None:
            return verdict.fixed_value
        raise ValueError(verdict.reason or f"The value breaks the rule: {statement}")

    return validate


def openai_moderation(client: Any) -> Callable[[str], str]:
    """Return a validator that asks OpenAI's moderation whether a text may be used.

    Args:
        client: A sync `openai.OpenAI`, or a client of this library around one.

    Returns:
        A function for `pydantic.AfterValidator`. It raises a ValueError that names the categories.
    """
    _refuse_async(client, "openai_moderation")

    def validate(value: str) -> str:
        result = client.moderations.create(input=value).results[0]
        if not result.flagged:
            return value
        found = sorted(name for name, flagged in dict(result.categories).items() if flagged)
        raise ValueError(f"The text was flagged for {', '.join(found) or 'no named category'}.")

    return validate


def _refuse_async(client: Any, name: str) -> None:
    create = getattr(getattr(getattr(client, "chat", None), "completions", None), "create", None)
    if hasattr(type(client), "__aenter__") or inspect.iscoroutinefunction(inspect.unwrap(create) if create else None):
        raise ConfigurationError(
            f"{name} needs a sync client, for pydantic cannot await a validator, got {type(client).__name__}. "
            "With an async client, write an async_field_validator."
        )


def async_field_validator(*fields: str) -> Callable[[FunctionT], FunctionT]:
    """Mark an async method of a model as a validator of these fields; "*" means every field.

    It is called as `method(value)` or `method(value, info)`, with the instance or (a parameter called `cls`) the class
    first. What it returns is the field's new value; None leaves the value as it is. A fault is a ValueError.

    Example:
        >>> @async_field_validator("name")
        ... async def is_known(self, name, info):
        ...     if not await look_up(name):
        ...         raise ValueError(f"{name} is not known")
    """
    if not fields or not all(isinstance(field, str) for field in fields):
        raise ConfigurationError('async_field_validator needs names of fields: @async_field_validator("name").')
    return partial(_marked, ASYNC_VALIDATOR_KEY, fields)


def async_model_validator() -> Callable[[FunctionT], FunctionT]:
    """Mark an async method of a model as a validator of the whole instance: `method()` or `method(info)`.

    It runs if all fields are valid. What it returns is not used.
    """
    return partial(_marked, ASYNC_MODEL_VALIDATOR_KEY, ())


def _marked(key: str, fields: tuple[str, ...], function: FunctionT) -> FunctionT:
    inner: Any = getattr(function, "__func__", function)
    if not inspect.iscoroutinefunction(inner):
        raise ConfigurationError(f"An asynchronous validator must be an async function, got {function!r}.")
    setattr(inner, key, fields)
    return function


class AsyncValidationContext(NamedTuple):
    """What a validator is called with besides the value: the call's `context`, the field, and the model's values."""

    context: Any = None
    field_name: str | None = None
    data: Mapping[str, Any] = {}


class _Validators(NamedTuple):
    """The asynchronous validators of a class: of fields in the order of the fields, and of the whole."""

    fields: Mapping[str, Sequence[str]]
    whole: Sequence[str]


@lru_cache(maxsize=512)
def _validators_of(cls: type[BaseModel]) -> _Validators:
    """Return the names of the methods that validate, base classes first."""
    fields: dict[str, list[str]] = {}
    whole: list[str] = []
    for base in reversed(cls.__mro__):
        for name, value in vars(base).items():
            inner = getattr(value, "__func__", value)
            if getattr(inner, ASYNC_MODEL_VALIDATOR_KEY, None) is not None and name not in whole:
                whole.append(name)
            for field in getattr(inner, ASYNC_VALIDATOR_KEY, ()):
                if field != "*" and field not in cls.model_fields:
                    raise ConfigurationError(f"{cls.__name__}.{name} validates {field!r}, which is not a field.")
                for each in cls.model_fields if field == "*" else (field,):
                    names = fields.setdefault(each, [])
                    names.extend(() if name in names else (name,))
    return _Validators(fields, whole)


def are_in(kind: Any) -> bool:
    """Return whether any model that a type is made of has asynchronous validators."""
    try:
        return _are_in(kind)
    except TypeError:  # it has no hash: Annotated with a dict, say
        return _are_in.__wrapped__(kind)


@lru_cache(maxsize=512)
def _are_in(kind: Any) -> bool:
    return any(any(_validators_of(cls)) for cls in _models_in(kind, set()))


def _models_in(kind: Any, seen: set[int]) -> Iterator[type[BaseModel]]:
    if id(kind) in seen:
        return
    seen.add(id(kind))
    kind = getattr(kind, "__value__", getattr(kind, "__supertype__", kind))
    parts: Any = get_args(kind)
    if isinstance(kind, type) and not isinstance(kind, types.GenericAlias) and issubclass(kind, BaseModel):
        yield kind
        parts = [field.annotation for field in kind.model_fields.values()]
    elif is_typeddict(kind) or (isinstance(kind, type) and dataclasses.is_dataclass(kind)):
        parts = get_type_hints(kind).values()
    for part in parts:
        yield from _models_in(part, seen)


async def check(outcomes: Sequence[Outcome], context: Any) -> list[Outcome]:
    """Run the asynchronous validators of valid values, all at the same time. What they refuse becomes invalid."""
    checked = list(outcomes)

    async def check_one(index: int, outcome: Valid) -> None:
        try:
            await run_async_validators(outcome.value, context)
        except Exception as error:  # as pydantic's own: a validator that fails in its own way makes the item invalid
            checked[index] = Invalid(outcome.at, outcome.text, error, outcome.tool)

    async with anyio.create_task_group() as group:
        for index, outcome in enumerate(checked):
            if isinstance(outcome, Valid) and outcome.final:
                group.start_soon(check_one, index, outcome)
    return checked


async def run_async_validators(value: Any, context: Any = None) -> None:
    """Run the asynchronous validators of a value and of all models inside it.

    Raises:
        ValidationError: pydantic's own, with every fault at its place.
    """
    found = [(place, model, _validators_of(type(model))) for place, model in _instances(value, (), set())]
    faults: list[InitErrorDetails] = []
    others: list[Exception] = []

    async def run(jobs: Sequence[Callable[[], Coroutine[Any, Any, None]]]) -> None:
        async with anyio.create_task_group() as group:
            for job in jobs:
                group.start_soon(job)
        if others:
            raise others[0]
        if faults:
            raise ValidationError.from_exception_data(type(value).__name__, faults)

    async def guarded(place: tuple[Any, ...], given: Any, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await work()
        except ValidationError as error:
            faults.extend(_moved(error, place))
        except (ValueError, AssertionError) as error:
            faults.append(_fault(error, place, given))
        except Exception as error:
            others.append(error)

    await run([
        partial(guarded, (*place, field), getattr(model, field), partial(_validate_field, model, field, names, context))
        for place, model, validators in found
        for field, names in validators.fields.items()
    ])  # fmt: skip
    await run([
        partial(guarded, place, model, partial(_validate_whole, model, name, context))
        for place, model, validators in found
        for name in validators.whole
    ])  # fmt: skip


async def _validate_field(model: BaseModel, field: str, names: Sequence[str], context: Any) -> None:
    for name in names:
        value = getattr(model, field)
        new = await _called(model, name, (value,), AsyncValidationContext(context, field, dict(model)))
        if new is not None and new is not value:
            vars(model)[field] = new  # past the validation of assignments, and into frozen models


async def _validate_whole(model: BaseModel, name: str, context: Any) -> None:
    await _called(model, name, (), AsyncValidationContext(context, None, dict(model)))


async def _called(model: BaseModel, name: str, arguments: tuple[Any, ...], info: AsyncValidationContext) -> Any:
    """Call a validator with as much as it takes."""
    function: Any = inspect.getattr_static(type(model), name)
    inner = getattr(function, "__func__", function)
    first = next(iter(inspect.signature(inner).parameters), "")
    bound = partial(inner, type(model)) if first == "cls" else getattr(model, name)
    parameters = inspect.signature(bound).parameters
    if "info" in parameters and parameters["info"].kind is inspect.Parameter.KEYWORD_ONLY:
        return await bound(*arguments, info=info)
    return await bound(*arguments, *((info,) if len(parameters) > len(arguments) else ()))


def _instances(value: Any, place: tuple[Any, ...], seen: set[int]) -> Iterator[tuple[tuple[Any, ...], BaseModel]]:
    """Yield every model with validators in a value, each once, and its place."""
    if isinstance(value, _NO_PLACE) or id(value) in seen:
        return
    seen.add(id(value))
    parts: Any = ()
    if isinstance(value, BaseModel):
        if any(_validators_of(type(value))):
            yield place, value
        parts = [(name, getattr(value, name)) for name in type(value).model_fields]
    elif isinstance(value, Mapping):
        parts = value.items()
    elif isinstance(value, (list, tuple, set, frozenset)):
        parts = enumerate(cast("Sequence[Any]", value))
    elif dataclasses.is_dataclass(value):
        parts = [(field.name, getattr(value, field.name)) for field in dataclasses.fields(value)]
    for name, part in parts:
        yield from _instances(part, (*place, name if isinstance(name, (str, int)) else str(name)), seen)


def _fault(error: Exception, place: tuple[Any, ...], given: Any) -> InitErrorDetails:
    kind: Any = "value_error" if isinstance(error, ValueError) else "assertion_error"
    return InitErrorDetails(type=kind, loc=place, input=given, ctx={"error": error})


def _moved(error: ValidationError, place: tuple[Any, ...]) -> Iterator[InitErrorDetails]:
    """Yield the faults of a validator's own validation, at the validator's place."""
    for fault in error.errors(include_url=False):
        kind = PydanticCustomError("value_error", "{what}", {"what": fault["msg"]})
        yield InitErrorDetails(type=kind, loc=(*place, *fault["loc"]), input=fault["input"])
