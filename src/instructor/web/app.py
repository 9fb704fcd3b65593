"""The server of the page: its files, runs and their events, exports. docs/howto/play.md describes the addresses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from instructor import providers
from instructor._version import __version__
from instructor.binding import Binding
from instructor.exceptions import ConfigurationError, InstructorError
from instructor.factories import from_provider
from instructor.local.intake import Intake, Refused
from instructor.local.loopback import LoopbackServer
from instructor.web.events import EventLog, Json
from instructor.web.exports import FORMATS
from instructor.web.guard import Guard
from instructor.web.recordings import Recording
from instructor.web.runs import Run, Runs, TooManyRunsError, Wanted
from instructor.web.schemas import columns_of, type_for
from instructor.web.stores import WatchedStore
from instructor.web.tap import listen

STATIC = Path(__file__).parent / "static"
TEXT = 2_000_000
"""The most characters that a text may have."""


@dataclass(frozen=True)
class Session:
    """What the command was given, and the page offers."""

    model: str = "local"
    classes: Mapping[str, Any] = field(default_factory=dict)
    """Types that can be asked for, by name."""
    files: Mapping[str, str] = field(default_factory=dict)
    """The Python file that each class is in."""
    text: str = ""
    """The text that the page begins with."""
    stores: Sequence[Path] = ()
    """Stores of bulk runs."""
    recordings: Sequence[Recording] = ()
    """Recordings, each of which can stand for a model."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options of `from_provider`."""


class NotFoundError(Exception):
    """There is no such thing."""


class PageServer(LoopbackServer):
    """The server of the page, on a port of its own.

    Args:
        session: What the page offers.
        port: The port; 0 is any that is free.

    Raises:
        OSError: The port is in use.
        StoreError: A file is not a store.
    """

    def __init__(self, session: Session, port: int = 0) -> None:
        page = _Page(session)
        super().__init__(page.application(), port, ending=page.end)


class _Page:
    """The endpoints, and what they share."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._runs = Runs()
        self._bindings: dict[str, Binding] = {}
        self._http: list[Any] = []
        self._intake = Intake()
        self._stores = [WatchedStore(path) for path in session.stores]

    def application(self) -> ASGIApp:
        inner = Starlette(
            routes=[
                Route("/", self._index),
                Mount("/static", StaticFiles(directory=STATIC)),
                Route("/session", self._describe),
                Route("/schemas", self._schema, methods=["POST"]),
                Route("/runs", self._list_runs, methods=["GET"]),
                Route("/runs", self._start, methods=["POST"]),
                Route("/runs/{id}", self._run),
                Route("/runs/{id}/events", self._events),
                Route("/runs/{id}/stop", self._stop, methods=["POST"]),
                Route("/runs/{id}/continue", self._go_on, methods=["POST"]),
                Route("/runs/{id}/requests/{number:int}/wire", self._wire),
                Route("/runs/{id}/requests/{number:int}/text", self._reply),
                Route("/stores/{number:int}/events", self._store),
                Route("/runs/{id}/export.{form}", self._export),
            ],
            exception_handlers={
                NotFoundError: _not_found,
                Refused: _refused,
                TooManyRunsError: _busy,
                InstructorError: _wrong,
                ClientDisconnect: _left,
            },
        )
        return Guard(inner)

    async def end(self) -> None:
        """End all runs and all event streams."""
        await self._runs.close()
        for store in self._stores:
            await store.close()
        for http in self._http:
            await http.aclose()

    async def _index(self, _request: Request) -> Response:
        return Response((STATIC / "index.html").read_bytes(), media_type="text/html")

    async def _describe(self, _request: Request) -> Response:
        session = self._session
        return JSONResponse({
            "version": __version__, "model": session.model, "classes": list(session.classes), "text": session.text,
            "recordings": [{"name": each.name, **each.asked._asdict()} for each in session.recordings],
            "stores": [str(path) for path in session.stores],
            "formats": {name: each.title for name, each in FORMATS.items()},
        })  # fmt: skip

    async def _schema(self, request: Request) -> Response:
        body = await self._intake.json(request)
        try:
            return JSONResponse({"columns": columns_of(type_for(body.get("schema"), self._session.classes))})
        except ConfigurationError as error:  # what is wrong with a schema is the answer here
            return JSONResponse({"error": str(error)})

    async def _list_runs(self, _request: Request) -> Response:
        return JSONResponse([_in_short(run) for run in self._runs])

    async def _start(self, request: Request) -> Response:
        body = await self._intake.json(request)
        key = _text(body, "key", required=False) or None
        run = self._runs.known(key)
        if run is None:
            self._runs.check_room()
            wanted = self._wanted(body)
            binding, variable = self._binding(wanted.model)
            run = Run(wanted, binding, variable)
            self._runs.add(run, key)
        return JSONResponse(_in_short(run), 201, {"location": f"/runs/{run.id}"})

    def _wanted(self, body: Json) -> Wanted:
        text = _text(body, "text")
        if not text.strip():
            raise Refused(400, "The text is empty", "text")
        if len(text) > TEXT:
            raise Refused(413, f"The text must have at most {TEXT:,} characters", "text")
        many = body.get("many", True)
        if not isinstance(many, bool):
            raise Refused(400, f"many must be true or false, got {str(many)[:80]!r}", "many")
        kind = type_for(body.get("schema"), self._session.classes)
        schema = {name: body["schema"][name] for name in ("kind", "text")}
        instruction = _text(body, "instruction", required=False)
        model = _text(body, "model", required=False) or self._session.model
        return Wanted(text, schema, kind, columns_of(kind), many, instruction, model)

    def _binding(self, model: str) -> tuple[Binding, str]:
        """Return the client of a model, and the variable that holds its key."""
        for recording in self._session.recordings:
            if recording.name == model:
                return recording.binding(), "KEY"  # each run begins with its first reply
        if model not in self._bindings:
            options = self._session.options if model == self._session.model else {}
            client = from_provider(model, True, **options)
            self._http += listen(client.client)
            self._bindings[model] = client._binding
        provider = model.partition("/")[0]
        return self._bindings[model], providers.load(provider).key or f"{provider.upper()}_API_KEY"

    def _found(self, request: Request) -> Run:
        run = self._runs.get(request.path_params["id"])
        if run is None:
            raise NotFoundError("There is no such run: it ended long ago, or the server was started anew.")
        return run

    async def _run(self, request: Request) -> Response:
        return JSONResponse(self._found(request).describe())

    async def _events(self, request: Request) -> Response:
        return follow(self._found(request).log, request)

    async def _store(self, request: Request) -> Response:
        number = request.path_params["number"]
        if number >= len(self._stores):
            raise NotFoundError(f"There is no store {number}: the command was given {len(self._stores)}.")
        self._stores[number].watch()
        return follow(self._stores[number].log, request)

    async def _stop(self, request: Request) -> Response:
        run = self._found(request)
        run.stop()
        return JSONResponse(_in_short(run))

    async def _go_on(self, request: Request) -> Response:
        run = self._found(request)
        run.go_on()
        return JSONResponse(_in_short(run))

    async def _wire(self, request: Request) -> Response:
        wire, number = self._found(request).tap.wire, request.path_params["number"]
        if not 1 <= number <= len(wire):
            raise NotFoundError(f"There is no request {number}: the run made {len(wire)}.")
        return Response(bytes(wire[number - 1]), media_type="text/plain")

    async def _reply(self, request: Request) -> Response:
        run, number = self._found(request), request.path_params["number"]
        pieces = [piece["text"] for piece in run.log.of_kind("text") if piece["request"] == number]
        body = "".join(pieces).encode("utf-8", "replace")
        return Response(body, media_type="text/plain")

    async def _export(self, request: Request) -> Response:
        run, form = self._found(request), request.path_params["form"]
        if form not in FORMATS:
            raise NotFoundError(f"There is no export {form!r}. There are {', '.join(FORMATS)}.")
        made = FORMATS[form]
        body = made.write(run, self._session.files.get(run.wanted.schema["text"], ""))
        name = f"extraction-{run.id}.{form}"
        return Response(body, media_type=made.kind, headers={"content-disposition": f'attachment; filename="{name}"'})


def follow(log: EventLog, request: Request) -> Response:
    """Answer with the events of a log, after the one that the browser has seen last."""
    last = request.headers.get("last-event-id", "") or request.query_params.get("after", "")
    after = int(last) if last.isascii() and last.isdigit() and len(last) < 16 else 0
    return StreamingResponse(log.follow(after), media_type="text/event-stream")


def _in_short(run: Run) -> Json:
    described = run.describe()
    return {name: described[name] for name in ("id", "state", "error", "began", "model", "items", "many", "columns")}


def _text(body: Json, name: str, *, required: bool = True) -> str:
    value = body.get(name, None if required else "")
    if not isinstance(value, str):
        raise Refused(400, f"{name} must be a text, got {str(value)[:80]!r}", name)
    return value


async def _not_found(_request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 404)


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return JSONResponse({"error": f"{error}.", "field": error.param}, error.status)


async def _busy(_request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 429)


async def _wrong(_request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 400)


async def _left(_request: Request, _error: Exception) -> Response:
    return Response(status_code=499)
