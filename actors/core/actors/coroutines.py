"""Handlers that are coroutines: they run on a private loop."""

from __future__ import annotations

import asyncio
from concurrent.futures import CancelledError
from contextvars import copy_context
from threading import get_ident
from typing import TYPE_CHECKING, Any

from ...errors import ActorsError, Cancelled
from ..process.event_loop import UNWINDS, Room, enter
from ..process.loop_thread import Call
from ..waiting.wait_graph import leave
from .loop_host import host_of
from .reply import ReplyFuture

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from contextvars import Context

    from ..process.loop_thread import LoopThread

CLEANUP = 2.0
"""Seconds that a coroutine has to clean up when its actor is aborted; then it is left to itself."""


class NeverBegan(Cancelled):
    """A coroutine was cancelled before its first step: nothing of it has run, and nothing will."""


class CoroutineRun:
    """One coroutine of an actor on the private loop of all of them, in a copy of the context in which it is begun.

    Guarantees: ``done`` is settled once, with what it returns or raises, or with ``LoopLost`` when its loop ended or
    was left behind.

    Args:
        is_handler: Does the actor do nothing else meanwhile? Else it runs beside the handlers.

    Locks: none. ``task``, ``context`` and ``was_cancelled`` are written on the loop, before ``done`` is settled.
    """

    __slots__ = (
        "_call",
        "_coroutine",
        "_ident",
        "_is_cancelled",
        "_is_handler",
        "_thread",
        "context",
        "done",
        "task",
        "was_cancelled",
    )

    def __init__(self, coroutine: Coroutine[Any, Any, Any], *, is_handler: bool) -> None:
        self.done: ReplyFuture[Any] = ReplyFuture()
        self.context: Context | None = None
        self.task: asyncio.Task[Any] | None = None
        self._coroutine = coroutine
        self._is_handler = is_handler
        self._is_cancelled = False
        self.was_cancelled = False
        self._ident = 0
        self._call: Call[Any] | None = None
        self._thread: LoopThread | None = None

    def begin(self) -> None:
        """Begin it.

        Raises:
            RuntimeError: No thread can be started.
        """
        if self.context is None:
            self.context = copy_context()
            self._enter()
        else:  # its loop has ended before it came to it, and this is another's thread
            self.context.copy().run(self._enter)

    def _enter(self) -> None:
        running = self._run()
        self._call = Call(running, self, _nothing)
        try:
            self._thread = enter(self._call, Room.ACTORS)
        except BaseException:
            running.close()
            self._coroutine.close()
            raise
        host_of(self._thread).watch()
        if self._is_cancelled:  # who cancels may have met the one before
            self.cancel()

    def cancel(self) -> None:
        """Cancel it; its cleanup is not waited for. Threads: any."""
        self._is_cancelled = True
        thread, call = self._thread, self._call
        if thread is not None and call is not None:
            thread.give_up(call)

    def leave_behind(self) -> None:
        """It was cancelled, and its time is over. Its loop is left behind, too, if it never came to the cancel."""
        is_held = self.task is None or not self.task.cancelling()
        if is_held and self._thread is not None and not self._thread.turns(UNWINDS):
            self._thread.leave_behind()

    def is_here(self) -> bool:
        """Does it, or a task that it has begun, run in the calling thread?"""
        return self._ident == get_ident()

    def is_task(self) -> bool:
        """Is it this very coroutine that runs, and not a task that it has begun?"""
        return self.is_here() and asyncio.current_task() is self.task

    async def _run(self) -> Any:
        self._ident = get_ident()
        self.task = asyncio.current_task()
        if self._is_cancelled:
            self._coroutine.close()
            raise NeverBegan("it was cancelled before it began")
        if not self._is_handler:
            leave()  # nobody in particular
        try:
            return await self._coroutine
        finally:
            self.context = copy_context()

    def result(self) -> Any:
        """What it returned or raised; what it has set of context variables is set here."""
        missing = object()
        for variable, value in (self.context or {}).items():
            if variable.get(missing) is not value:
                variable.set(value)
        value, error = self.done.ended_with()
        try:
            if error is not None:
                raise error
            return value
        finally:
            del error  # as above: its traceback holds this frame

    def ring(self) -> None:
        """The call is over, one way or another (it wakes us as it would a thread)."""
        call = self._call
        if call is None:  # it was lost, and has unwound since
            return
        try:
            if call.is_handed_back() and not call.given_up:
                call.coroutine.close()
                self.begin()
                return
            if self.task is None:
                self._coroutine.close()
                if call.given_up:
                    raise NeverBegan("it was cancelled before it began")
            value = call.result()
        except CancelledError:
            self.was_cancelled = True  # as an error outside, a ``CancelledError`` would cancel whoever reads it
            self.done.fail(ActorsError("the coroutine was cancelled (asyncio.CancelledError) by itself or another"))
        except GeneratorExit as error:  # to a course it would say that nobody goes on with it
            self.done.fail(_as_an_error(error))
        except BaseException as error:  # noqa: BLE001 - it is the result
            self.done.fail(error)
        else:
            self.done.set(value)
        self._call = self._thread = None  # no circle: what a coroutine has held is let go of when it ends


def _as_an_error(error: GeneratorExit) -> RuntimeError:
    """As Python does with a ``StopIteration``."""
    stands_for = RuntimeError("coroutine raised GeneratorExit")
    stands_for.__cause__ = error
    return stands_for


def _nothing() -> None:
    """Nobody wants to know."""
