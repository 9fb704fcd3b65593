"""Errors of an SDK's own, of whatever class: catchable as theirs and as ours, and sendable to another process."""

from __future__ import annotations

import builtins
import json
import pickle
from typing import Any

import botocore.exceptions
import pytest
from pydantic import BaseModel, ValidationError, field_validator

import instructor
from harness import Harness, asking
from instructor.exceptions import InstructorRetryException, joined_failure


class User(BaseModel):
    name: str


class Picky(BaseModel):
    name: int
    age: int = 0

    @field_validator("age")
    @classmethod
    def check(cls, age: int) -> int:
        raise ValueError("no {age}")


def pydantics() -> Exception:
    try:
        Picky.model_validate({"name": "a", "age": 3})
    except ValidationError as error:
        return error
    raise AssertionError


class Needs(Exception):
    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class OwnNew(Exception):
    def __new__(cls, response: str, *, status: int) -> OwnNew:
        made = super().__new__(cls, response)
        made.status = status
        return made

    def __init__(self, response: str, *, status: int) -> None:
        super().__init__(f"it said {response}")

    status: int


class Mixed(Exception):
    class Base:
        def __new__(cls, *arguments: Any) -> Any:
            raise RuntimeError("made by a factory only")


class OfBase(Mixed.Base, Exception):
    status = 7


class Slotted(Exception):
    __slots__ = ("status",)

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Final(Exception):
    status = 7

    def __init_subclass__(cls) -> None:
        raise TypeError("no subclasses")


class Frozen(Exception):
    status = 7

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("frozen")


class Properties(Exception):
    status = 7

    @property
    def items(self) -> list[int]:
        return [1]

    @property
    def report(self) -> str:
        return "theirs"


class Told(Exception):
    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status

    def __str__(self) -> str:
        return f"{self.args[0]} ({self.status})"

    def __reduce__(self) -> Any:
        return Told, (self.args[0], self.status)


class Strict(type):
    def __call__(cls, *arguments: Any, **options: Any) -> Any:
        raise RuntimeError("made by a factory only")


class OfStrict(Exception, metaclass=Strict):
    status = 7


class Refusing(type):
    def __new__(mcs, name: str, bases: Any, space: Any) -> Any:
        if name != "NeverJoined" or bases != (Exception,):
            raise RuntimeError("no subclasses")
        return super().__new__(mcs, name, bases, space)


class NeverJoined(Exception, metaclass=Refusing):
    pass


def jsons() -> Exception:
    try:
        json.loads("{")
    except ValueError as error:
        return error
    raise AssertionError


MADE: dict[str, Any] = {
    "pydantic": pydantics,
    "needs": lambda: Needs("x", status=7),
    "new": lambda: OwnNew("x", status=7),
    "base": lambda: Exception.__new__(OfBase, "x"),
    "slots": lambda: Slotted("x", 7),
    "final": lambda: Final("x"),
    "frozen": lambda: Frozen("x"),
    "properties": lambda: Properties("x"),
    "told": lambda: Told("x", 7),
    "strict": lambda: Exception.__new__(OfStrict, "x"),
    "botocore": lambda: botocore.exceptions.ClientError({"Error": {"Code": "X", "Message": "m"}}, "Converse"),
    "botocore's": botocore.exceptions.NoCredentialsError,
    "json": jsons,
    "os": lambda: FileNotFoundError(2, "no such thing", "it.txt"),
    "key": lambda: KeyError("k"),
    "import": lambda: ImportError("x", name="n"),
    "unicode": lambda: UnicodeEncodeError("ascii", "ü", 0, 1, "no"),
    "syntax": lambda: SyntaxError("x", ("f.py", 3, 1, "text")),
}
if hasattr(builtins, "ExceptionGroup"):
    group: Any = builtins.ExceptionGroup  # type: ignore[attr-defined,unused-ignore]
    MADE["group"] = lambda: group("g", [ValueError("x"), Needs("y", status=7)])


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("stream", [False, True])
async def test_it_is_the_sdks_and_ours(harness: Harness, name: str, stream: bool) -> None:
    raised: Exception = MADE[name]()

    async def afail(**_: Any) -> Any:
        raise raised

    def fail(**_: Any) -> Any:
        raise raised

    create: Any = instructor.patch(create=afail if harness.is_async else fail)
    collect = harness.items if stream else harness.result
    with pytest.raises(type(raised)) as failed:
        await collect(create(response_model=User, **asking(stream=stream, max_retries=0)))
    wrong: Any = failed.value
    assert isinstance(wrong, InstructorRetryException)
    assert wrong.__cause__ is raised
    assert str(wrong) == str(raised)
    assert wrong.n_attempts == 1
    assert wrong.create_kwargs["model"] == "scripted"
    assert wrong.items == []
    if hasattr(raised, "status"):
        assert getattr(wrong, "status", None) == 7
    for attribute in ("errno", "filename", "name", "lineno", "start", "pos", "response"):
        if hasattr(raised, attribute):
            assert getattr(wrong, attribute) == getattr(raised, attribute)
    for _ in range(2):
        again = pickle.loads(pickle.dumps(wrong))
        assert type(again) is type(wrong)
        assert (str(again), again.n_attempts, again.create_kwargs) == (str(wrong), 1, wrong.create_kwargs)
        assert getattr(again, "status", None) == getattr(raised, "status", None)
        assert getattr(again, "errno", None) == getattr(raised, "errno", None)
        wrong = again


def test_pydantics_keeps_its_errors() -> None:
    raised: Any = pydantics()
    for wrong in (made := joined_failure(raised), pickle.loads(pickle.dumps(made))):
        theirs: Any = wrong
        assert theirs.title == "Picky"
        assert [each["loc"] for each in theirs.errors()] == [("name",), ("age",)]
        assert theirs.error_count() == 2


def test_a_group_keeps_its_exceptions() -> None:
    if "group" not in MADE:
        pytest.skip("this Python has no ExceptionGroup")
    for wrong in (made := joined_failure(MADE["group"]()), pickle.loads(pickle.dumps(made))):
        theirs: Any = wrong
        assert theirs.message == "g"
        assert [str(each) for each in theirs.exceptions] == ["x", "y"]
        matching, rest = theirs.split(ValueError)
        assert (len(matching.exceptions), len(rest.exceptions)) == (1, 1)


def test_what_cannot_be_joined_is_ours() -> None:
    raised = Exception.__new__(NeverJoined, "x")
    wrong = joined_failure(raised, n_attempts=2)
    assert type(wrong) is InstructorRetryException
    assert (str(wrong), wrong.n_attempts, wrong.__cause__) == ("x", 2, raised)
    assert str(pickle.loads(pickle.dumps(wrong))) == "x"


def test_an_error_that_cannot_say_what_it_is() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    wrong = joined_failure(Mute("x"))
    assert isinstance(wrong, Mute)
    assert str(wrong) == "Mute"
