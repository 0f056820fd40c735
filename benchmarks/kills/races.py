"""Both winners of each race: what a kill at each named point costs, and what it leaves in doubt."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from ..report import Report, Table
from . import outside
from .nursery import Nursery
from .race_program import OUTSIDE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.console import Console

    from .outside import Line

QUESTION = "What does a kill cost just before, and just after, each thing that an agent with a journal waits for?"
PROGRAM = f"{__package__}.race_program:race"


@dataclass(frozen=True, slots=True)
class Race:
    """One agent that is killed at one point, and started again.

    Args:
        kind: What it does.
        point: Where it is killed.
        answers: How often each of its answers is bought, in both starts together.
        acts: How often its tool, or its step, is done, in both.
        doubt: Is it told of a doubt: as a result of a tool, or as an ``EffectInDoubt``?
        recalled: Is all of it known in the second start?
        status: How it ends.
        more: Anything else that is noted, and how often.
        options: Of the program.
    """

    kind: str
    point: str
    answers: tuple[int, ...] = (1, 1)
    acts: int = 1
    doubt: bool = False
    recalled: bool = False
    status: str = "completed"
    more: Mapping[str, int] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """For people, and for tests."""
        words = [self.kind, self.point, *(f"{name}={value}" for name, value in self.options.items())]
        return ", ".join(words)


def run_race(race: Race, nursery: Nursery, folder: Path) -> list[str]:
    """What is not as it should be."""
    first = nursery.run(
        PROGRAM, folder / "stderr", folder=str(folder), run=0, kind=race.kind, point=race.point, **race.options
    )
    if not first.killed:
        return [f"{race.name}: the point was not reached: {first}, {_errors(folder)}"]
    second = nursery.run(PROGRAM, folder / "stderr", folder=str(folder), run=1, kind=race.kind, **race.options)
    if second.code:
        return [f"{race.name}: the second start ended with {second}: {_errors(folder)}"]
    lines = outside.read(folder / OUTSIDE)
    return [f"{race.name}: {text}" for text in _differences(race, lines)]


def _errors(folder: Path) -> str:
    return (folder / "stderr").read_text()[-2000:]


def _differences(race: Race, lines: list[Line]) -> Iterator[str]:
    counts = Counter((line.what, *((line.who, line.detail) if line.what == "answered" else ())) for line in lines)
    turns = tuple(
        counts["answered", "child" if race.kind == "parent" else race.kind, turn] for turn in range(len(race.answers))
    )
    status, error, recalled = [line.detail for line in lines if line.what == "seen"][-1]
    told = [line for line in lines if line.what == "asked" and any("may" in text for text in line.detail[1])]
    keys = {line.detail for line in lines if line.what in ("acted", "looked")}
    found = {
        "answers": (turns, race.answers),
        "acts": (counts["acted",], race.acts),
        "doubt": (bool(told) or error == "EffectInDoubt", race.doubt),
        "recalled": (recalled, race.recalled),
        "status": (status, race.status),
        "keys": (len(keys) > 1, False),
        **{name: (counts[name,], count) for name, count in race.more.items()},
    }
    yield from (f"{name} {is_so}, not {should}" for name, (is_so, should) in found.items() if is_so != should)
    if told and keys and not any(key in text for key in keys for line in told for text in line.detail[1]):
        yield f"the model was not told the key {keys}"


# The table ----------------------------------------------------------------------------------------------------------

BEFORE_ALL = (
    *("enter admitted: before", "enter admitted: after", "commit admitted: before", "commit admitted: after"),
    *("enter begun: before", "enter begun: after", "commit begun: before", "commit begun: after", "ask 0: before"),
)
"""Nothing has happened yet."""
ANSWERED = ("ask {}: answered", "enter {} done: before", "enter {} done: after", "commit {} done: before")
"""An answer was bought, and is not on disk."""
BEGINNING = ("enter {} begun: before", "commit {} begun: before")
"""Nothing was begun that anybody waits for."""
BEGUN = ("commit {} begun: after", "enter {} begun: after", "execute: before")
"""It was begun, and not done."""
ACTED = ("execute: inside", "enter {} done: before", "enter {} done: after", "commit {} done: before")
"""It was done, and nobody knows."""
ENDING = ("enter ended: before", "commit ended: before")
"""The outcome is not on disk: nobody has seen it."""
ENDED = ("commit ended: after", "enter ended: after", "seen: after")


def races() -> list[Race]:
    """All of them."""
    return [*_of_tools(), *_of_steps(), *_of_doubts(), *_of_others()]


def _of_tools() -> Iterator[Race]:
    for effect in ("at_most_once", "idempotent"):
        once = effect == "at_most_once"
        how: dict[str, Any] = {"options": {"effect": effect}}
        for point in (*BEFORE_ALL, "ask 0: asked", "commit 0 done: after", "commit 0.0 done: after", "ask 1: before"):
            yield Race("tool", point, **how)
        for point in ANSWERED:
            yield Race("tool", point.format(0), (2, 1), **how)
            yield Race("tool", point.format(1), (1, 2), **how)
        for point in BEGINNING if once else ():
            yield Race("tool", point.format("0.0"), **how)
        for point in BEGUN if once else BEGUN[-1:]:
            yield Race("tool", point.format("0.0"), acts=0 if once else 1, doubt=once, **how)
        for point in ACTED:
            yield Race("tool", point.format("0.0"), acts=1 if once else 2, doubt=once, **how)
        yield Race("tool", "commit 1 done: after", **how)
        yield from (Race("tool", point, **how) for point in ENDING)
        yield from (Race("tool", point, recalled=True, **how) for point in ENDED)


def _of_steps() -> Iterator[Race]:
    """A step in doubt raises, which nobody here catches."""
    for effect in ("at_most_once", "idempotent"):
        once = effect == "at_most_once"
        how: dict[str, Any] = {"answers": (), "options": {"effect": effect}}
        lost: dict[str, Any] = {"doubt": True, "status": "failed"} if once else {}
        for point in (*BEFORE_ALL[:-1], "commit act done: after", *ENDING):
            yield Race("step", point, **how)
        for point in BEGINNING if once else ():
            yield Race("step", point.format("act"), **how)
        for point in BEGUN if once else BEGUN[-1:]:
            yield Race("step", point.format("act"), acts=0 if once else 1, **how, **lost)
        for point in ACTED:
            yield Race("step", point.format("act"), acts=1 if once else 2, **how, **lost)
        yield from (Race("step", point, recalled=True, **how) for point in ENDED)


def _of_doubts() -> Iterator[Race]:
    """Each policy, and each answer of whoever can look."""
    for point, done in (("execute: before", 0), ("execute: inside", 1)):
        yield Race("tool", point, (1, 0), done, True, status="failed", options={"in_doubt": "fail"})
        yield Race("tool", point, acts=done + 1, more={"approved": 1}, options={"in_doubt": "ask"})
        denied = {"in_doubt": "ask", "approve": False}
        yield Race("tool", point, acts=done, doubt=True, more={"approved": 1}, options=denied)
        for policy in ("tell", "ask", "fail"):
            looks = {"in_doubt": policy, "reconcile": "looks"}
            yield Race("tool", point, more={"looked": 1, "approved": 0}, options=looks)
            yield Race("step", point, (), more={"looked": 1, "approved": 0}, options=looks)
        ends: dict[str, dict[str, Any]] = {"tool": {}, "step": {"status": "failed", "answers": ()}}
        for kind, end in ends.items():
            raises = {"reconcile": "raises"}
            yield Race(kind, point, acts=done, doubt=True, more={"looked": 1}, options=raises, **end)
        failing = {"in_doubt": "fail", "reconcile": "raises"}
        yield Race("tool", point, (1, 0), done, True, status="failed", options=failing)


def _of_others() -> Iterator[Race]:
    """Two tools of one answer, one done and one in doubt; approvals; children."""
    yield Race("two", "execute: before", acts=0, doubt=True, more={"noted": 1})
    yield Race("two", "execute: inside", acts=1, doubt=True, more={"noted": 1})
    yield Race("two", "execute: inside", acts=1, more={"noted": 1}, options={"reconcile": "looks"})
    yield Race("approved", "approve: before", more={"approved": 1})
    for point in ("enter 0.0/@approval done: before", "enter 0.0/@approval done: after"):
        yield Race("approved", point, more={"approved": 2})
    yield Race("approved", "commit 0.0/@approval done: after", more={"approved": 1})
    yield Race("approved", "execute: before", acts=0, doubt=True, more={"approved": 1})
    yield Race("parent", "ask child 0: before")
    yield Race("parent", "ask child 0: answered", (2, 1))
    yield Race("parent", "commit child 0 done: after")
    yield Race("parent", "execute: inside", doubt=True)
    for point in ("enter child ended: before", "commit child ended: after", "enter 0.0 done: before"):
        yield Race("parent", point)
    yield Race("parent", "commit 0.0 done: after")


def kill_races(number: int | None = None, *, seed: int | None = None, watch: Console | None = None) -> Report:
    """Run the races, each with a file of its own.

    Args:
        number: So many of them at most, drawn by *seed*; None: all.
        watch: Told how it goes, now and then.
    """
    chosen = races()
    if number is not None and number < len(chosen):
        chosen = Random(seed).sample(chosen, number)
    problems: list[str] = []
    with Nursery(f"{__package__}.race_program", "actors.journal.store") as nursery:
        for count, race in enumerate(chosen, 1):
            with tempfile.TemporaryDirectory(prefix="race-") as folder:
                problems += run_race(race, nursery, Path(folder))
            if watch is not None and count % 25 == 0:
                watch.print(f"{count} of {len(chosen)} races, {len(problems)} problems", highlight=False)
    kinds = Counter(race.kind for race in chosen)
    table = Table("races", [{"an agent with": kind, "killed at points": count} for kind, count in kinds.items()])
    return Report("kills races", QUESTION, [table], (), problems)
