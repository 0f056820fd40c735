"""A wrong use of a result is an error where it stands: each line that is marked, and no other."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from actors import Agent, AgentHandle, AgentLoopResult, AgentManifest, AgentOutcome, AgentPool, LlmAgent, SpawnConfig
from actors.agents import Outcomes


class Verdict(BaseModel):
    ok: bool


class WordCount(Agent[int]):
    def run(self, query: str) -> int:
        return len(query.split())


class Broken(Agent[int]):
    def run(self, query: str) -> str:  # error
        return query


class Terse(LlmAgent[str]):
    def run(self, query: Any) -> str:
        return str(super().run(query).text)


class NoAgent:
    def run(self, query: Any) -> int:
        return 3


manifest = AgentManifest(name="m")

counted = SpawnConfig(manifest, "a b", agent=WordCount)
judged = SpawnConfig(manifest, "a b", output_type=Verdict)
answered = SpawnConfig(manifest, "a b")
said: SpawnConfig[str] = counted  # error
judging: SpawnConfig[Verdict] = SpawnConfig(manifest, "a b")  # error
naming: SpawnConfig[str] = SpawnConfig(manifest, "a b", agent=WordCount)  # error
SpawnConfig(manifest, "a b", agent=NoAgent)  # error
SpawnConfig(manifest, "a b", agent=WordCount())  # error
SpawnConfig(manifest, "a b", agent="bots:WordCount")  # error
SpawnConfig(manifest, "a b", agent=WordCount, output_type=Verdict)  # error
SpawnConfig(manifest, "a b", output_type=Verdict(ok=True))  # error
SpawnConfig(manifest, "a b", output_type=3)  # error
SpawnConfig(manifest)  # error
SpawnConfig(manifest, "a b", WordCount)  # error
SpawnConfig("m", "a b")  # error
SpawnConfig("a b", manifest)  # error
SpawnConfig(manifest, "a b", time_out=3)  # error
SpawnConfig(manifest, "a b", timeout="3")  # error
SpawnConfig(manifest, "a b", priority=1.5)  # error
SpawnConfig(manifest, "a b", group=["a"])  # error
SpawnConfig(manifest, "a b", kwargs=3)  # error
SpawnConfig(manifest, "a b", messages="hello")  # error
SpawnConfig(manifest, "a b", driver=3)  # error
SpawnConfig(manifest, "a b", tools="search")  # error
SpawnConfig(manifest, "a b", budget=100)  # error
SpawnConfig(manifest, "a b", keep_messages="no")  # error
counted.timeout = 3  # error


def one(pool: AgentPool) -> None:
    handle = pool.spawn(counted)
    text: str = handle.result()  # error
    handle.result().upper()  # error
    handle.outcome().unwrap().upper()  # error
    handle.outcome().result + 1  # error
    handle.future.result().upper()  # error
    handle.result("3")  # error
    pool.spawn(judged).result().okay  # error
    pool.spawn(answered).result().ok  # error
    pool.spawn(SpawnConfig(manifest, "a b", agent=Terse)).result().text  # error
    pool.spawn(manifest)  # error
    pool.spawn(manifest, "a b")  # error
    pool.spawn(counted, 3)  # error
    pool.spawn([counted])  # error
    handle.add_done_callback(lambda done: done.result().upper())  # error
    handle.add_done_callback(on_text)  # error
    handle.add_done_callback(on_nothing)  # error
    other: AgentHandle[str] = handle  # error
    print(text, other)


def on_text(handle: AgentHandle[str]) -> None:
    print(handle.result().upper())


def on_nothing() -> None:
    pass


def many(pool: AgentPool) -> None:
    handles = pool.fan_out([counted, counted])
    texts: list[AgentHandle[str]] = handles  # error
    pool.fan_out(counted)  # error
    pool.map(counted)  # error
    pool.map([manifest])  # error
    for outcome in pool.map([judged]):
        outcome.unwrap().upper()  # error
    with pool.map([judged]) as judging:
        for outcome in judging:
            print(outcome.unwrap() + 1)  # error
    for ended in pool.as_completed(handles):
        ended.unwrap().upper()  # error
    pool.as_completed([counted])  # error
    for late in pool.map([answered]):
        late.result.text  # error
    pool.join_next().unwrap()  # error
    judgements: Outcomes[Verdict] = pool.join_all()
    judgements.unwrap()[1].upper()  # error
    judgements[1].result.ok  # error
    word: dict[int, str] = judgements.unwrap()  # error
    print(texts, word)


def count(text: str, *, by: str = " ") -> int:
    return len(text.split(by))


def functions(pool: AgentPool) -> None:
    pool.submit(count)  # error
    pool.submit(count, 3)  # error
    pool.submit(count, "a", "b")  # error
    pool.submit(count, "a", sep="b")  # error
    pool.submit(count("a"))  # error
    pool.submit(count, "a").result().upper()  # error
    word: str = pool.submit(count, "a").result()  # error
    print(word)


class Parent(Agent[int]):
    def run(self, query: Any) -> int:
        child = self.spawn(SpawnConfig(self.manifest, query, output_type=Verdict))
        self.spawn(self.manifest)  # error
        return child.result()  # error

    def on_end(self, outcome: AgentOutcome[str]) -> None:  # error
        pass


def answer(result: AgentLoopResult) -> str:
    return result.txet  # error


async def awaited(pool: AgentPool) -> None:
    (await pool.spawn(counted)).upper()  # error
    word: str = await pool.submit(count, "a")  # error
    for outcome in pool.amap([counted]):  # error
        print(outcome)
    async for late in pool.amap([counted]):
        late.unwrap().upper()  # error
    await pool.amap(counted)  # error
    pool.spawn(counted, owed="no")  # error
    (await pool.ajoin_all()).unwrap().append(3)  # error
    print(word)
