"""Items in traces: good ones are counted, and cost next to nothing; what is wrong is an event. Content is not shown."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest
from opentelemetry import context as contexts
from opentelemetry.sdk.trace import Span, Tracer
from pydantic import BaseModel, field_validator

from harness import Harness, asking
from instructor.observe.call import BOUNDS
from instructor.observe.conventions import LATEST, OPT_IN
from instructor.testing import answer
from observed import Seen, identity, named


class User(BaseModel):
    name: str
    age: int


class Strict(User):
    @field_validator("name")
    @classmethod
    def known(cls, name: str) -> str:
        if "secret" in name:
            raise ValueError(f"{name} is not known")
        return name


SECRET = {"name": "secret-Ann", "age": 1}


def people(count: int) -> list[dict[str, Any]]:
    return [{"name": f"Person {at}", "age": at} for at in range(count)]


async def test_a_hundred_events_a_call_and_then_a_count(harness: Harness, scripted_server: Any, seen: Seen) -> None:
    client = harness.client(scripted_server([answer([{"name": f"n{at}"} for at in range(130)])]))
    stream = client.create_iterable(**asking(response_model=User, on_invalid="skip"))
    assert await harness.items(stream) == []
    assert [event.attributes["instructor.item.index"] for event in seen.events] == list(range(100))
    told = named(seen.call)
    assert (told["instructor.items.bad"], told["instructor.events.left_out"]) == (130, 30)


async def test_the_times_between_items_are_a_histogram(harness: Harness, scripted_server: Any, seen: Seen) -> None:
    client = harness.client(scripted_server([answer(people(50)), answer(people(1))]))
    await harness.items(client.create_iterable(**asking(response_model=User)))
    assert seen.events == []
    assert list(seen.call.events) == []
    told = named(seen.call)
    assert told["instructor.items.interval.bounds"] == BOUNDS
    assert len(told["instructor.items.interval.counts"]) == len(BOUNDS) + 1
    assert sum(told["instructor.items.interval.counts"]) == 49
    (point,) = seen.intervals
    assert (point.count, dict(point.attributes)) == (1, {"instructor.type": "User"})
    await harness.items(client.create_iterable(**asking(response_model=User)))
    assert "instructor.items.interval.counts" not in named(seen.calls[1])  # one item is no interval


async def test_long_times_are_counted_as_long(
    harness: Harness, scripted_server: Any, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(float(at) for at in range(10_000))
    monkeypatch.setattr("instructor.observe.call.perf_counter", lambda: next(clock))
    client = harness.client(scripted_server([answer(people(5))]))
    await harness.items(client.create_iterable(**asking(response_model=User)))
    counts = named(seen.call)["instructor.items.interval.counts"]
    assert sum(counts[BOUNDS.index(1.0) + 1 :]) == sum(counts) == 4


async def test_an_item_costs_no_span_no_event_and_no_measurement(
    harness: Harness, scripted_server: Any, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: Counter[str] = Counter()

    def counting(owner: Any, name: str) -> None:
        function = getattr(owner, name)

        def counted(*arguments: Any, **options: Any) -> Any:
            done[name] += 1
            return function(*arguments, **options)

        monkeypatch.setattr(owner, name, counted)

    counting(Tracer, "start_span")
    counting(type(seen.meters.get_meter("any").create_histogram("any")), "record")
    for name in ("add_event", "set_attribute", "set_attributes"):
        counting(Span, name)
    counting(contexts, "attach")

    async def work(items: int) -> Counter[str]:
        done.clear()
        client = harness.client(scripted_server([answer(people(items), events_per_write="all")]))
        assert len(await harness.items(client.create_iterable(**asking(response_model=User)))) == items
        return Counter(done)

    few, many = await work(10), await work(1000)
    assert (few["start_span"], few["record"]) == (2, 1)
    assert many["attach"] - few["attach"] == 990  # the call's span is current again after each item: nothing else
    del few["attach"], many["attach"]
    assert many == few


async def test_nothing_of_the_text_is_exported(harness: Harness, scripted_server: Any, seen: Seen) -> None:
    client = harness.client(scripted_server([answer([SECRET]), answer([{"name": "secret-Bob"}])]))
    messages = [{"role": "user", "content": "secret question"}]
    stream = client.create_iterable(messages, Strict, model="m", max_retries=1)
    with pytest.raises(Exception, match=r"not known|Field required"):
        await harness.items(stream)
    assert [event.attributes["instructor.item.errors"] for event in seen.events] == [
        ("value_error @ $.name",),
        ("value_error @ $.name", "missing @ $.age"),
    ]
    assert "secret" not in seen.everything()


async def test_content_by_the_older_names(harness: Harness, scripted_server: Any, seen: Seen) -> None:
    seen.enable(content=True)
    client = harness.client(scripted_server([answer([{"name": "Eve"}]), answer([{"name": "Eve", "age": 1}])]))
    messages = [
        {"role": "system", "content": "Be exact."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "The key is sk-live-0123456789abcdefgh"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            ],
        },
    ]
    await harness.items(client.create_iterable(messages, User, model="m"))
    first, second = (identity(span) for span in seen.requests)
    told = [event for event in seen.events if event.event_name.startswith("gen_ai.")]
    assert [(event.event_name, event.span_id) for event in told] == [
        ("gen_ai.system.message", first),
        ("gen_ai.user.message", first),
        ("gen_ai.choice", first),
        *((f"gen_ai.{who}", second) for who in ("system.message", "user.message", "assistant.message")),
        ("gen_ai.tool.message", second),
        ("gen_ai.choice", second),
    ]
    assert all(dict(event.attributes) == {"gen_ai.system": "openai"} for event in told)
    assert told[0].body == {"content": "Be exact."}
    assert told[1].body == {"content": "The key is sk-***"}
    assert told[2].body["finish_reason"] == "tool_call"
    (call,) = told[2].body["message"]["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == {"tasks": [{"name": "Eve"}]}
    (wrong,) = [event for event in seen.events if event.event_name == "instructor.item.bad"]
    assert wrong.attributes["instructor.item.text"] == '{"name": "Eve"}'
    assert wrong.attributes["instructor.item.errors"] == ("Field required @ $.age",)
    assert "AAAA" not in seen.everything()


async def test_content_by_the_newest_names(
    harness: Harness, scripted_server: Any, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(OPT_IN, LATEST)
    seen.enable(content=True)
    client = harness.client(scripted_server([answer({"name": "Ann", "age": 1})]))
    await harness.create(client, User)
    told = named(seen.request)
    assert json.loads(told["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": "Extract."}]}
    ]
    (message,) = json.loads(told["gen_ai.output.messages"])
    assert (message["role"], message["finish_reason"]) == ("assistant", "tool_call")
    (part,) = message["parts"]
    assert (part["type"], part["name"], json.loads(part["arguments"])) == (
        "tool_call",
        "User",
        {"name": "Ann", "age": 1},
    )
    assert seen.events == []


_OFF = """
import sys
import instructor, openai
from pydantic import BaseModel
from instructor.testing import Scripted, answer
class User(BaseModel):
    name: str
with Scripted([answer({"name": "Ann"})]) as server:
    client = instructor.from_openai(openai.OpenAI(api_key="none", base_url=server.base_url))
    client.create(User, [{"role": "user", "content": "x"}], model="m")
print(*[name for name in sys.modules if name.startswith(("opentelemetry", "instructor.observe"))])
"""


def test_off_imports_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", _OFF], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []


_MISSING = """
import sys
sys.modules["opentelemetry"] = None
import instructor
try:
    instructor.observe.enable()
except instructor.ConfigurationError as error:
    print(error)
"""


def test_what_is_missing_is_said() -> None:
    done = subprocess.run([sys.executable, "-c", _MISSING], check=True, capture_output=True, text=True)
    assert done.stdout.startswith("Traces need OpenTelemetry's API: pip install ")
