"""The caches that come with the library. All keep text; none can be made to run what somebody else wrote into it."""

from __future__ import annotations

import abc
import os
import sqlite3
import threading
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from instructor._install import install_command
from instructor.exceptions import ConfigurationError

ModelT = TypeVar("ModelT", bound=BaseModel)
_DEFAULT_BYTES = 2**30


class BaseCache(abc.ABC):
    """What a cache must have. A subclass may have async methods instead, for async clients."""

    waits = True
    """Whether its sync methods may wait, for a disk or a network: async clients call them in a thread."""

    @abc.abstractmethod
    def get(self, key: str) -> Any:
        """Return the text that is kept under a key, or None."""

    @abc.abstractmethod
    def set(self, key: str, value: Any, ttl: int | None = None) -> Any:
        """Keep a text under a key, for `ttl` seconds if the cache can forget."""


class AutoCache(BaseCache):
    """A cache in memory, for one process: it keeps the `maxsize` answers that were used last. Threads may share it.

    `ttl` is honoured: an answer is not returned after its time.
    """

    waits = False

    def __init__(self, maxsize: int = 128) -> None:
        if isinstance(maxsize, bool) or not isinstance(maxsize, int) or maxsize < 1:
            raise ValueError(f"maxsize must be a number of answers, 1 or more, got {maxsize!r}.")
        self.maxsize = maxsize
        self._kept: OrderedDict[str, tuple[Any, float | None]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> Any:
        with self._lock:
            value, until = self._kept.get(key, (None, None))
            if until is not None and until <= time.monotonic():
                del self._kept[key]
                return None
            if value is not None:
                self._kept.move_to_end(key)
            return value

    def set(self, key: str, value: Any, ttl: int | None = None) -> None:
        with self._lock:
            self._kept[key] = (value, None if ttl is None else time.monotonic() + ttl)
            self._kept.move_to_end(key)
            while len(self._kept) > self.maxsize:
                self._kept.popitem(last=False)

    def __len__(self) -> int:
        return len(self._kept)


_TABLE = "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, value TEXT, until REAL, used REAL, size INTEGER)"
_EVICT = (
    "DELETE FROM answers WHERE key IN "
    "(SELECT key FROM answers ORDER BY used LIMIT max(1, (SELECT count(*) FROM answers) / 10))"
)


class DiskCache(BaseCache):
    """A cache in a folder, which survives restarts. Threads and processes may share it.

    It is one SQLite file with text in it. Nothing in it is ever unpickled or run, so a stranger who can write to the
    folder can change answers, but nothing else. The folder is made readable for its owner only.

    Args:
        directory: The folder. It is made if it is not there.
        size_limit: How many characters of answers are kept. Those that were not used for the longest time go first.
        timeout: How many seconds to wait for another process that writes.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str] = ".instructor_cache",
        *,
        size_limit: int = _DEFAULT_BYTES,
        timeout: float = 60.0,
    ) -> None:
        self.directory, self.size_limit = Path(directory), size_limit
        self._timeout = timeout
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._of_parent: sqlite3.Connection | None = None
        self._process = 0
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    def get(self, key: str) -> str | None:
        with self._lock, self._open() as answers:
            row = answers.execute("SELECT value, until FROM answers WHERE key = ?", (key,)).fetchone()
            if row is None or (row[1] is not None and row[1] <= time.time()):
                return None
            answers.execute("UPDATE answers SET used = ? WHERE key = ?", (time.time(), key))
            return str(row[0])

    def set(self, key: str, value: str, ttl: int | None = None) -> None:
        now = time.time()
        with self._lock, self._open() as answers:
            row = (key, value, None if ttl is None else now + ttl, now, len(value))
            answers.execute("DELETE FROM answers WHERE until <= ?", (now,))
            answers.execute("REPLACE INTO answers VALUES (?, ?, ?, ?, ?)", row)
            while answers.execute("SELECT total(size) FROM answers").fetchone()[0] > self.size_limit:
                answers.execute(_EVICT)

    def clear(self) -> None:
        """Forget all answers."""
        with self._lock, self._open() as answers:
            answers.execute("DELETE FROM answers")

    def close(self) -> None:
        """Close the file. It is opened again when it is needed."""
        with self._lock:
            if self._connection is not None and self._process == os.getpid():
                self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        """Return this process's connection. One that a fork took along must be neither used nor closed."""
        if self._connection is None or self._process != os.getpid():
            self._of_parent = self._connection or self._of_parent
            path = self.directory / "answers.sqlite3"
            self._connection = sqlite3.connect(path, timeout=self._timeout, check_same_thread=False)
            self._process = os.getpid()
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute(_TABLE)
        return self._connection

    def __del__(self) -> None:
        connection = getattr(self, "_connection", None)
        if connection is not None and self._process == os.getpid():
            connection.close()


class RedisCache(BaseCache):
    """A cache in Redis, which machines may share. It needs the package `redis`.

    Args:
        url: The server's address, for example "redis://localhost:6379/0".
        client: A client of the package instead: `redis.Redis`, or `redis.asyncio.Redis` for async clients.
        prefix: What each key begins with.
    """

    def __init__(self, url: str | None = None, *, client: Any = None, prefix: str = "instructor:") -> None:
        if (url is None) is (client is None):
            raise ConfigurationError('RedisCache needs a url ("redis://localhost:6379/0") or a client=, and not both.')
        self.prefix = prefix
        self.client: Any = _redis_at(str(url)) if client is None else client
        self.is_async = type(self.client).__module__.startswith("redis.asyncio")

    def get(self, key: str) -> Any:
        return self.client.get(self.prefix + key)

    def set(self, key: str, value: str, ttl: int | None = None) -> Any:
        return self.client.set(self.prefix + key, value, px=None if ttl is None else max(1, int(ttl * 1000)))


def _redis_at(url: str) -> Any:
    try:
        import redis
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"RedisCache needs the module 'redis': {install_command('redis')}") from error
    return redis.Redis.from_url(url)


def load_cached_response(cache: Any, key: str, response_model: type[ModelT]) -> ModelT | None:
    """Return the model that `store_cached_response` keeps under a key, or None."""
    text = cache.get(key)
    return None if text is None else response_model.model_validate_json(text)


def store_cached_response(cache: Any, key: str, model: BaseModel, ttl: int | None = None) -> None:
    """Keep a model under a key, as JSON."""
    cache.set(key, model.model_dump_json(), ttl=ttl)
