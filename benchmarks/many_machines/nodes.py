"""Three nodes of Ray's on this machine, and the processes in which cases are measured there."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from ..machine import ROOT

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

MACHINES = ROOT / "examples" / "cluster" / "machines.py"
NAMES = ("second", "third")
"""The nodes beside the head."""
LONGEST = 900.0


def cluster() -> AbstractContextManager[Any]:
    """That of the example: a head and two nodes, of two processors each as far as Ray knows."""
    spec = importlib.util.spec_from_file_location("machines", MACHINES)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made: AbstractContextManager[Any] = module.Cluster(NAMES, modules=[ROOT], cpus=2)
    return made


def measured(case: str, on: Any, *, count: int, turns: int) -> dict[str, Any]:
    """What the process of *case* found.

    Raises:
        RuntimeError: It failed; the error has its last words.
    """
    (line,) = lines_of("cases", [case, on.address, str(count), str(turns)], on)
    return line


def lines_of(module: str, words: list[str], on: Any) -> list[dict[str, Any]]:
    """What a program of this room prints, run on the cluster *on*.

    Raises:
        RuntimeError: It failed; the error has its last words.
    """
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-m", f"{__package__}.{module}", *words],
        check=False,
        cwd=ROOT,
        env=os.environ | on.environment | {"PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LONGEST,
    )
    if done.returncode:
        raise RuntimeError(f"{module} {words[0]} failed: {done.stderr[-2_000:]}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
