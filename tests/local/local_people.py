"""What the tests with the real model ask for, and where the server of a test is."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


class User(BaseModel):
    name: str
    age: int


class Users(BaseModel):
    tasks: list[User]


JASON = User(name="Jason", age=10)
JOHN = User(name="John", age=30)
MESSAGES = [{"role": "user", "content": "Jason is 10 and John is 30."}]
TOOL = {"type": "function", "function": {"name": "Users", "parameters": Users.model_json_schema()}}
FORCED: dict[str, Any] = {
    "model": "gpt-4",
    "messages": MESSAGES,
    "tools": [TOOL],
    "tool_choice": {"type": "function", "function": {"name": "Users"}},
}
