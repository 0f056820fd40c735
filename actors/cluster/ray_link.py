"""The link to a cluster of Ray's: the program's end of it. Ray itself is in a process beside the program."""

from __future__ import annotations

import importlib.util
import os
import pickle
import queue
import re
import subprocess
import sys
import tempfile
import threading
from functools import partial
from itertools import count
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

from loguru import logger

from ..extras import how_to_install
from .link import LinkError, LinkGone, this_process
from .pipe import Hello, Kind, Message, StartHost, call_body, read, write

if TYPE_CHECKING:
    from collections.abc import Callable

    from .link import HostInfo, Method, NodeInfo

T = TypeVar("T")

NODE_HOST = "actors.cluster.host:NodeHost"
PATIENCE = 6.0
"""Seconds for the process beside to end its hosts and itself; then it is killed."""
BESIDE = ("-P", "-m", "actors.cluster.ray_link")
"""How it is started: what lies where the program stands is not to be imported in place of Ray."""
LAST_WORDS = 4_000
"""Bytes of the log that are looked at, to tell why it ended."""
KINDS: dict[str, Kind] = {"put": Kind.PUT, "drain": Kind.DRAIN}


def need_ray() -> None:
    """See that Ray is installed; it is not imported.

    Raises:
        ImportError: It is not; one line that says how to install it.
    """
    if importlib.util.find_spec("ray") is None:
        raise ImportError(
            "an engine needs the package 'ray', which is not installed; install it with: "
            f'pip install "actors[ray]", here: {how_to_install("ray")}',
            name="ray",
        )


class RayLink:
    """Connects an engine with a cluster of Ray's.

    Guarantees: each call is answered once; when the process beside the program ends, for whatever reason, all are
    answered by ``LinkGone``, which names the file that has its last words. After ``close`` nothing of it is left.

    Args:
        address: Of the cluster, as Ray takes it: ``auto`` finds one on this machine.
        runtime_env: What Ray brings to the nodes.
        host: ``module:Class`` of what is made on a node.
    Raises:
        ImportError: Ray is not installed.

    Threads: any. Two of its own: one writes to the process beside, as a pipe may be full; one reads.
    Locks: ``_lock`` guards ``_owed`` and ``_gone``. ``_calls``, ``_ready`` and ``_letters`` guard themselves.
    """

    def __init__(
        self, address: str = "auto", *, runtime_env: dict[str, object] | None = None, host: str = NODE_HOST
    ) -> None:
        need_ray()
        self.here = this_process()
        self._lock = threading.Lock()
        self._owed: dict[int, Callable[[Any], object]] = {}
        self._gone: str | None = None
        self._calls = count(1)
        self._ready = threading.Event()
        self._letters: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self.log, self._beside = _begin()
        here = (self.here.pid, self.here.python, self.here.actors, self.here.ray)
        hello = Hello(address, runtime_env, host, here, _path(), _program(), str(self.log))
        self._letters.put(Message(Kind.HELLO, 0, pickle.dumps(tuple(hello))))
        self._threads = [
            threading.Thread(target=call, name=f"actors-ray-{name}", daemon=True)
            for name, call in (("write", self._write), ("read", self._read))
        ]
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int:
        """The process beside the program."""
        return self._beside.pid

    # What an engine does: see ``Link`` --------------------------------------------------------------------------

    def nodes(self, done: Callable[[list[NodeInfo] | LinkError], None]) -> None:
        """Look which nodes there are."""
        self._ask(Kind.NODES, b"", done)

    def start(self, node: str, incarnation: str, settings: bytes, done: Callable[[HostInfo | LinkError], None]) -> None:
        """Start a host on *node*."""
        self._ask(Kind.START, pickle.dumps(tuple(StartHost(node, incarnation, settings))), done)

    def call(self, incarnation: str, method: Method, frame: bytes, done: Callable[[bytes | LinkError], None]) -> None:
        """Call a host."""
        self._ask(KINDS[method], call_body(incarnation, frame), done)

    def kill(self, incarnation: str) -> None:
        """End the process of a host."""
        self._letters.put(Message(Kind.KILL, 0, incarnation.encode()))

    def close(self) -> None:
        """Kill all hosts, and wait until the process beside is gone."""
        with self._lock:
            was_open, self._gone = self._gone is None, self._gone or "closed"
        self._letters.put(None)
        if not self._ready.is_set():
            self._beside.kill()  # it has no host yet
        try:
            self._beside.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._beside.kill()
            self._beside.wait()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join()
        if was_open:
            self.log.unlink(missing_ok=True)  # nobody was told of it

    # Its threads ------------------------------------------------------------------------------------------------

    def _ask(self, kind: Kind, body: bytes, done: Callable[[Any], object]) -> None:
        number = next(self._calls)
        with self._lock:
            gone = self._gone
            self._owed[number] = done
        self._letters.put(Message(kind, number, body))
        if gone is not None:
            threading.Thread(target=partial(self._answer, number, LinkGone(gone)), name="actors-ray-gone").start()

    def _write(self) -> None:
        pipe = _pipe(self._beside.stdin)
        try:
            while (letter := self._letters.get()) is not None:
                write(pipe, letter)
        except OSError:
            pass  # it is gone: whoever reads says so
        try:
            pipe.close()
        except OSError:
            pass  # what was not written yet has no reader

    def _read(self) -> None:
        pipe = _pipe(self._beside.stdout)
        why = ""
        while (message := read(pipe)) is not None:
            if message.kind is Kind.READY:
                self._ready.set()
            elif message.kind is Kind.GONE:
                why = message.body.decode(errors="replace")
            elif message.kind is Kind.ANSWER:
                self._answer(message.number, message.body)
            else:
                self._answer(message.number, pickle.loads(message.body))  # noqa: S301 - of the process beside
        pipe.close()
        self._lose(why)

    def _answer(self, number: int, answer: object) -> None:
        with self._lock:
            done = self._owed.pop(number, None)
        if done is None:
            return
        try:
            done(answer)
        except Exception:  # noqa: BLE001 - the others are to hear of theirs
            logger.exception("whoever called a host failed to take the answer")

    def _lose(self, why: str) -> None:
        code = self._beside.wait()
        ended = why or f"the process beside the program ended with {code}{_last_words(self.log)}"
        with self._lock:
            self._gone = self._gone or f"{ended} (its log: {self.log})"
            gone, owed = self._gone, list(self._owed)
        self._letters.put(None)
        for number in owed:
            self._answer(number, LinkGone(gone))


def _begin() -> tuple[Path, subprocess.Popen[bytes]]:
    """Start the process beside the program, in a session of its own: what ends the program's does not end it first."""
    descriptor, name = tempfile.mkstemp(prefix="actors-ray-", suffix=".log")
    try:
        process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, *BESIDE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=descriptor,
            start_new_session=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(_path()), "RAY_USAGE_STATS_ENABLED": "0"},
        )
    finally:
        os.close(descriptor)
    return Path(name), process


def _last_words(log: Path) -> str:
    """What is said last in *log*, if it is an error of Ray's own: why it ended the process."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - LAST_WORDS))
            lines = file.read().decode(errors="replace").strip().splitlines()
    except OSError:
        return ""
    found = re.match(r"\[[^]]* [EF] \d+ \d+\] \S+ (.*)", lines[-1] if lines else "")
    return "" if found is None else f": {found[1].partition('. ')[0]}"


def _path() -> list[str]:
    """Where this program finds modules, as another process has to be told."""
    return [os.path.abspath(folder) for folder in sys.path]  # '' is where it stands now


def _program() -> str:
    return os.path.abspath(sys.argv[0]) if sys.argv and sys.argv[0] else ""


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None, "it was started with pipes"
    return pipe


if __name__ == "__main__":
    from .beside import main

    main()
