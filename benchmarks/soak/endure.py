"""Era after era until the time is up, and what is to be said about it."""

from __future__ import annotations

import gc
import threading
import time
import traceback
from collections import Counter
from random import SystemRandom
from typing import TYPE_CHECKING

from ..report import Cell, Report, Table
from ..size import Size
from .era import Era
from .faults import Faults
from .samples import Samples

if TYPE_CHECKING:
    from rich.console import Console

QUESTION = "Does anything get lost, hang, leak or grow under random work and faults?"

SECONDS = {Size.FULL: 60.0, Size.QUICK: 6.0, Size.SMOKE: 2.0}


def measure(size: Size) -> Report:
    """Soak for the time that fits *size*, with a seed of the moment."""
    return endure(SECONDS[size])


def endure(seconds: float, *, seed: int | None = None, watch: Console | None = None) -> Report:
    """Run eras for *seconds*; the last one is finished, and there is one at least. Era number n has the seed plus n.

    Args:
        seed: Decides what is drawn; None draws it, too.
        watch: Told how it goes, now and then.
    """
    soak = Soak(SystemRandom().randrange(10**9) if seed is None else seed)
    while True:
        soak.run_era()
        if watch is not None:
            soak.tell(watch)
        if soak.elapsed() >= seconds:
            return soak.report()


class Soak:
    """The sums of all eras."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._begin = time.monotonic()
        self._told = self._begin
        self._eras = 0
        self._rounds = 0
        self._agents = 0
        self._leaked = 0
        self._faults = Faults()
        self._counts: Counter[str] = Counter()
        self._statuses: Counter[str] = Counter()
        self._samples = Samples()
        self._problems: list[str] = []

    def elapsed(self) -> float:
        """Seconds so far."""
        return time.monotonic() - self._begin

    def run_era(self) -> None:
        """One pool's life."""
        seed = self._seed + self._eras
        era = Era(seed, self._faults, self._sample)
        try:
            era.live()
        except Exception as error:  # noqa: BLE001 - what the soak did not expect is a find, too
            era.ledger.violate("".join(traceback.format_exception(error)))
        self._eras += 1
        self._agents += era.agents
        self._leaked += len(era.leaked)
        self._counts += era.ledger.counts
        self._statuses += era.ledger.statuses
        self._problems += [f"repeat it with --seed {seed}: {text}" for text in era.ledger.violations]
        if era.ledger.violations:
            self._problems.append(f"seed {seed} was {era.options}\n{era.dump}")

    def _sample(self, agents: int) -> None:
        gc.collect()  # so that what is seen is what is kept
        self._rounds += 1
        self._samples.take(self.elapsed(), self._agents + agents)

    def tell(self, console: Console) -> None:
        """Say how it goes, every ten seconds."""
        if time.monotonic() - self._told > 10:
            self._told = time.monotonic()
            console.print(
                f"{self.elapsed():.0f} s, {self._agents:,} agents, {threading.active_count()} threads, "
                f"{self._samples.rss[-1] / 1024:.1f} MB, {self._counts['violations']} violations",
                highlight=False,
            )

    def report(self) -> Report:
        """What was found."""
        counts, samples = self._counts, self._samples
        sums: dict[str, Cell] = {
            "seconds": round(self.elapsed(), 1),
            "pools": self._eras,
            "rounds": self._rounds,
            "agents": self._agents,
            "faults": self._faults.total(),
            "messages accepted": counts["messages accepted"],
            "messages handled": counts["messages handled"],
            "messages dead": counts["messages dead"],
            "tells accepted": counts["tells accepted"],
            "tells handled": counts["tells handled"],
            "tells dead": counts["tells dead"],
            "asks": counts["asks"],
            "asks settled": counts["asks settled"],
            "threads, most at rest": int(max(samples.threads, default=0)),
            "threads leaked": self._leaked,
            "RSS at the end, MB": samples.rss[-1] / 1024 if samples.rss else None,
            "RSS slope, KB a minute": samples.kb_per_minute(),
            "RSS slope, KB per 1,000 agents": samples.kb_per_1000_agents(),
            "violations": counts["violations"],
        }
        leaks = [f"{self._leaked} threads leaked"] if self._leaked else []
        return Report(
            "soak",
            QUESTION,
            [
                _table(f"soak, seed {self._seed}", "", sums),
                _table("outcomes seen by a done callback", "status", dict(sorted(self._statuses.items()))),
                self._faults.raised(),
                _table("other faults", "fault", self._faults.others()),
            ],
            ["RSS slope: least squares over the second half of the time; the first half fills caches and arenas."],
            [*self._problems, *leaks],
        )


def _table(title: str, first: str, values: dict[str, Cell]) -> Table:
    return Table(title, [{first: name, "count" if first else " ": value} for name, value in values.items()])
