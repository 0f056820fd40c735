"""How much of a model server's throughput do agents use, next to the bare async client?"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from actors import AgentManifest, AgentPool, RateLimiter, SpawnConfig
from actors.drivers.openai import OpenAIDriver

from .contest import MILLI, contest
from .machine import ROOT
from .peers import Peers, is_there, not_there
from .report import Report
from .size import Size

if TYPE_CHECKING:
    from collections.abc import Iterator

QUESTION = "How much of a model server's throughput do agents use, next to the bare async client?"


@dataclass(frozen=True, slots=True)
class Workload:
    """How many agents, how slow the server is, and how often."""

    agents: int
    latency: float
    repeats: int


WORKLOADS = {Size.FULL: Workload(64, 0.2, 9), Size.QUICK: Workload(64, 0.2, 3), Size.SMOKE: Workload(4, 0.01, 1)}


@contextmanager
def server(latency: float, *words: str) -> Iterator[tuple[str, IO[str]]]:
    """A server in another process: its base URL, and what it prints."""
    command = [sys.executable, "-m", "benchmarks.model_server", str(latency), *words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:  # noqa: S603
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1", process.stdout
        finally:
            process.stdin.close()


def by_agents(url: str, count: int) -> float:
    """Seconds for as many agents with one completion each."""
    manifest = AgentManifest(name="asker", privacy="private")
    driver = OpenAIDriver("slow", base_url=url, limiter=RateLimiter())
    with AgentPool(driver, count) as pool:
        pool.spawn(SpawnConfig(manifest, "warm?", stream=False)).result()
        begin = time.perf_counter()
        pool.fan_out([SpawnConfig(manifest, "yes?", stream=False)] * count)
        outcomes = pool.join_all()
        seconds = time.perf_counter() - begin
    assert all(outcome.ok for outcome in outcomes.values())
    return seconds


def by_client(url: str, count: int) -> float:
    """Seconds for as many calls of ``AsyncOpenAI`` by ``asyncio.gather``."""
    from openai import AsyncOpenAI

    async def ask_all() -> float:
        async with AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:

            async def ask() -> str | None:
                answer = await client.chat.completions.create(
                    model="slow", messages=[{"role": "user", "content": "yes?"}]
                )
                return answer.choices[0].message.content

            await ask()
            begin = time.perf_counter()
            answers = await asyncio.gather(*(ask() for _ in range(count)))
            seconds = time.perf_counter() - begin
        assert answers == ["yes"] * count
        return seconds

    return asyncio.run(ask_all())


def measure(size: Size, peers: Peers | None = None) -> Report:
    """Find the answer."""
    load, peers = WORKLOADS[size], peers or Peers()
    if not is_there("openai"):
        return Report("http_throughput", QUESTION, [], [f"skipped: openai is {not_there()}"])
    with server(load.latency) as (url, _):
        tables = contest(
            f"{load.agents} calls at once, {load.latency:g} s each, milliseconds for all",
            {"actors": lambda: by_agents(url, load.agents)},
            {"asyncio": lambda: by_client(url, load.agents)} if peers.has("asyncio") else {},
            repeats=load.repeats,
            scale=MILLI,
            unit="ms",
        )
    return Report(
        "http_throughput",
        QUESTION,
        tables,
        ["Both after one call that does not count: the other connections are opened inside.", *peers.notes()],
    )
