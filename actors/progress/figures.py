"""How far the work is, in figures."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.figures import rate, seconds, spent


@dataclass(frozen=True, slots=True)
class Figures:
    """How far the work is at one moment.

    Args:
        total: How many there will be; None where nobody knows.
        elapsed: Seconds since the beginning.
    """

    done: int
    total: int | None
    running: int
    queued: int
    failed: int
    tokens: int
    cost_usd: float
    elapsed: float

    def __str__(self) -> str:
        """``3 of 10 done · 2 running · 5 queued · 1 failed · 1.2/s · 6.0 s left``, without what there is none of."""
        known = self.total if self.total is not None and self.total >= self.done else None
        of_all = "" if known is None else f" of {known:,}"
        parts = [f"{self.done:,}{of_all} done"]
        gauges = (self.running, "running"), (self.queued, "queued"), (self.failed, "failed")
        parts += [f"{number:,} {word}" for number, word in gauges if number]
        parts += spent(self.tokens, self.cost_usd)
        if self.done and self.elapsed > 0:
            parts.append(rate(self.done / self.elapsed))
            if known is not None and known > self.done:
                parts.append(f"{seconds(self.elapsed / self.done * (known - self.done))} left")
            else:
                parts.append(f"after {seconds(self.elapsed)}")
        return " · ".join(parts)
