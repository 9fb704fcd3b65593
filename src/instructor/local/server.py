"""An OpenAI-compatible server over the embedded model, on loopback only: chat completions and the list of models."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Coroutine
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from instructor.core.types import Json
from instructor.exceptions import ProviderError
from instructor.local.chat import LocalModel
from instructor.local.intake import Intake, Refused, check_sender
from instructor.local.loopback import LoopbackServer
from instructor.local.weights import NAMES

_REJECTED = 499
"""The status of a request whose client has gone; nobody reads it."""


def application(model: LocalModel, intake: Intake | None = None) -> ASGIApp:
    """Make the server's application. Any model name is accepted: there is one model."""
    reader = intake or Intake()

    async def completions(request: Request) -> Response:
        body = await reader.json(request)
        return await (_streamed(model, body, request) if body.get("stream") else _whole(model, body, request))

    async def models(_request: Request) -> Response:
        return _json({"object": "list", "data": [_card(NAMES[0])]})

    async def one(request: Request) -> Response:
        return _json(_card(request.path_params["name"]))

    return _Door(
        Starlette(
            routes=[
                Route("/v1/chat/completions", completions, methods=["POST"]),
                Route("/v1/models", models),
                Route("/v1/models/{name:path}", one),
            ],
            exception_handlers={
                HTTPException: _unknown,
                Refused: _refused,
                ProviderError: _impossible,
                ClientDisconnect: _left,
            },
        )
    )


class _Door:
    """Lets in what this machine's own programs send."""

    def __init__(self, inner: ASGIApp) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                check_sender(Headers(scope=scope), scope["server"][1])
            except Refused as error:
                await _refusal(error)(scope, receive, send)
                return
        await self._inner(scope, receive, send)


async def _whole(model: LocalModel, body: Json, request: Request) -> Response:
    """Answer at once, unless the client goes: then the generation is ended."""
    return _json(await _unless_gone(model.achat(body), request))


async def _unless_gone(awaited: Coroutine[Any, Any, Json], request: Request) -> Json:
    answer = asyncio.create_task(awaited)
    gone = asyncio.create_task(_gone(request))
    try:
        await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        raise ClientDisconnect
    finally:
        for task in (answer, gone):
            task.cancel()
        await asyncio.gather(answer, gone, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _streamed(model: LocalModel, body: Json, request: Request) -> Response:
    """Answer as an event stream, once the first chunk is there: until then an error still has a status of its own."""
    chunks = model.astream(body)

    async def next_chunk() -> Json:
        return await anext(chunks)

    first = await _unless_gone(next_chunk(), request)

    async def events() -> AsyncGenerator[bytes, None]:
        async with contextlib.aclosing(chunks):
            yield _event(first)
            try:
                async for chunk in chunks:
                    yield _event(chunk)
            except ProviderError as error:
                yield _event(_error(str(error), kind="server_error"))
                return
        yield b"data: [DONE]\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


def _event(payload: Json) -> bytes:
    return b"data: " + _bytes(payload) + b"\n\n"


def _bytes(payload: Json) -> bytes:
    """Write JSON; half a surrogate pair, which a client may have sent, is written as its escape."""
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")


def _json(payload: Json, status: int = 200) -> Response:
    return Response(_bytes(payload), status, media_type="application/json")


def _card(name: str) -> Json:
    return {"id": name, "object": "model", "created": 0, "owned_by": "local"}


def _error(message: str, param: str | None = None, *, kind: str = "invalid_request_error") -> Json:
    return {"error": {"message": message, "type": kind, "param": param, "code": None}}


async def _unknown(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return _json(_error(f"{request.method} {request.url.path}: there is no such thing here."), status)


async def _refused(_request: Request, error: Exception) -> Response:
    return _refusal(error) if isinstance(error, Refused) else _json(_error(str(error)), 400)


def _refusal(error: Refused) -> Response:
    made = _json(_error(f"{error}.", error.param), error.status)
    made.headers["connection"] = "close"  # of a body that was not read, what is left is no request
    return made


async def _impossible(_request: Request, error: Exception) -> Response:
    return _json(_error(str(error), getattr(error, "param", None)), 400)


async def _left(_request: Request, _error: Exception) -> Response:
    return Response(status_code=_REJECTED)


class Server(LoopbackServer):
    """The server on a port of its own, by the address that OpenAI's clients take."""

    def __init__(self, model: LocalModel, port: int = 0, *, intake: Intake | None = None) -> None:
        super().__init__(application(model, intake), port)
        self.base_url = f"{self.root}/v1"
