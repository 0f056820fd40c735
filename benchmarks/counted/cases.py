"""The pieces of work that are counted. Each is a generator: it makes ready, yields, works, yields, and cleans up.

What is counted lies between the two. Where a thread that works races one that brings work, work waits behind a gate
until all of it is there, so that the figures repeat.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any, NamedTuple

import pykka

from actors import AgentPool, SpawnConfig

from ..actor_calls import BARE, OURS
from ..llm_overhead import Ours
from ..messages import MANIFEST as PLAYER, Returns, Serves
from ..savina import Pinned, Shared
from ..spawn_join import AT_ONCE, MANIFEST, Idle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Work = Callable[[int], Iterator[None]]


def same(value: int) -> int:
    """Return *value*."""
    return value


def _idle(count: int) -> list[SpawnConfig[int]]:
    return [SpawnConfig(MANIFEST, number, agent=Idle) for number in range(count)]


def by_fan_out(count: int) -> Iterator[None]:
    """Agents that do nothing, all at once."""
    configs = _idle(count)
    with AgentPool(max_concurrent=AT_ONCE, max_queued=None) as pool:
        yield
        pool.fan_out(configs)
        outcomes = pool.join_all()
        yield
    assert len(outcomes) == count


def by_spawn(count: int) -> Iterator[None]:
    """Each started by itself, and joined as soon as all slots are taken."""
    configs = _idle(count)
    with AgentPool(max_concurrent=AT_ONCE) as pool:
        yield
        for number, config in enumerate(configs):
            if number >= AT_ONCE:
                pool.join_next()
            pool.spawn(config)
        pool.join_all()
        yield


def by_submit(count: int) -> Iterator[None]:
    """A function for each."""
    with AgentPool(max_concurrent=AT_ONCE, max_queued=None) as pool:
        yield
        handles = [pool.submit(same, number) for number in range(count)]
        for handle in handles:
            handle.result()
        yield


def by_map(count: int) -> Iterator[None]:
    """As they come."""
    configs = _idle(count)
    with AgentPool(max_concurrent=AT_ONCE, max_queued=None) as pool:
        yield
        done = sum(outcome.ok for outcome in pool.map(configs))
        yield
    assert done == count


def executor_submit(count: int) -> Iterator[None]:
    """``submit`` and ``result``."""
    with ThreadPoolExecutor(AT_ONCE) as executor:
        yield
        futures = [executor.submit(same, number) for number in range(count)]
        for future in futures:
            future.result()
        yield


def executor_window(count: int) -> Iterator[None]:
    """``submit`` and ``wait``, eight in flight."""
    with ThreadPoolExecutor(AT_ONCE) as executor:
        yield
        flying: set[Future[int]] = set()
        for number in range(count):
            if len(flying) == AT_ONCE:
                done, flying = wait(flying, return_when=FIRST_COMPLETED)
                for future in done:
                    future.result()
            flying.add(executor.submit(same, number))
        for future in flying:
            future.result()
        yield


def executor_map(count: int) -> Iterator[None]:
    """``map``."""
    with ThreadPoolExecutor(AT_ONCE) as executor:
        yield
        deque(executor.map(same, range(count)), maxlen=0)
        yield


def message(count: int) -> Iterator[None]:
    """There and back between two running agents, each of which waits for the other."""
    with AgentPool(max_concurrent=2) as pool:
        partner = pool.spawn(SpawnConfig(PLAYER, None, agent=Returns))
        yield
        pool.spawn(SpawnConfig(PLAYER, (partner.id, count), agent=Serves)).result()
        yield


def two_queues(count: int) -> Iterator[None]:
    """There and back between two threads."""
    there: queue.Queue[Any] = queue.Queue()
    back: queue.Queue[Any] = queue.Queue()

    def returns() -> None:
        while (item := there.get()) is not None:
            back.put(item)

    partner = threading.Thread(target=returns)
    partner.start()
    yield
    for number in range(count):
        there.put(number)
        back.get()
    yield
    there.put(None)
    partner.join()


def waits(base: type[Any]) -> type[Any]:
    """An actor that waits for the events that it is told, and for nothing else."""

    class Waits(base):  # type: ignore[misc]
        def on_receive(self, message: threading.Event | int) -> None:
            if isinstance(message, threading.Event):
                message.wait()

    return Waits


def tell(base: type[Any]) -> Callable[[int], Iterator[None]]:
    """Messages to an actor, all there before the first is handled."""
    kind = waits(base)

    def work(count: int) -> Iterator[None]:
        gate = threading.Event()
        ref = kind.start()
        ref.tell(gate)
        yield
        for number in range(count):
            ref.tell(number)
        gate.set()
        ref.ask(0)
        yield
        ref.stop()

    return work


def ask(kind: Any) -> Callable[[int], Iterator[None]]:
    """A question to an actor, and its answer, one after another."""

    def work(count: int) -> Iterator[None]:
        ref = kind.start(threading.Event())
        ref.ask(0)
        yield
        for number in range(count):
            ref.ask(number)
        yield
        ref.stop()

    return work


def tool_call(count: int) -> Iterator[None]:
    """An ``LlmAgent`` with a tool call and a final answer, one after another."""
    case = Ours(count)
    with AgentPool(case.driver, 1, tools=case.registry) as pool:
        yield
        for _ in range(count):
            pool.spawn(case.config).result()
        yield


class Case(NamedTuple):
    """A piece of work, and those that do the same without the library.

    Args:
        what: One of them, in words.
        peers: Those, by name.
        share: Of the number that are done of others.
    """

    what: str
    work: Work
    peers: tuple[str, ...] = ()
    share: float = 1.0


CASES = {
    "fan_out": Case("an agent", by_fan_out, ("executor",)),
    "spawn": Case("an agent, spawn + join_next", by_spawn, ("executor_window",)),
    "submit": Case("a function, by submit", by_submit, ("executor",)),
    "map": Case("an agent, by map", by_map, ("executor_map",)),
    "message": Case("a message there and back", message, ("queues",)),
    "tell_pinned": Case("a tell to a pinned actor", tell(Pinned), ("tell_pykka",)),
    "tell_shared": Case("a tell to a shared actor", tell(Shared), ("tell_pykka",)),
    "ask_pinned": Case("an ask of a pinned actor", ask(OURS["pinned"]), ("ask_pykka",)),
    "ask_shared": Case("an ask of a shared actor", ask(OURS["shared"]), ("ask_pykka",)),
    "tool_call": Case("a run with a tool call", tool_call, share=0.2),
    "executor": Case("ThreadPoolExecutor: submit and result", executor_submit),
    "executor_window": Case("ThreadPoolExecutor: submit and wait", executor_window),
    "executor_map": Case("ThreadPoolExecutor: map", executor_map),
    "queues": Case("two queues, there and back", two_queues),
    "tell_pykka": Case("a tell to Pykka's actor", tell(pykka.ThreadingActor)),
    "ask_pykka": Case("an ask of Pykka's actor", ask(BARE)),
}
"""By the names that the command line takes; those of peers come last."""
