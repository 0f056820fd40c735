"""The program that is killed, and started again until all of its agents have completed."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING

from actors import AgentEnded, AgentPool, Journal

from .cast import Provider, World, configs
from .outside import Outside

if TYPE_CHECKING:
    from actors import Event
    from actors.journal.settings import DurabilityWord

JOURNAL = "run.db"
OUTSIDE = "outside.jsonl"


def run_pool(
    folder: str,
    run: int,
    seed: str,
    agents: int,
    at_once: int,
    durability: DurabilityWord,
    kill_at: int | None = None,
    kill_on: str | None = None,
) -> None:
    """Go on with what is in *folder* until all is done, or the world's books have so many lines more."""
    random.seed(seed)
    here = Path(folder)
    outside = Outside(here / OUTSIDE, run, kill_at, kill_on)

    def told(event: Event) -> None:
        if isinstance(event, AgentEnded):
            outside.note("told", event.agent, [str(event.status), event.recalled])

    tools = World(outside).tools()
    with (
        Journal(here / JOURNAL, durability=durability) as journal,
        AgentPool(Provider(outside), tools=tools, max_concurrent=at_once, journal=journal) as pool,
    ):
        for outcome in pool.map(configs(agents, told)):
            text = getattr(outcome.result, "text", None) or repr(outcome.error)
            outside.note("seen", outcome.key or "", [str(outcome.status), outcome.recalled, text])
    outside.note("closed", "")
