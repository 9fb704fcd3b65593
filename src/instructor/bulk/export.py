"""Tables out of a store: JSON lines, CSV, Parquet. Written apart and put in place when they are complete.

The types of Parquet's columns come from the schema of the answer, not from the data: a column without a value in this
export has the same type as in the next one.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

from instructor.bulk.inputs import package
from instructor.bulk.rows import StoreError
from instructor.exceptions import ConfigurationError

FORMATS = (".jsonl", ".csv", ".parquet")
_BATCH = 2000
Json = dict[str, Any]


class Column(NamedTuple):
    """A column of the table: its name, the JSON schema of its values, and where it comes from."""

    name: str
    schema: Json
    of: str
    """ "row", "input", "answer" or "item"."""
    field: str = ""
    """Its name there."""


class Exported(NamedTuple):
    """What an export wrote."""

    path: Path
    rows: int
    """Lines of the table."""
    failed: int
    """Rows without an answer: they are in `errors`, not in the table."""
    errors: Path | None
    """The file of the failed rows; None if there are none."""


class Table(NamedTuple):
    """What is to be written."""

    columns: Sequence[Column]
    definitions: Json
    lines: Iterable[Json]


def format_of(path: Path) -> str:
    """Return the kind of a file by its name.

    Raises:
        ConfigurationError: It is none that can be written.
    """
    kind = path.suffix.lower()
    if kind not in FORMATS:
        raise ConfigurationError(f"The file of an export must end in {', '.join(FORMATS)}, got {str(path)!r}.")
    return kind


def check_path(path: Path) -> None:
    """Raise an error if a table could not be written to a file, which is better known before a run than after it.

    Raises:
        ConfigurationError: Its kind is none that can be written, or the writer is not installed.
        StoreError: There is no folder for it, or one that may not be changed.
    """
    if format_of(path) == ".parquet":
        package("pyarrow.parquet")
    if not path.parent.is_dir():
        raise StoreError(f"The export {str(path)!r} cannot be written: there is no folder {str(path.parent)!r}.")
    if not os.access(path.parent, os.W_OK):
        raise StoreError(f"The export {str(path)!r} cannot be written: {str(path.parent)!r} may not be changed.")


def columns_of(schema: Json, *, inputs: Sequence[str], explode: str | bool, many: bool) -> tuple[list[Column], Json]:
    """Return the columns of a table, and the definitions that their schemas refer to.

    Args:
        schema: The JSON schema of the answer, or of an item of a list.
        inputs: The fields of the input that are repeated.
        explode: The list whose items are lines: True for the answer itself, the name of a field, or False.
        many: Whether the answer is a list.
    """
    definitions: Json = schema.get("$defs", {})
    if many:
        schema = _of_items(schema)
    item = _resolved(schema, definitions)
    columns = [Column("key", {"type": "string"}, "row"), *(Column(name, {}, "input") for name in inputs)]
    if isinstance(explode, str):
        properties = item.get("properties", {})
        if explode not in properties:
            raise ConfigurationError(
                f"explode={explode!r} is not a field of the answer. It has {', '.join(properties)}."
            )
        columns += [Column(name, part, "answer") for name, part in properties.items() if name != explode]
        item = _resolved(_resolved(properties[explode], definitions).get("items", {}), definitions)
    if explode:
        columns += [Column("n_items", {"type": "integer"}, "row"), Column("item", {"type": "integer"}, "row")]
    elif many:
        columns += [Column("n_items", {"type": "integer"}, "row")]
        columns.append(Column("items", {"type": "array", "items": schema}, "answer"))
        return _named_apart(columns), definitions
    parts = item.get("properties") if item.get("type") == "object" or "properties" in item else None
    columns += (
        [Column(name, part, "item") for name, part in parts.items()] if parts else [Column("value", item, "item")]
    )
    return _named_apart(columns), definitions


def _named_apart(columns: list[Column]) -> list[Column]:
    seen: set[str] = set()
    apart = []
    for column in columns:
        name = column.name
        while name in seen:
            name = f"{column.of}_{name}"
        seen.add(name)
        apart.append(column._replace(name=name, field=column.name))
    return apart


def lines_of(row: Any, columns: Sequence[Column], *, explode: str | bool, many: bool) -> Iterator[Json]:
    """Yield the lines of one row of a store. A row whose list is empty has one line, with `n_items` 0."""
    value, given = row.value, row.input if isinstance(row.input, Mapping) else {"input": row.input}
    if explode:
        answer = value if isinstance(value, Mapping) else {}
        items = value if explode is True else answer.get(explode) or []
        items = items if isinstance(items, list) else [items]
    else:
        answer, items = ({"items": value}, [{}]) if many else ({}, [value])
    for index, item in enumerate(items or [None]):
        facts = {"key": row.key, "n_items": len(value) if many and isinstance(value, list) else len(items),
                 "item": index if items else None}  # fmt: skip
        sources = {"row": facts, "input": given, "answer": answer}
        line = {}
        for column in columns:
            name = column.field
            if column.of == "item":
                line[column.name] = item.get(name) if isinstance(item, Mapping) else (item if name == "value" else None)
            else:
                line[column.name] = sources[column.of].get(name)
        yield line


def write(path: Path, table: Table) -> int:
    """Write a table, and return the number of its lines. The file appears when it is complete."""
    writer = {".jsonl": _write_jsonl, ".csv": _write_csv, ".parquet": _write_parquet}[format_of(path)]
    return _atomically(path, lambda file: writer(file, table))


def _atomically(path: Path, write_to: Callable[[Path], int]) -> int:
    check_path(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        count = write_to(part)
        os.replace(part, path)
    except OSError as error:
        raise StoreError(f"The export {str(path)!r} cannot be written: {error}.") from error
    finally:
        part.unlink(missing_ok=True)
    return count


def _write_jsonl(path: Path, table: Table) -> int:
    with path.open("w", encoding="utf-8") as file:
        return write_lines(file, table.lines)


def write_lines(file: IO[str], lines: Iterable[Json]) -> int:
    """Write JSON lines, and return how many."""
    count = 0
    for line in lines:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")
        count += 1
    return count


def _write_csv(path: Path, table: Table) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([column.name for column in table.columns])
        for line in table.lines:
            writer.writerow([_cell(value) for value in line.values()])
            count += 1
    return count


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list, bool)) else value


def _write_parquet(path: Path, table: Table) -> int:
    arrow, parquet = package("pyarrow"), package("pyarrow.parquet")
    types = {column.name: _arrow(column.schema, table.definitions, arrow, ()) for column in table.columns}
    schema = arrow.schema(list(types.items()))
    count = 0
    with parquet.ParquetWriter(path, schema) as writer:
        for batch in _batches(table.lines):
            columns = [
                arrow.array([fit(line[name], kind, arrow) for line in batch], type=kind) for name, kind in types.items()
            ]
            writer.write_batch(arrow.record_batch(columns, schema=schema))
            count += len(batch)
    return count


def _batches(lines: Iterable[Json]) -> Iterator[list[Json]]:
    batch: list[Json] = []
    for line in lines:
        batch.append(line)
        if len(batch) >= _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _resolved(schema: Json, definitions: Json) -> Json:
    """Return a schema without its reference, and without the null that it may be."""
    for _ in range(10):
        reference = schema.get("$ref")
        options = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
        if isinstance(reference, str):
            schema = definitions.get(reference.rpartition("/")[2], {})
        elif len(options) == 1:
            schema = options[0]
        else:
            break
    return schema


_SCALARS = {"string": "string", "integer": "int64", "number": "float64", "boolean": "bool_"}


def one_schema(schemas: Mapping[str, Any]) -> Json:
    """Return the schema of the answer; that of several tools is open, for any of them may be meant."""
    return dict(next(iter(schemas.values()))) if len(schemas) == 1 else {}


def arrow_type(schema: Json, arrow: Any, *, many: bool) -> Any:
    """Return the Arrow type of an answer. `arrow` is the module."""
    definitions: Json = schema.get("$defs", {})
    kind = _arrow(_of_items(schema) if many else schema, definitions, arrow, ())
    return arrow.list_(kind) if many else kind


def _of_items(schema: Json) -> Json:
    """Return the schema of an item; the tool of a list wraps it."""
    items: Json = schema.get("properties", {}).get("tasks", {}).get("items", schema)
    return items


def _arrow(schema: Json, definitions: Json, arrow: Any, inside: tuple[str, ...]) -> Any:
    """Return the Arrow type of a JSON schema. What has no single type is text: JSON for lists and objects."""
    reference = str(schema.get("$ref", ""))
    schema = _resolved(schema, definitions)
    kind = schema.get("type")
    if kind is None and isinstance(schema.get("enum"), list) and all(isinstance(x, str) for x in schema["enum"]):
        kind = "string"
    if kind == "string" and schema.get("format") == "date":
        return arrow.date32()
    if kind == "string" and schema.get("format") == "date-time":
        return arrow.timestamp("us", tz="UTC")
    if kind in _SCALARS:
        return getattr(arrow, _SCALARS[kind])()
    if kind == "array" and schema.get("items"):
        return arrow.list_(_arrow(schema["items"], definitions, arrow, inside))
    if kind == "object" and schema.get("properties") and reference not in inside:
        inside = (*inside, reference) if reference else inside
        fields = [(name, _arrow(part, definitions, arrow, inside)) for name, part in schema["properties"].items()]
        return arrow.struct(fields)
    return arrow.string()


def fit(value: Any, kind: Any, arrow: Any) -> Any:
    """Return a value in a form that its column takes. A number too large for its column is an error of Arrow's."""
    if value is None:
        return None
    if arrow.types.is_string(kind):
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if arrow.types.is_list(kind) and isinstance(value, list):
        return [fit(each, kind.value_type, arrow) for each in value]
    if arrow.types.is_struct(kind) and isinstance(value, Mapping):
        return {kind.field(i).name: fit(value.get(kind.field(i).name), kind.field(i).type, arrow)
                for i in range(kind.num_fields)}  # fmt: skip
    if arrow.types.is_date(kind) or arrow.types.is_timestamp(kind):
        return _moment(value, is_date=arrow.types.is_date(kind))
    return value


def _moment(value: Any, *, is_date: bool) -> Any:
    import datetime

    if is_date:
        return datetime.date.fromisoformat(str(value)[:10])
    moment = datetime.datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.timezone.utc)
