"""Measures each question in a process of its own: what one has imported or kept is not carried into the next, and one
that fails takes no other along.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from . import questions
from .machine import ROOT
from .peers import Peers
from .report import Report, Table
from .size import Size

CODE = "import sys; from benchmarks.apart import write; write(*sys.argv[1:])"


def measure_apart(name: str, size: Size, peers: Peers) -> Report:
    """The answer to *name*, found in a fresh Python; one that fails is a report with a problem."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.json"
        words = [name, size.value, ",".join(sorted(peers.wanted or ())), str(path)]
        done = subprocess.run([sys.executable, "-c", CODE, *words], check=False, cwd=ROOT)  # noqa: S603 - our own words
        if done.returncode == 0 and path.exists():
            return read(path)
    problem = f"{name} failed (exit code {done.returncode}); what it said stands above"
    return Report(name, questions.find(name).QUESTION, [], problems=[problem])


def write(name: str, size: str, peers: str, path: str) -> None:
    """Find the answer, and write it to *path*. In the process of its own."""
    chosen = Peers.named(word for word in peers.split(",") if word)
    report = questions.find(name).measure(Size(size), chosen)
    Path(path).write_text(json.dumps(asdict(report)), encoding="utf-8")


def read(path: Path) -> Report:
    """The report that was written there."""
    content = json.loads(path.read_text(encoding="utf-8"))
    content["tables"] = [Table(**table) for table in content["tables"]]
    return Report(**content)
