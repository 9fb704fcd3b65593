"""An OpenAI-compatible server over the embedded model, on loopback only: chat completions and the list of models."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import AsyncGenerator, Callable
from types import TracebackType

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from typing_extensions import Self

from instructor.engine.call import Json
from instructor.exceptions import ProviderError
from instructor.local.chat import LocalModel
from instructor.local.weights import NAMES

HOST = "127.0.0.1"
_REJECTED = 499
"""The status of a request whose client has gone; nobody reads it."""


def application(model: LocalModel) -> Starlette:
    """Make the server's application. Any model name is accepted: there is one model."""

    async def completions(request: Request) -> Response:
        try:
            body = json.loads(await request.body())
        except ValueError as error:
            return _refused(f"The body is not JSON: {error}")
        if not isinstance(body, dict):
            return _refused("The body is no JSON object.")
        try:
            return await (_streamed(model, body) if body.get("stream") else _whole(model, body, request))
        except ProviderError as error:
            return _refused(str(error))

    async def models(_request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [_card(NAMES[0])]})

    async def one(request: Request) -> Response:
        return JSONResponse(_card(request.path_params["name"]))

    return Starlette(
        routes=[
            Route("/v1/chat/completions", completions, methods=["POST"]),
            Route("/v1/models", models),
            Route("/v1/models/{name:path}", one),
        ],
        exception_handlers={HTTPException: _unknown},
    )


async def _whole(model: LocalModel, body: Json, request: Request) -> Response:
    """Answer at once, unless the client goes: then the generation is ended."""
    answer = asyncio.create_task(model.achat(body))
    gone = asyncio.create_task(_gone(request))
    try:
        await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
        return JSONResponse(answer.result()) if answer.done() else Response(status_code=_REJECTED)
    finally:
        for task in (answer, gone):
            task.cancel()
        await asyncio.gather(answer, gone, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _streamed(model: LocalModel, body: Json) -> Response:
    """Answer as an event stream, once the first chunk is there: until then an error still has a status of its own."""
    chunks = model.astream(body)
    first = await anext(chunks)

    async def events() -> AsyncGenerator[str, None]:
        async with contextlib.aclosing(chunks):
            yield _event(first)
            try:
                async for chunk in chunks:
                    yield _event(chunk)
            except ProviderError as error:
                yield _event(_error(str(error), "server_error"))
                return
        yield "data: [DONE]\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


def _event(payload: Json) -> str:
    return f"data: {json.dumps(payload, ensure_ascii=False, separators=(',', ':'))}\n\n"


def _card(name: str) -> Json:
    return {"id": name, "object": "model", "created": 0, "owned_by": "local"}


def _error(message: str, kind: str = "invalid_request_error") -> Json:
    return {"error": {"message": message, "type": kind, "param": None, "code": None}}


def _refused(message: str) -> Response:
    return JSONResponse(_error(message), 400)


async def _unknown(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return JSONResponse(_error(f"{request.method} {request.url.path}: there is no such thing here."), status)


class _Uvicorn(uvicorn.Server):
    """Tells when it listens."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], object]) -> None:
        super().__init__(config)
        self._started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._started()


class Server:
    """The server on a port of its own. `run` serves until it is interrupted; as a context it serves in a thread."""

    def __init__(self, model: LocalModel, port: int = 0) -> None:
        self._socket = socket.create_server((HOST, port))
        self.port: int = self._socket.getsockname()[1]
        self.base_url = f"http://{HOST}:{self.port}/v1"
        config = uvicorn.Config(
            application(model), log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=1
        )
        self._listening = threading.Event()
        self._server = _Uvicorn(config, self._listening.set)
        self._thread = threading.Thread(target=self.run, name="instructor-local-server", daemon=True)

    def run(self) -> None:
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._socket.close()
            self._listening.set()

    def __enter__(self) -> Self:
        self._thread.start()
        self._listening.wait()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.should_exit = True
        self._thread.join()
