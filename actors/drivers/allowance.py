"""How many calls a provider allows now: decided from plain numbers, so that a test needs no clock."""

from __future__ import annotations

import math
import random
from collections import deque
from typing import TYPE_CHECKING

from .started import Started
from .used_limits import UsedLimits
from .window import Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .rate_headers import UsedUp

MINUTE = 60.0
IN_A_ROW = 4
"""So many calls one after another, all refused, are the least that can mean: everybody is."""
CHANCE = 1e-5
"""They mean it when they are less likely than this, by the share that is refused anyway: a server that refuses three
calls of ten at random must not bring all to a halt.
"""
REMEMBERED = 128
"""Calls that are looked at for that."""
SUPPOSED = 10
"""So many more calls, refused as usual, are supposed to have been before them."""
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
LONGEST_WORD = 120.0
"""Seconds: a server that asks for more is believed by the one that it told, not by everybody."""
LONGEST_HINT = 4.0
"""Seconds that a refused call waits at most for what is not ``Retry-After``."""
SPREAD = 0.5
"""Seconds over which those who waited for the end of a pause come back."""


class Allowance:
    """Requests and tokens in any minute, calls at once, and the provider's own word.

    Args:
        requests_per_minute, tokens_per_minute, max_concurrent: None sets no bound.

    Guarantees: in any 60 seconds no more calls and tokens begin than allowed (a call that alone needs more tokens than
    a minute has waits until nothing else counts). Nobody is stopped while calls are taken: only a row of refusals that
    chance does not explain pauses everybody, for as long as the provider says, or else, once it is known, for about as
    long as the last time. An answer ends a pause: then calls begin singly until one that began after it was taken.

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
        self._window = Window(math.inf if max_concurrent is None else float(max_concurrent))
        self._used_limits = UsedLimits()
        self.in_flight = 0
        self.refusals = 0
        self.pauses = 0
        self.paused_until = -math.inf
        self._past: deque[Started] = deque()
        self._past_tokens = 0
        self._all_requests = 0
        self._all_tokens = 0
        self._lately: deque[Started] = deque(maxlen=REMEMBERED)
        self._next_at = -math.inf
        # A blockade: from the first refusal of a row to the next call that is taken, with pauses in it.
        self._blocked_since: float | None = None
        self._blocked_for = 0.0
        self._paused_at = -math.inf
        self._tried_at = -math.inf

    @property
    def window(self) -> float:
        """Calls that may be in flight; below 1 there is time between them."""
        return self._window.size

    def paused_for(self, now: float) -> float:
        """Seconds until anybody may call."""
        told = self._used_limits.wait(1, self._all_requests, self._all_tokens, now)
        return max(0.0, self.paused_until - now, told)

    def wait(self, tokens: int, now: float) -> float | None:
        """Seconds until a call of *tokens* may begin; 0: now; None: not before another call ends."""
        if self.in_flight >= self._window.places:
            return None
        told = self._used_limits.wait(tokens, self._all_requests, self._all_tokens, now)
        return max(0.0, self.paused_until - now, self._next_at - now, told, self._minute(tokens, now))

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
        self.in_flight += 1
        self._all_requests += 1
        self._all_tokens += tokens
        lot = self._window.begin(now, self.in_flight)
        started = Started(now, tokens, lot, self._all_requests, self._all_tokens)
        self._lately.append(started)
        if self._requests is not None or self._tokens is not None:
            started.counts = True
            self._past.append(started)
            self._past_tokens += tokens
        self._next_at = self._window.next_start(self._next_at, now)
        if self._blocked_since is not None:  # singly: the next one when this one would have been refused
            self._next_at = max(self._next_at, now + 2 * min(SPREAD, self._window.refusal_takes))
        elif now < self.paused_until + SPREAD:  # after a pause they come back one by one
            self._next_at = max(self._next_at, now + random.uniform(0.0, 2 * SPREAD / (waiting + 1)))  # noqa: S311
        return started

    def end(self, started: Started, tokens: int) -> None:
        """It ended, and used *tokens*."""
        self.in_flight -= 1
        started.known = True
        if started.counts:
            self._past_tokens += tokens - started.tokens
        started.tokens = tokens

    def hear(self, limits: Sequence[UsedUp], now: float, started: Started | None, *, refused: bool = False) -> None:
        """Headers have come which say that nothing is left of *limits*.

        Args:
            started: Whose they are; None when that is not known.
            refused: They are of no answer: they tell how long to wait if everybody is refused, and stop nobody.
        """
        if not refused:
            requests, tokens = self._all_requests, self._all_tokens
            if started is not None:
                requests, tokens = started.requests, started.tokens_so_far
            self._used_limits.hear(limits, now, started, requests, tokens)
        elif started is not None:
            started.told = self._used_limits.hear_refusal(limits, now, started)

    def answered(self, started: Started, now: float) -> None:
        """The provider took the call."""
        started.known = True
        self._window.answered(started.at, now, self.in_flight)
        self._used_limits.answered(started, now)
        if self._blocked_since is not None and started.at > self._tried_at:
            self.paused_until = min(self.paused_until, now)
            if started.at >= self._paused_at:
                self._blocked_for = started.at - self._blocked_since
                self._blocked_since, self._tried_at = None, -math.inf

    def refused(self, started: Started, now: float, retry_after: float | None) -> float | None:
        """The provider refused the call (429), or had no capacity for it.

        Args:
            retry_after: Seconds that it asked to wait; None: it did not say.
        Returns:
            Seconds that this call is to wait; None when nothing tells.
        """
        self.refusals += 1
        started.refused = started.known = True
        word = started.told if retry_after is None else retry_after
        singly = self._blocked_since is not None and started.at >= self._paused_at
        self._window.refused(None if singly else started.lot, now - started.at)
        if self._all_are(now):
            if singly:
                self._tried_at = started.at  # answers to calls before this one prove nothing any more
            self._pause(now, word)
        return min(word, LONGEST_HINT) if retry_after is None and word is not None else word

    def _all_are(self, now: float) -> bool:
        """Are all refused, of the newest calls of which it is known?"""
        row = before = refused = 0
        first = math.inf
        young = now - 2 * self._window.refusal_takes  # refusals come fast: who is older and has none was taken
        for started in self._lately:
            if started.refused:
                first = min(first, started.at)
                row += 1
            elif not started.known and started.at > young:
                break
            else:
                before += row + 1
                refused += row
                row, first = 0, math.inf
        if self._blocked_since is not None:
            return first <= self._blocked_since
        usual = (refused + 0.5 + SUPPOSED * self._window.usual) / (before + 0.5 + SUPPOSED)
        return row >= IN_A_ROW and row * math.log(usual) < math.log(CHANCE)

    def _pause(self, now: float, word: float | None) -> None:
        """Nobody calls for a while: for what the provider says, or as long as the last time, or longer and longer."""
        if now < self.paused_until:
            return
        self._window.stopped()
        self.pauses += 1
        if self._blocked_since is None:
            seconds = self._blocked_for / 2
            self._blocked_since = now
        else:
            blocked = now - self._blocked_since
            seconds = blocked / (4 if blocked < 2 * self._blocked_for else 2)
        self._paused_at = now
        seconds = min(LONGEST_WORD, word) if word else min(LONGEST_PAUSE, max(FIRST_PAUSE, seconds))
        self.paused_until = now + seconds
