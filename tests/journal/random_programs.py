"""Programs drawn at random, the world in which they run, and what their death leaves behind: all in one process."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from actors import (
    Agent,
    AgentManifest,
    AgentPool,
    AssistantMessage,
    Backoff,
    CompletionResponse,
    EffectInDoubt,
    FunctionDriver,
    LlmAgent,
    RestartPolicy,
    Spawn,
    SpawnConfig,
    StopReason,
    TokenUsage,
    ToolCall,
    UserMessage,
    tool,
)
from actors.storage.commit import Committer
from benchmarks.kills import books

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

DOUBT = "in doubt"
RESTART = RestartPolicy(max_restarts=3, backoff=Backoff(base=0.0, maximum=0.0, jitter=0.0))


@dataclass(frozen=True)
class Talker:
    """An ``LlmAgent``: what its model asks for, answer by answer; and does it crash once when it has the last?"""

    turns: tuple[tuple[str, ...], ...]
    crashes: bool = False


@dataclass(frozen=True)
class Walker:
    """An agent of one's own: its steps (``pay``, ``note``), ``child`` and ``crash``."""

    steps: tuple[str, ...]


CHILD = Talker((("pay",),))


@dataclass(frozen=True)
class Program:
    """Agents, by number."""

    agents: tuple[Talker | Walker, ...]
    at_once: int = 2
    looks: bool = True
    """Can one look whether something was paid?"""


class World:
    """What was bought and done, up to now; and who has crashed in this process.

    Locks: ``events`` grows by single operations; ``_crashed`` is guarded by ``_lock``.
    """

    def __init__(self, events: Sequence[tuple[Any, ...]] = ()) -> None:
        self.events: list[tuple[Any, ...]] = list(events)
        self.start = len(self.events)
        self._crashed: set[Any] = set()
        self._lock = threading.Lock()

    def pay(self, who: str, what: str, effect_key: str) -> str:
        self.events.append(("paid", who, what, effect_key))
        return f"paid {what}"

    def note(self, who: str, what: str, effect_key: str) -> str:
        self.events.append(("noted", who, what, effect_key))
        return f"noted {what}"

    def look(self, key: str, _: object) -> str | None:
        found = [event for event in list(self.events) if event[0] == "paid" and event[3] == key]
        return f"paid {found[0][2]}" if found else None

    def crash_once(self, where: Any) -> None:
        with self._lock:
            first = where not in self._crashed
            self._crashed.add(where)
        if first:
            raise RuntimeError(f"crashed at {where}")

    def here(self, what: str) -> Counter[Any]:
        """What was done in this process alone."""
        return Counter(event[1:] for event in self.events[self.start :] if event[0] == what)

    def all(self, what: str) -> Counter[Any]:
        """What was done in all of them."""
        return Counter(event[1:] for event in self.events if event[0] == what)


class Talking(LlmAgent):
    """A conversation, and perhaps a crash when all is bought."""

    def __init__(self, world: World | None = None, crashes: bool = False) -> None:
        self._world, self._crashes = world, crashes

    def run(self, query: str) -> Any:
        result = super().run(query)
        if self._crashes and self._world is not None:
            self._world.crash_once(query)
        return result.text


class Walking(Agent[list]):
    """The steps, one after another; what comes of each is the result."""

    def __init__(self, program: Program, world: World) -> None:
        self._program, self._world = program, world

    def run(self, query: str) -> list[str]:
        number, world = int(query.split()[1]), self._world
        walker = self._program.agents[number]
        assert isinstance(walker, Walker)
        results = []
        for index, word in enumerate(walker.steps):
            if word == "crash":
                world.crash_once((number, index))
            elif word == "child":
                results.append(self.spawn(child_of(f"w{number}.{index}")).result().text)
            elif word == "pay":
                look = world.look if self._program.looks else None
                try:
                    results.append(self.step(word, world.pay, query, str(index), reconcile=look))
                except EffectInDoubt:
                    results.append(DOUBT)
            else:
                results.append(self.step(word, world.note, query, str(index), effect="idempotent"))
        return results


def child_of(name: str) -> SpawnConfig[Any]:
    return SpawnConfig(AgentManifest(name="child"), f"child {name}")


def run(program: Program, world: World, journal: Path | None) -> list[Any]:
    """Run it; the results."""
    look = world.look if program.looks else None

    @tool(effect="at_most_once", reconcile=look)
    def pay(who: str, what: str, effect_key: str) -> str:
        """Pay."""
        return world.pay(who, what, effect_key)

    @tool(effect="idempotent")
    def note(who: str, what: str, effect_key: str) -> str:
        """Note."""
        return world.note(who, what, effect_key)

    @tool(effect="idempotent", timeout=None)
    def child(who: str, what: str, agent: Agent[Any]) -> str:
        """Have it done."""
        return str(agent.spawn(child_of(f"{who}.{what}")).result().text)

    def answer(request: Any) -> CompletionResponse:
        query = next(message.content for message in request.messages if isinstance(message, UserMessage))
        turn = sum(isinstance(message, AssistantMessage) for message in request.messages)
        kind, name = query.split(" ", 1)
        one = CHILD if kind == "child" else program.agents[int(name)]
        assert isinstance(one, Talker)
        world.events.append(("bought", query, turn))
        if turn == len(one.turns):
            return CompletionResponse(f"{query} is done", usage=TokenUsage(5, 1))
        calls = [
            ToolCall(f"{turn}-{index}", word, {"who": query, "what": f"{turn}.{index}"})
            for index, word in enumerate(one.turns[turn])
        ]
        return CompletionResponse("", StopReason.TOOL_USE, tuple(calls), TokenUsage(5, 1))

    def config(number: int, one: Talker | Walker) -> SpawnConfig[Any]:
        manifest = AgentManifest(name=f"agent {number}", capabilities=(Spawn(max_depth=1),))
        if isinstance(one, Walker):
            return SpawnConfig(manifest, f"walk {number}", agent=Walking, kwargs={"program": program, "world": world})
        kwargs = {"world": world, "crashes": one.crashes}
        return SpawnConfig(manifest, f"talk {number}", agent=Talking, kwargs=kwargs)

    driver = FunctionDriver(answer, context_window=1_000_000)
    tools = [pay, note, child]
    with AgentPool(driver, program.at_once, tools=tools, restart=RESTART, journal=journal) as pool:
        return [outcome.result for outcome in pool.map(config(*each) for each in enumerate(program.agents))]


class Camera:
    """Copies a journal between two commits, on the thread that commits: just what a process leaves that dies there.

    Args:
        at: After how many commits; the opening of the file is none.
    """

    def __init__(self, journal: Path, folder: Path, at: int, world: World) -> None:
        self._journal, self._folder, self._at, self._world = journal, folder, at, world
        self.image: Path | None = None
        self.events: list[tuple[Any, ...]] = []

    def watch(self) -> Iterator[None]:
        """A fixture's body, or a context's: it looks on as long as it is open."""
        commit = Committer._commit
        left = self._at

        def committed(line: Committer, batch: Sequence[Any]) -> None:
            nonlocal left
            if left == 0:
                self.take()
            left -= 1
            commit(line, batch)

        Committer._commit = committed  # type: ignore[method-assign]
        try:
            yield
        finally:
            Committer._commit = commit  # type: ignore[method-assign]
            if self.image is None:  # it had fewer commits: the program ended by itself
                self.take()

    def take(self) -> None:
        self.events = list(self._world.events)
        self._folder.mkdir()
        self.image = books.image(self._journal, self._folder)
