"""A newsroom that is worth looking at: an editor, eight researchers, a fact checker, a writer, and what goes wrong.

    python examples/inside/newsroom.py --timeline run.html          one story, about 25 s; then open run.html
    python examples/inside/newsroom.py --live --control             open the address that it prints, and approve
    python examples/inside/newsroom.py --agents 500 --speed 5       46 stories at once, five times as fast
    python examples/inside/newsroom.py --driver openai:gpt-5-mini   by a real model (OPENAI_API_KEY)

Offline without ``--driver``: rules answer (``policy.py``), with delays that a seed draws. A model is overloaded, a
connection breaks, a provider refuses, and one page takes far too long: where did the time go?
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections import Counter
from pathlib import Path

from archive import TOPICS, Desk
from looks import add_arguments, looked_at, traced
from policy import OfflineModel

from actors import (
    Actor,
    ActorRef,
    Agent,
    AgentHandle,
    AgentManifest,
    AgentOutcome,
    AgentPool,
    Backoff,
    Event,
    RestartPolicy,
    SpawnConfig,
)
from actors.events import ApprovalRequested

HERE = Path(__file__).parent
RESEARCHER, CHECKER, WRITER = (
    AgentManifest.load(HERE / f"{name}.toml") for name in ("researcher", "checker", "writer")
)
EDITOR = AgentManifest(name="editor", privacy="standard", capabilities=[{"type": "spawn", "max_depth": 1}])
SHOWN = 10
TEAM = len(TOPICS) + 3
"""Agents for one story: the editor, the checker, the writer and the researchers."""


class Editor(Agent[str]):
    """Sends researchers out, waits for them, and has the story written."""

    def run(self, query: str) -> str:
        """One story."""
        job, desk = json.loads(query), self.deps
        asked = [(topic, self.spawn(self._research(topic, job))) for topic in TOPICS]
        facts = [fact for topic, one in asked if (fact := self._fact(topic, one, job["checker"]))]
        self.sleep(desk.seconds("layout", 0.6, 0.9))
        story = json.dumps({"story": job["story"], "facts": facts})
        return self.spawn(SpawnConfig(WRITER, story, group=self.config.group, key=self._key("writer"))).result().text

    def _research(self, topic: str, job: dict[str, int]) -> SpawnConfig:
        word = topic.removeprefix("the ")
        manifest = RESEARCHER.model_copy(update={"name": f"{word} research"})
        asked = json.dumps({**job, "topic": topic})
        return SpawnConfig(manifest, asked, group=self.config.group, key=self._key(word))

    def _key(self, word: str) -> str | None:
        return self.key and f"{self.key}/{word}"

    def _fact(self, topic: str, researcher: AgentHandle, checker: int) -> str | None:
        outcome = researcher.outcome()
        if outcome.ok:
            return outcome.unwrap().text
        self.send(checker, json.dumps({"gone": topic}))  # else it waits for a claim that never comes
        return None


class NightDesk(Actor):
    """Approves what is to be printed, after a while."""

    inbox_capacity = None  # many stories may be ready in one moment, and none of them is to wait for ever

    def on_receive(self, message: tuple[int, str]) -> None:
        """Say yes to one call of one agent."""
        self.pool.approve(*message)


class Approver:
    """Passes each question on to the night desk.

    Args:
        after: Seconds that it takes; None: it does not answer, somebody else will.
    """

    def __init__(self, after: float | None) -> None:
        self.desk: ActorRef | None = None
        self._after = after

    def __call__(self, event: Event) -> None:
        """Take one event of the pool."""
        if isinstance(event, ApprovalRequested) and self.desk is not None and self._after is not None:
            self.desk.tell_later(self._after, (event.agent_id, event.call_id))


def start(pool: AgentPool, story: int, desk: Desk, *, alone: bool) -> None:
    """Start the two who lead one story; where there are more, keys tell whose are whose."""
    group, key = f"story {story}", None if alone else str(story)
    checked = json.dumps({"story": story, "claims": len(TOPICS)})
    checker = pool.spawn(SpawnConfig(CHECKER, checked, group=group, key=key and f"{key}/checker", deps=desk))
    job = json.dumps({"story": story, "checker": checker.id})
    pool.spawn(SpawnConfig(EDITOR, job, agent=Editor, group=group, key=key, deps=desk))


def shown(outcome: AgentOutcome) -> str:
    """One line of how an agent ended."""
    said = getattr(outcome.result, "text", outcome.result) if outcome.ok else outcome.error
    return f"{outcome.name}: {outcome.status} after {outcome.duration:.1f} s, {outcome.cost_usd_total:.4f} USD: {said}"


def main(arguments: list[str] | None = None) -> int:
    """Print the stories."""
    asked = parsed(arguments)
    desk, stories = Desk(asked.seed, asked.speed), max(1, round(asked.agents / TEAM))
    approver = Approver(None if asked.control else asked.approve_after / asked.speed)
    with (
        traced(asked) as tracing,
        AgentPool(
            asked.driver or OfflineModel(desk),
            asked.slots or 5 * stories,
            max_queued=None,
            restart=RestartPolicy(max_restarts=1, backoff=Backoff(0.8 / asked.speed)),
            on_event=approver,
            events_with_content=asked.content,
            tracing=tracing,
            name="newsroom",
        ) as pool,
    ):
        approver.desk = pool.start_actor(NightDesk)
        with looked_at(pool, asked):
            for story in range(1, stories + 1):
                start(pool, story, desk, alone=stories == 1)
            outcomes = list(pool.join_all().values())
    for outcome in outcomes[:SHOWN]:
        print(shown(outcome))
    print(dict(Counter(outcome.status.value for outcome in outcomes)), file=sys.stderr)
    return 0 if all(outcome.ok for outcome in outcomes) else 1


def positive(text: str) -> float:
    """A number of the command line.

    Raises:
        ValueError: It is none, or not above 0.
    """
    if not 0 < (number := float(text)) < math.inf:
        raise ValueError(text)
    return number


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    """What is asked for on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--agents", type=int, default=TEAM, metavar="N", help=f"about so many; a story has {TEAM}")
    parser.add_argument("--slots", type=int, default=0, metavar="N", help="agents that run at once (5 for each story)")
    parser.add_argument("--speed", type=positive, default=1.0, help="10 is ten times as fast")
    parser.add_argument("--seed", type=int, default=7, help="of all delays")
    parser.add_argument("--driver", default="", help="a word such as openai:gpt-5-mini; without it, rules answer")
    parser.add_argument("--approve-after", type=float, default=2.0, metavar="SECONDS", help="what is to be printed")
    add_arguments(parser)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
