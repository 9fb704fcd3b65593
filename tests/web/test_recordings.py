"""A recording stands for a model: its replies are read again, and nothing is asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from pydantic import BaseModel
from served import KEY, PEOPLE, of_kind, served

import instructor
from instructor import Mode
from instructor.exceptions import ConfigurationError
from instructor.testing import Recorder, Reply, Scripted, answer
from instructor.web.recordings import Recording, is_recording


class Person(BaseModel):
    name: str
    age: int


MESSAGES: Any = [{"role": "user", "content": "Jason is 10, John is 30."}]
WRONG = [PEOPLE[0], {"name": "John", "age": "thirty"}]


def record(path: Path, mode: Mode, *replies: Reply, many: bool = True, provider: str = "openai") -> Recording:
    """Record what a call is answered."""
    with Scripted(replies) as server:
        root = server.root if provider == "anthropic" else server.base_url
        with Recorder(root, path) as recorder:
            options: dict[str, Any] = {"base_url": recorder.base_url, "api_key": KEY, "max_retries": 0}
            client: Any
            if provider == "anthropic":
                client = instructor.from_anthropic(anthropic.Anthropic(**options), mode=mode)
            else:
                client = instructor.from_openai(openai.OpenAI(**options), mode=mode)
            create = client.create_iterable if many else client.create_partial
            list(create(response_model=Person, messages=MESSAGES, model="scripted", max_tokens=500))
            client.client.close()
    assert is_recording(path)
    return Recording(path)


@pytest.mark.parametrize(
    ("provider", "mode"),
    [
        ("openai", Mode.TOOLS), ("openai", Mode.JSON_SCHEMA), ("openai", Mode.MD_JSON),
        ("openai", Mode.RESPONSES_TOOLS), ("anthropic", Mode.TOOLS),
    ],
)  # fmt: skip
def test_a_recording_is_read_again(provider: str, mode: Mode, tmp_path: Path) -> None:
    replies = [answer({"tasks": WRONG}), answer({"tasks": [PEOPLE[1]]})]
    recording = record(tmp_path / "people.txt", mode, *replies, provider=provider)
    with Scripted([]) as nobody, served(nobody, recordings=[recording]) as page:
        (told,) = page.ask("GET", "/session")[1]["recordings"]
        assert told["name"] == "recording/people.txt"
        assert "Jason is 10, John is 30." in told["text"]
        schema = {"kind": "json", "text": json.dumps(told["schema"])} if told["schema"] else None
        assert told["many"] is (schema is not None)
        given = {"schema": schema} if schema else {}
        for _ in range(2):  # each run begins with the first reply
            events = page.events(page.start(told["text"], model=told["name"], **given))
            assert [item["value"] for item in of_kind(events, "item")] == PEOPLE
            assert [item["state"] for item in of_kind(events, "item")] == ["good", "repaired"]
            assert [asked["cause"] for asked in of_kind(events, "request")] == ["first", "reask"]
            assert of_kind(events, "state")[-1]["state"] == "ended"


def test_the_same_replies_by_another_schema(tmp_path: Path) -> None:
    recording = record(tmp_path / "people.txt", Mode.TOOLS, answer({"tasks": PEOPLE}))
    with Scripted([]) as nobody, served(nobody, recordings=[recording]) as page:
        fields = {"kind": "fields", "text": "name, age str?"}
        events = page.events(page.start(model=recording.name, schema={"kind": "fields", "text": "name"}))
        assert [item["value"] for item in of_kind(events, "item")] == [{"name": "Jason"}, {"name": "John"}]
        events = page.events(page.start(model=recording.name, schema=fields))
        assert len(of_kind(events, "wrong")) == 2
        state = of_kind(events, "state")[-1]
        assert state["state"] == "failed"
        assert "The recording ends here" in state["error"]


def test_one_value(tmp_path: Path) -> None:
    recording = record(tmp_path / "person.txt", Mode.TOOLS, answer(PEOPLE[0]), many=False)
    assert recording.asked.many is False
    with Scripted([]) as nobody, served(nobody, recordings=[recording]) as page:
        events = page.events(page.start(model=recording.name, many=False))
        assert [item["value"] for item in of_kind(events, "item")] == [PEOPLE[0]]


BROKEN: list[tuple[str, Callable[[str], str]]] = [
    ("cannot be read", lambda text: "x" + text),
    ("no replies", lambda text: text.partition("\n")[0] + "\n"),
    ("not known", lambda text: text.replace("/chat/completions", "/elsewhere")),
    ("cannot be read", lambda text: text.replace("> {", "> {{")),
]


@pytest.mark.parametrize(("message", "change"), BROKEN)
def test_a_file_that_is_no_recording(message: str, change: Callable[[str], str], tmp_path: Path) -> None:
    path = tmp_path / "people.txt"
    record(path, Mode.TOOLS, answer({"tasks": PEOPLE}))
    path.write_text(change(path.read_text("utf-8")), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=message):
        Recording(path)
