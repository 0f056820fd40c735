"""Private event loops, for code that is async: a thread each, once in a process, made on first use."""

from __future__ import annotations

import threading
import time
from collections import deque
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar, overload

from ...errors import Cancelled, DeadlockError
from ..waiting.wait_graph import current
from . import fork
from .loop_thread import Bell, Call, LoopLost as LoopLost, LoopThread

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine

    from ..waiting.cancel import CancelToken

    Patience = Callable[[], float | None]

T = TypeVar("T")
ItemT = TypeVar("ItemT")

LOOK_UP = 5.0
"""Seconds after which who waits looks whether the thread of its loop is still there: belt and braces, for a thread that
ends tells it."""
UNWINDS = 0.2
"""Seconds that a user's coroutine usually does not need to clean up; then it is looked whether it blocks."""
HELD = 2.0
"""Seconds without a turn after which a loop is left behind, once somebody's time on it has passed."""


class Room(Enum):
    """Whose loop: each has its own, so that none of them can stop the others. The values name the threads."""

    MODELS = "actors-loop"
    TOOLS = "actors-loop-tools"
    USERS = "actors-loop-async"
    ACTORS = "actors-loop-actors"


WHOSE = {
    Room.MODELS: "model drivers",
    Room.TOOLS: "servers of tools",
    Room.USERS: "async tools",
    Room.ACTORS: "async actors",
}


def _drop(_: object) -> None:
    """Nothing is put."""


def _nothing() -> None:
    """Nobody wants to know."""


_threads: dict[Room, LoopThread] = {}
_made = fork.ProcessLock()


def private_loop(room: Room = Room.MODELS) -> asyncio.AbstractEventLoop:
    """The private loop of *room*. One that has ended is replaced; a forked child makes its own."""
    return _thread_of(room).loop


def _thread_of(room: Room) -> LoopThread:
    with _made:
        thread = _threads.get(room)
        if thread is None or thread.generation != fork.generation() or not thread.is_alive():
            thread = _threads[room] = LoopThread(room.value, WHOSE[room])
        return thread


def enter(call: Call[Any], room: Room) -> LoopThread:
    """Have *call* begun on the loop of *room*, which is what is returned.

    Raises:
        RuntimeError: No thread can be started.
    """
    while True:  # ends: each round is a loop that has just ended
        thread = _thread_of(room)
        if thread.enter(call):
            return thread


def _enter(room: Room, call: Call[Any]) -> LoopThread:
    """As :func:`enter`, for who will wait for it."""
    if _thread_of(room).thread.ident == threading.get_ident():
        raise DeadlockError(
            f"code on the event loop of {WHOSE[room]} would wait for that loop: await what it waits for"
        )
    return enter(call, room)


def run(
    coroutine: Coroutine[Any, Any, T], cancel: CancelToken, room: Room = Room.MODELS, *, within: float | None = None
) -> T:
    """Run *coroutine* on the loop of *room* and wait for its result; a cancel of the token cancels it.

    Args:
        within: Seconds after which it is not waited for any more, whatever has become of the loop.
    Raises:
        Cancelled: The token was cancelled.
        LoopLost: The loop ended, or was left behind, or *within* passed.
        BaseException: What the coroutine raised.
    """
    return relay(lambda _: coroutine, _drop, cancel, room=room, within=within)


@overload
def relay(
    make: Callable[[Callable[[ItemT], None]], Coroutine[Any, Any, T]],
    on_item: Callable[[ItemT], object],
    cancel: CancelToken,
    when_over: Callable[[], object] = ...,
    patience: None = None,
    *,
    room: Room = ...,
    within: float | None = ...,
) -> T: ...


@overload
def relay(
    make: Callable[[Callable[[ItemT], None]], Coroutine[Any, Any, T]],
    on_item: Callable[[ItemT], object],
    cancel: CancelToken,
    when_over: Callable[[], object] = ...,
    *,
    patience: Patience | None,
    room: Room = ...,
    within: float | None = ...,
) -> T | None: ...


def relay(
    make: Callable[[Callable[[ItemT], None]], Coroutine[Any, Any, T]],
    on_item: Callable[[ItemT], object],
    cancel: CancelToken,
    when_over: Callable[[], object] = _nothing,
    patience: Patience | None = None,
    *,
    room: Room = Room.MODELS,
    within: float | None = None,
) -> T | None:
    """Run ``make(put)`` on the loop of *room*, and hand what it puts to *on_item* in this thread, in order.

    So a slow *on_item* holds up nobody but its own caller. A cancel of the token cancels the coroutine, and the caller
    does not wait for its cleanup; :func:`settle` does.

    Args:
        when_over: Called once, on any thread, when nothing is done for this call any more: after that cleanup.
        patience: Asked before each wait: the seconds for which the next item is waited for, from the start or from the
            last item on; None waits on. When they pass, the call is given up.
        within: Seconds after which it is not waited for any more, whatever has become of the loop.
    Returns:
        What the coroutine returned; None when *patience* ended.
    Raises:
        Cancelled: The token was cancelled.
        LoopLost: The loop ended, or was left behind, or *within* passed.
        BaseException: What the coroutine or *on_item* raised.
    """
    line: deque[ItemT] = deque()
    bell = Bell()

    def put(item: ItemT) -> None:
        line.append(item)
        bell.ring()

    coroutine: Coroutine[Any, Any, T] | None = None
    try:
        coroutine = make(put)
        cancel.check()
        call = Call(coroutine, bell, when_over)
        thread = _enter(room, call)
    except BaseException:  # it is not begun
        if coroutine is not None:
            coroutine.close()
        when_over()
        raise
    ring = bell.ring
    cancel.remind(ring)
    since = time.monotonic()
    end = None if within is None else since + within
    ran_out = False
    try:
        while not cancel.cancelled:
            over = call.over  # looked at first: what was put before the end is in the line by then
            while line and not cancel.cancelled:
                on_item(line.popleft())
                since = time.monotonic()
            if over and call.is_handed_back():
                call = Call(call.coroutine, bell, when_over)
                thread = _enter(room, call)
                continue
            if over:
                break
            ends = [end, _plus(since, None if patience is None else patience())]
            left = min((moment - time.monotonic() for moment in ends if moment is not None), default=LOOK_UP)
            if left <= 0:
                ran_out = True
                break
            # A plain wait: the thread works for its agent, so its slot is kept.
            bell.wait(min(left, LOOK_UP, LOOK_UP if cancel.deadline is None else cancel.deadline.remaining()))
            thread.is_alive()
    finally:
        cancel.forget(ring)
        if not call.over or call.is_handed_back():
            thread.give_up(call)
    if room is Room.USERS and not call.over:
        _look_after(call, bell, thread)
    if cancel.cancelled:
        raise Cancelled(cancel.reason, timed_out=cancel.timed_out)
    if not ran_out:
        return call.result()
    if end is not None and time.monotonic() >= end:
        raise LoopLost(f"the event loop of {WHOSE[room]} did not end a call within {within:g} s: something holds it")
    return None


def _plus(moment: float, seconds: float | None) -> float | None:
    return None if seconds is None else moment + seconds


def _look_after(call: Call[Any], bell: Bell, thread: LoopThread) -> None:
    """A user's coroutine has used up its time. If it blocks, perhaps as it cleans up, its loop is left behind, and
    counted for who called it.
    """
    end = time.monotonic() + UNWINDS
    while not call.over and (left := end - time.monotonic()) > 0:
        bell.wait(left)
    if not call.over and not thread.turns(HELD) and thread.leave_behind():
        member = current()
        if member is not None:
            member.leave_behind(thread.thread.ident or 0, thread.when_ended)


def finish(coroutine: Coroutine[Any, Any, T], timeout: float, room: Room = Room.MODELS) -> T:
    """Run *coroutine* on the loop of *room*, and wait for it at most *timeout* seconds; then it goes on by itself.

    Raises:
        TimeoutError: It goes on.
        LoopLost: The loop ended.
        BaseException: What the coroutine raised.
    """
    bell = Bell()
    call = Call(coroutine, bell, _nothing)
    return _await(call, bell, _enter(room, call), timeout)


def _await(call: Call[T], bell: Bell, thread: LoopThread, timeout: float) -> T:
    end = time.monotonic() + timeout
    while not call.over:
        left = end - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"not done within {timeout:g} s")
        bell.wait(min(left, LOOK_UP))
        thread.is_alive()
    if call.is_handed_back():
        call.drop()
    return call.result()


def settle(timeout: float) -> None:
    """Wait until every call that was given up has unwound, at most *timeout* seconds. One that does not end costs them
    once: what it has taken since it was cancelled counts.
    """
    end = time.monotonic() + timeout
    for thread in list(_threads.values()):
        if thread.is_over or thread.generation != fork.generation() or thread.given_up.settled(timeout):
            continue
        left = end - time.monotonic()
        bell = Bell()
        call = Call(thread.given_up.settle(timeout), bell, _nothing)
        try:
            if thread.enter(call):
                _await(call, bell, thread, left)
            else:
                call.drop()
        except (TimeoutError, LoopLost):  # a cleanup that hangs: it goes on by itself
            pass
