"""What an agent gives is known from what it is started with, through every way to take it."""

# pyright: strict
from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, TypedDict, TypeVar, assert_type

from pydantic import BaseModel, Field

from actors import (
    Agent,
    AgentHandle,
    AgentLoopResult,
    AgentManifest,
    AgentOutcome,
    AgentPool,
    LlmAgent,
    Outcomes,
    SpawnConfig,
)

ItemT = TypeVar("ItemT")


class Verdict(BaseModel):
    """What a model has to answer."""

    ok: bool


@dataclass
class Point:
    """Another one."""

    x: int


class Row(TypedDict):
    """And another one."""

    name: str


class WordCount(Agent[int]):
    """Counts words."""

    def run(self, query: str) -> int:
        return len(query.split())


class Collect(Agent[list[ItemT]], Generic[ItemT]):
    """An agent with a type parameter of its own."""

    def __init__(self, first: ItemT) -> None:
        self.first = first

    def run(self, query: Any) -> list[ItemT]:
        return [self.first]


class Terse(LlmAgent[str]):
    """An agent that makes something else of the loop's result."""

    def run(self, query: Any) -> str:
        return str(super().run(query).text)


class Same(LlmAgent):
    """And one that does not."""


manifest = AgentManifest(name="m")

assert_type(SpawnConfig(manifest, "a b"), SpawnConfig[AgentLoopResult])
assert_type(SpawnConfig(manifest, "a b", agent=None), SpawnConfig[AgentLoopResult])
assert_type(SpawnConfig(manifest, "a b", agent=LlmAgent), SpawnConfig[AgentLoopResult])
assert_type(SpawnConfig(manifest, "a b", agent=Same), SpawnConfig[AgentLoopResult])
assert_type(SpawnConfig(manifest, "a b", agent=Terse), SpawnConfig[str])
assert_type(SpawnConfig(manifest, "a b", agent=WordCount), SpawnConfig[int])
assert_type(SpawnConfig(manifest=manifest, query="a b", agent=WordCount, timeout=3), SpawnConfig[int])
assert_type(SpawnConfig(manifest, 3, agent=Collect[str], kwargs={"first": "a"}), SpawnConfig[list[str]])
assert_type(SpawnConfig(manifest, "a b", output_type=Verdict), SpawnConfig[Verdict])
assert_type(SpawnConfig(manifest, "a b", agent=None, output_type=Verdict), SpawnConfig[Verdict])
assert_type(SpawnConfig(manifest, "a b", agent=LlmAgent, output_type=Verdict), SpawnConfig[Verdict])
assert_type(SpawnConfig(manifest, "a b", agent=Same, output_type=Verdict), SpawnConfig[Verdict])
assert_type(SpawnConfig(manifest, "a b", output_type=list[int]), SpawnConfig[list[int]])
assert_type(SpawnConfig(manifest, "a b", output_type=dict[str, Verdict]), SpawnConfig[dict[str, Verdict]])
assert_type(SpawnConfig(manifest, "a b", output_type=int | None), SpawnConfig[int | None])
assert_type(SpawnConfig(manifest, "a b", output_type=Verdict | Point), SpawnConfig[Verdict | Point])
assert_type(SpawnConfig(manifest, "a b", output_type=Annotated[int, Field(gt=0)]), SpawnConfig[int])
assert_type(SpawnConfig(manifest, "a b", output_type=Literal["yes", "no"]), SpawnConfig[Literal["yes", "no"]])
assert_type(SpawnConfig(manifest, "a b", output_type=Point), SpawnConfig[Point])
assert_type(SpawnConfig(manifest, "a b", output_type=Row), SpawnConfig[Row])


def spawned(pool: AgentPool) -> None:
    """One agent."""
    handle = pool.spawn(SpawnConfig(manifest, "a b", agent=WordCount))
    assert_type(handle, AgentHandle[int])
    assert_type(handle.result(), int)
    assert_type(handle.result(timeout=3), int)
    assert_type(handle.future, Future[int])
    assert_type(handle.future.result(), int)
    outcome = handle.outcome()
    assert_type(outcome, AgentOutcome[int])
    assert_type(outcome.result, int | None)
    assert_type(outcome.unwrap(), int)
    assert_type(pool.spawn(SpawnConfig(manifest, "a b")).result().text, str)
    assert_type(pool.spawn(SpawnConfig(manifest, "a b", output_type=Verdict)).result().ok, bool)
    handle.add_done_callback(lambda done: print(done.result() + 1))
    handle.add_done_callback(note)


def note(handle: AgentHandle[int]) -> None:
    """A callback."""
    assert_type(handle.result(0), int)


def many(pool: AgentPool) -> None:
    """Several at once."""
    configs = [SpawnConfig(manifest, "a b", agent=WordCount) for _ in range(3)]
    assert_type(configs, list[SpawnConfig[int]])
    handles = pool.fan_out(configs)
    assert_type(handles, list[AgentHandle[int]])
    for outcome in pool.as_completed(handles):
        assert_type(outcome, AgentOutcome[int])
    for outcome in pool.map(configs, ordered=False):
        assert_type(outcome.unwrap(), int)
    with pool.map(SpawnConfig(manifest, text, output_type=Verdict) for text in ("a", "b")) as judged:
        assert_type(next(judged), AgentOutcome[Verdict])
        assert_type([outcome.unwrap() for outcome in judged], list[Verdict])
    assert_type(pool.as_completed(), Iterator[AgentOutcome[Any]])
    assert_type(pool.join_next(), AgentOutcome[Any] | None)
    assert_type(pool.join_all(), Outcomes[Any])
    assert_type(pool.join_all().unwrap(), dict[int, Any])
    counted: Outcomes[int] = pool.join_all()
    assert_type(counted.unwrap(), dict[int, int])
    assert_type(counted[1], AgentOutcome[int])


def mixed(pool: AgentPool) -> None:
    """Agents of several kinds in one list."""
    configs: list[SpawnConfig[int | Verdict]] = [
        SpawnConfig(manifest, "a b", agent=WordCount),
        SpawnConfig(manifest, "a b", output_type=Verdict),
    ]
    for outcome in pool.map(configs):
        assert_type(outcome.unwrap(), int | Verdict)
    anything: list[SpawnConfig] = [*configs, SpawnConfig(manifest, "a b")]
    pool.fan_out(anything)
    objects: list[AgentHandle[object]] = [*pool.fan_out(configs)]
    assert_type(objects[0].result(), object)


def count(text: str, *, by: str = " ") -> int:
    """A plain function."""
    return len(text.split(by))


def functions(pool: AgentPool) -> None:
    """As agents."""
    assert_type(pool.submit(count, "a b"), AgentHandle[int])
    assert_type(pool.submit(count, "a-b", by="-").result(), int)
    assert_type(pool.submit(lambda: "a").result(), str)
    assert_type(pool.submit(divmod, 7, 2).result(), tuple[int, int])


class Parent(Agent[int]):
    """Starts children."""

    def run(self, query: Any) -> int:
        child = self.spawn(SpawnConfig(self.manifest, query, agent=WordCount))
        assert_type(child, AgentHandle[int])
        assert_type(self.config, SpawnConfig[int])
        answer = self.spawn(SpawnConfig(self.manifest, query))
        return child.result() + len(answer.result().text)

    def on_end(self, outcome: AgentOutcome[int]) -> None:
        assert_type(outcome.result, int | None)


async def awaited(pool: AgentPool) -> None:
    """The same from a coroutine."""
    configs = [SpawnConfig(manifest, "a b", agent=WordCount, tag=number) for number in range(3)]
    assert_type(await pool.spawn(configs[0], owed=False), int)
    assert_type(await pool.spawn(SpawnConfig(manifest, "a b", output_type=Verdict)), Verdict)
    assert_type(await pool.submit(count, "a b"), int)
    async for outcome in pool.amap(configs):
        assert_type(outcome, AgentOutcome[int])
    async with pool.amap(configs, ordered=False) as counted:
        assert_type([outcome.unwrap() async for outcome in counted], list[int])
    assert_type(await pool.ajoin_all(), Outcomes[Any])
    assert_type(list(await asyncio.gather(*pool.fan_out(configs))), list[int])
    async with AgentPool() as other:
        assert_type(await asyncio.wrap_future(other.submit(count, "a b").future), int)
    async for outcome in pool.progress(pool.amap(configs), total=3):
        assert_type(outcome, AgentOutcome[int])


def seen(pool: AgentPool) -> None:
    """What a loop takes is the same when its progress is shown."""
    configs = [SpawnConfig(manifest, "a b", agent=WordCount)]
    for outcome in pool.progress(pool.map(configs), total=1):
        assert_type(outcome, AgentOutcome[int])
    for handle in pool.progress(pool.fan_out(configs)):
        assert_type(handle, AgentHandle[int])
    with pool.progress() as progress:
        assert_type(pool.join_all().unwrap(), dict[int, Any])
        assert_type(progress.figures().done, int)
