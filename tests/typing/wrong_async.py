"""A wrong use of an await is an error where it stands: each line that is marked, and no other."""

from __future__ import annotations

from actors import Agent, AgentManifest, AgentPool, SpawnConfig


class WordCount(Agent[int]):
    def run(self, query: str) -> int:
        return len(query.split())


config = SpawnConfig(AgentManifest(name="m"), "a b", agent=WordCount)


async def main(pool: AgentPool) -> None:
    await pool.spawn(config).result()  # error
    await pool.join_all()  # error
    pool.ajoin_all().unwrap()  # error
    pool.spawn(config, owed="no")  # error
    pool.amap([3])  # error
    async for outcome in pool.map([config]):  # error
        print(outcome)
    pool.amap([config], failure="all")  # error
