"""A notebook's kernel: a loop runs in the main thread, and each cell is executed inside one of its coroutines."""

from __future__ import annotations

import asyncio
from typing import Any

from actors import Agent, AgentPool, CancelToken, LlmAgent, ScriptedDriver, SpawnConfig, ToolRegistry, tool
from tests.process.cast import BOUND, M, config, say


class Squaring(Agent[int]):
    """Squares."""

    def run(self, query: int) -> int:
        return query * query


@tool
async def looks_up(cancel: CancelToken) -> str:
    """Run on the library's own loop, though one is running here."""
    await asyncio.sleep(0)
    return f"async {asyncio.get_running_loop() is not kernel}"


kernel: Any = None
ticks = 0


async def tick() -> None:
    """Something else that the loop has to do."""
    global ticks
    for _ in range(3):
        await asyncio.sleep(0)
        ticks += 1


async def cell() -> str:
    """Synchronous code, called by a coroutine, as a kernel does with a cell."""
    return use()


def use() -> str:
    """What stands in the cell."""
    driver = ScriptedDriver.tool_then_text("looks_up", {}, "async")
    with AgentPool(max_queued=None, tools=ToolRegistry([looks_up])) as pool:
        one = pool.submit(len, "four").result(BOUND)
        mapped = [outcome.result for outcome in pool.map([config(Squaring, n) for n in range(3)])]
        for n in range(3):
            pool.spawn(config(Squaring, n))
        joined = len(pool.join_all(BOUND))
        pool.submit(len, "four")
        following = pool.join_next(BOUND)
        assert following is not None
        future = pool.submit(len, "four").future.result(BOUND)
        text = pool.spawn(SpawnConfig(M, "", agent=LlmAgent, driver=driver)).result(BOUND).text
        assert "async True" in str(driver.requests[-1].messages[-1])
        return f"{one} {mapped} {joined} ['{following.status}'] {future} {text}"


async def main() -> None:
    """Run a cell while something else waits for its turn."""
    global kernel
    kernel = asyncio.get_running_loop()
    kernel.slow_callback_duration = BOUND  # a cell holds the loop as long as it takes: that is no fault of it
    ticking = asyncio.create_task(tick())
    say("cells:", await cell())
    assert asyncio.get_running_loop() is kernel
    await ticking
    say("loop goes on:", ticks)


asyncio.run(main())
