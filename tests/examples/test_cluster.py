"""The example of a cluster: real nodes on this machine, one of them killed on the way."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "examples" / "cluster" / "cluster.py"


@pytest.mark.process
@pytest.mark.skipif(find_spec("ray") is None, reason="it needs Ray")
def test_every_file_has_its_outcome_though_a_node_is_killed() -> None:
    """What was lost with the node is run again on another, and the cluster is gone afterwards."""
    folders = [str(ROOT / "examples" / name) for name in ("audit", "resume", "tickets")]
    words = ["--seconds", "0.2", "--at-once", "6", "--kill-after", "3", "--again"]
    command = [sys.executable, str(PROGRAM), *folders, *words]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=200)
    files = sum(len(list(Path(folder).rglob("*.py"))) for folder in folders)
    assert done.returncode == 0, done.stderr
    assert "3 outcomes are here: left is killed" in done.stdout
    assert done.stdout.splitlines()[-1] == f"{files} files, {files} outcomes: {files} completed"
