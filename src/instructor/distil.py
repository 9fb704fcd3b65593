"""Lines of training data out of functions that work: `Instructions`.

    instructions = Instructions(name="sums", log_handlers=[logging.FileHandler("sums.jsonl")])

    @instructions.distil
    def add(a: int, b: int) -> Sum: ...

Each call of `add` logs one line of JSON, in a form for fine-tuning. When a model has learnt from them,
`mode="dispatch"` asks it instead of running the function.

`TrainingLines` writes the same lines for the answers of a client: of calls, and of bulk runs.
"""

from __future__ import annotations

import enum
import functools
import inspect
import json
import logging
import os
import threading
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from instructor.core.types import Answer, Json
from instructor.exceptions import ConfigurationError
from instructor.function_calls import generate_openai_schema

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])
Mode = Literal["distil", "dispatch"]


class FinetuneFormat(str, enum.Enum):
    """The forms of a line."""

    MESSAGES = "messages"
    """A conversation with OpenAI's older `function_call`."""
    TOOLS = "tools"
    """A conversation with a call of a tool, which is OpenAI's form today."""
    RAW = "raw"
    """The function, its arguments and its value."""


class Instructions:
    """Writes a line for each call of the functions that it decorates.

    Args:
        name: The name of the logger. Without handlers, lines go where the program's logging sends them.
        id: What the lines of these functions have in common; it is made up if it is left out.
        log_handlers: Handlers for the lines. The logger's level is set to INFO for them.
        finetune_format: The form of a line.
        indent: Spaces of indentation of a function's body in the system's message.
        include_code_body: Whether the system's message has the body of the function, and not its signature alone.
        openai_client: What "dispatch" asks: an SDK client, or a client of instructor. Without it `OpenAI()` is made
            with the first call that needs it.

    Example:
        >>> instructions = Instructions(name="sums", log_handlers=[logging.FileHandler("sums.jsonl")])
        >>> @instructions.distil
        ... def add(a: int, b: int) -> Sum:
        ...     return Sum(value=a + b)
    """

    def __init__(
        self,
        name: str | None = None,
        id: str | None = None,  # noqa: A002 - the name that programs for 1.x use
        log_handlers: Sequence[logging.Handler] | None = None,
        finetune_format: FinetuneFormat = FinetuneFormat.MESSAGES,
        indent: int = 2,
        include_code_body: bool = False,
        openai_client: Any = None,
    ) -> None:
        self.name, self.id = name, id or str(uuid.uuid4())
        self.finetune_format, self.indent, self.include_code_body = finetune_format, indent, include_code_body
        self._client = openai_client
        self.logger = logging.getLogger(name or __name__)
        for handler in log_handlers or ():
            self.logger.addHandler(handler)
        if log_handlers:
            self.logger.setLevel(logging.INFO)

    @property
    def client(self) -> Any:
        """A function like `create` that takes `response_model`; it is made when it is first needed."""
        from instructor.client_base import ClientBase
        from instructor.factories import from_openai

        if self._client is None:
            from openai import OpenAI

            self._client = OpenAI()
        if not isinstance(self._client, ClientBase):
            self._client = from_openai(self._client)
        return self._client

    def distil(
        self,
        *args: Any,
        name: str | None = None,
        mode: Mode = "distil",
        model: str = "gpt-3.5-turbo",
        fine_tune_format: FinetuneFormat | None = None,
    ) -> Any:
        """Decorate a function, which must say that it returns a pydantic model.

        Args:
            args: The function, where the decorator is used without arguments.
            name: The name of the function in the lines (default: its own).
            mode: "distil" runs the function and writes a line; "dispatch" asks the model instead.
            model: The model that "dispatch" asks.
            fine_tune_format: The form of these lines (default: that of the instructions).

        Raises:
            ConfigurationError: The mode is unknown, or the function does not return a pydantic model.
        """
        if mode not in ("distil", "dispatch"):
            raise ConfigurationError(f"mode must be 'distil' or 'dispatch', got {mode!r}.")
        form = self.finetune_format if fine_tune_format is None else fine_tune_format

        def decorate(function: FunctionT) -> FunctionT:
            kind = _returned(function)

            @functools.wraps(function)
            def distilled(*values: Any, **named: Any) -> Any:
                if mode == "dispatch":
                    asked = self.openai_kwargs(name or function.__name__, function, values, named, kind)
                    return self.client.create(kind, asked["messages"], model=model)
                value = function(*values, **named)
                self.track(function, values, named, value, name, form)
                return value

            @functools.wraps(function)
            async def adistilled(*values: Any, **named: Any) -> Any:
                if mode == "dispatch":
                    asked = self.openai_kwargs(name or function.__name__, function, values, named, kind)
                    return await self.client.create(kind, asked["messages"], model=model)
                value = await function(*values, **named)
                self.track(function, values, named, value, name, form)
                return value

            made: Any = adistilled if inspect.iscoroutinefunction(function) else distilled
            return made  # type: ignore[no-any-return]

        if len(args) == 1 and callable(args[0]):
            return decorate(args[0])
        return decorate

    def track(
        self,
        function: Callable[..., Any],
        args: Sequence[Any],
        kwargs: dict[str, Any],
        value: BaseModel,
        name: str | None = None,
        finetune_format: FinetuneFormat | None = None,
    ) -> None:
        """Write the line of one call."""
        form = self.finetune_format if finetune_format is None else finetune_format
        name = name or function.__name__
        kind = type(value)
        arguments = value.model_dump_json(indent=self.indent or None)
        if form is FinetuneFormat.RAW:
            line: Json = {
                "fn_name": name, "fn_repr": self._described(function), "args": to_jsonable_python(args, fallback=str),
                "kwargs": to_jsonable_python(kwargs, fallback=str), "resp": value.model_dump(mode="json"),
                "schema": kind.model_json_schema(),
            }  # fmt: skip
        else:
            line = self.openai_kwargs(name, function, args, kwargs, kind, form)
            call = {"name": kind.__name__, "arguments": arguments}
            said: Json = (
                {"role": "assistant", "content": "", "function_call": call}
                if form is FinetuneFormat.MESSAGES
                else {"role": "assistant", "tool_calls": [{"id": "call_1", "type": "function", "function": call}]}
            )
            line["messages"].append(said)
        self.logger.info(json.dumps(line, ensure_ascii=False))

    def openai_kwargs(
        self,
        name: str,
        function: Callable[..., Any],
        args: Sequence[Any],
        kwargs: dict[str, Any],
        base_model: type[BaseModel],
        finetune_format: FinetuneFormat = FinetuneFormat.MESSAGES,
    ) -> Json:
        """Return the messages that ask for a call's value, and the schema of the value."""
        values = ", ".join([*(repr(each) for each in args), *(f"{key}={each!r}" for key, each in kwargs.items())])
        system = f"Predict the results of this function:\n\n{self._described(function)}"
        messages = [
            {"role": "system", "content": system},
            {"role": "user", "content": f"Return `{name}({values})`"},
        ]
        schema = generate_openai_schema(base_model)
        if finetune_format is FinetuneFormat.TOOLS:
            return {"messages": messages, "tools": [{"type": "function", "function": schema}]}
        return {"messages": messages, "functions": [schema]}

    def _described(self, function: Callable[..., Any]) -> str:
        if self.include_code_body:
            return inspect.getsource(function)
        text = f"def {function.__name__}{inspect.signature(function, eval_str=True)}:"
        if function.__doc__:
            text += f'\n{" " * self.indent}"""\n{" " * self.indent}{inspect.getdoc(function)}\n{" " * self.indent}"""'
        return text


class TrainingLines:
    """A hook that writes a line of training data for each complete and valid answer.

    A line has the messages of the call and the answer as it should have come: corrections of ours, and what was wrong
    before them, are not in it. Threads and tasks may share it.

    Args:
        file: The file that lines are appended to.
        finetune_format: `TOOLS` (default), or `MESSAGES` for the older `function_call`: then an answer of several calls
            is a line for each of them.

    Raises:
        ConfigurationError: The form is another one.

    Example:
        >>> client.on("answer", TrainingLines("people.jsonl"))
        >>> for row in client.map("letters/", response_model=Person): ...
    """

    def __init__(self, file: str | os.PathLike[str], finetune_format: FinetuneFormat = FinetuneFormat.TOOLS) -> None:
        if finetune_format not in (FinetuneFormat.TOOLS, FinetuneFormat.MESSAGES):
            raise ConfigurationError(f"finetune_format must be TOOLS or MESSAGES, got {finetune_format!r}.")
        self.file, self.finetune_format = Path(file), finetune_format
        self._lock = threading.Lock()

    def __call__(self, answer: Answer) -> None:
        """Append the lines of an answer."""
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in self._lines(answer))
        with self._lock, self.file.open("a", encoding="utf-8") as file:
            file.write(text)

    def _lines(self, answer: Answer) -> list[Json]:
        messages = [to_jsonable_python(message) for message in answer.messages]
        functions = [
            {"name": tool.name, "description": tool.description, "parameters": tool.schema} for tool in answer.tools
        ]
        calls = [{"name": call.name, "arguments": call.arguments} for call in answer.calls]
        if self.finetune_format is FinetuneFormat.MESSAGES:
            return [
                {"messages": [*messages, {"role": "assistant", "content": "", "function_call": call}],
                 "functions": functions}
                for call in calls
            ]  # fmt: skip
        tool_calls = [
            {"id": f"call_{number}", "type": "function", "function": call} for number, call in enumerate(calls, 1)
        ]
        return [
            {"messages": [*messages, {"role": "assistant", "tool_calls": tool_calls}],
             "tools": [{"type": "function", "function": function} for function in functions]}
        ]  # fmt: skip


def _returned(function: Callable[..., Any]) -> type[BaseModel]:
    """Return the model that a function says it returns."""
    try:
        kind = inspect.signature(function, eval_str=True).return_annotation
    except NameError:  # a class made inside a function
        kind = None
    if not (inspect.isclass(kind) and issubclass(kind, BaseModel)):
        raise ConfigurationError(
            f"{function.__name__} must say that it returns a pydantic model: "
            f"def {function.__name__}(...) -> Model. It says {inspect.signature(function).return_annotation!r}."
        )
    return kind
