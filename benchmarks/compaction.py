"""What does it cost to make a conversation fit?"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from actors import (
    AgentManifest,
    AgentPool,
    AssistantMessage,
    CompletionRequest,
    FunctionDriver,
    SpawnConfig,
    UserMessage,
)

from .contest import contest
from .report import Report
from .size import Size

if TYPE_CHECKING:
    from .peers import Peers

QUESTION = "What does a turn cost in a conversation that fits, or is made to fit, from ten messages to ten thousand?"

TEXT = "word " * 40
ROOM = 4_000
"""Tokens of the small window: some seventy messages."""


@dataclass(frozen=True, slots=True)
class Workload:
    """Messages of the conversations, agents of each, and how often."""

    messages: tuple[int, ...]
    agents: int
    repeats: int


WORKLOADS = {
    Size.FULL: Workload((10, 1_000, 10_000), 20, 9),
    Size.QUICK: Workload((10, 1_000), 10, 3),
    Size.SMOKE: Workload((10, 200), 1, 1),
}


def choose(messages: list[Any], room: int) -> list[Any]:  # noqa: ARG001 - it knows how much fits
    """A policy of one's own: the last of them, with the query."""
    return messages[-20:]


POLICIES = {
    "fits": {},
    "drop_oldest": {},
    "summarize": {"context": {"policy": "summarize"}},
    "a function": {"context": {"policy": f"{__name__}:choose"}},
}


def answer(request: CompletionRequest) -> str:  # noqa: ARG001 - it says the same to all
    """A short answer, or a short summary."""
    return "yes"


def run(load: Workload, count: int, policy: str) -> float:
    """Seconds for the agents, one after another; each asks once, behind *count* messages."""
    before = [kind(TEXT) for _ in range(count // 2) for kind in (UserMessage, AssistantMessage)]
    manifest = AgentManifest(name="bench", **POLICIES[policy])  # type: ignore[arg-type]
    config = SpawnConfig(manifest, "question", messages=tuple(before))
    window = 100_000_000 if policy == "fits" else ROOM
    with AgentPool(FunctionDriver(answer, context_window=window), 1) as pool:
        begin = time.perf_counter()
        for _ in range(load.agents):
            text = pool.spawn(config).result().text
        seconds = time.perf_counter() - begin
    assert text == "yes"
    return seconds


def measure(size: Size, peers: Peers | None = None) -> Report:  # noqa: ARG001 - there are none
    """Find the answer."""
    load = WORKLOADS[size]
    tables = []
    for count in load.messages:
        tables += contest(
            f"an agent behind {count:,} messages, microseconds",
            {policy: lambda policy=policy: run(load, count, policy) for policy in POLICIES if policy != "fits"},  # type: ignore[misc]  # noqa: B023 - called at once
            {"fits": lambda: run(load, count, "fits")},  # noqa: B023 - called at once
            repeats=load.repeats,
            per=load.agents,
        )
    return Report(
        "compaction", QUESTION, tables, ["A summary is one more completion, of a model that answers at once."]
    )
