"""Rows that are images, audio and pages of PDFs."""

from __future__ import annotations

import base64
import io
import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pypdf
import pytest

from harness import Harness
from instructor import PDF, Audio, Image
from instructor.bulk import Limits, Pages, Row
from instructor.bulk.inputs import source_of
from instructor.exceptions import ConfigurationError
from instructor.testing import Asked, answer
from media_files import PNG, WAV, b64, files

__all__ = ["files"]


def user_parts(asked: Asked) -> list[Any]:
    content = [message for message in asked.body["messages"] if message["role"] == "user"][-1]["content"]
    return list(content) if isinstance(content, list) else [content]


def kinds(asked: Asked) -> list[str]:
    return [part["text"] if part["type"] == "text" else part["type"] for part in user_parts(asked)]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(3):
        (folder / f"secret-{number}.png").write_bytes(PNG + bytes([number]))
    return folder


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """Return the path of a PDF with two pages."""
    writer = pypdf.PdfWriter()
    for size in (100, 200):
        writer.add_blank_page(size, size)
    writer.write(tmp_path / "scan.pdf")
    return tmp_path / "scan.pdf"


async def mapped(harness: Harness, server: Any, rows: Any, **options: Any) -> list[Row[Any]]:
    run = harness.client(server).map(rows, response_model=int, model="m", ordered=True, **options)
    found: list[Row[Any]] = await harness.items(run)
    return found


async def test_a_folder_of_images(harness: Harness, scripted_server: Any, photos: Path, tmp_path: Path) -> None:
    server = scripted_server(lambda asked: answer(1))
    store = tmp_path / "run.sqlite"
    rows = await mapped(harness, server, photos, messages="How many people are there?", store=store)
    assert [row.key for row in rows] == ["secret-0.png", "secret-1.png", "secret-2.png"]
    assert [row.value for row in rows] == [1, 1, 1]
    assert [kinds(asked) for asked in server.requests] == [["How many people are there?", "image_url"]] * 3
    sent = {part["image_url"]["url"] for asked in server.requests for part in user_parts(asked)[1:]}
    assert sent == {f"data:image/png;base64,{b64(PNG + bytes([number]))}" for number in range(3)}
    assert "secret" not in json.dumps([asked.body for asked in server.requests])
    with sqlite3.connect(store) as kept:  # the files are where they were: the store does not keep them again
        assert b64(PNG)[:40] not in "\n".join(kept.iterdump())
    kept.close()
    again = await mapped(harness, server, photos, messages="How many people are there?", store=store)
    assert [row.reused for row in again] == [True] * 3
    assert len(server.requests) == 3


async def test_the_same_image_is_the_same_request(
    harness: Harness, scripted_server: Any, photos: Path, tmp_path: Path
) -> None:
    server = scripted_server(lambda asked: answer(1))
    shutil.copy(photos / "secret-0.png", photos / "secret-3.png")
    store = tmp_path / "run.sqlite"
    await mapped(harness, server, photos, store=store)
    assert len(server.requests) == 3
    moved = Path(shutil.move(photos, tmp_path / "moved"))
    (moved / "secret-1.png").write_bytes(PNG + b"changed")
    await mapped(harness, server, moved, store=store)
    assert len(server.requests) == 4


async def test_rows_with_a_text_beside_the_image(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server(lambda asked: answer(1))
    rows = [{"question": "How many?", "image": Image.from_bytes(PNG), "id": 7}]
    await mapped(harness, server, rows)
    await mapped(harness, server, rows, messages="Answer {{ id }}: {{ question }}")
    await mapped(harness, server, rows, messages="Answer.")
    await mapped(harness, server, rows, context={"unit": "people"})
    turns = [
        {"role": "system", "content": "You count."},
        {"role": "user", "content": "A"},
        {"role": "assistant", "content": "B"},
    ]
    await mapped(harness, server, rows, messages=turns)
    assert [kinds(asked) for asked in server.requests] == [
        ["How many?", "image_url"], ["Answer 7: How many?", "image_url"], ["Answer.\n\nHow many?", "image_url"],
        ["How many?", "image_url"], ["A", "image_url"],
    ]  # fmt: skip


async def test_images_and_audio_as_rows_and_in_a_function(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server(lambda asked: answer(1))
    rows = await mapped(harness, server, [Image.from_bytes(PNG), Audio.from_bytes(WAV)])
    assert [type(row.input) for row in rows] == [Image, Audio]
    await mapped(
        harness, server, [Image.from_bytes(PNG)], messages=lambda image: [{"role": "user", "content": ["Look.", image]}]
    )
    assert sorted(map(kinds, server.requests)) == [["Look.", "image_url"], ["image_url"], ["input_audio"]]


async def test_pages_of_a_scan(harness: Harness, scripted_server: Any, scan: Path) -> None:
    server = scripted_server(lambda asked: answer(1))
    pages = Pages(scan)
    assert (len(pages), pages[-1]["page"], [row["page"] for row in pages[:1]]) == (2, 2, [1])
    rows = await mapped(harness, server, pages, messages="Read the page.")
    assert [row.input["page"] for row in rows] == [1, 2]
    widths = []
    for asked in server.requests:
        text, paper = user_parts(asked)
        assert text["text"] == "Read the page."
        assert paper["file"]["filename"] == "document.pdf"
        pdf = PDF.from_base64(paper["file"]["file_data"]).data
        assert pdf is not None
        (page,) = pypdf.PdfReader(io.BytesIO(base64.b64decode(pdf))).pages
        widths.append(page.mediabox.width)
    assert sorted(widths) == [100, 200]


async def test_one_file_that_is_no_image_is_a_failed_row(harness: Harness, scripted_server: Any, photos: Path) -> None:
    (photos / "secret-1.png").write_bytes(b"%PDF-1.4")
    server = scripted_server(lambda asked: answer(1))
    rows = await mapped(harness, server, photos)
    assert [row.value for row in rows] == [1, None, 1]
    assert "application/pdf" in str(rows[1].error)


def test_a_folder_has_documents_or_else_images(files: Path, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.md").write_text("Text.")
    shutil.copy(photos / "secret-0.png", tmp_path / "notes" / "figure.png")
    assert [row["path"] for row in source_of(tmp_path / "notes").again("a test")] == ["a.md"]
    assert [type(row["image"]) for row in source_of(photos).again("a test")] == [Image] * 3
    assert [type(row["audio"]) for row in source_of(str(files / "*.wav")).again("a test")] == [Audio]
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigurationError, match=r"no files of these kinds: .*\.png"):
        source_of(tmp_path / "empty")


async def test_an_image_counts_as_a_thousand_tokens(harness: Harness, scripted_server: Any, tmp_path: Path) -> None:
    """Its characters would be a million: a run with a limit of tokens would wait for hours."""
    server = scripted_server(lambda asked: answer(1))
    large = [Image.from_bytes(PNG + bytes([number]) * 3_000_000) for number in range(2)]
    run = harness.client(server).map(large, response_model=int, model="m", limits=Limits(tpm=10_000))
    assert 2_000 < run.estimate().tokens_low < 4_000
    assert [row.value for row in await harness.items(run)] == [1, 1]
