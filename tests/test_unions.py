"""Unions whose members do not tell themselves apart: the tag, however the union is spelled, and never a guess."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal, NewType, Optional, Union

import pytest
from pydantic import AfterValidator, BaseModel, Field, create_model
from typing_extensions import TypeAliasType

from harness import Harness, asking
from instructor.exceptions import InstructorRetryException
from instructor.testing import answer


class Cat(BaseModel):
    """A cat."""

    name: str = ""


class Dog(BaseModel):
    name: str = ""


class Bird(BaseModel):
    name: str = ""


class Inner(BaseModel):
    depth: int = 0


Other: Any = create_model("Cat", __module__="elsewhere", name=(str, ""), inner=(Inner | None, None))


def named(pet: Cat | Dog) -> Cat | Dog:
    assert pet.name, "it has no name"
    return pet


Pet = TypeAliasType("Pet", Union[Cat, Dog])  # noqa: UP007 - the old spelling counts too
new_type: Any = NewType  # of a union it is none to a type checker
SPELLINGS: list[Any] = [
    Union[Cat, Dog],  # noqa: UP007
    Annotated[Cat | Dog, Field(description="Which pet.")],
    Pet,
    Optional[Pet],  # noqa: UP045
    Annotated[Pet, "a pet"] | Bird,
    new_type("NewPet", Pet),
    Pet | int,
    Annotated[Pet, AfterValidator(named)],
]


@pytest.mark.parametrize("kind", SPELLINGS, ids=lambda kind: str(kind)[:60])
async def test_a_union_in_every_spelling(harness: Harness, scripted_server: Any, kind: Any) -> None:
    dog = {"kind": "Dog", "name": "Rex"}
    server = scripted_server([answer({"content": dog}), answer({"tasks": [dog, {"name": "Tom"}]})])
    client = harness.client(server)
    assert await harness.create(client, kind, max_retries=0) == Dog(name="Rex")
    found: list[Any] = []
    with pytest.raises(InstructorRetryException, match="kind is missing, and the item fits several of Cat, Dog"):
        await harness.collect(client.create_iterable(response_model=Iterable[kind], **asking(max_retries=0)), found)
    assert found == [Dog(name="Rex")]
    asked = server.requests[0].body["tools"][0]["function"]["parameters"]["properties"]["content"]["anyOf"]
    assert [part["properties"]["kind"]["const"] for part in asked[:2]] == ["Cat", "Dog"]
    assert asked[0]["description"] == "A cat."


async def test_what_binds_the_union_binds_its_members(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer({"content": {"kind": "Dog"}}), answer({"content": {"kind": "Dog", "name": "R"}})])
    assert await harness.create(harness.client(server), SPELLINGS[-1]) == Dog(name="R")
    assert "it has no name" in server.requests[1].messages[-1]["content"]


async def test_members_of_one_name(harness: Harness, scripted_server: Any) -> None:
    given = [{"kind": "Cat_2", "name": "a", "inner": {"depth": 1}}, {"kind": "Cat", "name": "b"}]
    server = scripted_server([answer({"tasks": given}), answer({"tasks": [{}]})])
    client = harness.client(server)
    found = await harness.create(client, list[Cat | Other], max_retries=0)
    assert found == [Other(name="a", inner=Inner(depth=1)), Cat(name="b")]
    with pytest.raises(InstructorRetryException, match="fits several of Cat, Cat_2"):
        await harness.create(client, list[Cat | Other], max_retries=0)
    parameters = server.requests[0].body["tools"][0]["function"]["parameters"]
    assert list(parameters["$defs"]) == ["Inner"]
    parts = parameters["properties"]["tasks"]["items"]["anyOf"]
    assert [part["properties"]["kind"]["const"] for part in parts] == ["Cat", "Cat_2"]


async def test_a_discriminator_of_the_users_own_needs_no_tag(harness: Harness, scripted_server: Any) -> None:
    class One(BaseModel):
        form: Literal["one"]

    class Two(BaseModel):
        form: Literal["two"]

    kind: Any = Annotated[One | Two, Field(discriminator="form")]
    server = scripted_server([answer({"content": {"form": "two"}})])
    assert await harness.create(harness.client(server), kind) == Two(form="two")
    assert '"kind"' not in str(server.requests[0].body)
