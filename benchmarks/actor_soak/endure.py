"""Era after era until the time is up, and what is to be said about it."""

from __future__ import annotations

import threading
import time
import traceback
from collections import Counter
from random import SystemRandom
from typing import TYPE_CHECKING

from ..report import Cell, Report, Table
from ..size import Size
from .era import Era

if TYPE_CHECKING:
    from rich.console import Console

    from ..peers import Peers

QUESTION = "Does anything get lost, hang, overlap or leak among actors that crash, are killed and restarted?"

SECONDS = {Size.FULL: 60.0, Size.QUICK: 6.0, Size.SMOKE: 2.0}
KINDS = ("pinned", "shared", "both")


def measure(size: Size, peers: Peers | None = None) -> Report:  # noqa: ARG001 - nobody else is asked
    """Soak for the time that fits *size*, with a seed of the moment."""
    return endure(SECONDS[size])


def endure(
    seconds: float, *, seed: int | None = None, kinds: tuple[str, ...] = KINDS, watch: Console | None = None
) -> Report:
    """Run eras for *seconds*; the last one is finished, and there is one of each kind at least.

    Args:
        seed: Decides what is drawn: era number n has it plus n; None draws it, too.
        kinds: What the actors run on: ``pinned``, ``shared`` or ``both``, in turn.
        watch: Told how it goes, now and then.
    """
    first = SystemRandom().randrange(10**9) if seed is None else seed
    begin = told = time.monotonic()
    counts: Counter[str] = Counter()
    problems: list[str] = []
    eras = 0
    while eras < len(kinds) or time.monotonic() - begin < seconds:
        era = Era(first + eras, kinds[(first + eras) % len(kinds)])
        try:
            era.live()
        except Exception as error:  # noqa: BLE001 - what the soak did not expect is a find, too
            era.books.violate("surprise", "".join(traceback.format_exception(error)))
        eras += 1
        counts += era.books.counts
        counts["actors"] += era.actors
        again = f"repeat it with --seed {first + eras - 1}"
        problems += [f"{again}: {violation}\n{era.options}" for violation in era.books.violations]
        if watch is not None and time.monotonic() - told > 10:
            told = time.monotonic()
            watch.print(
                f"{told - begin:.0f} s, {eras} eras, {counts['actors']:,} actors, {counts['handled']:,} messages, "
                f"{threading.active_count()} threads, {counts['violations']} violations",
                highlight=False,
            )
    return _report(first, eras, time.monotonic() - begin, counts, problems)


def _report(seed: int, eras: int, seconds: float, counts: Counter[str], problems: list[str]) -> Report:
    sums: dict[str, Cell] = {"seconds": round(seconds, 1), "eras": eras}
    main = ("actors", "accepted", "handled", "dead letters", "asks", "ticks", "watchers told", "violations")
    sums |= {name: counts[name] for name in main}
    others: dict[str, Cell] = {name: counts[name] for name in sorted(counts) if name not in main}
    return Report(
        "actor_soak",
        QUESTION,
        [_table(f"actors, seed {seed}", sums), _table("what was refused, or failed", others)],
        ["An era is the life of some actors, on threads of their own, on dispatchers, or on both, in turn."],
        problems,
    )


def _table(title: str, values: dict[str, Cell]) -> Table:
    return Table(title, [{"": name, "count": value} for name, value in values.items()])
