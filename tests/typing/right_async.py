"""What an agent gives is known on an asyncio loop, too."""

# pyright: strict
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import assert_type

from actors import Agent, AgentHandle, AgentManifest, AgentOutcome, AgentPool, SpawnConfig
from actors.agents import AsyncMapIterator, MapIterator


class WordCount(Agent[int]):
    """Counts words."""

    def run(self, query: str) -> int:
        return len(query.split())


manifest = AgentManifest(name="m")


async def configs() -> AsyncIterator[SpawnConfig[int]]:
    """An async source."""
    yield SpawnConfig(manifest, "a b", agent=WordCount)


async def main() -> None:
    """Each wait."""
    async with AgentPool(owed=False) as pool:
        assert_type(pool, AgentPool)
        handle = pool.spawn(SpawnConfig(manifest, "a b", agent=WordCount), owed=True)
        assert_type(await asyncio.wait_for(handle, 3), int)
        assert_type(await asyncio.gather(handle, pool.submit(str, 3)), tuple[int, str])
        pool.fan_out([SpawnConfig(manifest, "a b", agent=WordCount)], owed=False)
        async with asyncio.TaskGroup() as group:
            assert_type(group.create_task(wait(handle)), asyncio.Task[int])
        async for outcome in pool.amap(configs()):
            assert_type(outcome, AgentOutcome[int])
        async for outcome in pool.amap([SpawnConfig(manifest, "a b", agent=WordCount)], ordered=False, timeout=3):
            assert_type(outcome.unwrap(), int)
        async with pool.amap(configs(), failure="cancel_rest") as outcomes:
            assert_type(outcomes, AsyncMapIterator[int])
            assert_type([outcome.unwrap() async for outcome in outcomes], list[int])
        assert_type(pool.map([SpawnConfig(manifest, "a b", agent=WordCount)]), MapIterator[int])


async def wait(handle: AgentHandle[int]) -> int:
    """What a task needs."""
    return await handle
