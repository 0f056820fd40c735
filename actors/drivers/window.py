"""How many calls at once a provider takes, found by trying."""

from __future__ import annotations

import math
from dataclasses import dataclass

LOT = 100
"""Calls after which a lot is looked at, if nothing is to be seen before."""
ENOUGH = 10
"""So many refusals, where that share is refused as before, are enough to see whether a cut has helped."""
ALARM, SIGMAS = 4.0, 3.0
"""What differs by more standard deviations is no chance: looked at with each call, and once."""
HEALED = 0.4
"""A cut has helped when at most this part of the refusals is left."""
BENEATH = 0.97
"""A cut goes a little beneath what was taken, so that what is used up can come back."""
DEEPEST = 0.25
CONTRAST = 0.8
"""Only when the window is cut to this part can be told whether the answers became fewer with it."""
DOUBTS = 2
"""So many lots that are as if it were chance mean that it is."""
LIKELY = 0.6
"""Nobody refuses a larger share by chance."""
STEP, LONGEST_STEP = 0.02, 0.5
"""Growth in one round of answers, and so much more with each lot of answers since the last cut."""
REST, LONGEST_REST = 16, 256
"""Lots for which a share of refusals counts as usual; twice as many each time that it is found again."""
SLOWEST = 10.0
"""Seconds from one call to the next, at the smallest window."""


@dataclass(slots=True, eq=False)
class Lot:
    """Calls that began one after another under one window, judged together when what became of them is known."""

    began: float = 0.0
    last: float = 0.0
    calls: int = 0
    refused: int = 0
    highest: int = 0
    full: bool = False
    stopped: bool = False

    @property
    def share(self) -> float:
        """The part that was refused."""
        return self.refused / self.calls

    @property
    def rate(self) -> float:
        """Calls taken in a second."""
        return (self.calls - self.refused) / max(self.last - self.began, 1e-3) + 1e-9


@dataclass(slots=True)
class _Trial:
    """Fewer calls at once, to see whether fewer are refused: what was before."""

    size: float
    in_flight: float
    share: float
    rate: float
    calls: int
    refused: int
    doubts: int = 0


class Window:
    """How many calls may be in flight: ``size``; below 1 there is time between two of them.

    Some providers refuse because too many call. Others refuse one call in ten whatever anybody does, and who calls less
    there gets less and is refused as often. So it tries: when a share of the calls is refused, the window is cut by
    that share. If the refusals go away, it was too large, and stays cut. If they stay and the answers become fewer as
    the window did, they do not come of it: it is as it was before, and that share of refusals counts as usual for a
    while. Otherwise it was cut too little, and is cut again. Between cuts it grows, the faster the longer nothing was
    cut.

    Locks: none; its limiter's lock guards it. All times are monotonic seconds.
    """

    def __init__(self, most: float = math.inf) -> None:
        self._most = most
        self.size = most
        self.usual = 0.0
        self.refusal_takes = 0.0
        self._takes = 0.0
        self._lot = Lot()
        self._trial: _Trial | None = None
        self._cut_at = -math.inf
        self._step = STEP
        self._grown = 0
        self._rest = REST
        self._rested = 0

    @property
    def places(self) -> float:
        """Whole calls that may be in flight."""
        return self.size if self.size == math.inf else max(1, round(self.size))

    def next_start(self, last: float, now: float) -> float:
        """When the next call may begin, if one begins *now* and that was to be at *last*.

        A provider that refuses faster than it answers would be asked over and over in the places of what it refused. So
        calls begin no faster than the window is filled by calls that are answered; what was missed is made up for.
        """
        if self.size == math.inf:
            return now
        spacing = min(SLOWEST, self._takes / self.size)
        missed = spacing * self.size / 2 if self.places > 2 else 0.0
        return max(last, now - missed) + spacing

    def begin(self, now: float, in_flight: int) -> Lot | None:
        """A call begins, now *in_flight*: the lot that it belongs to, if any."""
        lot = self._lot
        if lot.full:
            if now - lot.last <= 2 * self.refusal_takes:
                return None  # it cannot be judged yet
            self._judge(lot, now)
            lot = self._lot
        if not lot.calls:
            lot.began = now
        lot.calls += 1
        lot.last = now
        lot.highest = max(lot.highest, in_flight)
        lot.full = self._takes > 0 and now - lot.began >= self._takes and self._tells(lot)
        return lot

    def answered(self, began: float, now: float, in_flight: int) -> None:
        """A call was answered that *began* then."""
        seconds = now - began
        self._takes += (seconds - self._takes) * (0.1 if self._takes else 1.0)
        lot = self._lot
        calm = lot.refused <= self.usual * lot.calls + 1
        if self._trial is None and calm and began >= self._cut_at and 2 * in_flight >= self.size:
            self._grow()

    def refused(self, lot: Lot | None, seconds: float) -> None:
        """A call of *lot* was refused, after so many *seconds*."""
        self.refusal_takes += (seconds - self.refusal_takes) * (0.2 if self.refusal_takes else 1.0)
        if lot is not None:
            lot.refused += 1

    def stopped(self) -> None:
        """All were refused, and nobody calls for a while: no chance, whatever share that is."""
        self._lot.stopped = True

    def _grow(self) -> None:
        self.size = min(self._most, self.size * (1 + self._step / max(1.0, self.size)))
        self._grown += 1
        if self._grown == LOT:
            self._grown = 0
            self._step = min(LONGEST_STEP, self._step + STEP)

    # What lots tell ---------------------------------------------------------------------------------------------

    def _by_chance(self, calls: int) -> float:
        """The most refusals of so many calls that chance explains."""
        expected = self.usual * calls
        return expected + ALARM * math.sqrt(expected + 1)

    def _tells(self, lot: Lot) -> bool:
        """Are there enough calls in it to judge by?"""
        if self._trial is None:
            return lot.calls >= LOT or lot.refused > self._by_chance(lot.calls)
        expected = lot.calls * self._trial.share
        return expected >= ENOUGH or (expected >= ENOUGH / 2 and not lot.refused) or lot.calls >= 2 * LOT

    def _judge(self, lot: Lot, now: float) -> None:
        self._lot = Lot()
        trial = self._trial
        if trial is None:
            self._watch(lot, now)
            return
        trial.calls += lot.calls
        trial.refused += lot.refused
        if lot.share - self.usual <= HEALED * (trial.share - self.usual):
            self._trial = None
            self._step, self._grown = STEP, 0
            self.usual = min(self.usual, lot.share)
        elif trial.doubts + self._is_chance(lot, trial) >= DOUBTS:
            self._trial = None
            self.size = trial.size
            self.usual = trial.refused / trial.calls
            self._rested = 0
            self._rest = min(LONGEST_REST, 2 * self._rest)
        else:
            trial.doubts += self._is_chance(lot, trial)
            if lot.rate < trial.rate * (self.size / trial.in_flight) ** 2:  # what was saved up there is used up now
                trial.in_flight, trial.rate = self.size, lot.rate
            self._cut(self.size, lot.share, now)

    def _watch(self, lot: Lot, now: float) -> None:
        self._rested += 1
        if lot.refused > self._by_chance(lot.calls):
            in_flight = min(self.size, float(lot.highest))
            self._trial = _Trial(self.size, in_flight, lot.share, lot.rate, lot.calls, lot.refused)
            self._cut(in_flight, lot.share, now)
        elif self.usual and self._rested > self._rest:
            self.usual = 0.0  # is it still so?
        elif lot.refused < 2 * self.usual * lot.calls - self._by_chance(lot.calls):
            self.usual = lot.share
            self._rest = REST

    def _is_chance(self, lot: Lot, trial: _Trial) -> bool:
        """Is the same share refused of fewer calls, and are fewer answered?"""
        cut = self.size / trial.in_flight
        if lot.stopped or lot.share > LIKELY or cut > CONTRAST:
            return False
        same = abs(lot.share - trial.share) < SIGMAS * math.sqrt(trial.share / lot.calls)
        return same and cut**2 < lot.rate / trial.rate < math.sqrt(cut)

    def _cut(self, size: float, share: float, now: float) -> None:
        self.size = max(size * max(DEEPEST, 1 - share) * BENEATH, self._takes / SLOWEST)
        self._cut_at = now
