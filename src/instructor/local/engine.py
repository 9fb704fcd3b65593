"""llama.cpp in this process, through `xllamacpp`: one engine a weights file, shared by all threads.

A generation runs in a thread of its own, because the call blocks until the last token; what it says goes to a function
of the caller's as it comes. `xllamacpp` also listens on a loopback port, which cannot be turned off: a random key
that no one has been given locks it.
"""

from __future__ import annotations

import atexit
import ctypes
import importlib
import os
import secrets
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from instructor.core.types import Json
from instructor.exceptions import ConfigurationError, ProviderError

SLOTS = 4
"""How many generations run at the same time; more than that wait their turn."""
CONTEXT = 2048
"""Tokens that one generation has, its prompt and its answer together."""

Emit = Callable[[Json | Exception | None], object]
"""Takes each event of a generation, or the error it ended with, and then None."""


class Run:
    """One generation. `stop` ends it at the next token."""

    def __init__(self, server: Any, request: Json, emit: Emit, slots: threading.Semaphore) -> None:
        self._server, self._request, self._emit, self._slots = server, request, emit, slots
        self._stopped = threading.Event()
        # A daemon thread, so that an answer nobody waits for does not hold the interpreter: `_close` ends it.
        self._thread = threading.Thread(target=self._generate, name="instructor-local", daemon=True)
        _live.add(self)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()

    def join(self) -> None:
        self._thread.join()

    def leave(self) -> None:
        """Fail in a forked child: the generating thread belongs to the parent."""
        self._tell(ProviderError("local", "this answer is written in the process that this one was forked from"))
        self._tell(None)
        self._stopped.set()

    def _event(self, event: Json) -> bool:
        """Pass an event on; True tells llama.cpp to stop."""
        if not self._stopped.is_set():
            error = event.get("error")
            self._tell(_failure(error) if error else event)
        return self._stopped.is_set()

    def _tell(self, event: Json | Exception | None) -> None:
        try:
            self._emit(event)
        except RuntimeError:  # the event loop of the one who asked is closed: nobody listens any more
            self._stopped.set()

    def _generate(self) -> None:
        try:
            with self._slots:  # waiting in llama.cpp, it could not be stopped before its prompt has been read
                if not self._stopped.is_set():
                    self._server.handle_chat_completions(self._request, self._event)
        except (ValueError, RuntimeError) as error:  # what xllamacpp raises for a request that llama.cpp does not take
            self._tell(ProviderError("local", f"llama.cpp did not take the request: {error}"))
        finally:
            _live.discard(self)
            self._tell(None)


class Engine:
    """A loaded model."""

    def __init__(self, path: Path) -> None:
        xllamacpp = importlib.import_module("xllamacpp")
        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.n_ctx, params.n_parallel, params.n_gpu_layers = CONTEXT * SLOTS, SLOTS, 0
        # On busy cores a second thread makes llama.cpp slower by an order of magnitude, not faster.
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
        params.cache_ram_mib = 0  # each slot keeps its own last prompt; the second store would grow to gigabytes
        params.warmup, params.ui, params.verbosity = False, False, -1
        params.hostnames, params.port, params.n_threads_http = ["127.0.0.1"], 0, 1
        params.api_keys = [secrets.token_urlsafe()]
        self._slots = threading.Semaphore(SLOTS)
        try:
            self._server = xllamacpp.Server(params)
        except RuntimeError as error:
            raise ConfigurationError(f"llama.cpp cannot load {str(path)!r}: is it a GGUF file of a model?") from error

    def start(self, request: Json, emit: Emit) -> Run:
        """Start a generation; `request` is a body of llama.cpp's chat completions."""
        return Run(self._server, {**request, "stream": True}, emit, self._slots)

    def close(self) -> None:
        if _after_fork:  # its end would wait for threads of the parent's
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._server))
        self._server = None


_engines: dict[Path, Engine] = {}
_live: set[Run] = set()
_loading = threading.Lock()
_after_fork = False
"""Whether this process was forked from one that had loaded a model."""


def engine(path: Path) -> Engine:
    """Return the engine of a weights file, loaded at its first use."""
    with _loading:
        if path not in _engines:
            _engines[path] = Engine(path)
        return _engines[path]


@atexit.register
def _close() -> None:
    """End what still runs, then the engines: a callback into a Python that is going down would crash it."""
    running = list(_live)
    for run in running:
        run.stop()
    for run in running:
        run.join()
    for one in _engines.values():
        one.close()
    _engines.clear()


def _forked() -> None:
    """Forget, in a forked child, what the parent has loaded: its threads are not here. The child loads anew."""
    global _loading, _after_fork
    if _engines:
        _after_fork = True
        _exit_without_llama()
    for one in _engines.values():
        one.close()
    for run in list(_live):
        run.leave()
    _engines.clear()
    _live.clear()
    _loading = threading.Lock()  # another thread of the parent's may have held the old one


def _exit_without_llama() -> None:
    """Let this process end without the destructors of llama.cpp, which wait for the threads of the parent for ever."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "on_exit"):  # glibc, whose condition variables wait; these run in reverse order, and first of all
        libc.on_exit(libc._exit, None)
        libc.__cxa_atexit(libc.fflush, None, None)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def _failure(error: Json) -> ProviderError:
    if error.get("type") == "exceed_context_size_error":
        return ProviderError(
            "local",
            f"the request has {error.get('n_prompt_tokens')} tokens, and there is room for {error.get('n_ctx')}, "
            "the answer included. Send a shorter text, or fewer earlier turns.",
            error,
        )
    return ProviderError("local", str(error.get("message", error)), error)
