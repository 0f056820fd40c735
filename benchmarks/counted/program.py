"""Counts cases in a process of its own, where threads are counted from the first one on."""

from __future__ import annotations

import gc
import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from .bytecodes import bytecodes, name_of
from .cases import CASES
from .objects import objects

if TYPE_CHECKING:
    from .bytecodes import Bytecodes


def main(what: str, names: str, count: str, repeats: str, path: str) -> None:
    """Count *what* of the cases of these *names*, and write it to *path* as JSON.

    Args:
        what: ``bytecodes``; ``objects``, whatever the names are; or ``marks``, to be
            counted from outside: between two calls of ``getppid`` lies the work.
    """
    if what == "objects":
        Path(path).write_text(json.dumps(objects(int(count))), encoding="utf-8")
        return
    count_one = {"bytecodes": count_bytecodes, "marks": mark}[what]
    found = {
        name: count_one(name, max(1, int(int(count) * CASES[name].share)), int(repeats)) for name in names.split(",")
    }
    Path(path).write_text(json.dumps(found), encoding="utf-8")


def count_bytecodes(name: str, count: int, repeats: int) -> list[dict[str, float]]:
    """Bytecodes of one, by function, for each repeat; and how often the collector came, under an empty name."""
    counter = bytecodes()
    counter.start()
    try:
        return [_by_function(counter, name, count) for _ in range(repeats + 1)][1:]  # the first one warms up
    finally:
        counter.stop()


def _by_function(counter: Bytecodes, name: str, count: int) -> dict[str, float]:
    gc.collect()
    work = CASES[name].work(count)
    next(work)
    collected, before = _collections(), counter.so_far()
    next(work)
    spent, collections = counter.so_far() - before, _collections() - collected
    next(work, None)
    found: Counter[str] = Counter()
    for code, number in spent.items():
        if "/counted/program.py" not in code.co_filename and "/counted/bytecodes.py" not in code.co_filename:
            found[name_of(code)] += number
    return {"": collections / count, **{function: number / count for function, number in found.items()}}


def _collections() -> int:
    return sum(generation["collections"] for generation in gc.get_stats())


def mark(name: str, count: int, repeats: int) -> int:
    """Do it with marks; the answer is how many were done."""
    for _ in range(repeats + 1):
        work = CASES[name].work(count)
        next(work)
        os.getppid()
        next(work)
        os.getppid()
        next(work, None)
    return count


if __name__ == "__main__":
    main(*sys.argv[1:])
