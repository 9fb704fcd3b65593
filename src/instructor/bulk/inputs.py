"""Where rows come from: any iterable, a file, a folder or glob of documents, a table of pandas, polars or Arrow.

Files are read while the run goes on, a row or a batch at a time. Readers of other formats than text, JSON lines and CSV
are packages of the extra `documents`.
"""

from __future__ import annotations

import contextlib
import csv
import glob
import importlib
import io
import json
from collections.abc import AsyncIterable, Callable, Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, overload

from instructor._install import install_command
from instructor.exceptions import ConfigurationError
from instructor.media import PDF, Audio, Image

_BATCH = 1000
TABLES = (".jsonl", ".ndjson", ".csv", ".tsv", ".parquet", ".xlsx")
"""Files with one row a line, or a record."""
MEDIA = (*Image.kinds, *Audio.kinds)
"""Files whose row has an image or audio instead of a text."""


@dataclass(frozen=True)
class Source:
    """Rows, how many there are if that is known, and what a row of them is called by."""

    rows: Iterable[Any] | AsyncIterable[Any]
    total: int | None = None
    key_field: str | None = None
    """The field that is the key of a row, if the user names none."""
    text_field: str | None = None
    """The field that is sent, if the user has no `messages`."""
    can_repeat: bool = False
    """Whether the rows can be read twice: an estimate may read them, and duplicated keys are found before the run."""

    def again(self, why: str) -> Iterable[Any]:
        """Return the rows, to be read besides the run itself.

        Raises:
            ConfigurationError: They can be read only once; `why` names what needs them.
        """
        if not self.can_repeat or not isinstance(self.rows, Iterable):
            raise ConfigurationError(f"{why} needs rows that can be read twice: a list, a table or a file.")
        return self.rows


class Unreadable(dict[str, Any]):
    """The row of a document that could not be read. Its error is the row's own, not that of the run."""

    def __init__(self, path: str, error: Exception) -> None:
        super().__init__(path=path)
        self.error = error


def joined(sources: Sequence[Source]) -> Source:
    """Return the rows of several sources, one after the other, as those of one."""
    key_fields, text_fields = ({source.key_field for source in sources}, {source.text_field for source in sources})
    totals = [source.total for source in sources]
    return Source(
        _Repeated(lambda: chain.from_iterable(source.again("several inputs") for source in sources)),
        None if None in totals else sum(total or 0 for total in totals),
        key_fields.pop() if len(key_fields) == 1 else None,
        text_fields.pop() if len(text_fields) == 1 else None,
        can_repeat=True,
    )


def source_of(rows: Any) -> Source:
    """Return the rows of what a user passed to `client.map`.

    Raises:
        ConfigurationError: It is not iterable, or there is no such file.
    """
    if isinstance(rows, Source):
        return rows
    if isinstance(rows, (str, Path)):
        return _source_of_path(rows)
    module = type(rows).__module__.partition(".")[0]
    if module in _FRAMES and hasattr(rows, "columns"):
        return Source(_Repeated(lambda: _FRAMES[module](rows)), len(rows), can_repeat=True)
    if isinstance(rows, (dict, bytes)) or not isinstance(rows, (Iterable, AsyncIterable)):
        raise ConfigurationError(
            f"rows must be an iterable, a path, or a table of pandas, polars or Arrow, got {str(rows)[:80]!r}."
        )
    total = len(rows) if isinstance(rows, Sized) else None
    return Source(rows, total, can_repeat=total is not None)


class _Repeated:
    """An iterable that begins anew each time."""

    def __init__(self, start: Callable[[], Iterator[Any]]) -> None:
        self._start = start

    def __iter__(self) -> Iterator[Any]:
        return self._start()


def _from_pandas(frame: Any) -> Iterator[Any]:
    names = [str(name) for name in frame.columns]
    for values in frame.itertuples(index=False, name=None):
        yield dict(zip(names, values, strict=True))


def _from_arrow(table: Any) -> Iterator[Any]:
    for batch in table.to_batches(max_chunksize=_BATCH):
        yield from batch.to_pylist()


def _from_polars(frame: Any) -> Iterator[Any]:
    yield from frame.iter_rows(named=True)


_FRAMES: dict[str, Callable[[Any], Iterator[Any]]] = {
    "pandas": _from_pandas,
    "polars": _from_polars,
    "pyarrow": _from_arrow,
}


def _source_of_path(given: str | Path) -> Source:
    path = Path(given)
    if path.is_dir():
        files = sorted(each for each in path.rglob("*") if each.is_file())
        documents = [each for each in files if each.suffix.lower() in READERS]
        images = [each for each in files if each.suffix.lower() in Image.kinds]  # of documents they are a part
        kinds = ", ".join((*READERS, *Image.kinds))
        return _documents(documents or images, path, f"the folder {str(given)!r} has no files of these kinds: {kinds}")
    if path.is_file():
        if path.suffix.lower() in TABLES:
            return Source(_Repeated(lambda: read_table(path)), _lines(path), can_repeat=True)
        return _documents([path], path.parent, "")
    if glob.has_magic(str(given)):
        paths = sorted(each for each in map(Path, glob.glob(str(given), recursive=True)) if each.is_file())
        return _documents(paths, Path(), f"no file matches {str(given)!r}")
    raise ConfigurationError(f"rows={str(given)[:80]!r} is not a file or a folder. For one text, pass rows=[text].")


def _documents(paths: list[Path], root: Path, none: str) -> Source:
    if not paths:
        raise ConfigurationError(f"There is nothing to extract from: {none}.")

    def rows() -> Iterator[Any]:
        for path in paths:
            name = str(path.relative_to(root) if root in path.parents else path)
            try:
                content = _content(path)
            except Exception as error:  # readers have errors of their own
                if len(paths) == 1:
                    raise
                yield Unreadable(name, error)
                continue
            yield {"path": name, **content}

    return Source(_Repeated(rows), len(paths), "path", "text", can_repeat=True)


def _content(path: Path) -> dict[str, Any]:
    """Return what is in a file: an image, audio, or the text of a document."""
    suffix = path.suffix.lower()
    if suffix in Image.kinds:
        return {"image": Image.from_path(path)}
    if suffix in Audio.kinds:
        return {"audio": Audio.from_path(path)}
    document = read_document(path)
    return {"text": document.text, **({"pages": list(document.pages)} if document.pages else {})}


class Pages(Sequence[dict[str, Any]]):
    """The pages of a PDF as rows, each a PDF of its own: `{"page": 1, "pdf": PDF(...)}`. Scans have no other text.

    Raises:
        ConfigurationError: The package that reads PDFs is not installed.
        FileNotFoundError: There is no file.

    Example:
        >>> client.map(Pages("scan.pdf"), response_model=Invoice)
    """

    def __init__(self, path: str | Path) -> None:
        self._path, self._pypdf = Path(path), package("pypdf")
        self._pages = self._pypdf.PdfReader(self._path).pages

    def __len__(self) -> int:
        return len(self._pages)

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, index: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        numbers = range(1, len(self) + 1)[index]
        return self._row(numbers) if isinstance(numbers, int) else [self._row(number) for number in numbers]

    def _row(self, number: int) -> dict[str, Any]:
        page, stream = self._pypdf.PdfWriter(), io.BytesIO()
        page.add_page(self._pages[number - 1])
        page.write(stream)
        pdf = PDF.from_bytes(stream.getvalue())
        return {"page": number, "pdf": pdf.model_copy(update={"source": self._path})}


def _lines(path: Path) -> int | None:
    """Return the number of rows, where it is cheap to know."""
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        with path.open("rb") as file:
            return sum(1 for line in file if line.strip())
    if path.suffix.lower() == ".parquet":
        with _reading(path):
            return int(package("pyarrow.parquet").ParquetFile(path).metadata.num_rows)
    return None


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Raise a ConfigurationError that names the file for the errors of its reader; each package has its own."""
    try:
        yield
    except (ConfigurationError, OSError):
        raise
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"{str(path)!r} is not a text in UTF-8: {error.reason} at byte {error.start}."
        ) from error
    except Exception as error:
        raise ConfigurationError(f"{str(path)!r} cannot be read as {path.suffix}: {error}") from error


def read_table(path: Path) -> Iterator[dict[str, Any]]:
    """Read the rows of a file with one record a line, as dicts.

    Raises:
        ConfigurationError: The file is not what its name says.
    """
    with _reading(path):
        yield from _records(path)


def _records(path: Path) -> Iterator[dict[str, Any]]:
    kind = path.suffix.lower()
    if kind == ".parquet":
        for batch in package("pyarrow.parquet").ParquetFile(path).iter_batches(_BATCH):
            yield from batch.to_pylist()
    elif kind == ".xlsx":
        rows = iter(package("python_calamine").CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).iter_rows())
        names = [str(name) for name in next(rows, ())]
        for values in rows:
            yield {name: value for name, value in zip(names, values, strict=False) if name}
    elif kind in (".csv", ".tsv"):
        with path.open(encoding="utf-8-sig", newline="") as file:
            for number, row in enumerate(csv.DictReader(file, delimiter="\t" if kind == ".tsv" else ","), 2):
                if None in row:
                    raise ConfigurationError(f"{path}: row {number} has more fields than the header.")
                yield row
    else:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    try:
                        yield json.loads(line)
                    except ValueError as error:
                        raise ConfigurationError(f"{path}: line {number} is not JSON: {error}.") from error


class Document(NamedTuple):
    """The text of a document. `pages` has the offset at which each page begins; it is empty if there are no pages."""

    text: str
    pages: tuple[int, ...] = ()

    def page_at(self, offset: int) -> int | None:
        """Return the number of the page, from 1, that a character is on; None if the document has no pages."""
        return sum(1 for start in self.pages if start <= offset) or None


def read_document(path: str | Path) -> Document:
    """Return the text of a file: text, Markdown, HTML, PDF or Word.

    Raises:
        ConfigurationError: The kind of file is unknown, the reader is not installed, or the file cannot be read.

    Example:
        >>> read_document("report.pdf").page_at(12_000)
        5
    """
    path = Path(path)
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        if path.suffix.lower() in TABLES:
            raise ConfigurationError(f"{str(path)!r} is a table, not a document: pass it to client.map alone.")
        reader = _read_text
    with _reading(path):
        return reader(path)


def _read_text(path: Path) -> Document:
    return Document(path.read_text("utf-8-sig"))


def _read_pdf(path: Path) -> Document:
    texts = [page.extract_text() for page in package("pypdf").PdfReader(path).pages]
    starts, start = [], 0
    for text in texts:
        starts.append(start)
        start += len(text) + 1
    return Document("\f".join(texts), tuple(starts))


def _read_html(path: Path) -> Document:
    tree = package("selectolax.lexbor").LexborHTMLParser(path.read_bytes())
    tree.strip_tags(["script", "style", "noscript", "template"])
    body = tree.body
    lines = (line.strip() for line in (body.text(separator="\n") if body is not None else "").splitlines())
    return Document("\n".join(line for line in lines if line))


def _read_docx(path: Path) -> Document:
    document = package("docx").Document(str(path))
    blocks = []
    for block in document.iter_inner_content():
        if hasattr(block, "rows"):
            blocks += ["\t".join(cell.text for cell in row.cells) for row in block.rows]
        else:
            blocks.append(block.text)
    return Document("\n".join(blocks))


READERS: dict[str, Callable[[Path], Document]] = {
    ".txt": _read_text,
    ".md": _read_text,
    ".rst": _read_text,
    ".html": _read_html,
    ".htm": _read_html,
    ".pdf": _read_pdf,
    ".docx": _read_docx,
}
"""The readers of documents, by the end of the file's name."""


def package(name: str) -> Any:
    """Import a package of the extra `documents`; a ConfigurationError says how to install it."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"This kind of file needs the module {error.name!r}: {install_command('documents')}"
        ) from error
