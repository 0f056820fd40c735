"""The fuzzing of one target: rounds of inputs that are made of those that were worth something so far."""

from __future__ import annotations

import hashlib
import signal
import threading
import time
import traceback
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, NoReturn

from .costs import hold_costs
from .lines import LIBRARY, SeenLines
from .mutations import LONGEST, mutated
from .reduce import reduced
from .target import Violation

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator

    from .target import Target

INPUTS = 100
"""Of one round."""
THOROUGH = 8
"""Each round of so many tries all that takes longer with each input, not only with those that show something new."""
COSTLIER = 1.1
MOST_INPUTS = 2_000
SMALLER = 20.0
"""Seconds for making one input smaller."""
TOO_LONG = 60.0
"""Seconds of CPU after which an input is given up."""


@dataclass(frozen=True, slots=True)
class Find:
    """A violation, with the smallest input that shows it."""

    rule: str
    text: str
    data: bytes
    path: Path


class Campaign:
    """One target, its inputs, and what they have shown.

    Decided by *seed*, the inputs at the beginning, and how many rounds there are; only how small an input is made
    depends on the time, too.

    Args:
        folder: For what is found; inputs that are there already are tried first.
        keeps: Write inputs there that show something new, too.

    Threads: one.
    """

    def __init__(self, name: str, target: Target, *, seed: int, folder: Path, keeps: bool = False) -> None:
        self.name = name
        self.executions = 0
        self.seconds = 0.0
        self.finds: dict[str, Find] = {}
        self.lines = 0
        self.costliest = 0.0
        self.sees_lines = False
        self._target = target
        self._seed = seed
        self._folder = folder
        self._keeps = keeps
        self._rounds = 0
        self._inputs: list[bytes] = sorted({data[:LONGEST] for data in (*target.seeds(), *_below(folder))}, key=len)
        self._at_first = len(self._inputs)
        self._shapes: set[Hashable] = set()
        self._seen = SeenLines()
        self._broke: dict[str, tuple[bytes, str, bool]] = {}  # in this round: the shortest, what it says, thorough?

    @property
    def shapes(self) -> int:
        """How many kinds of what can come of an input were seen."""
        return len(self._shapes)

    @property
    def new(self) -> int:
        """How many inputs were found that showed something new."""
        return len(self._inputs) - self._at_first

    def begin(self, *, thorough: bool = True) -> None:
        """Try all inputs as they are."""
        with self._watched():
            for data in list(self._inputs):
                self._attempt(data, thorough=thorough)

    def round(self, inputs: int = INPUTS, until: Callable[[], bool] = bool) -> None:
        """Try some inputs; *until* says that the time is up."""
        thorough = self._rounds % THOROUGH == THOROUGH - 1
        random = Random(f"{self._seed} {self.name} {self._rounds}")
        self._rounds += 1
        with self._watched():
            for _ in range(inputs):
                if until():
                    break
                self._attempt(mutated(random, self._inputs, self._target.words), thorough=thorough)

    def _attempt(self, data: bytes, *, thorough: bool) -> None:
        lines = self._seen.count
        self.executions += 1
        try:
            shape, cost = self._try(data, thorough=thorough)
            is_new = shape not in self._shapes or self._seen.count > lines
            self._shapes.add(shape)
            if is_new and not thorough:
                thorough = True
                shape, cost = self._try(data, thorough=True)
        except Exception as error:  # noqa: BLE001 - whatever is raised is a find
            self._note(data, error, thorough=thorough)
            return
        # What costs most is worth to go on from, too.
        if is_new or cost > COSTLIER * self.costliest:
            self._keep(data)
        self.costliest = max(self.costliest, cost)

    def _try(self, data: bytes, *, thorough: bool) -> tuple[Hashable, float]:
        with _bounded():
            shape = self._target.check(data, thorough=thorough)
            if not thorough:
                return shape, 0.0
            with self._seen.paused():
                return shape, hold_costs(self._target, data)

    def _note(self, data: bytes, error: Exception, *, thorough: bool) -> None:
        rule = rule_of(error)
        known = self._broke.get(rule)
        if rule not in self.finds and (known is None or len(data) < len(known[0])):
            self._broke[rule] = data, text_of(error), thorough

    def _keep(self, data: bytes) -> None:
        if len(self._inputs) < MOST_INPUTS and data not in self._inputs:
            self._inputs.append(data)
            if self._keeps:
                self._write("new", data)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        begin = time.monotonic()
        try:
            with self._seen:
                self.sees_lines = self._seen.works
                yield
        finally:
            for rule, (data, text, thorough) in self._broke.items():
                self._find(rule, data, text, thorough=thorough)
            self._broke.clear()
            self.lines = self._seen.count
            self.seconds += time.monotonic() - begin

    def _find(self, rule: str, data: bytes, text: str, *, thorough: bool) -> None:
        give_up = time.monotonic() + SMALLER

        def breaks(data: bytes) -> bool:
            nonlocal text
            if time.monotonic() > give_up:
                return False
            try:
                self._try(data, thorough=thorough)
            except Exception as error:  # noqa: BLE001 - whatever is raised is a find
                if rule_of(error) == rule:
                    text = text_of(error)
                    return True
            return False

        smallest = reduced(data, breaks)
        self.finds[rule] = Find(rule, text, smallest, self._write("violation", smallest))

    def _write(self, kind: str, data: bytes) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{kind}-{hashlib.sha256(data).hexdigest()[:16]}"
        path.write_bytes(data)
        return path


def rule_of(error: Exception) -> str:
    """What *error* breaks: its rule, or where in the library it was raised."""
    if isinstance(error, Violation):
        return error.rule
    frames = traceback.extract_tb(error.__traceback__)
    place = next((frame for frame in reversed(frames) if frame.filename.startswith(LIBRARY)), frames[-1])
    return f"only the library's own errors: {type(error).__name__} in {Path(place.filename).name}, {place.name}()"


def text_of(error: Exception) -> str:
    """What is shown of *error*."""
    return str(error) if isinstance(error, Violation) else "".join(traceback.format_exception(error))


def _below(folder: Path) -> Iterable[bytes]:
    return [path.read_bytes() for path in sorted(folder.glob("*")) if path.is_file()] if folder.is_dir() else []


@contextmanager
def _bounded() -> Iterator[None]:
    """End what takes far too long, where there are such signals: Python's regular expressions look at them, too."""
    if not hasattr(signal, "SIGVTALRM") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def give_up(*_: object) -> NoReturn:
        raise Violation("an input is done with in time", f"it took more than {TOO_LONG:g} s of CPU")

    before = signal.signal(signal.SIGVTALRM, give_up)
    signal.setitimer(signal.ITIMER_VIRTUAL, TOO_LONG)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
