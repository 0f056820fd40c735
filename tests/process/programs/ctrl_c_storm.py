"""Ctrl-C at every moment of one call: a timer interrupts the main thread again and again.

Prints how many interrupts there were, which admitted ids have no outcome or several, and that the pool still works.
"""

from __future__ import annotations

import random
import signal
import sys
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from actors import AgentPool
from tests.process.cast import BOUND, Receiving, config, say

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors import AgentHandle, AgentOutcome

WANTED = 220
SECONDS = 12.0


class Storm:
    """Interrupts calls. A signal between two calls does nothing: nobody would know what was interrupted."""

    def __init__(self) -> None:
        self.interrupts = self.raised = 0
        self._armed = False
        self._longest = 1e-4
        signal.signal(signal.SIGALRM, self._handle)

    def _handle(self, *_: object) -> None:
        if self._armed:
            self._armed = False
            self.raised += 1
            raise KeyboardInterrupt

    def call(self, fn: Callable[[], Any]) -> Any:
        """Call *fn* with an interrupt at a random moment; what it returned, None when it was interrupted."""
        answer = None
        begun = time.perf_counter()
        try:
            self._armed = True
            signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-6, self._longest))
            answer = fn()
            self._armed = False
        except KeyboardInterrupt:
            self.interrupts += 1
        else:
            self._longest = 1.5 * (time.perf_counter() - begun)
        signal.setitimer(signal.ITIMER_REAL, 0)
        return answer


storm = Storm()
taken: Counter[int] = Counter()
called: Counter[int] = Counter()


def note(outcome: AgentOutcome[Any] | None) -> None:
    """An outcome was taken."""
    if outcome is not None:
        taken[outcome.agent_id] += 1


def listen(handle: AgentHandle[Any]) -> AgentHandle[Any]:
    """Count how often its callback is called."""
    handle.add_done_callback(lambda handle: called.update([handle.id]))
    return handle


def storm_spawn(pool: AgentPool) -> None:
    storm.call(lambda: pool.spawn(config(Receiving)))
    take_some(pool)


def storm_submit(pool: AgentPool) -> None:
    storm.call(lambda: pool.submit(len, "four"))
    take_some(pool)


def storm_fan_out(pool: AgentPool) -> None:
    storm.call(lambda: pool.fan_out([config(Receiving)] * 3))
    take_some(pool)


def storm_join_next(pool: AgentPool) -> None:
    listen(pool.submit(len, "four"))
    note(storm.call(lambda: pool.join_next(BOUND)))


def storm_outcome(pool: AgentPool) -> None:
    handle = listen(pool.submit(len, "four"))
    if storm.call(lambda: handle.outcome(BOUND)) is None:
        assert handle.result(BOUND) == 4  # whoever was interrupted asks again
    note(handle.outcome())


def storm_future(pool: AgentPool) -> None:
    handle = pool.submit(len, "four")
    storm.call(lambda: handle.future)
    assert handle.future.result(BOUND) == 4
    note(pool.join_next(BOUND))


def storm_cancel(pool: AgentPool) -> None:
    handle = listen(pool.spawn(config(Receiving)))
    storm.call(handle.cancel)
    handle.cancel()
    note(pool.join_next(BOUND))


def storm_map(pool: AgentPool) -> None:
    mapped = pool.map([config(Receiving, "map")] * 2, timeout=0)

    def step() -> None:
        try:
            next(mapped)
        except TimeoutError:
            pass

    storm.call(step)
    mapped.close()  # cancels: these are owed to the iterator alone, and none of them may stay


def storm_close(_: AgentPool) -> None:
    before = set(threading.enumerate())
    pool = AgentPool(max_concurrent=4, max_queued=None, abort_timeout=BOUND)
    handles = pool.fan_out([config(Receiving)] * 6)
    storm.call(pool.close)
    pool.close()  # again: it may not hang
    assert [str(handle.outcome(BOUND).status) for handle in handles] == ["cancelled"] * 6
    assert pool.join_next(0) is None
    for thread in set(threading.enumerate()) - before:  # an interrupted close waits no more, but everybody ends
        thread.join(BOUND)
        assert not thread.is_alive()


def take_some(pool: AgentPool) -> None:
    """Take what is owed, now and then."""
    if pool.outstanding_count >= 30:
        pool.abort_all()
        for outcome in pool.join_all(BOUND).values():
            note(outcome)


def main() -> None:
    """Storm, then look what came of everybody."""
    call = sys.argv[1]
    random.seed(call)
    end = time.monotonic() + SECONDS
    with AgentPool(max_concurrent=8, max_queued=None, abort_timeout=BOUND) as pool:
        while storm.interrupts < WANTED and time.monotonic() < end:
            globals()[f"storm_{call}"](pool)
        pool.abort_all()
        last = pool.submit(len, "last")
        last.result(BOUND)
        note(last.outcome())
        for outcome in pool.join_all(BOUND).values():
            note(outcome)
        say(storm.interrupts, "interrupts,", last.id, "agents")
        admitted = range(last.id, last.id + 1) if call == "map" else range(1, last.id + 1)
        lost = [agent_id for agent_id in admitted if not taken[agent_id]]
        twice = [agent_id for agent_id, times in (taken + called).items() if max(taken[agent_id], called[agent_id]) > 1]
        say("lost", lost, "twice", twice, "swallowed", storm.raised - storm.interrupts)
        assert [pool.submit(str, number).result(BOUND) for number in range(20)] == [str(number) for number in range(20)]
        pool.drain(BOUND)  # those of a map that was closed are owed to nobody: they may be just ending
        assert (pool.active_count, pool.queued_count, pool.outstanding_count, pool.router.agent_count) == (0, 0, 0, 0)
    say("works")


main()
