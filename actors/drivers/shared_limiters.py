"""The limiters of this process: one for each key, made on first use, gone with the last driver that has it."""

from __future__ import annotations

import hashlib
import weakref

from ..core.process import fork
from .limiter import RateLimiter

_limiters: weakref.WeakValueDictionary[tuple[int, str, str], RateLimiter] = weakref.WeakValueDictionary()
_making = fork.ProcessLock()


def limiter_of(server: str, key: str) -> RateLimiter:
    """The limiter that all drivers of this process share for *key* at *server*: a provider counts by key."""
    name = fork.generation(), server, hashlib.sha256(key.encode()).hexdigest()
    with _making:
        limiter = _limiters.get(name)
        if limiter is None:
            limiter = _limiters[name] = RateLimiter()
        return limiter
