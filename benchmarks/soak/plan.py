"""What one agent will do, drawn before it starts: the seed decides, not the threads."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from actors import AgentError, AgentStatus

from .faults import KINDS, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random


class Step(StrEnum):
    """One thing that an agent does."""

    WORK = "work"
    SEND = "send"
    SEND_WAITING = "send, waiting for room"
    SEND_PROGRAM = "send to the program"
    RECEIVE = "receive"
    PARK = "park"
    SLEEP = "sleep"
    ASK = "ask"
    ASK_FUTURE = "ask without waiting"
    TELL = "tell"
    CRASH_ACTOR = "crash an actor"
    CHILD = "start a child"
    CHILD_AWAITED = "start a child and wait"
    CHILD_CANCELLED = "start a child and cancel it"
    CANCEL = "cancel another"
    STUCK = "get stuck"


WEIGHTS: Mapping[Step, float] = {
    Step.WORK: 6,
    Step.SEND: 6,
    Step.SEND_WAITING: 3,
    Step.SEND_PROGRAM: 2,
    Step.RECEIVE: 6,
    Step.PARK: 2,
    Step.SLEEP: 2,
    Step.ASK: 3,
    Step.ASK_FUTURE: 2,
    Step.TELL: 2,
    Step.CRASH_ACTOR: 0.1,
    Step.CHILD: 1,
    Step.CHILD_AWAITED: 2,
    Step.CHILD_CANCELLED: 0.5,
    Step.CANCEL: 0.5,
    Step.STUCK: 0.3,
}
DEEPEST = 3
FAULTY = 0.25
"""The share of agents that raise something somewhere."""
STOPPED = frozenset({AgentStatus.CANCELLED, AgentStatus.TIMED_OUT, AgentStatus.ABANDONED})
"""How every agent may end, as everybody may be cancelled."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One agent's future.

    Args:
        number: Its own; also its result and its tag.
        steps: What it does, each with a number from 0 to 1 and a child's plan.
        faults: What is raised where.
        flaky: Is it raised at the first attempt only?
        scholar: Is it a language-model agent? Then ``steps`` are not done.
        ends: How it may end.
    """

    number: int
    steps: tuple[tuple[Step, float, Plan | None], ...] = ()
    faults: Mapping[Place, Callable[[str], BaseException]] = field(default_factory=dict)
    flaky: bool = False
    scholar: bool = False
    timeout: float | None = None
    deadline: float | None = None
    priority: int = 0
    group: int | None = None
    ends: frozenset[AgentStatus] = frozenset()


class Planner:
    """Draws plans."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._count = 0

    def draw(self, depth: int = 0) -> Plan:
        """A plan for an agent that has *depth* ancestors."""
        random = self._random
        self._count += 1
        number = self._count
        scholar = random.random() < 0.2
        steps = () if scholar else self._steps(depth)
        faults, flaky = self._faults(), random.random() < 0.3
        return Plan(
            number=number,
            steps=steps,
            faults=faults,
            flaky=flaky,
            scholar=scholar,
            timeout=random.uniform(0, 0.3) if random.random() < (0.5 if scholar else 0.15) else None,
            deadline=random.uniform(0, 1.0) if random.random() < 0.1 else None,
            priority=random.choice((0, 0, 0, 1, -1)),
            group=random.choice((None, 1, 2)),
            ends=_ends(faults, flaky=flaky, scholar=scholar),
        )

    def _steps(self, depth: int) -> tuple[tuple[Step, float, Plan | None], ...]:
        random = self._random
        drawn = random.choices(list(WEIGHTS), list(WEIGHTS.values()), k=random.randint(0, 6))
        steps: list[tuple[Step, float, Plan | None]] = []
        for step in drawn:
            child = None
            if step.startswith("start a child"):
                if depth >= DEEPEST:
                    continue
                child = self.draw(depth + 1)
            steps.append((step, random.random(), child))
        return tuple(steps)

    def _faults(self) -> dict[Place, Callable[[str], BaseException]]:
        random = self._random
        if random.random() >= FAULTY:
            return {}
        places = [Place.INIT, Place.ON_START, Place.RUN, Place.RUN, Place.ON_END, Place.CALLBACK]
        return {place: random.choice(KINDS) for place in random.sample(places, k=random.choice((1, 1, 2)))}


def _ends(
    faults: Mapping[Place, Callable[[str], BaseException]], *, flaky: bool, scholar: bool
) -> frozenset[AgentStatus]:
    ends = set(STOPPED)
    if Place.INIT in faults or Place.ON_START in faults:
        ends.add(AgentStatus.CRASHED)
    elif Place.RUN in faults:
        ends.add(AgentStatus.FAILED if faults[Place.RUN] is AgentError else AgentStatus.CRASHED)
    if flaky or not faults.keys() & {Place.INIT, Place.ON_START, Place.RUN}:
        ends.add(AgentStatus.COMPLETED)
    if scholar:  # its driver decides, too
        ends |= {AgentStatus.FAILED, AgentStatus.CRASHED, AgentStatus.COMPLETED}
    return frozenset(ends)
