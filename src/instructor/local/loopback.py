"""An ASGI application on 127.0.0.1, on a port of its own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Awaitable, Callable
from types import TracebackType

import uvicorn
from starlette.types import ASGIApp
from typing_extensions import Self

HOST = "127.0.0.1"
CONNECTIONS = 512
"""How many connections there may be; those beyond are answered with 503."""


class _Uvicorn(uvicorn.Server):
    """Tells when it listens, and when it ends, before it waits for the connections."""

    def __init__(
        self, config: uvicorn.Config, started: Callable[[], object], ending: Callable[[], Awaitable[None]] | None
    ) -> None:
        super().__init__(config)
        self._started, self._ending = started, ending

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._ending is not None:
            await self._ending()
        await super().shutdown(sockets)


class LoopbackServer:
    """A server. `run` serves until it is interrupted; as a context it serves in a thread.

    Args:
        application: What is served.
        port: The port; 0 is any that is free.
        lifespan: Whether the application hears of its start and its end.

    Raises:
        OSError: The port is in use.
    """

    def __init__(
        self, application: ASGIApp, port: int = 0, *, ending: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self._socket = socket.create_server((HOST, port))
        self.port: int = self._socket.getsockname()[1]
        self.root = f"http://{HOST}:{self.port}"
        config = uvicorn.Config(
            application,
            http="h11",  # which bounds the headers, too
            ws="none",
            limit_concurrency=CONNECTIONS,
            log_level="warning",
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
        self._listening = threading.Event()
        self._server = _Uvicorn(config, self._listening.set, ending)
        self._thread = threading.Thread(target=self.run, name="instructor-server", daemon=True)

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
