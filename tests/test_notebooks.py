"""What a notebook shows of lists and streams, in the real IPython. Its kernel is not here: what is sent to it is."""

from __future__ import annotations

import atexit
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import IPython.display
import pytest
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from pydantic import BaseModel
from traitlets.config import Config

from harness import Harness, asking
from instructor.notebook import LiveView
from instructor.results import ListResponse
from instructor.testing import answer

display: Any = IPython.display.display


class User(BaseModel):
    name: str
    age: int


PEOPLE = [User(name="Ann", age=1), User(name="<b>Bob</b>", age=2)]


class Kernel(InteractiveShell):
    """A shell as a notebook has it: outputs can be changed."""

    kernel = object()


@pytest.fixture(params=[Kernel, InteractiveShell])
def outputs(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[list[dict[str, Any]]]:
    """Yield what is sent to the notebook, or to the terminal."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    no_history = Config({"HistoryManager": {"enabled": False}})
    shell = request.param.instance(display_pub_class=CapturingDisplayPublisher, config=no_history)
    yield shell.display_pub.outputs
    request.param.clear_instance()
    atexit.unregister(shell.atexit_operations)
    shell.atexit_operations()


def html(output: dict[str, Any]) -> str:
    return str(output["data"]["text/html"])


def cells(text: str) -> list[str]:
    return re.findall(r"<(?:td|th|caption)[^>]*>(.*?)</", text)


async def test_a_stream_in_a_cell_changes_in_place(
    harness: Harness, scripted_server: Callable[..., Any], outputs: list[dict[str, Any]], request: Any
) -> None:
    client = harness.client(scripted_server([answer(PEOPLE)]))
    stream = await harness.result(client.create_iterable(**asking(), response_model=User))
    display(stream)
    assert "not read yet" in html(outputs[0])
    assert outputs[0]["data"]["text/plain"].startswith("Stream, not read yet")
    assert await harness.items(stream) == PEOPLE
    if "InteractiveShell" in request.node.name:
        assert len(outputs) == 1  # a terminal cannot change what it has written
        return
    assert len({output["transient"]["display_id"] for output in outputs}) == 1
    assert all(output["update"] for output in outputs[1:])
    last = html(outputs[-1])
    assert "Stream, ended" in last
    assert cells(last)[-10:] == ["2 items", "", "name", "age", "1", "Ann", "1", "2", "&lt;b&gt;Bob&lt;/b&gt;", "2"]
    assert "<b>" not in last


async def test_a_value_that_grows_is_one_row(
    harness: Harness, scripted_server: Callable[..., Any], outputs: list[dict[str, Any]], request: Any
) -> None:
    client = harness.client(scripted_server([answer(PEOPLE[0])]))
    stream = await harness.result(client.create_partial(**asking(), response_model=User))
    display(stream)
    await harness.items(stream)
    if "InteractiveShell" not in request.node.name:
        assert cells(html(outputs[-1]))[-7:] == ["1 item", "", "name", "age", "1", "Ann", "1"]


@pytest.mark.parametrize("outputs", [Kernel], indirect=True)
async def test_a_stream_that_is_left_shows_what_came(
    harness: Harness, scripted_server: Callable[..., Any], outputs: list[dict[str, Any]]
) -> None:
    client = harness.client(server := scripted_server([answer(PEOPLE, silence_after=14)]))
    stream = await harness.result(client.create_iterable(**asking(), response_model=User))
    display(stream)
    assert await harness.next(stream) == PEOPLE[0]
    await harness.close(stream)
    assert cells(html(outputs[-1]))[-3:] == ["1", "Ann", "1"]
    await harness.off_loop(server.wait_closed)


class Handle:
    """Counts what is sent to a cell."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def update(self, content: dict[str, str], *, raw: bool) -> None:
        assert raw
        self.sent.append(content["text/html"])


def test_the_output_changes_some_times_a_second_however_many_items_come() -> None:
    handle, now, shown = Handle(), [0.0], ListResponse[User]().report
    view = LiveView(handle, lambda: now[0])
    for number in range(1000):
        now[0] = number / 1000
        view.add(shown, User(name=f"P{number}", age=1), replaces=False)
    assert len(handle.sent) == 10
    assert max(text.count("<tr>") for text in handle.sent) < 30  # the last items only
    view.draw(shown)
    assert "1,000 items, of which 10 are shown" in handle.sent[-1]
    assert cells(handle.sent[-1])[-3:] == ["1000", "P999", "1"]


def test_a_list_is_a_table() -> None:
    items = ListResponse([*PEOPLE, User(name="x" * 500, age=3)])
    text = items._repr_html_()
    assert cells(text)[:7] == ["3 items", "", "name", "age", "1", "Ann", "1"]
    assert "<b>" not in text
    assert "x" * 301 not in text
    assert "1,000 items, of which 200 are shown" in ListResponse([PEOPLE[0]] * 1000)._repr_html_()
    assert cells(ListResponse([1, "<i>"])._repr_html_()) == ["2 items", "", "value", "1", "1", "2", "&lt;i&gt;"]
    assert cells(ListResponse[User]()._repr_html_()) == ["0 items", ""]


async def test_a_list_with_evidence_has_a_column_of_places(
    harness: Harness, scripted_server: Callable[..., Any]
) -> None:
    client = harness.client(scripted_server([answer([PEOPLE[0], User(name="Cy", age=7)])]))
    messages = [{"role": "user", "content": "<i>Ann</i>, age 1"}]
    items = await harness.create(client, list[User], messages=messages, ground=True)
    text = items._repr_html_()
    assert cells(text)[2:5] == ["name", "age", "in the text"]
    assert cells(text)[8] == "3-17: Ann&lt;/i&gt;, age 1"
    assert cells(text)[12] == ""
