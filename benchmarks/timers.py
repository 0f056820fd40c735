"""What does a timer cost, and how late is it?"""

from __future__ import annotations

import asyncio
import threading
import time
import tracemalloc
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from actors import Actor

from .figures import Spread, percentile, ratios
from .peers import Peers
from .report import Cell, Report, Table
from .size import Size
from .turns import in_turn

if TYPE_CHECKING:
    from collections.abc import Callable

QUESTION = "What does it cost to set and to cancel a timer, how much memory does it take, and how late is it?"

FAR = 3600.0
"""Seconds: so far are the timers that are cancelled."""
BOUND = 60.0
TAKEN = 0.05
"""Seconds in which whoever minds the timers has taken all of them in: its CPU time counts as theirs."""
FEW = 1_000
"""No more of the timers that are threads."""


@dataclass(frozen=True, slots=True)
class Workload:
    """How many timers at once, over how many seconds they are due, and how often that is measured."""

    counts: tuple[tuple[int, float], ...]
    repeats: int


WORKLOADS = {
    Size.FULL: Workload(((1_000, 1.0), (100_000, 20.0)), 7),
    Size.QUICK: Workload(((1_000, 1.0), (100_000, 20.0)), 1),
    Size.SMOKE: Workload(((20, 0.02),), 1),
}


class Cost(NamedTuple):
    """Microseconds of CPU time to set one and to cancel one, and its KB."""

    set_us: float
    cancel_us: float
    kilobytes: float


class Sample(NamedTuple):
    """One round: what a timer costs, and by how many ms each was late."""

    cost: Cost
    late: list[float]


class Cancellable(Protocol):
    """A timer of anybody's."""

    def cancel(self) -> object:
        """Let it not come."""


class Far(Actor):
    """Sets timers that are due in an hour, and cancels them."""

    dispatcher = "shared"

    def on_receive(self, message: int) -> Cost:
        """Answer what that took."""
        return costs(message, lambda: self.tell_later(FAR, None))


class Near(Actor):
    """Sets timers that are due soon, and notes how late they come."""

    dispatcher = "shared"
    inbox_capacity = None

    def __init__(self) -> None:
        super().__init__()
        self.clock = Lateness()

    def on_receive(self, message: Any) -> Any:
        """A moment is a timer's; anything else says how many, over how long, and whom to tell."""
        if isinstance(message, float):
            return self.clock.note(message)
        count, seconds, done = message
        self.clock.begin(count, done.set)
        for moment in moments(count, seconds):
            self.tell_later(moment - time.monotonic(), moment)
        return self.clock.late


class Lateness:
    """By how many milliseconds each was late."""

    def __init__(self) -> None:
        self.late: list[float] = []
        self._left = 0
        self._done: Callable[[], object] = int

    def begin(self, count: int, done: Callable[[], object]) -> None:
        """So many are expected."""
        self._left, self._done = count, done

    def note(self, moment: float) -> None:
        """One that was due at *moment* has come."""
        self.late.append((time.monotonic() - moment) * 1000)
        self._left -= 1
        if not self._left:
            self._done()


def moments(count: int, seconds: float) -> list[float]:
    """When they are due: evenly, once all of them are set."""
    begin = time.monotonic() + 0.1 + count * 20e-6
    return [begin + seconds * n / count for n in range(count)]


def costs(count: int, set_one: Callable[[], Cancellable]) -> Cost:
    """Set so many, and cancel them; then once more, for the memory."""
    begin = time.process_time()
    timers = [set_one() for _ in range(count)]
    time.sleep(TAKEN)
    is_set = time.process_time()
    for timer in timers:
        timer.cancel()
    cancelled = time.process_time()
    timers.clear()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        timers.extend(set_one() for _ in range(count))
        time.sleep(TAKEN)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    for timer in timers:
        timer.cancel()
    return Cost((is_set - begin) / count * 1e6, (cancelled - is_set) / count * 1e6, grown / count / 1024)


def ours(count: int, seconds: float) -> Sample:
    """Timers of one actor."""
    far, near, done = Far.start(), Near.start(), threading.Event()
    found: Cost = far.ask(count, timeout=BOUND)
    late: list[float] = near.ask((count, seconds, done), timeout=BOUND)
    done.wait(BOUND + seconds)
    far.stop()
    near.stop()
    return Sample(found, late)


def asyncios(count: int, seconds: float) -> Sample:
    """``loop.call_later`` and ``call_at``."""

    async def run() -> Sample:
        loop, clock, done = asyncio.get_running_loop(), Lateness(), asyncio.Event()
        found = costs(count, lambda: loop.call_later(FAR, int))
        clock.begin(count, done.set)
        for moment in moments(count, seconds):
            loop.call_at(moment, clock.note, moment)
        async with asyncio.timeout(BOUND + seconds):
            await done.wait()
        return Sample(found, clock.late)

    return asyncio.run(run())


def threads(count: int, seconds: float) -> Sample:
    """``threading.Timer``: a thread for each."""
    clock, done, lock = Lateness(), threading.Event(), threading.Lock()

    def set_one() -> threading.Timer:
        timer = threading.Timer(FAR, int)
        timer.start()
        return timer

    def note(moment: float) -> None:
        with lock:
            clock.note(moment)

    found = costs(count, set_one)
    clock.begin(count, done.set)
    for moment in moments(count, seconds):
        threading.Timer(moment - time.monotonic(), note, (moment,)).start()
    done.wait(BOUND + seconds)
    return Sample(found, clock.late)


def measure(size: Size, peers: Peers | None = None) -> Report:
    """Find the answer."""
    load, peers = WORKLOADS[size], peers or Peers()
    tables, problems = [], []
    for count, seconds in load.counts:
        cases = {"ours": ours}
        if peers.has("asyncio"):
            cases["asyncio"] = asyncios
        if count <= FEW and peers.has("threads"):
            cases["threading.Timer"] = threads
        found = in_turn(
            {case: _bound(run, count, seconds) for case, run in cases.items()}, repeats=load.repeats, warmups=0
        )
        tables.append(Table(f"{count:,} timers, due within {seconds:g} s", [_row(case, found) for case in found]))
        problems += [
            f"{case}: {len(one.late)} of {count} timers came"
            for case, samples in found.items()
            for one in samples
            if len(one.late) != count
        ]
    return Report(
        "timers",
        QUESTION,
        tables,
        [
            "CPU time of the whole process, the thread that minds the timers included; medians of the repeats.",
            "KB: of Python's memory; a thread has a stack beside that. Late: of all timers of all repeats.",
            "Targets, at 100,000 on an idle machine: 3 us to set one, p99 5 ms late.",
            *peers.notes(),
        ],
        problems,
    )


def _bound(run: Callable[[int, float], Sample], count: int, seconds: float) -> Callable[[], Sample]:
    return lambda: run(count, seconds)


def _row(case: str, found: dict[str, list[Sample]]) -> dict[str, Cell]:
    mine = found[case]
    late = sorted(value for one in mine for value in one.late)
    row: dict[str, Cell] = {
        "case": case,
        "set us": Spread.of([one.cost.set_us for one in mine]).median,
        "cancel us": Spread.of([one.cost.cancel_us for one in mine]).median,
        "KB": Spread.of([one.cost.kilobytes for one in mine]).median,
        "late p50 ms": percentile(late, 50) if late else None,
        "late p99 ms": percentile(late, 99) if late else None,
        "repeats": len(mine),
    }
    if case != "ours":
        row["ours by it: set"] = ratios(
            [one.cost.set_us for one in found["ours"]], [one.cost.set_us for one in mine]
        ).median
    return row
