"""Keeps all who ask one provider within what it allows."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core import fork
from ..core.clock import SYSTEM_CLOCK
from ..core.waiter import Waiter
from .allowance import Allowance, Started
from .rate_headers import exhausted_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..core.cancel import CancelToken


@dataclass(frozen=True, slots=True)
class LimiterStats:
    """What a limiter does right now.

    Args:
        in_flight: Calls that were let through and have not ended.
        waiting: Calls that wait for their turn.
        window: Calls that may be in flight; infinity without a bound.
        refused: Calls that the provider refused, so far.
        paused_for: Seconds until anybody may call; 0 when nobody has to wait for that.
    """

    in_flight: int
    waiting: int
    window: float
    refused: int
    paused_for: float


class _Ticket:
    """One call that waits for its turn."""

    __slots__ = ("waiter",)

    def __init__(self) -> None:
        self.waiter = Waiter()


class RateLimiter:
    """What the provider of one key allows, for all agents, drivers and pools that use the key.

    First come, first served. Fed by ``Retry-After`` and rate-limit headers; a refusal slows everybody down and fails
    nobody: the calls at once are halved when most are refused (at most once a second), and grow again by one for each
    round of answers; those who waited come back spread out. A wait ends at a cancel.

    Args:
        requests_per_minute: Calls that begin in any 60 seconds; None sets no bound.
        tokens_per_minute: Tokens of those calls, as estimated before and counted after; None sets no bound.
        max_concurrent: Calls in flight; None sets no bound.

    Locks: ``_lock`` guards every field. Nobody is woken under it. A forked child begins anew.
    """

    def __init__(
        self,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        max_concurrent: int | None = None,
    ) -> None:
        self._limits = requests_per_minute, tokens_per_minute, max_concurrent
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._generation = fork.generation()
        self._lock = threading.Lock()
        self._allowance = Allowance(*self._limits)
        self._line: deque[_Ticket] = deque()

    def acquire(self, tokens: int, *, cancel: CancelToken) -> Permit:
        """Wait until a call of *tokens* (estimated) may begin. Use the permit in a ``with`` block: its end frees it.

        Raises:
            Cancelled: *cancel* came first.
        """
        cancel.check()
        if self._generation != fork.generation():  # those who wait or call are the parent's
            self._begin_anew()
        ticket = _Ticket()
        with self._lock:
            self._line.append(ticket)
        try:
            while True:
                with self._lock:
                    ticket.waiter = Waiter()
                    wait = None
                    if self._line[0] is ticket:
                        wait = self._allowance.wait(tokens, SYSTEM_CLOCK.monotonic())
                        if wait == 0:
                            return Permit(self, self._begin(tokens))
                _wait(ticket.waiter, wait, cancel)
        finally:
            self._leave(ticket)

    def _begin(self, tokens: int) -> Started:
        return self._allowance.begin(tokens, SYSTEM_CLOCK.monotonic(), len(self._line) - 1)

    def _leave(self, ticket: _Ticket) -> None:
        with self._lock:
            self._line.remove(ticket)
        self._wake_first()

    def _wake_first(self) -> None:
        with self._lock:
            first = self._line[0].waiter if self._line else None
        if first is not None:
            first.wake()

    def feed(self, headers: Mapping[str, str]) -> None:
        """Take in what the headers of an answer say about the limits."""
        seconds = exhausted_for(headers)
        if seconds > 0:
            with self._lock:
                self._allowance.pause(SYSTEM_CLOCK.monotonic(), seconds)

    def answered(self) -> None:
        """The provider took a call."""
        with self._lock:
            self._allowance.answered()

    def refused(self, retry_after: float | None) -> None:
        """The provider refused a call, and asked to wait *retry_after* seconds (None: it did not say)."""
        with self._lock:
            self._allowance.refused(SYSTEM_CLOCK.monotonic(), retry_after)

    def ended(self, started: Started, tokens: int) -> None:
        """A call that was let through has ended, and used *tokens*."""
        with self._lock:
            self._allowance.end(started, tokens)
        self._wake_first()

    def stats(self) -> LimiterStats:
        """What it does right now."""
        with self._lock:
            allowance = self._allowance
            return LimiterStats(
                in_flight=allowance.in_flight,
                waiting=len(self._line),
                window=allowance.window,
                refused=allowance.refusals,
                paused_for=max(0.0, allowance.paused_until - SYSTEM_CLOCK.monotonic()),
            )


class Permit:
    """The right to make one call; a context manager. Tell it how the call went."""

    __slots__ = ("_limiter", "_started", "_tokens")

    def __init__(self, limiter: RateLimiter, started: Started) -> None:
        self._limiter = limiter
        self._started = started
        self._tokens = 0

    def answered(self, tokens: int) -> None:
        """The provider answered; the call used *tokens*."""
        self._tokens = tokens
        self._limiter.answered()

    def refused(self, retry_after: float | None) -> None:
        """The provider refused the call."""
        self._limiter.refused(retry_after)

    def __enter__(self) -> Permit:
        return self

    def __exit__(self, *_: object) -> None:
        self._limiter.ended(self._started, self._tokens)


def _wait(waiter: Waiter, seconds: float | None, cancel: CancelToken) -> None:
    """Wait until woken, at most *seconds*, keeping the agent's slot; a cancel ends it."""
    if cancel.deadline is not None:
        left = cancel.deadline.remaining()
        seconds = left if seconds is None else min(seconds, left)
    forget = cancel.on_cancel(waiter.wake)
    try:
        waiter.wait(seconds)
    finally:
        forget()
    cancel.check()
