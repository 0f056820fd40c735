"""The process of a host: what is set in it, and what is left of it when it is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ..waiting import eventually

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are found on Linux alone"),
]

HOST = """
import json, os, subprocess, sys, threading
from actors.cluster.host_process import HostProcess
from actors.core.waiting.cancel import CancelToken
from actors.tools.process import run_process

process = HostProcess()
started = {}

def start(who, *command, **options):
    options = {"stdout": subprocess.PIPE, "start_new_session": True} | options
    started[who] = subprocess.Popen(command, **options)
    return started[who]

start("child", "sleep", "1000", start_new_session=False)
start("one that left its session", "sleep", "1000")
shell = start("shell", "sh", "-c", "sleep 1000 >&- & echo $!; setsid sleep 1000 >&- & echo $!; wait")
started["one of a child's"], started["one that left its group"] = map(int, (shell.stdout.readline() for _ in range(2)))
shell = start("its leader", "sh", "-c", "env -i sleep 1000 >&- & echo $!; wait")
started["one without an environment"] = int(shell.stdout.readline())
told, says = os.pipe()
started["forked"] = os.fork()
if not started["forked"]:
    threading.Event().wait()
call, given = ["sh", "-c", f"echo $$ > /proc/{os.getpid()}/fd/{says}; exec sleep 1000"], {"PATH": os.environ["PATH"]}
threading.Thread(target=run_process, args=(call,), kwargs={"cancel": CancelToken(), "env": given}, daemon=True).start()
started["of a tool that gives the environment"] = int(os.read(told, 100))
pids = {who: pid if isinstance(pid, int) else pid.pid for who, pid in started.items()}
print(json.dumps([process.mark, pids, sys.getswitchinterval()]), flush=True)
threading.Event().wait()
"""


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _begin() -> tuple[subprocess.Popen[bytes], Any]:
    host = subprocess.Popen(
        [sys.executable, "-c", HOST],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        start_new_session=True,
    )
    assert host.stdout is not None
    return host, json.loads(host.stdout.readline())


def _reaper(mark: str) -> int:
    """Who watches, in a process that is nobody's child: as Ray kills the children of a worker that it ends."""
    found = [pid for pid in map(int, filter(str.isdecimal, os.listdir("/proc"))) if _is_told(pid, mark)]
    assert len(found) == 1
    return found[0]


def _is_told(pid: int, mark: str) -> bool:
    try:
        return mark.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_a_killed_host_leaves_no_process() -> None:
    """Whatever was started in it ends with it, and so does who saw to that; others stay. And threads of a host run
    longer at a time than others: many that wake at once hold each other up else.
    """
    beside = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    host, (mark, started, interval) = _begin()
    reaper = _reaper(mark)
    with host, beside:
        try:
            assert len(started) == 9
            assert [who for who, pid in started.items() if not _runs(pid)] == []
            assert _parent(reaper) != host.pid
            assert interval == pytest.approx(0.05)
            host.kill()
            host.wait()
            eventually(lambda: not _runs(reaper))
            assert [who for who, pid in started.items() if _runs(pid)] == []
            assert beside.poll() is None
        finally:
            host.kill()
            beside.kill()
            for pid in filter(_runs, [reaper, *started.values()]):
                os.kill(pid, signal.SIGKILL)
