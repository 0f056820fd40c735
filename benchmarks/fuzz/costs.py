"""What work costs: in calls, which no other load of the machine changes, in bytes of memory, and in seconds of CPU."""

from __future__ import annotations

import sys
import time
import tracemalloc
from typing import TYPE_CHECKING

from .target import Violation, hold

if TYPE_CHECKING:
    from collections.abc import Callable

    from .target import Target

TIMES = 8
AGAIN = 4
MOST_TIMES = 2.0
"""An input that is so many times as large may take that many times this more calls, and as much CPU."""
FEW_CALLS = 20_000
"""Fewer show no growth."""
BYTES_OF_MEMORY = 600
"""For each byte of an input: an empty list takes about a hundred, and stands in several stages of the reading."""
SOME_MEMORY = 4_000_000
LONG = 0.25
"""Seconds of CPU below which nothing is said of time: it depends on the machine."""
LARGEST = 512 * 1024
"""Bytes of a grown input."""
REPEATS = 3


def hold_costs(target: Target, data: bytes) -> float:
    """An input that is larger costs so much more: calls, memory and time are linear.

    Returns:
        Calls for each byte.
    """
    calls = calls_of(lambda: target.work(data))
    large = target.grown(data, TIMES)
    if large is None or not TIMES * len(data) / 2 < len(large) <= LARGEST:
        return calls / (len(data) + 100)
    _hold_calls(target, data, calls, calls_of(lambda: target.work(large)))
    peak = peak_of(lambda: target.work(large))
    hold(
        peak <= SOME_MEMORY + BYTES_OF_MEMORY * len(large),
        "memory is bounded by the input",
        f"{len(large):,} bytes take {peak:,} bytes of memory",
    )
    _hold_time(target, data, large)
    return calls / (len(data) + 100)


def _hold_calls(target: Target, data: bytes, calls: int, more: int) -> None:
    """Growth that goes on: what is small may have taken a shorter way."""
    if more < FEW_CALLS or more <= MOST_TIMES * TIMES * calls:
        return
    larger = target.grown(data, TIMES * AGAIN)
    most = 0 if larger is None else calls_of(lambda: target.work(larger))
    hold(
        most <= MOST_TIMES * AGAIN * more,
        "work is linear: calls",
        f"{len(data):,} bytes take {calls:,} calls, {TIMES} times as many {more:,}, {TIMES * AGAIN} times {most:,}",
    )


def _hold_time(target: Target, data: bytes, large: bytes) -> None:
    """What C does is seen in no call. Three times, and the best: whatever else runs cannot make it faster."""
    if seconds_of(lambda: target.work(large)) < LONG:
        return
    slow = min(seconds_of(lambda: target.work(large)) for _ in range(REPEATS))
    fast = min(seconds_of(lambda: target.work(data)) for _ in range(REPEATS))
    if slow > LONG and slow > MOST_TIMES * TIMES * fast:
        raise Violation(
            "work is linear: time",
            f"{len(data):,} bytes take {fast:.3f} s of CPU, {len(large):,} take {slow:.3f} s",
        )


def seconds_of(work: Callable[[], object]) -> float:
    """Seconds of CPU that *work* takes in this thread."""
    begin = time.thread_time()
    work()
    return time.thread_time() - begin


def calls_of(work: Callable[[], object]) -> int:
    """How many functions *work* calls, in Python and in C."""
    count = 0

    def profile(_: object, event: str, __: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def peak_of(work: Callable[[], object]) -> int:
    """Bytes of memory that *work* holds at once."""
    was_tracing = tracemalloc.is_tracing()
    if was_tracing:
        tracemalloc.reset_peak()
    else:
        tracemalloc.start()
    begin = tracemalloc.get_traced_memory()[0]
    try:
        work()
        return tracemalloc.get_traced_memory()[1] - begin
    finally:
        if not was_tracing:
            tracemalloc.stop()
