"""Reports, usage and streams: as data that can be kept, as text, in a notebook and in a terminal."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter
from rich.console import Console

import instructor
from harness import Harness, asking
from instructor import ConfigurationError, InstructorRetryException, Report, Usage, report_of
from instructor.testing import answer


class User(BaseModel):
    name: str
    age: int


class Finding(BaseModel):
    report: str


ANN = {"name": "Ann", "age": 1}
BOB = {"name": "Bob", "age": 2}
BAD = {"name": "Ann", "age": "young"}


def printed(value: Any, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(value)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def cells(html: str) -> list[str]:
    return [text for text in re.split("<[^>]*>", html) if text]


async def test_a_report_is_data(harness: Harness, scripted_server: Any) -> None:
    client = harness.client(scripted_server([answer([ANN, BAD]), answer([BOB])]))
    report = (await harness.create(client, list[User])).report
    kept = json.loads(json.dumps(report.to_dict()))
    assert kept == json.loads(TypeAdapter(Report).dump_json(report)) == report.model_dump()
    assert kept["good"] == 2
    assert kept["repaired"] == 1
    assert kept["failed_items"] == []
    assert kept["usage"]["input_tokens"] == report.usage.input_tokens > 0
    assert set(kept["usage"]["by_cause"]) == {"first", "reask"}


async def test_a_failed_item_is_data(harness: Harness, scripted_server: Any) -> None:
    client = harness.client(scripted_server([answer([ANN, BAD])]))
    report = (await harness.create(client, list[User], on_invalid="skip", max_retries=0)).report
    assert [each["index"] for each in report.to_dict()["failed_items"]] == [1]
    assert "1 failed" in str(report)


async def test_a_report_says_what_happened(harness: Harness, scripted_server: Any) -> None:
    client = harness.client(scripted_server([answer([ANN, BAD]), answer([BOB])]))
    report = (await harness.create(client, list[User])).report
    assert str(report).startswith("Report: values 2 (1 repaired); complete yes; requests 2; tokens ")
    assert cells(report._repr_html_())[:5] == ["Report", "values", "2 (1 repaired)", "complete", "yes"]
    text = printed(report)
    assert "2 (1 repaired)" in text
    assert "requests" in text
    assert printed(report, width=20)  # a narrow terminal


def test_tokens_that_are_estimates_say_so() -> None:
    assert str(Usage(1200, 30)) == "Tokens: input 1,200; output 30"
    assert (
        str(Usage(1200, 30, cached_tokens=1000, exact=False))
        == "Tokens: input about 1,200 (1,000 cached); output about 30"
    )
    assert "1,200" in printed(Usage(1200, 30))
    assert Usage(1200, 30).to_dict()["input_tokens"] == 1200


async def test_a_stream_says_how_far_it_is(harness: Harness, scripted_server: Any) -> None:
    client = harness.client(scripted_server([answer([ANN, ANN])]))
    stream = await harness.result(client.create_iterable(**asking(), response_model=User))
    assert str(stream).startswith("Stream, not read yet: values 0;")
    assert (await anext(stream) if harness.is_async else next(stream)) == User(name="Ann", age=1)
    assert "Stream, being read" in printed(stream)
    await harness.items(stream)
    assert cells(stream._repr_html_())[:3] == ["Stream, ended", "values", "2"]


def test_what_is_shown_is_escaped() -> None:
    report = Report(finish_reason="<script>[bold]")
    assert "&lt;script&gt;" in report._repr_html_()
    assert "<script>[bold]" in printed(report)


async def test_every_kind_of_result_has_its_report(harness: Harness, scripted_server: Any) -> None:
    replies = [answer(ANN), answer([ANN]), answer({"report": "fine"}), answer(ANN), answer(BAD), answer({"content": 7})]
    client = harness.client(scripted_server(replies))
    assert report_of(await harness.create(client, User)).good == 1
    assert report_of(await harness.create(client, list[User])).good == 1
    assert report_of(await harness.create(client, Finding)).good == 1  # which has a field of that name
    stream = await harness.result(client.create_partial(**asking(), response_model=User))
    shown = await harness.items(stream)
    assert report_of(stream).complete
    assert shown[-1] == User(name="Ann", age=1)
    with pytest.raises(InstructorRetryException) as caught:
        await harness.create(client, User, max_retries=0)
    assert report_of(caught.value).bad == 1
    number = await harness.create(client, int)
    with pytest.raises(ConfigurationError, match=r"int '7' has no report.*stream:end"):
        report_of(number)
    with pytest.raises(ConfigurationError, match="has no report"):
        report_of(User(name="Ann", age=1))
    assert instructor.report_of is report_of
