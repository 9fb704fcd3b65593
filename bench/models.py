"""The response models of all participants."""

from __future__ import annotations

from pydantic import BaseModel, create_model


class User(BaseModel):
    name: str
    age: int


class People(BaseModel):
    people: list[User]


class Customer(BaseModel):
    name: str
    email: str
    city: str


class Line(BaseModel):
    sku: str
    title: str
    count: int
    price: float


class Order(BaseModel):
    number: int
    customer: Customer
    note: str
    lines: list[Line]


class Text(BaseModel):
    title: str
    body: str


class Node(BaseModel):
    name: str
    children: list[Node]


class Figure(BaseModel):
    label: str
    value: float
    sound: bool


class Section(BaseModel):
    heading: str
    body: str
    points: list[str]
    figures: list[Figure]


class Report(BaseModel):
    title: str
    summary: str
    sections: list[Section]


MODEL = "bench"
MESSAGES = [{"role": "user", "content": "Extract everything."}]


def tasks_of(model: type[BaseModel]) -> type[BaseModel]:
    """Make the container of a list of a model, for those who know no lists."""
    return create_model("Tasks", tasks=(list[model], ...))  # type: ignore[valid-type]
