"""What must hold: when a round has come to rest, and when a pool has closed."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from actors import AgentHandle, AgentStatus, CapacityError

from .agents import TELLS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .field import Field

BOUND = 60.0
"""Seconds after which something that was to come to rest hangs."""
SOON = 5.0
"""Seconds for what needs no more than a moment of a busy machine."""
PRIVATE_LOOP = "actors-loop"
"""How the names begin of the threads that the process keeps, for code that is async."""


def holds_soon(predicate: Callable[[], bool], timeout: float | None = None) -> bool:
    """Does *predicate* come true in time? None is the bound."""
    end = time.monotonic() + (BOUND if timeout is None else timeout)
    while not predicate():
        if time.monotonic() > end:
            return False
        time.sleep(0.002)
    return True


def at_rest(field: Field) -> None:
    """After a round: everybody has ended, nobody is remembered, every slot is free."""
    pool, ledger = field.pool, field.ledger
    if not holds_soon(lambda: pool.active_count == pool.queued_count == 0):
        ledger.violate(f"agents are left after the join: {pool.dump()}")
        return
    stats = pool.stats()
    if pool.router.agent_count != 1:  # the program's second endpoint
        ledger.violate(f"the router knows {pool.router.agent_count - 1} agents, and there are none")
    if stats.outstanding or stats.parked:
        ledger.violate(f"at rest there is something left: {stats}")
    if pool.join_next(timeout=0) is not None:
        ledger.violate("join_next yields an outcome, and none is outstanding")
    every_slot_is_free(field)


def every_slot_is_free(field: Field) -> None:
    """As many agents as there are slots run at once, at once; one more does not."""
    pool, ledger = field.pool, field.ledger
    limit, ended = pool.max_concurrent, sum(pool.stats().ended.values())
    met, release = threading.Barrier(limit + 1), threading.Event()

    def meet() -> None:
        met.wait(BOUND)
        release.wait(BOUND)

    try:
        handles: list[AgentHandle[Any]] = [pool.submit(meet) for _ in range(limit)]
        if handles[0].id != ended + 1:
            ledger.violate(f"{ended} agents have ended, and the next id is {handles[0].id}")
        met.wait(BOUND)
        try:
            handles.append(pool.submit(int))
            if handles[-1].status != AgentStatus.QUEUED:
                ledger.violate(f"one agent more than slots is {handles[-1].status}")
        except CapacityError:
            pass  # the pool has no queue
    except (CapacityError, threading.BrokenBarrierError) as error:
        ledger.violate(f"not all {limit} slots are free: {error!r}\n{pool.dump()}")
    release.set()
    for outcome in pool.join_all(BOUND).values():
        if outcome.status is not AgentStatus.COMPLETED:
            ledger.violate(f"a probe ended {outcome!r}")


def after_close(field: Field) -> None:
    """After the close: everybody has ended once, every message and every ask is accounted for."""
    pool, ledger = field.pool, field.ledger
    stats = pool.stats()
    if stats.active or stats.queued or stats.parked or pool.router.agent_count != 1:
        ledger.violate(f"something is left in a closed pool: {stats}\n{pool.dump()}")
    if not holds_soon(lambda: all(ledger.watched.values()), SOON):  # callbacks come after the outcomes
        ledger.violate(f"no done callback came for {[key for key, ends in ledger.watched.items() if not ends]}")
    _each_once(field, "done callback", ledger.watched.items())
    _each_once(field, "join", ledger.taken.items())
    _each_once(field, "on_end", ledger.on_ends.items())
    if pool.join_all(timeout=0):
        ledger.violate("there are outcomes after the last join")
    if not holds_soon(lambda: all(reply.done() for reply in ledger.replies), SOON):
        ledger.violate(f"{sum(not reply.done() for reply in ledger.replies)} futures of asks were never settled")
    ledger.counts["asks settled"] += sum(reply.done() for reply in ledger.replies)
    asked, settled = ledger.counts["asks"], ledger.counts["asks settled"]
    if asked != settled:
        ledger.violate(f"{asked} asks, {settled} settled")
    _events(field)


def actors(field: Field) -> None:
    """After the stop of all actors: each has ended once; what it accepted was handled, or is a dead letter."""
    ledger, hired = field.ledger, field.hired
    if not holds_soon(lambda: ledger.counts["actors ended"] == len(hired)):
        ledger.violate(f"{len(hired)} actors were stopped, and {ledger.counts['actors ended']} ends were seen")
    letters = [letter.message for ref in hired for letter in ref.dead_letters if letter.message[0] in TELLS]
    buried = {number for _, number in letters}
    ledger.counts["tells handled"] = len(ledger.hearings)
    ledger.counts["tells dead"] = len(buried - set(ledger.hearings))
    lost = ledger.tells - buried - set(ledger.hearings)
    if lost:
        ledger.violate(f"told, and neither handled nor a dead letter: {sorted(lost)}")
    both = {number for word, number in letters if word == "tell"} & set(ledger.hearings)
    if both:
        ledger.violate(f"handled, and a dead letter: {sorted(both)}")


def _each_once(field: Field, what: str, ends: Iterable[tuple[int, int]]) -> None:
    wrong = {key: times for key, times in ends if times > 1}
    if wrong:
        field.ledger.violate(f"more than one {what} for an agent: {wrong}")


def _events(field: Field) -> None:
    sink, ended = field.sink, sum(field.pool.stats().ended.values())
    if sink is None:
        return
    if set(sink.ended) != set(range(1, ended + 1)) or any(times != 1 for times in sink.ended.values()):
        odd = {key: sink.ended[key] for key in range(1, max([ended, *sink.ended]) + 1) if sink.ended[key] != 1}
        field.ledger.violate(f"{ended} agents ended; how often their AgentEnded came where not once: {odd}")
    if any(times > 1 for times in sink.started.values()):
        field.ledger.violate("an agent has more than one AgentStarted")


def messages(field: Field) -> None:
    """All messages that were accepted were handled, or are dead letters. Only when no thread is left to send."""
    ledger = field.ledger
    accepted, handled = ledger.counts["messages accepted"], ledger.counts["messages handled"]
    dead = field.pool.router.dead_letters.total
    ledger.counts["messages dead"] = dead
    if accepted != handled + dead:
        ledger.violate(f"{accepted} messages accepted, {handled} handled, {dead} dead letters")


def threads(field: Field, before: set[threading.Thread]) -> set[threading.Thread]:
    """After the close: only abandoned threads are left, and they end. Returns those that did not."""
    pool, ledger = field.pool, field.ledger

    def left() -> set[threading.Thread]:
        return {one for one in threading.enumerate() if one not in before and not one.name.startswith(PRIVATE_LOOP)}

    if not holds_soon(lambda: len(left()) <= pool.stats().abandoned_threads, SOON):
        names = sorted(one.name for one in left())
        ledger.violate(f"{len(names)} threads left, {pool.stats().abandoned_threads} counted as abandoned: {names}")
    field.release.set()
    if not holds_soon(lambda: not left()):
        ledger.violate(f"threads that never end: {sorted(one.name for one in left())}\n{pool.dump()}")
    if pool.stats().abandoned_threads and not left():
        ledger.violate(f"{pool.stats().abandoned_threads} abandoned threads are counted, and none lives")
    return left()
