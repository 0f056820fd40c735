"""What does it cost to be looked at?"""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING

from actors import AgentPool, LiveView, SpawnConfig

from .figures import Spread, ratios
from .report import Cell, Report, Table
from .size import Size
from .spawn_join import AT_ONCE, MANIFEST, Idle
from .turns import in_turn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .peers import Peers

QUESTION = "What does a live view cost the pool that is looked at, and what does a dump?"

VIEWER = """
import sys, time
from urllib.request import Request, urlopen
url, pause = sys.argv[1], float(sys.argv[2])
root, token = url.split("?token=")
last = 0
while True:
    for path in ("state", f"events?after={last}"):
        try:
            urlopen(Request(root + path, headers={"Authorization": f"Bearer {token}"})).read()
        except OSError:
            sys.exit()
    print("looked", flush=True)
    time.sleep(pause)
"""
"""As the page does it: both, again and again, from a process of its own."""


@dataclass(frozen=True, slots=True)
class Workload:
    """How many agents wait to be looked at, how many are started and joined, and how often."""

    waiting: int
    looks: int
    joined: int
    repeats: int


WORKLOADS = {
    Size.FULL: Workload(500, 100, 30_000, 9),
    Size.QUICK: Workload(500, 30, 10_000, 3),
    Size.SMOKE: Workload(5, 2, 20, 1),
}


@contextmanager
def viewer(pool: AgentPool, pause: float) -> Iterator[Callable[[], str]]:
    """Somebody who looks; what is given waits for the next look."""
    with (
        LiveView(pool) as view,
        subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-c", VIEWER, view.url, str(pause)], stdout=subprocess.PIPE, text=True
        ) as process,
    ):
        assert process.stdout is not None
        process.stdout.readline()
        yield process.stdout.readline
        process.kill()


def by_spawn_join(count: int, *, is_seen: bool) -> float:
    """Processor seconds of this process to start, run and join as many agents, perhaps looked at once a second."""
    configs = [SpawnConfig(MANIFEST, number, agent=Idle) for number in range(count)]
    with AgentPool(max_concurrent=AT_ONCE, max_queued=None) as pool:
        if not is_seen:
            return _joined(pool, configs)
        with viewer(pool, 1.0):
            return _joined(pool, configs)


def _joined(pool: AgentPool, configs: list[SpawnConfig]) -> float:
    begin = time.process_time()
    pool.fan_out(configs)
    assert len(pool.join_all()) == len(configs)
    return time.process_time() - begin


def by_looks(load: Workload) -> Table:
    """What looking costs where many agents wait: processor time of this process."""
    opened = Event()
    with AgentPool(max_concurrent=load.waiting) as pool:
        for _ in range(load.waiting):
            pool.submit(opened.wait)
        looks = {
            "dump(stacks=False)": lambda: pool.dump(stacks=False),
            "dump(agent_id=1)": lambda: pool.dump(agent_id=1),
            "dump()": lambda: pool.dump(),
        }
        rows = [_row(name, [_spent(look) for _ in range(load.looks)]) for name, look in looks.items()]
        with viewer(pool, 0.0) as look_again:
            rows.append(_row("a look of a viewer", [_spent(look_again) for _ in range(load.looks)]))
        opened.set()
    return Table(f"{load.waiting:,} agents that wait, milliseconds of processor time", rows)


def _spent(step: Callable[[], object]) -> float:
    begin = time.process_time()
    step()
    return time.process_time() - begin


def _row(case: str, seconds: list[float]) -> dict[str, Cell]:
    spread = Spread.of([1e3 * value for value in seconds])
    return {"case": case, "median ms": spread.median, "highest ms": spread.high, "looks": spread.count}


def measure(size: Size, _: Peers | None = None) -> Report:
    """Find the answer."""
    load = WORKLOADS[size]
    found = in_turn(
        {
            "alone": lambda: by_spawn_join(load.joined, is_seen=False),
            "looked at once a second": lambda: by_spawn_join(load.joined, is_seen=True),
        },
        repeats=load.repeats,
        warmups=1,
    )
    more = ratios(found["looked at once a second"], found["alone"])
    rows: list[dict[str, Cell]] = [
        {"case": case, "median us": Spread.of([1e6 * value / load.joined for value in values]).median}
        for case, values in found.items()
    ]
    spread: dict[str, Cell] = {"case": "ratio", "median": more.median, "lowest": more.low, "highest": more.high}
    tables = [
        by_looks(load),
        Table(f"{load.joined:,} agents started and joined, microseconds of processor time for one", rows),
        Table("looked at, by alone", [spread]),
    ]
    notes = ["The viewer is a process of its own: what it costs itself is not counted. A page looks once a second."]
    return Report("live", QUESTION, tables, notes)
