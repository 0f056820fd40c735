"""Threads and selectors of the system, also where gevent has put its own in their place.

Under gevent a patched thread is a greenlet of its host: an event loop that ran there would be the running loop of every
other greenlet. And a patched selector ends the loop at its first wait, for it finds nobody else in its thread.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable


def new_loop() -> asyncio.AbstractEventLoop:
    """An event loop, of the kind that the host's policy makes (uvloop): how a process is started is the policy's."""
    if is_patched("select"):
        return asyncio.SelectorEventLoop(_original("selectors", "DefaultSelector")())
    return asyncio.new_event_loop()


def new_thread(target: Callable[[], object], name: str) -> threading.Thread:
    """A daemon thread that is not started yet; a thread of the system in any case."""
    if is_patched("threading"):
        return cast("threading.Thread", _NativeThread(target))
    return threading.Thread(target=target, name=name, daemon=True)


class _NativeThread:
    """What is used here of a ``threading.Thread``, on a thread that gevent does not know.

    Locks: none; each field is written once.
    """

    def __init__(self, target: Callable[[], object]) -> None:
        self._target = target
        self.ident: int | None = None
        self._ended = False

    def start(self) -> None:
        _original("_thread", "start_new_thread")(self._run, ())

    def _run(self) -> None:
        try:
            self.ident = _original("_thread", "get_ident")()
            self._target()
        finally:
            self._ended = True

    def is_alive(self) -> bool:
        return not self._ended


def is_patched(module: str) -> bool:
    """Has gevent put its own into *module*?"""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched(module))


def _original(module: str, name: str) -> Any:
    """*name* of *module* as it was before gevent, which is there."""
    return sys.modules["gevent.monkey"].get_original(module, name)
