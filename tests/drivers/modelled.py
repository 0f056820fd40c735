"""Providers as models, and a limiter's allowance driven against them event by event: no threads, no clock, no sleep."""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from actors.core.records.spec import no_sooner_than
from actors.drivers.rate_headers import UsedUp
from actors.drivers.remote import REFUSED

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.drivers.allowance import Allowance

LIE = UsedUp(tokens=True, reset=360.0, limit=30_000.0)
"""Nothing is left for minutes, say the headers of one that goes on answering."""


@dataclass(frozen=True)
class Verdict:
    """What a provider makes of a call: refused or not, how long to wait, what its headers say is used up."""

    refused: bool
    wait: float = 0.0
    limits: tuple[UsedUp, ...] = ()


class Model(Protocol):
    """A provider."""

    def admit(self, now: float, in_flight: int) -> Verdict:
        """Is a call taken that comes *now*, while so many are answered?"""


@dataclass
class Bucket:
    """Takes *rate* calls a second, and *burst* that were saved up."""

    rate: float
    burst: float
    left: float = math.inf
    at: float = 0.0

    def admit(self, now: float, in_flight: int) -> Verdict:
        """Takes a token, if there is one."""
        self.left = min(self.burst, self.left + (now - self.at) * self.rate)
        self.at = now
        taken = self.left >= 1
        self.left -= taken
        limits = (UsedUp(False, (self.burst - self.left) / self.rate, self.burst),) if self.left < 1 else ()
        return Verdict(not taken, (1 - self.left) / self.rate, limits)


@dataclass
class FixedWindow:
    """Takes *limit* calls in each *span* of seconds."""

    limit: int
    span: float
    window: float = 0.0
    taken: int = 0

    def admit(self, now: float, in_flight: int) -> Verdict:
        """Counts in the window of now."""
        window = now // self.span
        if window != self.window:
            self.window, self.taken = window, 0
        if self.taken == self.limit:
            return Verdict(True, (window + 1) * self.span - now)
        self.taken += 1
        return Verdict(False)


@dataclass
class SlidingWindow:
    """Takes *limit* calls in any *span* seconds."""

    limit: int
    span: float
    taken: deque[float] = field(default_factory=deque)

    def admit(self, now: float, in_flight: int) -> Verdict:
        """Counts those of the last span."""
        while self.taken and now - self.taken[0] >= self.span:
            self.taken.popleft()
        if len(self.taken) == self.limit:
            return Verdict(True, self.taken[0] + self.span - now)
        self.taken.append(now)
        return Verdict(False)


@dataclass
class AtOnce:
    """Answers *most* calls at once."""

    most: int

    def admit(self, now: float, in_flight: int) -> Verdict:
        """Takes one while fewer are in flight."""
        return Verdict(in_flight >= self.most, 1.0)


@dataclass
class ByChance:
    """Refuses a *share* of the calls, whatever anybody does; its headers may lie, in refusals or in all it sends."""

    share: float
    lies: str = ""
    drawn: random.Random = field(default_factory=lambda: random.Random(1))

    def admit(self, now: float, in_flight: int) -> Verdict:
        """Draws."""
        refused = self.drawn.random() < self.share
        return Verdict(refused, 1.0, (LIE,) if self.lies == "always" or (refused and self.lies) else ())


@dataclass
class Count:
    """What came of it, after the warm-up: answers in a second, and the share that was refused."""

    rate: float
    refused: float
    longest_silence: float
    """Seconds without an answer, at the longest."""


class Simulation:
    """*callers* that ask again and again, through one allowance (None: each as it likes), in virtual time.

    Args:
        latency: Seconds that an answer takes; each a little different.
        refusal: Seconds that a refusal takes.
        tells_wait, tells_limits: Refusals have ``Retry-After``; headers tell what is used up.
        tokens: That each call needs, as estimated.
    """

    def __init__(
        self,
        model: Model,
        allowance: Allowance | None,
        *,
        callers: int = 64,
        latency: float = 0.2,
        refusal: float = 0.02,
        tells_wait: bool = False,
        tells_limits: bool = False,
        tokens: int = 4100,
    ) -> None:
        self._model = model
        self._allowance = allowance
        self._latency = latency
        self._refusal = refusal
        self._tells_wait = tells_wait
        self._tells_limits = tells_limits
        self._tokens = tokens
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._line = deque([0] * callers)  # how often each was refused
        self._drawn = random.Random(1)
        self._taken = 0
        self._looks_at = math.inf
        self.now = 0.0
        self.answers: list[float] = []
        self.refusals: list[float] = []

    def run(self, seconds: float, warm_up: float) -> Count:
        """Let it run, and count from the end of the warm-up."""
        random.seed(1)  # the allowance spreads those who come back
        self._look()
        while self._events and self._events[0][0] <= seconds:
            self.now, _, event = heapq.heappop(self._events)
            event()
        answers = [at for at in self.answers if at > warm_up]
        refusals = sum(at > warm_up for at in self.refusals)
        moments = [warm_up, *answers, seconds]
        silence = max(after - before for before, after in itertools.pairwise(moments))
        return Count(len(answers) / (seconds - warm_up), refusals / max(1, refusals + len(answers)), silence)

    def _after(self, seconds: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + seconds, next(self._numbers), event))

    def _about(self, seconds: float) -> float:
        return seconds * math.exp(self._drawn.gauss(0, 0.3))

    def _look(self) -> None:
        """Let the first in line go, as often as it may."""
        if self._looks_at <= self.now:
            self._looks_at = math.inf
        while self._line:
            wait = self._allowance.wait(self._tokens, self.now) if self._allowance else 0.0
            if wait is None:
                return
            if wait > 0:
                if self.now + wait < self._looks_at:
                    self._looks_at = self.now + wait
                    self._after(max(wait, 1e-9), self._look)
                return
            self._call(self._line.popleft())

    def _call(self, refused: int) -> None:
        allowance = self._allowance
        started = allowance.begin(self._tokens, self.now, len(self._line)) if allowance else None
        verdict = self._model.admit(self.now, self._taken)

        def hear(failed: bool) -> None:
            if allowance and self._tells_limits and not (failed and self._tells_wait):
                allowance.hear(verdict.limits, self.now, started, refused=failed)

        def answer() -> None:
            self._taken -= 1
            self.answers.append(self.now)
            hear(False)
            if allowance and started:
                allowance.answered(started, self.now)
                allowance.end(started, self._tokens)
            self._line.append(0)
            self._look()

        def refuse() -> None:
            self.refusals.append(self.now)
            hear(True)
            wait = verdict.wait if self._tells_wait else None
            if allowance and started:
                wait = allowance.refused(started, self.now, wait)
                allowance.end(started, 0)
            self._after(no_sooner_than(wait) if wait else REFUSED.delay(refused + 1), come_back)
            self._look()

        def come_back() -> None:
            self._line.append(refused + 1)
            self._look()

        if verdict.refused:
            self._after(self._about(self._refusal), refuse)
        else:
            self._taken += 1
            self._after(self._about(self._latency), answer)
