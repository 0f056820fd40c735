"""When the system gives no more threads: a clear outcome or error, never a hang; and afterwards all works again."""

from __future__ import annotations

import importlib.util
import os
import sys

import pytest

from .program import PROGRAMS, run

CASES = {
    "spawn": ["['crashed', 'crashed']", "0 0"],
    "fan_out": ["7 ['crashed']"],
    "map": ["['crashed', 'crashed', 'crashed', 'crashed', 'crashed']"],
    "busy_worker": ["True [4, 4, 4, 4, 4]"],
    "tool": ["answer True"],
    "child": ["crashed"],
    "deadline": ["True 0", "timed_out"],
    "cancel": ["deaf to its cancel", "cancelled cancelled True", "abandoned"],
    "actor": ["True", "works"],
    "supervised": ["True", "works"],
    "sink": ["True", "crashed"],
    "close": ["['cancelled', 'cancelled', 'cancelled', 'cancelled']"],
}
WORKS = "works [4, 4, 4]"


@pytest.mark.parametrize("case", CASES)
def test_a_start_that_fails(case: str) -> None:
    """RuntimeError("can't start new thread") from the threading module, for as long as it lasts."""
    assert sorted(run(PROGRAMS / "no_threads.py", case, "patched").clean()) == sorted([*CASES[case], WORKS])


@pytest.mark.skipif(importlib.util.find_spec("resource") is None, reason="this platform has no resource limits")
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere the limit counts processes only")
@pytest.mark.parametrize("case", ["spawn", "tool", "actor", "close"])
def test_the_limit_of_the_system(case: str) -> None:
    """The same at a real RLIMIT_NPROC."""
    done = run(PROGRAMS / "no_threads.py", case, "limit")
    if "PermissionError" in done.err and os.getuid() == 0:
        pytest.skip("root may not become another user here, and no limit holds for root")
    assert done.clean() == [*CASES[case], WORKS]


def test_the_end_of_a_program_without_threads() -> None:
    """The exit needs no thread to end what is open."""
    assert run(PROGRAMS / "no_threads.py", "exit", "patched").clean() == ["cancelled"]
