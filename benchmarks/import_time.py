"""How long does an import take, and the first word of the command line?"""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass

from .contest import MILLI, contest
from .machine import ROOT
from .peers import Peers
from .report import Report
from .size import Size

QUESTION = "How long do the import and `actors --help` take, next to the packages that it needs?"

OURS = "from actors import AgentPool, Agent, SpawnConfig, AgentManifest"
NEEDED = "import pykka, loguru; from pydantic import BaseModel"


@dataclass(frozen=True, slots=True)
class Workload:
    """How often."""

    repeats: int


WORKLOADS = {Size.FULL: Workload(15), Size.QUICK: Workload(5), Size.SMOKE: Workload(1)}


def run(*words: str) -> float:
    """Seconds of a fresh Python, from its start to its end."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL, cwd=ROOT)  # noqa: S603 - our own words
    return time.perf_counter() - begin


def measure(size: Size, peers: Peers | None = None) -> Report:  # noqa: ARG001 - what it needs is what it is measured by
    """Find the answer."""
    load = WORKLOADS[size]
    tables = contest(
        "a fresh Python, milliseconds from its start to its end",
        {
            "import actors": lambda: run("-c", OURS),
            "actors --help": lambda: run("-c", "from actors.cli.main import main; main()", "--help"),
        },
        {"what it needs": lambda: run("-c", NEEDED), "nothing": lambda: run("-c", "pass")},
        repeats=load.repeats,
        scale=MILLI,
        unit="ms",
    )
    return Report("import_time", QUESTION, tables, [f"What it needs: {NEEDED}"])
