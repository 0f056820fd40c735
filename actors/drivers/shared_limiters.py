"""The limiters of this process: one for each key, made on first use, gone with the last driver that has it."""

from __future__ import annotations

import hashlib
import threading
import weakref

from ..core import fork
from .limiter import RateLimiter


class _Shared:
    """By server and key. A forked child has its own: the parent's lock may be held for ever there."""

    def __init__(self) -> None:
        self.generation = fork.generation()
        self.lock = threading.Lock()
        self.limiters: weakref.WeakValueDictionary[tuple[str, str], RateLimiter] = weakref.WeakValueDictionary()


_shared = _Shared()


def limiter_of(server: str, key: str) -> RateLimiter:
    """The limiter that all drivers of this process share for *key* at *server*: a provider counts by key."""
    global _shared
    if _shared.generation != fork.generation():
        _shared = _Shared()
    name = server, hashlib.sha256(key.encode()).hexdigest()
    with _shared.lock:
        limiter = _shared.limiters.get(name)
        if limiter is None:
            limiter = _shared.limiters[name] = RateLimiter()
        return limiter
