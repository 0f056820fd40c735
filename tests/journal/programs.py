"""What the tests of journals run, and how they look into the file."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from typing import TYPE_CHECKING, Any

from actors import Agent, AgentManifest, AgentPool, SpawnConfig

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from actors import AgentOutcome

MANIFEST = AgentManifest(name="clerk")
FINAL = ("completed",)


class Counting(Agent[Any]):
    """Counts its runs by query, and does what the world says: returns a value, or raises an error."""

    def __init__(self, world: World | None = None) -> None:
        self.world = world

    def run(self, query: Any) -> Any:
        if self.world is None:
            return query
        self.world.runs[str(query)] += 1
        answer = self.world.answers.get(query, query)
        if isinstance(answer, BaseException):
            raise answer
        return answer(self) if callable(answer) else answer


class World:
    """What is outside: it counts, over all processes."""

    def __init__(self, **answers: Any) -> None:
        self.runs: Counter[str] = Counter()
        self.answers: dict[Any, Any] = dict(answers)

    def config(self, query: Any, **fields: Any) -> SpawnConfig[Any]:
        """An agent that asks this world."""
        fields.setdefault("agent", Counting)
        return SpawnConfig(fields.pop("manifest", MANIFEST), query, kwargs={"world": self}, **fields)


def run(journal: Any, configs: Iterable[SpawnConfig[Any]], **options: Any) -> list[AgentOutcome[Any]]:
    """One process: the outcomes of *configs*, in order."""
    with AgentPool(journal=journal, **options) as pool:
        return list(pool.map(configs))


def entries(path: Path, agent: str | None = None) -> list[tuple[str, str, str, dict[str, Any]]]:
    """Agent, path, state and payload of each line of the file."""
    connection = sqlite3.connect(path)
    try:
        found = connection.execute("SELECT agent, path, state, payload FROM entry ORDER BY seq").fetchall()
    finally:
        connection.close()
    return [(key, place, state, json.loads(text)) for key, place, state, text in found if agent in (None, key)]


def states(path: Path, agent: str) -> list[str]:
    """The states that the lines of the agent itself went through."""
    return [state for _, place, state, _ in entries(path, agent) if not place]


def left_over(path: Path) -> list[str]:
    """What stands beside the file."""
    return sorted(each.name for each in path.parent.iterdir() if each.name.startswith(path.name) and each != path)
