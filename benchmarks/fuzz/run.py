"""All targets in turn until the time is up, and what is to be said about it."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING

from ..report import Report, Table
from ..size import Size
from . import targets
from .campaign import Campaign

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from ..peers import Peers
    from ..report import Cell

QUESTION = "Does anything that a model or a server may send break what must hold?"

SECONDS = {Size.FULL: 60.0, Size.QUICK: 10.0, Size.SMOKE: 2.0}
TELL = 10.0
"""Seconds between two lines that say how it goes."""


def measure(size: Size, peers: Peers | None = None) -> Report:  # noqa: ARG001 - nothing is measured next to it
    """Fuzz for the time that fits *size*, with a seed of the moment."""
    return fuzz(SECONDS[size])


def fuzz(
    seconds: float,
    *,
    names: Sequence[str] = (),
    seed: int | None = None,
    corpus: Path | None = None,
    watch: Console | None = None,
) -> Report:
    """Try what is known to be sent, and for *seconds* what is made of it. Ctrl-C ends it before, with what was found.

    Args:
        names: The targets; none: all.
        seed: Decides what is drawn; None draws it, too.
        corpus: A folder with a folder for each target: what is there is tried first, what is worth it is added. None
            makes one for what breaks something.
        watch: Told how it goes, now and then.
    Raises:
        KeyError: There is no target of that name.
    """
    return Run(names or targets.NAMES, SystemRandom().randrange(10**9) if seed is None else seed, corpus, watch).go(
        seconds
    )


class Run:
    """All that are fuzzed."""

    def __init__(self, names: Sequence[str], seed: int, corpus: Path | None, watch: Console | None) -> None:
        self._seed = seed
        self._folder = Path(tempfile.mkdtemp(prefix="actors-fuzz-")) if corpus is None else corpus
        self._watch = watch
        self._begin = self._told = time.monotonic()
        self._is_interrupted = False
        self._shown: set[Path] = set()
        self._left_out: list[str] = []
        self._all: list[Campaign] = []
        for name in names:
            try:
                target = targets.find(name)
            except ImportError as error:
                self._left_out.append(f"{name} was left out: {error} (pip install 'actors[test]')")
                continue
            folder = self._folder / name
            self._all.append(Campaign(name, target, seed=seed, folder=folder, keeps=corpus is not None))

    def go(self, seconds: float) -> Report:
        """Each that was given least time so far has the next round."""
        try:
            for one in self._all:
                one.begin()
                self._tell()
            until = time.monotonic() + seconds
            while self._all and time.monotonic() < until:
                min(self._all, key=lambda one: one.seconds).round(until=lambda: time.monotonic() > until)
                self._tell()
        except KeyboardInterrupt:
            self._is_interrupted = True
        return self._report()

    def _tell(self) -> None:
        if self._watch is None:
            return
        for one in self._all:
            for find in one.finds.values():
                if find.path not in self._shown:
                    self._shown.add(find.path)
                    self._watch.print(
                        f"{one.name}: {find.rule}: {find.path}", style="red", highlight=False, markup=False
                    )
        if time.monotonic() - self._told < TELL:
            return
        self._told = time.monotonic()
        executions, new, finds = (
            sum(getter(one) for one in self._all)
            for getter in (lambda one: one.executions, lambda one: one.new, lambda one: len(one.finds))
        )
        seconds = self._told - self._begin
        self._watch.print(
            f"{seconds:.0f} s, seed {self._seed}: {executions:,} inputs, {new:,} new, {finds} violations",
            highlight=False,
        )

    def _report(self) -> Report:
        rows: list[dict[str, Cell]] = [
            {
                "target": one.name,
                "inputs tried": one.executions,
                "new": one.new,
                "shapes": one.shapes,
                "lines": one.lines if one.sees_lines else None,
                "calls a byte, most": one.costliest,
                "seconds": round(one.seconds, 1),
                "violations": len(one.finds),
            }
            for one in self._all
        ]
        notes = [
            "new: inputs that reached a line of the library, or a shape of what comes of it, that none had before.",
            "lines: of the library, seen by the target; - where somebody else traces.",
            *(["It was interrupted: no target had all its time."] if self._is_interrupted else []),
            *self._left_out,
        ]
        problems = [
            f"{one.name}: {find.text.strip()}\n{len(find.data):,} bytes in {find.path}; repeat it with: python -m "
            f"benchmarks fuzz --minutes 0 --target {one.name} --corpus {self._folder} (seed {self._seed})"
            for one in self._all
            for find in one.finds.values()
        ]
        return Report("fuzz", QUESTION, [Table(f"fuzz, seed {self._seed}", rows)], notes, problems)
