"""A stream of sixty events that breaks after each of them in turn, in each way it can break."""

from __future__ import annotations

from typing import Any

import pytest
from persons import Person, ids, said, taken, tasks

from harness import Harness, asking
from instructor import Mode
from instructor.exceptions import IncompleteOutputException
from instructor.testing import Faults, Reply, Scripted

pytestmark = pytest.mark.slow

EVENTS, CHUNK = 60, 5
PIECES = EVENTS - 4  # the first event has no text; the last ones are the terminal event, the tokens, and [DONE]
ITEMS = [f'{{"id": {number}, "name": "Žofie €"}}' for number in range(8)]
LAST = 1 + PIECES  # so many events have the whole text
FAULTS = ("drop_after", "cut_after", "length", "malformed_after", "half_utf8_after")
MODES = (Mode.TOOLS, Mode.JSON, Mode.MD_JSON)


def written(mode: Mode) -> str:
    text = tasks(*ITEMS)
    text = f"As [1] says:\n```json\n{text}\n```" if mode is Mode.MD_JSON else text
    return text.ljust(PIECES * CHUNK)


def broken(mode: Mode, fault: str, place: int) -> Reply:
    faults: dict[str, Any] = {"finish": "length", "cut_after": place} if fault == "length" else {fault: place}
    return said(written(mode), mode, **Faults(chunk=CHUNK, **faults))  # type: ignore[typeddict-item]


def closed(mode: Mode, place: int) -> list[int]:
    """Say which items are whole after so many events."""
    text = written(mode)[: max(0, place - 1) * CHUNK]
    return [number for number, item in enumerate(ITEMS) if item in text]


def test_the_stream_has_sixty_events() -> None:
    assert all(len(written(mode)) == PIECES * CHUNK for mode in MODES)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("mode", MODES)
async def test_the_good_items_then_the_error(harness: Harness, mode: Mode, fault: str) -> None:
    with Scripted() as server:
        client = harness.client(server, mode)
        for place in range(LAST + 1 if fault == "length" else EVENTS + 1):
            server.add(broken(mode, fault, place))
            stream = client.create_iterable(response_model=Person, max_retries=0, **asking())
            found, error = await taken(harness, stream)
            assert server.served[-1].events == (place + 3 if fault == "length" else EVENTS), place
            assert ids(found) == closed(mode, place), place
            report = stream.report
            if fault != "length" and place > LAST:  # the terminal event was seen, and the closed list before it
                assert error is None, place
                assert (len(found), report.complete) == (len(ITEMS), True), place
                continue
            assert isinstance(error, IncompleteOutputException), (place, error)
            assert error.report is stream.report
            assert error.failed_items == []
            assert (report.good, report.attempts, report.complete) == (len(found), 1, False), place
            assert report.finish_reason == ("length" if fault == "length" else None), place


@pytest.mark.parametrize("fault", ["drop_after", "length"])
@pytest.mark.parametrize("mode", [Mode.TOOLS, Mode.MD_JSON])
async def test_all_items_once_when_it_may_go_on(harness: Harness, mode: Mode, fault: str) -> None:
    with Scripted() as server:
        client = harness.client(server, mode)
        for place in range(LAST + 1):
            begun = closed(mode, place)
            seam = begun[-1:] if place % 2 else []  # each second time the last one is given again
            server.add(broken(mode, fault, place), said(tasks(*ITEMS[len(begun) - len(seam) :]), mode))
            stream = client.create_iterable(response_model=Person, max_retries=1, **asking())
            found, error = await taken(harness, stream)
            assert error is None, place
            assert ids(found) == list(range(len(ITEMS))), place
            report = stream.report
            assert (report.attempts, report.continuations, report.complete) == (2, 1, True), place
            assert report.dropped_repeats == len(seam), place
