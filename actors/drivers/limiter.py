"""Keeps all who ask one provider within what it allows."""

from __future__ import annotations

import threading
from collections import deque
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from ..core.clock import SYSTEM_CLOCK
from ..core.process import fork
from ..core.records.answer import LimiterWaited
from ..core.waiting.wait_graph import tell
from ..core.waiting.waiter import Waiter
from ..errors import NotPortable
from ..public import publish
from .allowance import Allowance
from .rate_headers import used_up

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from ..core.waiting.cancel import CancelToken
    from .rate_headers import UsedUp
    from .started import Started

T = TypeVar("T")
_asking: ContextVar[tuple[object, Any] | None] = ContextVar("asking", default=None)
"""The call whose task this is: who has let it through, and what names it there."""


class Calls(Protocol):
    """Who lets calls through, as their permits see it: calls by what names them there.

    Threads: any.
    """

    def answered(self, started: Any, tokens: int) -> None:
        """The provider took the call, which used *tokens*."""

    def refused(self, started: Any, retry_after: float | None) -> float | None:
        """The provider refused the call: seconds that it is to wait."""

    def end(self, started: Any, tokens: int) -> None:
        """The call has ended, and used *tokens*."""


@dataclass(frozen=True, slots=True)
class LimiterStats:
    """What a limiter does right now.

    Args:
        in_flight: Calls that were let through and have not ended.
        waiting: Calls that wait for their turn.
        window: Calls that may be in flight; infinity without a bound, below 1 when there is time between them.
        refused: Calls that the provider refused, so far.
        paused_for: Seconds until anybody may call; 0 when nobody has to wait for that.
        pauses: How often everybody was stopped because all were refused, so far.
    """

    in_flight: int
    waiting: int
    window: float
    refused: int
    paused_for: float
    pauses: int = 0


class _Ticket:
    """One call that waits for its turn."""

    __slots__ = ("waiter",)

    def __init__(self) -> None:
        self.waiter = Waiter()


class _State:
    """What a limiter knows in one process: a forked child begins anew, as those who call and wait are its parent's.

    Locks: ``lock`` guards every field. Nobody is woken under it.
    """

    def __init__(self, allowance: Allowance) -> None:
        self.generation = fork.generation()
        self.lock = threading.Lock()
        self.allowance = allowance
        self.line: deque[_Ticket | Turn] = deque()

    def answered(self, started: Started, tokens: int) -> None:  # noqa: ARG002 - they count when it ends
        """The provider took the call."""
        with self.lock:
            self.allowance.answered(started, SYSTEM_CLOCK.monotonic())

    def refused(self, started: Started, retry_after: float | None) -> float | None:
        """The provider refused the call: seconds that it is to wait."""
        with self.lock:
            return self.allowance.refused(started, SYSTEM_CLOCK.monotonic(), retry_after)

    def end(self, started: Started, tokens: int) -> None:
        """The call has ended, and used *tokens*."""
        with self.lock:
            self.allowance.end(started, tokens)
        self.wake_first()

    def leave(self, ticket: _Ticket) -> None:
        """*ticket* waits no longer: who stands behind it may be the first now."""
        with self.lock:
            self.line.remove(ticket)
        self.wake_first()

    def wake_first(self) -> None:
        """Let the first in line look whether it may go."""
        with self.lock:
            first = self.line[0].waiter if self.line else None
        if first is not None:
            first.wake()


class RateLimiter:
    """What the provider of one key allows, for all agents, drivers and pools that use the key.

    First come, first served. Fed by ``Retry-After`` and rate-limit headers. A refusal fails nobody, and makes only the
    refused call wait. When too many are refused, fewer are let through at once, as many as are answered; unless the
    server refuses as large a share of fewer calls: then it does not come of how many call. When all are refused,
    everybody waits for as long as the server says; an answer that comes meanwhile ends that. Those who waited come back
    spread out. A wait ends at a cancel.

    Args:
        requests_per_minute: Calls that begin in any 60 seconds; None sets no bound.
        tokens_per_minute: Tokens of those calls, as estimated before and counted after; None sets no bound.
        max_concurrent: Calls in flight; None sets no bound.

    Locks: those of ``_State``; ``_renewing`` guards the change of ``_state`` after a fork.
    """

    _renewing = fork.ProcessLock()

    def __init__(
        self,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        max_concurrent: int | None = None,
    ) -> None:
        self._limits = requests_per_minute, tokens_per_minute, max_concurrent
        self._state = _State(Allowance(*self._limits))

    def __reduce__(self) -> tuple[Any, ...]:
        """Refuse: each copy would let as many calls through.

        Raises:
            NotPortable: Always.
        """
        raise NotPortable("a rate limiter", "each copy would let as many calls through; share this one")

    def _here(self) -> _State:
        """The state of this process."""
        state = self._state
        if state.generation != fork.generation():
            with self._renewing:
                if self._state.generation != fork.generation():
                    self._state = _State(Allowance(*self._limits))
                state = self._state
        return state

    def acquire(self, tokens: int, *, cancel: CancelToken) -> Permit:
        """Wait until a call of *tokens* (estimated) may begin. Use the permit in a ``with`` block: its end frees it.

        A wait is told by a ``LimiterWaited`` of the agent that calls.

        Raises:
            Cancelled: *cancel* came first.
        """
        cancel.check()
        state, ticket, since = self._here(), _Ticket(), None
        with state.lock:
            state.line.append(ticket)
        try:
            while True:
                with state.lock:
                    ticket.waiter = Waiter()
                    wait = None
                    if state.line[0] is ticket:
                        now = SYSTEM_CLOCK.monotonic()
                        wait = state.allowance.wait(tokens, now)
                        if wait == 0:
                            return Permit(state, state.allowance.begin(tokens, now, len(state.line) - 1))
                if since is None:
                    since = SYSTEM_CLOCK.monotonic()
                _wait(ticket.waiter, wait, cancel)
        finally:
            state.leave(ticket)
            if since is not None:
                tell_waited(since)

    def acquire_later(
        self, tokens: int, given: Callable[[Permit, float], object], after: Callable[[float, Callable[[], None]], None]
    ) -> Turn:
        """Stand in line as :meth:`acquire` does, without a thread that waits.

        Args:
            given: Called with the permit, and with the seconds that it took (0: it did not wait), when a call of
                *tokens* may begin: perhaps before this returns.
            after: Has a function called after so many seconds, in a thread in which *given* may be called; 0 as well.
        """
        state = self._here()
        turn = Turn(state, tokens, given, after)
        with state.lock:
            state.line.append(turn)
        turn.look()
        return turn

    def feed(self, headers: Mapping[str, str], *, refused: bool = False) -> None:
        """Take in what headers say about the limits.

        Args:
            refused: They are those of an error: they stop nobody, as others are answered perhaps.
        """
        self.hear(used_up(headers), asking_now(self._here()), refused=refused)

    def hear(self, limits: Sequence[UsedUp], started: Any, *, refused: bool = False) -> None:
        """Take in that nothing is left of *limits*.

        Args:
            refused: Was a request refused for it?
            started: The call whose answer says so; None where that is not known.
        """
        state = self._here()
        with state.lock:
            state.allowance.hear(limits, SYSTEM_CLOCK.monotonic(), started, refused=refused)

    def stats(self) -> LimiterStats:
        """What it does right now."""
        state = self._here()
        with state.lock:
            allowance = state.allowance
            return LimiterStats(
                in_flight=allowance.in_flight,
                waiting=len(state.line),
                window=allowance.window,
                refused=allowance.refusals,
                paused_for=allowance.paused_for(SYSTEM_CLOCK.monotonic()),
                pauses=allowance.pauses,
            )


class Turn:
    """A call that waits for its turn, without a thread.

    Locks: that of the limiter guards ``_is_over`` and ``_since``.
    """

    __slots__ = ("_after", "_given", "_is_over", "_since", "_state", "_tokens", "waiter")

    def __init__(
        self,
        state: _State,
        tokens: int,
        given: Callable[[Permit, float], object],
        after: Callable[[float, Callable[[], None]], None],
    ) -> None:
        self._state = state
        self._tokens = tokens
        self._given = given
        self._after = after
        self._since: float | None = None
        self._is_over = False
        self.waiter = self
        """Whom to wake when it may be the first in line."""

    def wake(self) -> None:
        """It may be the first now. Any thread."""
        self._after(0.0, self.look)

    def look(self) -> None:
        """Go, if it is the first in line and a call may begin; else look again when that may be so."""
        state, permit = self._state, None
        with state.lock:
            if self._is_over or state.line[0] is not self:
                return
            now = SYSTEM_CLOCK.monotonic()
            wait = state.allowance.wait(self._tokens, now)
            if wait == 0:
                self._is_over = True
                state.line.popleft()
                permit = Permit(state, state.allowance.begin(self._tokens, now, len(state.line)))
            if self._since is None:
                self._since = now
        if permit is not None:
            state.wake_first()
            self._given(permit, now - (self._since or now))
        elif wait is not None:  # else somebody who ends wakes it
            self._after(wait, self.look)

    def leave(self) -> None:
        """It waits no longer; nothing where it went."""
        state = self._state
        with state.lock:
            if self._is_over:
                return
            self._is_over = True
            state.line.remove(self)
        state.wake_first()


class Permit:
    """The right to make one call; a context manager. Tell it how the call went.

    Locks: ``_lock`` guards ``_shares``.
    """

    __slots__ = ("_calls", "_lock", "_shares", "_tokens", "started")

    def __init__(self, calls: Calls, started: Any) -> None:
        self.started = started
        """What names the call."""
        self._calls = calls
        self._lock = threading.Lock()
        self._tokens = 0
        self._shares = 1

    def answered(self, tokens: int) -> None:
        """The provider answered; the call used *tokens*."""
        self._tokens = tokens
        self._calls.answered(self.started, tokens)

    def refused(self, retry_after: float | None) -> float | None:
        """The provider refused the call, and asked to wait *retry_after* seconds (None: it did not say).

        Returns:
            Seconds that this call is to wait before it is asked again; None when neither that nor the headers tell.
        """
        return self._calls.refused(self.started, retry_after)

    async def during(self, work: Awaitable[T]) -> T:
        """Do *work* for the call: headers that the limiter is fed with meanwhile are those of its answer."""
        before = _asking.set((self._calls, self.started))
        try:
            return await work
        finally:
            _asking.reset(before)

    def share(self) -> None:
        """Somebody else works with it, too: it is free once both have let go of it."""
        with self._lock:
            self._shares += 1

    def let_go(self) -> None:
        """Work with it no longer; the last one frees it."""
        with self._lock:
            self._shares -= 1
            if self._shares:
                return
        self._calls.end(self.started, self._tokens)

    def __enter__(self) -> Permit:
        return self

    def __exit__(self, *_: object) -> None:
        self.let_go()


def asking_now(calls: Calls) -> Any:
    """What names the call whose task this is, if *calls* has let it through."""
    asking = _asking.get()
    return asking[1] if asking is not None and asking[0] is calls else None


def tell_waited(since: float) -> None:
    """Tell that the agent that runs here has waited from *since* on until now, for what its provider allows."""
    tell(LimiterWaited, {"seconds": SYSTEM_CLOCK.monotonic() - since})


def _wait(waiter: Waiter, seconds: float | None, cancel: CancelToken) -> None:
    """Wait until woken, at most *seconds*, keeping the agent's slot; a cancel ends it."""
    if cancel.deadline is not None:
        left = cancel.deadline.remaining()
        seconds = left if seconds is None else min(seconds, left)
    wake = waiter.wake
    cancel.remind(wake)
    try:
        waiter.wait(seconds)
    finally:
        cancel.forget(wake)
    cancel.check()


publish("actors.limits", LimiterStats)
