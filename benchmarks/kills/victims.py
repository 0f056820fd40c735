"""Whom one can kill, by name."""

from __future__ import annotations

from importlib import import_module
from random import SystemRandom
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

    from ..report import Report

QUESTION = "Is anything lost, bought or done twice when a program is killed at any moment?"
NAMES = ("writer", "pool", "races")
"""Each is a module of this folder with a function ``kill_NAME(number, seed=, watch=)`` that gives a report."""


def kill(
    names: tuple[str, ...], number: int, *, seed: int | None = None, watch: Console | None = None
) -> Iterator[Report]:
    """Kill each of *names* so many times, on the same files, and look at them after each kill.

    Args:
        names: None: all.
        seed: Decides what is drawn (how threads and the kill interleave is not); None draws it, too.
        watch: Told how it goes, now and then.
    """
    seed = SystemRandom().randrange(10**9) if seed is None else seed
    for name in names or NAMES:
        killing = cast("Callable[..., Report]", getattr(import_module(f"{__package__}.{name}"), f"kill_{name}"))
        yield killing(number, seed=seed, watch=watch)
