"""Stores: tables, other schemas for the same answers, copies, and files that are no stores."""

from __future__ import annotations

import csv
import datetime
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import pyarrow
import pyarrow.parquet as parquet
import pytest
from pydantic import BaseModel, Field

from harness import Harness
from instructor import Mode
from instructor.bulk import Row, Store, StoreError
from instructor.bulk.journal import Journal
from instructor.exceptions import ConfigurationError
from instructor.testing import Asked, Gate, Reply, answer, error


class Pet(BaseModel):
    name: str
    kind: Literal["cat", "dog"] | None = None


class Person(BaseModel):
    name: str
    age: int | None = None
    born: datetime.date | None = None
    pets: list[Pet] = []


class Town(BaseModel):
    people: list[Person]
    country: str


ANN = {"name": "Ann", "age": 3, "born": "2020-01-02", "pets": [{"name": "Tom", "kind": "cat"}]}
BOB = {"name": "Bob"}
PEOPLE = {"0": [ANN, BOB], "1": [], "2": [BOB]}


def people(asked: Asked) -> Reply:
    text = str(asked.body["messages"][-1]["content"])
    return error(400, "too long") if "bad" in text else answer({"tasks": PEOPLE[text[-1]]})


async def filled(harness: Harness, server: Any, path: Path, **options: Any) -> tuple[Any, Store]:
    """Make a store with three lists of people, and a failed row."""
    client = harness.client(server)
    rows = [*({"id": f"t{i}", "text": f"Text {i}"} for i in range(3)), {"id": "bad", "text": "bad"}]
    options = {"response_model": Iterable[Person], "model": "m", "key": "id", "messages": "{{ text }}", **options}
    run = client.map(rows, store=path, **options)
    await harness.items(run)
    return client, run.store


async def test_a_table_of_rows_or_of_items(harness: Harness, scripted_server: Any, tmp_path: Path) -> None:
    _, store = await filled(harness, scripted_server(people), tmp_path / "s.sqlite")
    done = store.export(tmp_path / "rows.jsonl")
    assert (done.rows, done.failed, done.errors) == (3, 1, tmp_path / "rows.errors.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text("utf-8").splitlines()]
    assert [(line["key"], line["n_items"]) for line in lines] == [("t0", 2), ("t1", 0), ("t2", 1)]
    assert lines[0]["items"][0]["pets"] == [{"name": "Tom", "kind": "cat"}]
    wrong = json.loads((tmp_path / "rows.errors.jsonl").read_text("utf-8"))
    assert wrong == {"key": "bad", "input": {"id": "bad", "text": "bad"}, "kind": "BadRequestError",
                     "error": wrong["error"], "text": ""}  # fmt: skip
    assert "too long" in wrong["error"]
    assert store.export(tmp_path / "items.csv", explode=True, inputs=["text"]).rows == 4
    with (tmp_path / "items.csv").open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    assert [(x["key"], x["text"], x["n_items"], x["item"], x["name"], x["age"]) for x in found] == [
        ("t0", "Text 0", "2", "0", "Ann", "3"), ("t0", "Text 0", "2", "1", "Bob", ""),
        ("t1", "Text 1", "0", "", "", ""), ("t2", "Text 2", "1", "0", "Bob", "")]  # fmt: skip


async def test_types_of_columns_come_from_the_model(harness: Harness, scripted_server: Any, tmp_path: Path) -> None:
    _, store = await filled(harness, scripted_server(people), tmp_path / "s.sqlite")
    store.export(tmp_path / "items.parquet", explode=True)
    table = parquet.read_table(tmp_path / "items.parquet")
    pet = pyarrow.struct([("name", pyarrow.string()), ("kind", pyarrow.string())])
    assert {field.name: field.type for field in table.schema} == {
        "key": pyarrow.string(), "n_items": pyarrow.int64(), "item": pyarrow.int64(), "name": pyarrow.string(),
        "age": pyarrow.int64(), "born": pyarrow.date32(), "pets": table.schema.field("pets").type}  # fmt: skip
    assert table.schema.field("pets").type.value_type == pet
    assert table.column("born").to_pylist() == [datetime.date(2020, 1, 2), None, None, None]
    store.export(tmp_path / "later.parquet", explode=True, since=time.time() + 1)
    assert parquet.read_table(tmp_path / "later.parquet").num_rows == 0
    assert parquet.read_schema(tmp_path / "later.parquet") == table.schema


async def test_a_list_in_the_answer_is_exploded(harness: Harness, scripted_server: Any, tmp_path: Path) -> None:
    server = scripted_server(lambda asked: answer({"people": [ANN, BOB], "country": "X"}))
    client = harness.client(server)
    run = client.map(["a"], response_model=Town, model="m", store=tmp_path / "s.sqlite")
    await harness.items(run)
    run.store.export(tmp_path / "o.jsonl", explode="people", inputs=["input"])
    lines = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text("utf-8").splitlines()]
    assert [(x["input"], x["country"], x["n_items"], x["item"], x["name"]) for x in lines] == [
        ("a", "X", 2, 0, "Ann"), ("a", "X", 2, 1, "Bob")]  # fmt: skip
    with pytest.raises(
        ConfigurationError, match=r"explode='pets' is not a field of the answer\. It has people, country"
    ):
        run.store.export(tmp_path / "o.jsonl", explode="pets")
    with pytest.raises(ConfigurationError, match="explode=True needs an answer that is a list"):
        run.store.export(tmp_path / "o.jsonl", explode=True)


async def test_an_export_that_fails_leaves_the_file_before(
    harness: Harness, scripted_server: Any, tmp_path: Path
) -> None:
    _, store = await filled(harness, scripted_server(people), tmp_path / "s.sqlite")
    (tmp_path / "o.jsonl").write_text("before")
    with pytest.raises(StoreError, match="there is no folder"):
        store.export(tmp_path / "nowhere" / "o.jsonl")
    with pytest.raises(ConfigurationError, match=r"must end in .jsonl, .csv, .parquet, got"):
        store.export(tmp_path / "o.xls")
    assert (tmp_path / "o.jsonl").read_text() == "before"
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".part")]


async def test_views(harness: Harness, scripted_server: Any, tmp_path: Path) -> None:
    _, store = await filled(harness, scripted_server(people), tmp_path / "s.sqlite")
    with store.reader() as reader:
        assert reader.execute("SELECT key, state, n_items FROM rows ORDER BY position").fetchall() == [
            ("t0", "ok", 2), ("t1", "ok", 0), ("t2", "ok", 1), ("bad", "failed", 0)]  # fmt: skip
        names = reader.execute("SELECT key, item, json_extract(value, '$.name') FROM items ORDER BY 1, 2").fetchall()
        assert names == [("t0", 0, "Ann"), ("t0", 1, "Bob"), ("t2", 0, "Bob")]
        assert reader.execute("SELECT key, number, status FROM attempts WHERE key = 'bad'").fetchall() == [
            ("bad", 1, "refused")]  # fmt: skip


class Elder(BaseModel):
    """Has another name than Person, so the tool had another one, too."""

    name: str
    age: int = Field(default=0, ge=0)
    pets: list[dict[str, Any]] = []


class Aged(BaseModel):
    name: str
    age: int


async def test_another_type_is_read_from_the_replies_that_are_there(
    harness: Harness, scripted_server: Any, tmp_path: Path
) -> None:
    server = scripted_server(people)
    _, store = await filled(harness, server, tmp_path / "s.sqlite")
    before = len(server.requests)
    assert store.revalidate(Iterable[Elder]) == (3, [])
    assert [row.value for row in store.rows()][2] == [{"name": "Bob", "age": 0, "pets": []}]
    assert store.revalidate(Iterable[Aged]) == (1, ["t0", "t2"])
    assert [(row.key, row.value) for row in store.rows()] == [("t1", [])]
    with pytest.raises(ConfigurationError, match="The answers of the store are each a list, but Aged is one value"):
        store.revalidate(Aged)
    assert len(server.requests) == before


@pytest.mark.parametrize("mode", ["TOOLS", "JSON", "MD_JSON", "JSON_SCHEMA"])
async def test_after_a_change_of_the_schema_only_what_does_not_fit_is_asked(
    harness: Harness, scripted_server: Any, tmp_path: Path, mode: str
) -> None:
    ages = {"0": {"name": "a", "age": 1}, "1": {"name": "b"}, "2": {"name": "c", "age": 2}}
    changed = False

    def reply(asked: Asked) -> Reply:
        number = next(digit for digit in ages if f"Text {digit}" in str(asked.body["messages"]))
        return answer({"name": "new", "age": 9} if changed else ages[number])

    server, store = scripted_server(reply), Store(tmp_path / "s.sqlite")
    client = harness.client(server, Mode[mode])
    rows = [f"Text {i}" for i in range(3)]
    options: dict[str, Any] = {"model": "m", "store": store}
    await harness.items(client.map(rows, response_model=Person, **options))
    assert len(server.requests) == 3
    done = store.revalidate(Aged)
    assert (done.fit, len(done.unfit)) == (2, 1)
    assert [row.value for row in store.rows()] == [{"name": "a", "age": 1}, {"name": "c", "age": 2}]
    changed = True
    found: list[Row[Aged]] = await harness.items(client.map(rows, response_model=Aged, ordered=True, **options))
    assert [row.value for row in found] == [Aged(name="a", age=1), Aged(name="new", age=9), Aged(name="c", age=2)]
    assert len(server.requests) == 4
    assert [row.value["name"] for row in store.rows()] == ["a", "new", "c"]


async def test_a_copy_of_a_store_is_complete(harness: Harness, scripted_server: Any, tmp_path: Path) -> None:
    _, store = await filled(harness, scripted_server(people), tmp_path / "s.sqlite")
    store.backup(tmp_path / "copy.sqlite")
    assert [row.key for row in Store(tmp_path / "copy.sqlite").rows()] == [row.key for row in store.rows()]
    with pytest.raises(StoreError, match="exists already"):
        store.backup(tmp_path / "copy.sqlite")


async def test_a_store_is_read_while_a_run_writes_it(harness: Harness, scripted_server: Any, tmp_path: Path) -> None:
    gate, store = Gate(), Store(tmp_path / "s.sqlite")

    def reply(asked: Asked) -> Reply:  # the last row keeps the run going
        is_last = asked.body["messages"][-1]["content"] == "Text 29"
        return answer(BOB).but(wait_after=0, gate=gate) if is_last else answer(BOB)

    client = harness.client(scripted_server(reply))
    run = client.map([f"Text {i}" for i in range(30)], response_model=Person, model="m", store=store)
    row = await harness.next(run)
    assert row.key in {stored.key for stored in store.rows()}  # it was committed before it was yielded
    assert store.export(tmp_path / "o.jsonl").rows >= 1
    store.backup(tmp_path / "copy.sqlite")
    with pytest.raises(StoreError, match="is in use by another run"):
        await harness.items(client.map(["a"], response_model=Person, model="m", store=store))
    gate.open()
    await harness.items(run)
    assert "s.sqlite-wal" not in os.listdir(tmp_path)
    assert len(list(store.rows())) == 30


def test_other_files_are_refused_and_not_touched(tmp_path: Path) -> None:
    text, other, later = tmp_path / "a.txt", tmp_path / "b.sqlite", tmp_path / "c.sqlite"
    text.write_text("my notes, and more of them")
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE t (a)")
    connection.close()
    Journal(later).close()
    with sqlite3.connect(later) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    for path, why in (
        (text, "it is not an SQLite file"),
        (other, "another program's SQLite file"),
        (later, "a later version"),
        (tmp_path / "no" / "s.sqlite", "there is no folder"),
        (tmp_path, "must be a file"),
    ):
        before = path.read_bytes() if path.is_file() else b""
        with pytest.raises(StoreError, match=why):
            Store(path)
        assert not path.is_file() or path.read_bytes() == before


def test_a_damaged_store_is_named(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    Journal(path).close()
    content = bytearray(path.read_bytes())
    content[100:1000] = b"\xff" * 900
    path.write_bytes(content)
    with pytest.raises(StoreError, match="is damaged"):
        Journal(path)


@pytest.mark.skipif(sys.platform != "linux", reason="a limit of the file's size stands for the full disk")
def test_a_full_disk_is_an_error_and_loses_nothing(tmp_path: Path) -> None:
    script = f"""
import resource
from instructor.bulk.journal import Answer, Attempt, Identity, Journal, Line
from instructor.bulk import StoreError
from pathlib import Path
journal = Journal(Path({str(tmp_path / "s.sqlite")!r}))
journal.begin(b"job", "{{}}")
journal._writer.execute("PRAGMA max_page_count = 200")
done = 0
try:
    for i in range(10_000):
        identity = Identity(b"%016d" % i, b"s" * 16, b"%016d" % i, None)
        journal.commit([Answer(identity, value="1" * 1000)], [Line(str(i), i, "1", identity)])
        done += 1
except StoreError as error:
    print(done, error)
"""
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    done, _, message = out.partition(" ")
    assert "is full" in message
    with Store(tmp_path / "s.sqlite").reader() as reader:
        assert reader.execute("SELECT count(*) FROM answer").fetchone()[0] == int(done) > 50
