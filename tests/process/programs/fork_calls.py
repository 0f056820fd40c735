"""Forks while agents, an actor and a busy router are at work, and tries every public call in the child.

Prints what each call answered, then what else the child can do; then how the parent fares.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
from typing import TYPE_CHECKING, Any

from actors import AgentMessage, AgentPool, MessageRouter
from tests.process.cast import BOUND, Echo, Looping, Receiving, config, never, reached, say

if TYPE_CHECKING:
    from collections.abc import Callable

pool = AgentPool(max_concurrent=1, max_queued=2, abort_timeout=BOUND)
handle = pool.spawn(config(Receiving))
assert reached.get(timeout=BOUND) == "receive"
while handle.status != "parked":  # it lays out its slot just after it said where it is
    never.wait(0.001)
looping = pool.spawn(config(Looping))
assert reached.get(timeout=BOUND) == "loop"
queued = pool.submit(len, "queued")
future = handle.future
mapped = pool.map([config(Receiving)])
completed = pool.as_completed()
echo = Echo.start()
echo.ask("warm", timeout=BOUND)


class Holding(Echo):
    """Answers when its gate is opened."""

    def on_receive(self, message: Any) -> Any:
        return gate.wait(BOUND)


gate = threading.Event()
holding = Holding.start()
reply = holding.ask_future("unanswered")
router, inbox = pool.router, pool.inbox
endpoint = router.register(-1)
alone = MessageRouter(8)
own = alone.register(5)

async_mapped = pool.amap([config(Looping)])


async def awaiting() -> object:
    """Await an agent."""
    return await looping


async def step() -> object:
    """Go on with a map that was begun in the parent."""
    return await anext(async_mapped)


CALLS: dict[str, Callable[[], object]] = {
    "pool.router": lambda: pool.router.agent_count,
    "pool.inbox": lambda: pool.inbox.receive_nowait(),
    "pool.max_concurrent": lambda: pool.max_concurrent,
    "pool.queued_count": lambda: pool.queued_count,
    "pool.supervisor": lambda: pool.supervisor,
    "pool with": lambda: pool.__exit__(None, None, None),
    "pool.spawn waiting": lambda: pool.spawn(config(Looping), timeout=None),
    "pool.map": lambda: next(pool.map([config(Looping)])),
    "map next": lambda: next(mapped),
    "map close": lambda: mapped.close(),
    "as_completed": lambda: next(completed),
    "await handle": lambda: asyncio.run(awaiting()),
    "pool.ajoin_all": lambda: asyncio.run(pool.ajoin_all()),
    "pool.amap": lambda: asyncio.run(anext(pool.amap([config(Looping)]))),
    "amap next": lambda: asyncio.run(step()),
    "amap close": lambda: asyncio.run(async_mapped.aclose()),
    "pool async with": lambda: asyncio.run(pool.__aexit__(None, None, None)),
    "handle.status": lambda: handle.status,
    "handle.done": lambda: handle.done(),
    "queued.outcome": lambda: queued.outcome(),
    "handle.future": lambda: looping.future,
    "future.result": lambda: future.result(),
    "future.exception": lambda: future.exception(),
    "future.cancel": lambda: future.cancel(),
    "reply.get": lambda: reply.get(),
    "reply.result": lambda: reply.result(),
    "ref.is_alive": lambda: echo.is_alive(),
    "ref.abort": lambda: echo.abort(),
    "ref.stop": lambda: holding.stop(block=False),
    "ref.ask no block": lambda: echo.ask("x", block=False).get(),
    "ref.proxy": lambda: echo.proxy(),
    "router.unregister": lambda: router.unregister(-1),
    "router.agent_count": lambda: router.agent_count,
    "router.dead_letters": lambda: len(router.dead_letters),
    "inbox.receive_nowait": lambda: inbox.receive_nowait(),
    "inbox.receive timed": lambda: endpoint.receive(1),
    "own router.send": lambda: alone.send(AgentMessage(0, 5, "x")),
    "own router.register": lambda: alone.register(6),
    "own inbox.receive": lambda: own.receive(),
}


def attempt(answers: dict[str, str], name: str) -> None:
    """Try one call."""
    try:
        answers[name] = f"answered {CALLS[name]()!r}"[:80]
    except BaseException as error:
        answers[name] = type(error).__name__


def try_all() -> dict[str, str]:
    """Each call in a thread of its own, so that one that hangs is told from one that answers."""
    answers: dict[str, str] = {}
    for name in CALLS:
        answers[name] = "hangs"
        thread = threading.Thread(target=attempt, args=(answers, name), daemon=True)
        thread.start()
        thread.join(0.5)
    return answers


def stir() -> None:
    """Keep every lock of the pool busy, so that forks hit each of them while it is held."""
    while not never.is_set():
        pool.stats()
        router.send(AgentMessage(handle.id, 0, "noise"))
        echo.ask("noise", timeout=BOUND)


def child() -> int:
    """What the child does; its exit code."""
    say(json.dumps(try_all()))
    with AgentPool() as mine:
        say("new pool", mine.submit(len, "four").result(BOUND), len(mine.join_all()))
    say("new actor", Echo.start().ask("works", timeout=BOUND))
    return 7


for number in range(3):
    stirring = [threading.Thread(target=stir, daemon=True) for _ in range(3)]
    never.clear()
    for thread in stirring:
        thread.start()
    pid = os.fork()
    if pid == 0:
        if number:
            raise SystemExit(child())
        raise SystemExit(7)  # a child that does nothing but end
    never.set()
    _, status = os.waitpid(pid, 0)
    say("child ended", os.waitstatus_to_exitcode(status))
    for thread in stirring:
        thread.join(BOUND)
never.set()
gate.set()
say("parent", handle.status, looping.status, queued.status, reply.get(timeout=BOUND), echo.is_alive())
pool.resize(2)
say(queued.result(BOUND), pool.router.agent_count)
pool.close()
say(sorted(str(outcome.status) for outcome in pool.join_all(0).values()))
