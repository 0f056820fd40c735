"""What does a message there and back between two running agents cost?"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from actors import Agent, AgentManifest, AgentPool, SpawnConfig

from .contest import contest
from .peers import Peers
from .pinned import pinned
from .report import Report
from .size import Size

if TYPE_CHECKING:
    from collections.abc import Callable

QUESTION = "What does a message there and back between two running agents cost?"

MANIFEST = AgentManifest(name="player")


@dataclass(frozen=True, slots=True)
class Workload:
    """How many times there and back, and how often."""

    rounds: int
    repeats: int


WORKLOADS = {Size.FULL: Workload(5_000, 9), Size.QUICK: Workload(1_000, 3), Size.SMOKE: Workload(20, 1)}


class Returns(Agent[None]):
    """Sends each message back; None is the last."""

    def run(self, query: Any) -> None:  # noqa: ARG002 - it needs none
        """Until the last."""
        while (message := self.receive()).content is not None:
            self.send(message.sender, message.content)


class Serves(Agent[float]):
    """Sends a message and waits for it, again and again."""

    def run(self, query: tuple[int, int]) -> float:
        """Seconds for all of them."""
        partner, rounds = query
        begin = time.perf_counter()
        for number in range(rounds):
            self.send(partner, number)
            self.receive()
        seconds = time.perf_counter() - begin
        self.send(partner, None)
        return seconds


def between_agents(rounds: int) -> float:
    """Seconds, taken by the agent that serves."""
    with AgentPool(max_concurrent=2) as pool:
        partner = pool.spawn(SpawnConfig(MANIFEST, None, agent=Returns))
        seconds: float = pool.spawn(SpawnConfig(MANIFEST, (partner.id, rounds), agent=Serves)).result()
    return seconds


def between_threads(rounds: int) -> float:
    """Two bare threads with a ``queue.Queue`` each: two hand-overs for each time there and back."""
    there: queue.Queue[int | None] = queue.Queue()
    back: queue.Queue[int] = queue.Queue()

    def returns() -> None:
        while (message := there.get()) is not None:
            back.put(message)

    partner = threading.Thread(target=returns)
    partner.start()
    begin = time.perf_counter()
    for number in range(rounds):
        there.put(number)
        back.get()
    seconds = time.perf_counter() - begin
    there.put(None)
    partner.join()
    return seconds


@dataclass
class Ball:
    """What autogen's agents send: it wants a type of its own."""

    number: int


def autogen(rounds: int) -> Callable[[], float]:
    """``send_message`` of a ``SingleThreadedAgentRuntime``, answered by the other agent."""
    from autogen_core import AgentId, MessageContext, RoutedAgent, SingleThreadedAgentRuntime, message_handler

    class Player(RoutedAgent):  # type: ignore[misc]
        """Answers each message."""

        def __init__(self) -> None:
            super().__init__("a player")

        async def play(self, message: Any, ctx: Any) -> Any:  # noqa: ARG002 - the peer's signature
            """Return it."""
            return message

    # By hand: the package reads the annotations of a handler, which would name what stands inside this function.
    Player.play.__annotations__.update({"message": Ball, "ctx": MessageContext, "return": Ball})
    Player.play = message_handler(Player.play)  # type: ignore[method-assign]

    async def play() -> float:
        runtime = SingleThreadedAgentRuntime()
        await Player.register(runtime, "player", Player)
        runtime.start()
        begin = time.perf_counter()
        for number in range(rounds):
            await runtime.send_message(Ball(number), AgentId("player", "default"))
        seconds = time.perf_counter() - begin
        await runtime.stop_when_idle()
        return seconds

    return lambda: asyncio.run(play())


def measure(size: Size, peers: Peers | None = None) -> Report:
    """Find the answer."""
    load, peers = WORKLOADS[size], peers or Peers()
    others: dict[str, Callable[[], float]] = {}
    if peers.has("threads"):
        others["two queues"] = lambda: between_threads(load.rounds)
    if peers.has("autogen-core"):
        others["autogen-core"] = autogen(load.rounds)
    tables = contest(
        f"{load.rounds:,} times there and back, microseconds for one",
        {"actors": lambda: between_agents(load.rounds)},
        others,
        repeats=load.repeats,
        per=load.rounds,
    )
    tables += contest(
        f"{load.rounds:,} times there and back on one core, microseconds for one",
        {"actors": pinned(lambda: between_agents(load.rounds))},
        {name: pinned(case) for name, case in others.items()},
        repeats=load.repeats,
        per=load.rounds,
    )
    notes = ["On more than one core most of the time is the waking of a core; on one, what is left is the work."]
    return Report("messages", QUESTION, tables, [*notes, *peers.notes()])
