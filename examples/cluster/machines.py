"""A small cluster on this machine, by Ray's own command: a head, and nodes that can be killed."""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

RAY = Path(sys.executable).with_name("ray")
STORE = 80_000_000
"""Bytes of each node's object store, which agents do not use."""
LOCALHOST = "127.0.0.1"
STARTED = "Ray runtime started"


class Cluster:
    """Starts a head and *names* as nodes when it is entered; ends all of them when it is left.

    Args:
        modules: Folders in which the nodes find what agents are made of.
        cpus: Of each node, as Ray counts them.
    """

    def __init__(self, names: Iterable[str], *, modules: Iterable[Path] = (), cpus: int = 1) -> None:
        self.names = list(names)
        self.address = f"{LOCALHOST}:{free_port()}"
        self._cpus = cpus
        self._folder = Path(tempfile.mkdtemp(prefix="ray"))  # short: the paths of sockets are
        token = self._folder / "token"
        token.write_text(secrets.token_hex(32))
        token.chmod(0o600)
        self.environment = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}
        """What a program needs in its own, to be let in."""
        path = [*map(str, modules), os.environ.get("PYTHONPATH", "")]
        self._env = os.environ | self.environment | {"PYTHONPATH": os.pathsep.join(filter(None, path))}
        self._nodes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        """Start one after the other: two at once take each other's ports."""
        try:
            port = self.address.partition(":")[2]
            self._start("head", "--head", f"--port={port}", f"--temp-dir={self._folder}", "--num-cpus=0",
                        "--include-dashboard=false")  # fmt: skip
            for name in self.names:
                self._start(name, f"--address={self.address}", f"--num-cpus={self._cpus}")
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End it."""
        self.stop()

    def _start(self, name: str, *words: str) -> None:
        log = open(self._folder / f"{name}.log", "wb")  # noqa: SIM115 - the process writes it
        with log:
            self._nodes[name] = subprocess.Popen(
                [str(RAY), "start", "--block", f"--node-name={name}",
                 f"--object-store-memory={STORE}", "--disable-usage-stats", *words],
                env=self._env, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        self._await(name)

    def _await(self, name: str, timeout: float = 60.0) -> None:
        """Wait until Ray says that the node is there."""
        log = self._folder / f"{name}.log"
        until = time.monotonic() + timeout
        while STARTED not in (said := log.read_text(errors="replace")):
            if time.monotonic() > until or self._nodes[name].poll() is not None:
                raise RuntimeError(f"{name} did not come up: {said[-2_000:]}")
            time.sleep(0.1)

    def kill(self, name: str) -> int:
        """Kill a node as a power cut does: all its processes, with -9; return how many."""
        node = self._nodes.pop(name)
        pids = tree_of(node.pid)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        node.wait()
        return len(pids)

    def stop(self) -> None:
        """End all nodes, the head last, and remove what they wrote."""
        for name in reversed(list(self._nodes)):
            self.kill(name)
        shutil.rmtree(self._folder, ignore_errors=True)


def free_port() -> int:
    """A port that nobody has now."""
    with socket.create_server((LOCALHOST, 0)) as server:
        port: int = server.getsockname()[1]
        return port


def tree_of(root: int) -> list[int]:
    """The process *root* and all below it, from the top."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], check=True, capture_output=True, text=True).stdout
    below: dict[int, list[int]] = {}
    for line in listed.splitlines():
        pid, parent = map(int, line.split())
        below.setdefault(parent, []).append(pid)
    found = [root]
    for pid in found:  # it grows meanwhile
        found += below.get(pid, [])
    return found
