"""The scripts that everything starts from, saved as files and run unchanged against a server on loopback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from instructor.testing import answer, content, tools

LIST_AT_ONCE = """
import instructor
from openai import OpenAI
from typing import Iterable
from pydantic import BaseModel

client = instructor.patch(OpenAI(), mode=instructor.function_calls.Mode.JSON)

class User(BaseModel):
    name: str
    age: int

users = client.chat.completions.create(
    model="gpt-3.5-turbo-1106",
    temperature=0.1,
    response_model=Iterable[User],
    stream=False,
    messages=[
        {
            "role": "user",
            "content": "Consider this data: Jason is 10 and John is 30.\\
                         Correctly segment it into entitites\\
                        Make sure the JSON is correct",
        },
    ],
)
for user in users:
    print(user)
    #> name='Jason' age=10
    #> name='John' age=30
"""

STREAMED = """
import instructor
import openai
from typing import Iterable
from pydantic import BaseModel

client = instructor.patch(openai.OpenAI(), mode=instructor.Mode.TOOLS)

class User(BaseModel):
    name: str
    age: int

users = client.chat.completions.create(
    model="gpt-4",
    temperature=0.1,
    stream=True,
    response_model=Iterable[User],
    messages=[
        {"role": "system", "content": "You are a perfect entity extraction system"},
        {"role": "user", "content": (f"Extract `Jason is 10 and John is 10`")},
    ],
    max_tokens=1000,
)
for user in users:
    print(user)
    #> name='Jason' age=10
    #> name='John' age=10
"""

AWAITED = """
import instructor
import openai
from typing import Iterable
from pydantic import BaseModel

client = instructor.patch(openai.AsyncOpenAI(), mode=instructor.Mode.TOOLS)

class UserExtract(BaseModel):
    name: str
    age: int

async def print_iterable_results():
    model = await client.chat.completions.create(
        model="gpt-4",
        response_model=Iterable[UserExtract],
        max_retries=2,
        stream=True,
        messages=[{"role": "user", "content": "Make two up people"}],
    )
    async for m in model:
        print(m)
        #> name='John Doe' age=30
        #> name='Jane Doe' age=28

import asyncio
asyncio.run(print_iterable_results())
"""


def people(**ages: int) -> dict[str, Any]:
    return {"tasks": [{"name": name.replace("_", " "), "age": age} for name, age in ages.items()]}


@pytest.mark.parametrize(
    ("script", "reply"),
    [
        (LIST_AT_ONCE, content(people(Jason=10, John=30))),
        (STREAMED, tools(people(Jason=10, John=10))),
        (AWAITED, tools(people(John_Doe=30, Jane_Doe=28))),
    ],
    ids=["list at once", "streamed", "awaited"],
)
def test_it_prints_what_it_promises(tmp_path: Path, scripted_server: Any, script: str, reply: Any) -> None:
    server = scripted_server([reply])
    done = run(tmp_path, script, server.base_url)
    assert (done.returncode, done.stderr) == (0, "")
    promised = [line.partition("#> ")[2] for line in script.splitlines() if "#> " in line]
    assert done.stdout.splitlines() == promised
    (asked,) = server.requests
    assert bool(asked.body.get("stream")) == ("stream=True" in script)
    assert ("tools" in asked.body) == ("Mode.TOOLS" in script)


def test_the_class_that_they_save_one_from_writing(tmp_path: Path, scripted_server: Any) -> None:
    script = LIST_AT_ONCE.replace("users = client", "class Users(BaseModel):\n    users: list[User]\n\nusers = client")
    script = script.replace("Iterable[User],", "Users,").replace("in users:", "in users.users:")
    done = run(tmp_path, script, scripted_server([answer({"users": people(Jason=10)["tasks"]})]).base_url)
    assert (done.stderr, done.stdout) == ("", "name='Jason' age=10\n")


def run(folder: Path, script: str, url: str) -> subprocess.CompletedProcess[str]:
    saved = folder / "script.py"
    saved.write_text(script, encoding="utf-8")
    told = {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "sk-fake", "PYTHONWARNINGS": "error"}
    return subprocess.run(
        [sys.executable, str(saved)],
        cwd=folder,
        env={**os.environ, **told},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
