"""Measures cases in turn: A B A B, so that what disturbs the machine disturbs all of them."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")


def in_turn(cases: Mapping[str, Callable[[], T]], *, repeats: int, warmups: int = 1) -> dict[str, list[T]]:
    """Call each of *cases* in turn, *repeats* times after *warmups* that do not count.

    Garbage of one is collected before the next begins, so that none pays for another.

    Returns:
        What each call returned, by case.
    """
    found: dict[str, list[T]] = {name: [] for name in cases}
    for number in range(warmups + repeats):
        for name, measure in cases.items():
            gc.collect()
            value = measure()
            if number >= warmups:
                found[name].append(value)
    return found
