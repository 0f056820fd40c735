"""Kills a pool of agents again and again, until it is done, and then the next one."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from random import Random, SystemRandom
from typing import TYPE_CHECKING, Any

from ..report import Cell, Report, Table
from . import books, outside
from .cast import KINDS
from .judge import Judge, lost
from .nursery import Nursery
from .program import JOURNAL, OUTSIDE

if TYPE_CHECKING:
    from rich.console import Console

QUESTION = "Is anything lost, bought or done twice when a pool with a journal is killed at random moments?"
PROGRAM = f"{__package__}.program:run_pool"
SHARE = 0.3
"""Of the work of a pool that is done before a kill, at most: so that a pool is killed several times."""
SECONDS_EACH = 0.02
"""What an agent takes, roughly, with 8 at once."""
LINES_EACH: dict[str | None, float] = {None: 13, "answered": 3.2, "begun": 1.6, "noted": 1.4, "told": 1, "seen": 1}
"""Lines of the world's books for each agent, roughly: all of them, and some kinds at which a kill may hurt."""


def kill_pool(
    number: int = 200,
    *,
    seed: int | None = None,
    agents: int = 60,
    at_once: int = 8,
    watch: Console | None = None,
) -> Report:
    """Kill programs *number* times, and see whether each pool ends as if nobody had.

    Args:
        seed: Decides when they are killed; None draws it, too.
        agents: Of each pool, without their children.
        watch: Told how it goes.
    """
    siege = Siege(SystemRandom().randrange(10**9) if seed is None else seed, agents, at_once)
    with Nursery(f"{__package__}.program", "actors.journal.store") as nursery:
        while siege.kills < number and not siege.problems:
            siege.run(nursery, number)
            if watch is not None:
                watch.print(
                    f"{siege.kills} kills, {siege.pools} pools, {len(siege.problems)} problems", highlight=False
                )
    return siege.report()


class Siege:
    """The sums of all pools."""

    def __init__(self, seed: int, agents: int, at_once: int) -> None:
        self._seed = seed
        self._agents = agents
        self._at_once = at_once
        self._draw = Random(seed)
        self.kills = 0
        self.pools = 0
        self.most = 0  # calls that one agent made again after one kill
        self.problems: list[str] = []
        self._counts: Counter[str] = Counter()

    def run(self, nursery: Nursery, number: int) -> None:
        """One pool, from its first start until it is done, and once more: then all is known."""
        kinds = kinds_of(self._agents)
        judge = Judge(kinds)
        with tempfile.TemporaryDirectory(prefix="kills-") as name:
            folder, run, is_done = Path(name), 0, False
            while not is_done and not judge.problems:
                end = nursery.run(
                    PROGRAM,
                    folder / "stderr",
                    folder=name,
                    run=run,
                    seed=f"{self._seed} {self.pools} {run}",
                    agents=self._agents,
                    at_once=self._at_once,
                    durability=self._durability(),
                    **(self._how() if self.kills < number else {}),
                )
                self.kills += end.killed
                is_done = end.code == 0
                if not is_done and not end.killed:
                    judge.problems.append(f"start {run} ended with {end}: {(folder / 'stderr').read_text()[-4000:]}")
                entries, lines = books.read(folder / JOURNAL), outside.read(folder / OUTSIDE)
                judge.look(run, entries, lines)
                run += 1
            if not judge.problems:
                judge.close(run - 1, entries, lines)
                self._recall_all(nursery, folder, run, judge)
            self._count(outside.read(folder / OUTSIDE), judge)
        self.pools += 1
        self.problems += [f"pool {self.pools}, --seed {self._seed}: {text}" for text in judge.problems]

    def _durability(self) -> str:
        """Of every second pool the entries are to survive a power cut, too: that is another way to commit."""
        return "power" if self.pools % 2 else "process"

    def _how(self) -> dict[str, Any]:
        """When it is killed: after some time, or at some line of the world's books."""
        draw, share = self._draw, SHARE * self._agents
        if draw.random() < 0.4:
            return {"kill_after": draw.uniform(0.0, SECONDS_EACH * share + 0.05)}
        kind = draw.choice(tuple(LINES_EACH))
        return {"kill_on": kind, "kill_at": draw.randrange(int(2 * LINES_EACH[kind] * share) + 1)}

    def _recall_all(self, nursery: Nursery, folder: Path, run: int, judge: Judge) -> None:
        """One more start has nothing to do: no answer is bought, no tool is called (J6)."""
        how: dict[str, Any] = {
            "folder": str(folder),
            "run": run,
            "seed": "",
            "agents": self._agents,
            "at_once": self._at_once,
            "durability": self._durability(),
        }
        end = nursery.run(PROGRAM, folder / "stderr", **how)
        lines = [line for line in outside.read(folder / OUTSIDE) if line.run == run]
        if end.code:
            judge.problems.append(f"the last start ended with {end}: {(folder / 'stderr').read_text()[-4000:]}")
        for line in lines:
            if line.what not in ("told", "seen", "closed") or (line.detail and not line.detail[1]):
                judge.problems.append(f"an agent that had ended did something: {line} (J6)")
        left = [path.name for path in folder.iterdir() if path.name.startswith(JOURNAL)]
        if left != [JOURNAL]:
            judge.problems.append(f"after close there is {left} (J10)")

    def _count(self, lines: list[outside.Line], judge: Judge) -> None:
        counts = Counter(line.what for line in lines)
        self._counts += counts
        for what in ("asked", "answered", "paid", "noted"):
            once = {(line.who, str(line.detail)) for line in lines if line.what == what}
            self._counts[f"{what} again"] += counts[what] - len(once)
        self.most = max([self.most, *lost(lines, "asked").values()])
        paid = {(line.who, line.detail[0]) for line in lines if line.what == "paid"}
        self._counts["never paid"] += sum(what not in paid for what in judge.purposes())

    def report(self) -> Report:
        """What was found."""
        counts = self._counts
        sums: dict[str, Cell] = {
            "kills": self.kills,
            "pools": self.pools,
            "calls of the model": counts["asked"],
            "called again": counts["asked again"],
            "most of one agent at one kill": self.most,
            "answers bought": counts["answered"],
            "bought again": counts["answered again"],
            "payments": counts["paid"],
            "paid twice": counts["paid again"],
            "in doubt, and not paid": counts["never paid"],
            "idempotent calls": counts["noted"],
            "made again": counts["noted again"],
            "violations": len(self.problems),
        }
        title = f"kills of a pool of {self._agents} agents, {self._at_once} at once, seed {self._seed}"
        return Report(
            "kills pool", QUESTION, [Table(title, [{"": k, " ": v} for k, v in sums.items()])], (), self.problems
        )


def kinds_of(agents: int) -> dict[str, str]:
    """What each agent's conversation is, children's included."""
    kinds = {f"a{number:02}": KINDS[number % len(KINDS)] for number in range(agents)}
    children = {f"{name}.child": "child" for name, kind in kinds.items() if kind in ("parent", "delegate")}
    return kinds | children
