"""How many calls a provider allows now: decided from plain numbers, so that a test needs no clock."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass

MINUTE = 60.0
IN_A_ROW = 4
"""So many refusals without an answer between them mean all: then its word on when to come back holds for everybody. A
server that refuses three calls of ten at random must not bring all to a halt.
"""
HALVE_EVERY = 1.0
"""Seconds that a new window has to show whether it is small enough."""
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
LONGEST_WORD = 120.0
"""Seconds: a server that asks for more is believed by the one that it told, not by everybody."""
SPREAD = 0.5
"""Seconds over which those who waited for the end of a pause come back."""


@dataclass(slots=True, eq=False)
class Started:
    """One call, and what it counts for in its minute."""

    at: float
    tokens: int
    counts: bool = False


class Allowance:
    """Requests and tokens in any minute, calls at once, and the provider's own word.

    Args:
        requests_per_minute, tokens_per_minute, max_concurrent: None sets no bound.

    Guarantees: in any 60 seconds no more calls and tokens begin than allowed (a call that alone needs more tokens than
    a minute has waits until nothing else counts). ``window``, how many calls may be in flight, is halved at most once a
    second, by a refusal, and grows by one for each ``window`` answers.

    Locks: none; its limiter's lock guards it. All times are monotonic seconds.
    """

    def __init__(
        self,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        max_concurrent: int | None = None,
    ) -> None:
        for name, value in (
            ("requests_per_minute", requests_per_minute),
            ("tokens_per_minute", tokens_per_minute),
            ("max_concurrent", max_concurrent),
        ):
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise ValueError(f"{name} must be a whole number of at least 1, or None; got {value!r}")
        self._requests = requests_per_minute
        self._tokens = tokens_per_minute
        self._most = float("inf") if max_concurrent is None else float(max_concurrent)
        self.window = self._most
        self.in_flight = 0
        self.refusals = 0
        self.paused_until = float("-inf")
        self._past: deque[Started] = deque()
        self._past_tokens = 0
        self._in_a_row = 0
        self._halved_at = -HALVE_EVERY
        self._pauses = 0
        self._next_at = float("-inf")

    def wait(self, tokens: int, now: float) -> float | None:
        """Seconds until a call of *tokens* may begin; 0: now; None: not before another call ends."""
        if self.in_flight + 1 > max(1.0, self.window):
            return None
        return max(0.0, self.paused_until - now, self._next_at - now, self._minute(tokens, now))

    def _minute(self, tokens: int, now: float) -> float:
        """Seconds until the last minute has room."""
        past = self._past
        while past and now - past[0].at >= MINUTE:
            over = past.popleft()
            over.counts = False
            self._past_tokens -= over.tokens
        wait = 0.0
        if self._requests is not None and len(past) >= self._requests:
            wait = MINUTE - (now - past[len(past) - self._requests].at)
        if self._tokens is not None and past and self._past_tokens + tokens > self._tokens:
            left = self._past_tokens
            for started in past:
                left -= started.tokens
                if left + tokens <= self._tokens or left <= 0:
                    wait = max(wait, MINUTE - (now - started.at))
                    break
        return wait

    def begin(self, tokens: int, now: float, waiting: int = 0) -> Started:
        """A call begins; *waiting* others stand behind it."""
        started = Started(now, tokens)
        self.in_flight += 1
        if self._requests is not None or self._tokens is not None:
            started.counts = True
            self._past.append(started)
            self._past_tokens += tokens
        if now < self.paused_until + SPREAD:  # after a pause they come back one by one
            self._next_at = now + random.uniform(0.0, 2 * SPREAD / (waiting + 1))  # noqa: S311 - no secret
        return started

    def end(self, started: Started, tokens: int) -> None:
        """It ended, and used *tokens*."""
        self.in_flight -= 1
        if started.counts:
            self._past_tokens += tokens - started.tokens
        started.tokens = tokens

    def answered(self) -> None:
        """The provider took the call."""
        self._in_a_row = self._pauses = 0
        if self.window < self._most:
            self.window = min(self._most, self.window + 1 / self.window)

    def refused(self, now: float, retry_after: float | None) -> None:
        """The provider refused the call (429), or had no capacity for it.

        Args:
            retry_after: Seconds that it asked to wait; None: it did not say.
        """
        self.refusals += 1
        self._in_a_row += 1
        halved = now - self._halved_at >= HALVE_EVERY
        if halved:
            self._halved_at = now
            self.window = max(1.0, min(self.window, float(self.in_flight)) / 2)
        if self._in_a_row < IN_A_ROW:
            return
        if retry_after is not None:
            self.pause(now, min(LONGEST_WORD, retry_after))
        elif halved:
            self.pause(now, min(LONGEST_PAUSE, FIRST_PAUSE * 2.0**self._pauses))
            self._pauses += 1

    def pause(self, now: float, seconds: float) -> None:
        """Nobody calls for *seconds*."""
        self.paused_until = max(self.paused_until, now + seconds)
