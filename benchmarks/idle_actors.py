"""What does an actor cost that has nothing to do?"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import pykka

from .machine import ROOT
from .parked import resident
from .peers import Peers
from .report import Cell, Report, Table
from .savina import Pinned, Shared
from .size import Size

if TYPE_CHECKING:
    from collections.abc import Mapping

QUESTION = "What does an actor cost that has nothing to do: in memory, to make, to stop?"

COUNTS = {Size.FULL: (1_000, 100_000, 1_000_000), Size.QUICK: (1_000, 100_000), Size.SMOKE: (20,)}
THREADS = 1_000
"""No more of those that have a thread each."""
BOUND = 600.0
BASES: Mapping[str, type[Any]] = {"shared": Shared, "pinned": Pinned, "pykka": pykka.ThreadingActor}


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one actor, in kilobytes, and of all of them, in seconds."""

    kilobytes: float
    made: float
    stopped: float


def cost(case: str, count: int) -> Cost:
    """Make so many, and stop them."""

    class Idle(BASES[case]):  # type: ignore[misc, valid-type]
        def on_receive(self, message: object) -> None:
            """Nothing comes."""

    Idle.start().stop()
    before, begin = resident(), time.perf_counter()
    refs = [Idle.start() for _ in range(count)]
    made, grown = time.perf_counter() - begin, resident() - before
    begin = time.perf_counter()
    for ending in [ref.stop(block=False) for ref in refs]:
        ending.get(timeout=BOUND)
    return Cost(grown / count, made, time.perf_counter() - begin)


def write(case: str, count: str) -> None:
    """Say what it costs. In the process of its own: freed memory is not given back at once."""
    print(json.dumps(asdict(cost(case, int(count)))))


def in_own_process(case: str, count: int) -> Cost:
    """Each in a fresh process."""
    code = f"from benchmarks.idle_actors import write; write({case!r}, {str(count)!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)  # noqa: S603 - ours
    return Cost(**json.loads(done.stdout))


def measure(size: Size, peers: Peers | None = None) -> Report:
    """Find the answer."""
    peers = peers or Peers()
    rows: list[dict[str, Cell]] = []
    for case in ("shared",) if size is Size.SMOKE else BASES:
        if case == "pykka" and not peers.has("pykka"):
            continue
        for count in COUNTS[size]:
            if case == "shared" or count <= THREADS:
                found = in_own_process(case, count)
                rows.append(
                    {
                        "case": f"{case}, {count:,}",
                        "KB each": found.kilobytes,
                        "all made in s": found.made,
                        "all stopped in s": found.stopped,
                    }
                )
    notes = [
        "Growth of the resident set, each in a process of its own. Needs Linux.",
        f"More than {THREADS:,} of pinned and of pykka are skipped: a thread for each actor.",
    ]
    return Report("idle_actors", QUESTION, [Table("actors that have nothing to do", rows)], [*notes, *peers.notes()])
