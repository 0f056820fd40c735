"""Random programs that die at random: what they do in all their lives is what one that lives does in its only one."""

from __future__ import annotations

import tempfile
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import given, settings, strategies as st

from benchmarks.kills import books

from ..stateful.profile import chosen
from .random_programs import DOUBT, Camera, Program, Talker, Walker, World, run

WORDS = st.sampled_from(["pay", "note", "child"])
TALKERS = st.builds(
    Talker, st.lists(st.lists(WORDS, min_size=1, max_size=2).map(tuple), max_size=3).map(tuple), st.booleans()
)
WALKERS = st.builds(Walker, st.lists(st.sampled_from(["pay", "note", "child", "crash"]), max_size=4).map(tuple))
PROGRAMS = st.builds(
    Program, st.lists(TALKERS | WALKERS, min_size=1, max_size=4).map(tuple), st.integers(1, 3), st.booleans()
)
DEATHS = st.lists(st.integers(0, 25), max_size=3)


def recorded(image: Path) -> set[tuple[str, int]]:
    """The answers that stand in the file, by the key of their agent."""
    return {(entry.agent, int(entry.path)) for entry in books.read(image) if entry.kind == "completion"}


@given(program=PROGRAMS, deaths=DEATHS)
@settings(chosen(), max_examples=chosen().max_examples // 10)  # each runs whole pools, some of them four times
def test_dying_changes_nothing(program: Program, deaths: list[int]) -> None:
    """The results are those of a program that lives; nothing recorded is bought again, nothing is paid twice."""
    alive = World()
    wanted = run(program, alive, None)
    for what in ("bought", "paid", "noted"):  # also by the children of those that were started again
        assert [twice for twice, count in alive.all(what).items() if count > 1] == [], f"{what} again after a restart"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        journal, world, known = folder / "run.db", World(), 0
        for number, at in enumerate(deaths):
            camera = Camera(journal, folder / f"death {number}", at, world)
            with contextmanager(camera.watch)():
                run(program, world, journal)
            assert camera.image is not None
            bought_once(world, known, journal)
            journal, world = camera.image, World(camera.events)
            known = len(recorded(journal))
        results = run(program, world, journal)
        bought_once(world, known, journal)
        of_all = len(recorded(journal))

    assert same(results, wanted, doubts=bool(deaths) and not program.looks), (results, wanted)
    assert of_all == len(alive.all("bought"))
    assert set(world.all("bought")) == set(alive.all("bought"))
    assert deaths or of_each(world) == of_each(alive)
    for what in ("paid", "noted"):
        keys = Counter(event[:2] for event in world.all(what))
        assert not [twice for twice, count in keys.items() if count > 1], f"{what} under several keys"
    assert [twice for twice, count in world.all("paid").items() if count > 1] == []
    missing = {event[:2] for event in alive.all("paid")} - {event[:2] for event in world.all("paid")}
    assert not missing or (deaths and not program.looks), f"never paid: {missing}"


def of_each(world: World) -> Counter[tuple[Any, ...]]:
    """How often everything was done. The keys of effects, which are those of a file, are left out."""
    return Counter(event[:3] for event in world.events)


def bought_once(world: World, known: int, journal: Path) -> None:
    """In one process, restarts included, each answer is bought once, and none that the file had at its start."""
    here = world.here("bought")
    assert [twice for twice, count in here.items() if count > 1] == []
    assert here.total() == len(recorded(journal)) - known


def same(results: list[Any], wanted: list[Any], *, doubts: bool) -> bool:
    """Are they the same, but for steps in doubt?"""
    if not doubts:
        return results == wanted
    return len(results) == len(wanted) and all(
        one == other
        or (
            isinstance(one, list)
            and len(one) == len(other)
            and all(a in (b, DOUBT) for a, b in zip(one, other, strict=True))
        )
        for one, other in zip(results, wanted, strict=True)
    )
