"""Caches of answers: an equal call is answered without a request.

A cache is any object with `get(key)` and `set(key, value, ttl=None)`, sync or (for async clients) async. Keys and
values are str. `cache=` of a client or of a call names it; `cache_ttl=` (seconds) and `cache_namespace=` go with it.

What is kept is what the provider sent, as JSON, never as pickle. A hit is read and validated as if it came from the
provider, by the models as they are now: what does not fit any more is asked for again.
"""

from __future__ import annotations

from instructor.cache.keys import client_cache_identity, make_cache_key, make_request_cache_key
from instructor.cache.stores import (
    AutoCache,
    BaseCache,
    DiskCache,
    RedisCache,
    load_cached_response,
    store_cached_response,
)

__all__ = [
    "AutoCache",
    "BaseCache",
    "DiskCache",
    "RedisCache",
    "client_cache_identity",
    "load_cached_response",
    "make_cache_key",
    "make_request_cache_key",
    "store_cached_response",
]
