"""The limiters of this process: one for each key, made on first use, gone with the last driver that has it."""

from __future__ import annotations

import hashlib
import weakref
from typing import TYPE_CHECKING

from ..core.process import fork
from .limiter import RateLimiter

if TYPE_CHECKING:
    from collections.abc import Callable


class _Maker:
    """Who makes the limiter of a key.

    Locks: ``_making`` guards ``make``.
    """

    def __init__(self) -> None:
        self.make: Callable[[str, str], RateLimiter] = _own


def _own(server: str, digest: str) -> RateLimiter:  # noqa: ARG001 - of whichever key
    return RateLimiter()


_maker = _Maker()
_limiters: weakref.WeakValueDictionary[tuple[int, str, str], RateLimiter] = weakref.WeakValueDictionary()
_making = fork.ProcessLock()


def limiter_of(server: str, key: str) -> RateLimiter:
    """The limiter that all drivers of this process share for *key* at *server*: a provider counts by key."""
    return limiter_named(server, hashlib.sha256(key.encode()).hexdigest())


def limiter_named(server: str, digest: str) -> RateLimiter:
    """The limiter of the key with that *digest* at *server*."""
    name = fork.generation(), server, digest
    with _making:
        limiter = _limiters.get(name)
        if limiter is None:
            limiter = _limiters[name] = _maker.make(server, digest)
        return limiter


def make_limiters_by(make: Callable[[str, str], RateLimiter]) -> None:
    """Have *make* make the limiter of a server and of the digest of a key, from now on: in a process that is a node of
    another one the keys are that one's.
    """
    with _making:
        _maker.make = make
