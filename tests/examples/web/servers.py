"""Servers as processes on loopback, and what is asked of them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from ...waiting import comes_true

ROOT = Path(__file__).parents[3]
WEB = ROOT / "examples" / "web"
HERE = Path(__file__).parent
BOUND = 30.0
"""Seconds for a start, an end or an answer on a busy machine."""


@dataclass
class Server:
    """One that runs. Its log is a file: nobody has to read it along."""

    process: subprocess.Popen[bytes]
    url: str
    log_file: Path

    @property
    def log(self) -> str:
        """What it has said."""
        return self.log_file.read_text(encoding="utf-8")

    def end(self, by: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """End it by a signal; its exit code, and after how many seconds."""
        begin = time.monotonic()
        self.process.send_signal(by)
        return self.process.wait(BOUND), time.monotonic() - begin


@contextlib.contextmanager
def serving(log_file: Path, *command: object, **environment: str) -> Iterator[Server]:
    """A server of this command, once it says where it listens. It is ended with the block."""
    paths = os.pathsep.join(map(str, (ROOT, WEB, HERE)))
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *map(str, command)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": paths, "PYTHONUTF8": "1", **environment},
            stdout=log,
            stderr=log,
        )
    try:
        yield Server(process, _where(process, log_file), log_file)
    finally:
        end(process, BOUND)


def end(process: subprocess.Popen[bytes], patience: float) -> None:
    """Let *process* end; kill it when it has not within *patience* seconds."""
    process.terminate()
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(patience)


def _where(process: subprocess.Popen[bytes], log_file: Path) -> str:
    place = re.compile(r"http://127\.0\.0\.1:[1-9]\d*")

    def found() -> re.Match[str] | None:
        return place.search(log_file.read_text(encoding="utf-8"))

    comes_true(lambda: found() or process.poll() is not None, BOUND)
    where = found()
    assert where is not None, log_file.read_text(encoding="utf-8")
    return where.group()


def client_of(server: Server, **settings: Any) -> httpx2.Client:
    """A client with one server; no proxy of the environment."""
    return httpx2.Client(base_url=server.url, timeout=BOUND, trust_env=False, **settings)


def place_of(server: Server) -> tuple[str, int]:
    """For a bare socket."""
    host, port = server.url.removeprefix("http://").split(":")
    return host, int(port)


def events_of(response: httpx2.Response) -> Iterator[tuple[str, str, Any]]:
    """Name, id and data of each event of a stream, as it comes."""
    fields: dict[str, str] = {}
    for line in response.iter_lines():
        if line.startswith(":"):
            continue
        if line:
            name, _, value = line.partition(": ")
            assert name not in fields, f"an event has two lines of {name}"
            fields[name] = value
        elif fields:
            yield fields["event"], fields["id"], json.loads(fields["data"])
            fields = {}
