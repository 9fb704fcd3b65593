"""Where rows come from: files, folders, globs, tables; and documents cut into chunks and put together again."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import docx
import pyarrow
import pyarrow.parquet as parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructor.bulk import Chunk, chunks, merge, read_document
from instructor.bulk.inputs import source_of
from instructor.exceptions import ConfigurationError

ROWS = [{"name": "Ann", "age": 3}, {"name": "Böb", "age": None}]


def rows_of(given: Any) -> list[Any]:
    source = source_of(given)
    assert list(source.again("a test")) == list(source.again("a test"))
    return list(source.again("a test"))


def test_json_lines(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"name": "Ann", "age": 3}\n\n{"name": "Böb", "age": null}\n', "utf-8")
    assert rows_of(tmp_path / "a.jsonl") == ROWS
    assert source_of(str(tmp_path / "a.jsonl")).total == 2
    (tmp_path / "b.jsonl").write_text('{"a": 1}\n{"a": \n', "utf-8")
    with pytest.raises(ConfigurationError, match=r"b.jsonl: line 2 is not JSON"):
        rows_of(tmp_path / "b.jsonl")


def test_csv_and_tsv(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('name,age\nAnn,3\n"Böb, the\nsecond",\n', "utf-8")
    assert rows_of(tmp_path / "a.csv") == [{"name": "Ann", "age": "3"}, {"name": "Böb, the\nsecond", "age": ""}]
    (tmp_path / "a.tsv").write_text("name\tage\nAnn\t3\n", "utf-8")
    assert rows_of(tmp_path / "a.tsv") == [{"name": "Ann", "age": "3"}]
    (tmp_path / "b.csv").write_text("name,age\nAnn,3,4\n", "utf-8")
    with pytest.raises(ConfigurationError, match="row 2 has more fields than the header"):
        rows_of(tmp_path / "b.csv")


def test_parquet_and_arrow(tmp_path: Path) -> None:
    table = pyarrow.Table.from_pylist(ROWS)
    parquet.write_table(table, tmp_path / "a.parquet")
    assert rows_of(tmp_path / "a.parquet") == rows_of(table) == ROWS
    assert source_of(tmp_path / "a.parquet").total == source_of(table).total == 2


def sheet(path: Path, *rows: tuple[str | int | None, ...]) -> None:
    """Write the least that a spreadsheet must be."""

    def cell(value: str | int | None) -> str:
        if isinstance(value, str):
            return f'<c t="inlineStr"><is><t>{value}</t></is></c>'
        return "<c/>" if value is None else f"<c><v>{value}</v></c>"

    main = "http://schemas.openxmlformats.org"
    kind = f"{main}/officeDocument/2006/relationships"
    links = f'<Relationships xmlns="{main}/package/2006/relationships">'
    lines = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
    files = {
        "_rels/.rels": f'{links}<Relationship Id="r1" Type="{kind}/officeDocument" Target="xl/workbook.xml"/>'
        "</Relationships>",
        "xl/workbook.xml": f'<workbook xmlns="{main}/spreadsheetml/2006/main" xmlns:r="{kind}"><sheets>'
        '<sheet name="People" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'{links}<Relationship Id="r1" Type="{kind}/worksheet" '
        'Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}/spreadsheetml/2006/main"><sheetData>{lines}'
        "</sheetData></worksheet>",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, f'<?xml version="1.0" encoding="UTF-8"?>{text}')


def test_a_spreadsheet(tmp_path: Path) -> None:
    sheet(tmp_path / "a.xlsx", ("name", "age"), ("Ann", 3), ("Böb", None))
    assert rows_of(tmp_path / "a.xlsx") == [{"name": "Ann", "age": 3.0}, {"name": "Böb", "age": ""}]


def test_a_folder_a_glob_and_a_file_of_texts(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "a.txt").write_text("Ann", "utf-8")
    (tmp_path / "in" / "b.md").write_text("Böb", "utf-8")
    (tmp_path / "image.png").write_bytes(b"\x89PNG")
    ann, bob = {"path": "a.txt", "text": "Ann"}, {"path": str(Path("in") / "b.md"), "text": "Böb"}
    assert rows_of(tmp_path) == [ann, bob]
    assert rows_of(tmp_path / "a.txt") == [ann]
    assert [row["text"] for row in rows_of(str(tmp_path / "**" / "*.md"))] == ["Böb"]
    assert (source_of(tmp_path).key_field, source_of(tmp_path).text_field) == ("path", "text")
    with pytest.raises(ConfigurationError, match="no file matches"):
        source_of(str(tmp_path / "*.pdf"))
    (tmp_path / "bad.txt").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(ConfigurationError, match="is not a text in UTF-8"):
        rows_of(tmp_path / "bad.txt")


def test_html_keeps_the_text_alone(tmp_path: Path) -> None:
    page = "<html><head><title>T</title><style>p{}</style></head><body><p>One <b>two</b></p><script>x()</script></body>"
    (tmp_path / "a.html").write_text(page, "utf-8")
    assert read_document(tmp_path / "a.html").text == "One\ntwo"


def test_word_keeps_paragraphs_and_tables_in_their_order(tmp_path: Path) -> None:
    made = docx.Document()
    made.add_paragraph("One")
    table = made.add_table(rows=1, cols=2)
    table.cell(0, 0).text, table.cell(0, 1).text = "a", "b"
    made.add_paragraph("Two")
    made.save(str(tmp_path / "a.docx"))
    assert read_document(tmp_path / "a.docx").text == "One\na\tb\nTwo"


def pdf(pages: list[str]) -> bytes:
    """Write a small PDF by hand: one line of text for each page."""
    kids = " ".join(f"{3 + 2 * i} 0 R" for i in range(len(pages)))
    font = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
    parts = ["<< /Type /Catalog /Pages 2 0 R >>", f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>"]
    for index, text in enumerate(pages):
        content = f"BT /F1 12 Tf 50 700 Td ({text}) Tj ET"
        parts.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents {4 + 2 * index} 0 R "
            f"/Resources << /Font << /F1 {font} >> >> >>"
        )
        parts.append(f"<< /Length {len(content)} >>\nstream\n{content}\nendstream")
    out, places = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n{part}\nendobj\n".encode()
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    end = f"xref\n0 {len(parts) + 1}\n0000000000 65535 f \n{table}trailer\n<< /Size {len(parts) + 1} /Root 1 0 R >>\n"
    return out + f"{end}startxref\n{len(out)}\n%%EOF\n".encode()


def test_a_pdf_keeps_its_pages(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(pdf(["Ann is 3", "Bob is 4"]))
    document = read_document(tmp_path / "a.pdf")
    assert document.text == "Ann is 3\fBob is 4"
    assert [document.page_at(document.text.index(name)) for name in ("Ann", "Bob")] == [1, 2]
    assert rows_of(tmp_path / "a.pdf") == [{"path": "a.pdf", "text": document.text, "pages": [0, 9]}]
    assert read_document.__doc__


@given(st.text(alphabet="ab. \n", max_size=300), st.integers(1, 40), st.integers(0, 39))
def test_chunks_cover_the_text_and_say_where_they_are(text: str, size: int, overlap: int) -> None:
    if overlap >= size:
        with pytest.raises(ConfigurationError, match="overlap must be"):
            chunks(text, size, overlap)
        return
    found = chunks(text, size, overlap)
    assert all(0 < len(chunk.text) <= size and text[chunk.start : chunk.end] == chunk.text for chunk in found)
    covered = {at for chunk in found for at in range(chunk.start, chunk.end)}
    assert all(text[at].isspace() for at in range(len(text)) if at not in covered)
    assert [chunk.start for chunk in found] == sorted({chunk.start for chunk in found})


def test_chunks_end_where_a_paragraph_or_a_sentence_does() -> None:
    text = "One is here. Two is here too.\n\nThree is far away. Four."
    assert [chunk.text for chunk in chunks(text, 35)] == ["One is here. Two is here too.", "Three is far away. Four."]
    assert [chunk.text for chunk in chunks(text, 20)] == [
        "One is here.", "Two is here too.", "Three is far away.", "Four."]  # fmt: skip
    assert [chunk.text for chunk in chunks("x" * 25, 10)] == ["x" * 10, "x" * 10, "x" * 5]
    assert chunks("Dr. No met Ann. He left.", 18)[0] == Chunk("Dr. No met Ann.", 0, 15)


def test_overlapping_chunks_share_whole_sentences() -> None:
    text = "One one one. Two two two. Three three. Four four."
    assert [chunk.text for chunk in chunks(text, 26, 14)] == [
        "One one one. Two two two.", "Two two two. Three three.", "Three three. Four four."]  # fmt: skip


def test_merge_keeps_the_first_of_equal_items() -> None:
    items = [{"name": "Ann Ash", "age": 3}, {"name": "ann  ash", "age": 3}, {"name": "Bob", "age": 4}] * 2
    assert merge(items) == items[:3]
    assert merge(items, key="normalized") == [items[0], items[2]]
    assert merge(items, key=lambda item: item["age"]) == [items[0], items[2]]
    with pytest.raises(ConfigurationError, match="key must be"):
        merge(items, key="fuzzy")  # type: ignore[arg-type]
