"""The process beside the program: it alone imports Ray, and passes on what goes to hosts and comes from them.

Ray ends the process that it is in, with no exception and no ``finally``, a minute after its control plane went: so it
is not in the program's.
"""

from __future__ import annotations

import os
import pickle
import queue
import re
import signal
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from .link import HostDied, HostFailed, HostInfo, HostRefused, LinkError, NodeInfo
from .pipe import Hello, Kind, Message, StartHost, read, split_call, write
from .ray_host import RayHost

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

CALLS_AT_ONCE = 16
"""Of one host: one put and one drain, and those that were given up and made again."""
KNOCK = 10.0
"""Seconds for the head of the cluster to answer."""
LONGEST_CAUSE = 300
SHUTDOWN = 3.0
"""Seconds for a leave of the cluster; it hangs while the control plane is away."""


def main() -> None:
    """Serve the program until it is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the program's
    pipes = _take_pipes()
    hello = read(pipes[0])
    if hello is None:
        return
    Beside(pipes[0], pipes[1], Hello(*pickle.loads(hello.body))).serve()  # noqa: S301 - the program's own


def _take_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """Take standard input and output for the program alone: Ray, and whatever it starts, writes to the log."""
    given, told = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return os.fdopen(given, "rb"), os.fdopen(told, "wb")


class Beside:
    """Calls Ray for the program.

    Threads: ``serve`` in the main one; answers come in one of Ray's, which must not wait: one thread writes them. What
    may wait for the control plane has threads of its own.
    Locks: none. ``_hosts`` and ``_ends`` change in the main thread alone. ``_leaving`` is taken once, by the thread
    that sees the end of the program first.
    """

    def __init__(self, given: IO[bytes], told: IO[bytes], hello: Hello) -> None:
        self._given, self._told, self._hello = given, told, hello
        self._answers: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._hosts: dict[str, Any] = {}  # Ray has no types for its handles
        self._looks = ThreadPoolExecutor(1, thread_name_prefix="looks")
        self._deeds = ThreadPoolExecutor(4, thread_name_prefix="deeds")
        self._ends: list[Any] = []
        self._leaving = threading.Lock()
        self._ray: Any = None

    def serve(self) -> None:
        """Connect, and do what the program asks for, until it is gone."""
        self._watch(os.getppid())
        threading.Thread(target=self._write, name="answers", daemon=True).start()
        try:
            self._connect()
        except Exception as error:  # noqa: BLE001 - it is told to the program, which knows whom it concerns
            _log()
            write(self._told, Message(Kind.GONE, 0, _said(error).encode()))
            os._exit(1)
        self._answers.put(Message(Kind.READY, 0, b""))
        while (message := read(self._given)) is not None:
            try:
                self._do(message)
            except Exception as error:  # noqa: BLE001 - it is the answer
                _log()
                self._value(message.number, LinkError(f"{type(error).__name__}: {error}"))
        self._leave()

    def _connect(self) -> None:
        sys.path[:] = self._hello.path
        sys.argv[:] = [self._hello.program]  # Ray lets nodes import what lies beside the program
        _knock(self._hello.address)
        import ray

        self._ray = ray
        ray.init(
            address=self._hello.address,
            runtime_env=self._hello.runtime_env,
            log_to_driver=False,
            include_dashboard=None,
        )

    # What the program asks for ----------------------------------------------------------------------------------

    def _do(self, message: Message) -> None:
        number, body = message.number, message.body
        if message.kind in (Kind.PUT, Kind.DRAIN):
            incarnation, frame = split_call(body)
            handle = self._hosts.get(incarnation)
            if handle is None:
                self._value(number, LinkError(f"there is no host {incarnation}"))
                return
            method = handle.put if message.kind is Kind.PUT else handle.drain
            method.remote(frame).future().add_done_callback(partial(self._called, number))
        elif message.kind is Kind.NODES:
            self._looks.submit(self._tell, number, self._nodes)
        elif message.kind is Kind.START:
            self._start(number, StartHost(*pickle.loads(body)))  # noqa: S301 - the program's own
        elif message.kind is Kind.KILL:
            handle = self._hosts.get(body.decode())
            if handle is not None:
                self._deeds.submit(self._kill, handle)

    def _nodes(self) -> list[NodeInfo]:
        found = self._ray.nodes()
        hosts = [node["NodeManagerHostname"] for node in found if node["Alive"]]
        return [NodeInfo(node["NodeID"], _name(node, hosts), bool(node["Alive"])) for node in found]

    def _start(self, number: int, start: StartHost) -> None:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        there = NodeAffinitySchedulingStrategy(node_id=start.node, soft=False)
        kind = self._ray.remote(RayHost).options(
            num_cpus=0,
            max_restarts=0,
            max_task_retries=0,
            max_concurrency=CALLS_AT_ONCE,
            scheduling_strategy=there,
        )
        handle = self._hosts[start.incarnation] = kind.remote(start.incarnation, start.node)
        self._ends.append(handle.stay.remote())
        begun = handle.begin.remote(self._hello.host, start.settings, self._hello.here)
        begun.future().add_done_callback(partial(self._begun, number, handle))

    def _kill(self, handle: Any) -> None:
        try:
            self._ray.kill(handle, no_restart=True)
        except Exception:  # noqa: BLE001 - its end is seen by the calls to it
            _log()

    # What comes back --------------------------------------------------------------------------------------------

    def _called(self, number: int, answered: Future[bytes]) -> None:
        error = answered.exception()
        if error is None:
            self._answers.put(Message(Kind.ANSWER, number, answered.result()))
        else:
            self._value(number, told(error))

    def _begun(self, number: int, handle: Any, answered: Future[tuple[tuple[Any, ...], str | None]]) -> None:
        error = answered.exception()
        if error is not None:
            self._value(number, told_of_start(error))
            return
        info, refused = answered.result()
        if refused is None:
            self._value(number, HostInfo(*info))
        else:
            self._deeds.submit(self._kill, handle)
            self._value(number, HostRefused(refused))

    def _tell(self, number: int, look: Callable[[], object]) -> None:
        try:
            self._value(number, look())
        except Exception as error:  # noqa: BLE001 - it is the answer
            _log()
            self._value(number, LinkError(f"{type(error).__name__}: {error}"))

    def _value(self, number: int, value: object) -> None:
        self._answers.put(Message(Kind.VALUE, number, pickle.dumps(value)))

    def _write(self) -> None:
        try:
            while (message := self._answers.get()) is not None:
                write(self._told, message)
        except OSError:
            return  # the program is gone: whoever reads sees it too

    # Its end ----------------------------------------------------------------------------------------------------

    def _watch(self, program: int) -> None:
        """See the end of *program* whoever holds its pipes: children that it has forked may."""
        if hasattr(os, "pidfd_open"):
            handle = os.pidfd_open(program)
            threading.Thread(target=self._await, args=(handle,), name="program", daemon=True).start()

    def _await(self, handle: int) -> None:
        import select

        select.select([handle], [], [])
        self._leave()

    def _leave(self) -> None:
        """Kill all hosts, see them end, and go: whatever hangs."""
        self._leaving.acquire()  # never given back: the other thread stays here until the process is gone
        Path(self._hello.log).unlink(missing_ok=True)  # nobody was told of it
        if self._ray is None or not self._ray.is_initialized():
            os._exit(0)
        timer = threading.Timer(SHUTDOWN, os._exit, (0,))
        timer.daemon = True
        timer.start()
        for handle in list(self._hosts.values()):
            self._kill(handle)
        ends = list(self._ends)
        if ends:
            self._ray.wait(ends, num_returns=len(ends), timeout=SHUTDOWN)
        self._ray.shutdown()
        os._exit(0)


def _knock(address: str) -> None:
    """See that somebody is there: Ray itself would wait for a minute, and then end this process without a word.

    Raises:
        ConnectionError: Nobody answers there.
        ValueError: It is the address of another protocol.
    """
    if address.startswith("ray://"):
        raise ValueError(f"{address} is for clients of Ray's: give the address of the head, as in head:6379")
    host, colon, port = address.rpartition(":")
    if colon and port.isdecimal():
        try:
            socket.create_connection((host.strip("[]"), int(port)), KNOCK).close()
        except OSError as error:
            raise ConnectionError(f"there is no cluster at {address}: {error}") from error


def _said(error: BaseException) -> str:
    """It, and the last line of what caused it: that somebody was not let in is said there alone."""
    cause = "" if error.__cause__ is None else f" ({_last_line(str(error.__cause__))[:LONGEST_CAUSE]})"
    return f"{type(error).__name__}: {error}{cause}"


def told(error: BaseException) -> LinkError:
    """What an error of Ray's says of a call to a host."""
    from ray import exceptions as of_ray

    text = str(error)
    if isinstance(error, of_ray.RayTaskError):
        return HostFailed(_last_line(text))
    if not isinstance(error, of_ray.ActorDiedError):
        return LinkError(_last_line(text))
    # A raylet that lives has seen the worker's socket close. Of a node that went, nobody knows what ended on it; and of
    # what was to be killed, Ray says that it is dead before it is: a stopped process is not.
    return HostDied(_reason(text), node_lives="worker process has died" in text)


def told_of_start(error: BaseException) -> LinkError:
    """What an error of Ray's says of a host that did not begin."""
    from ray import exceptions as of_ray

    if isinstance(error, of_ray.RuntimeEnvSetupError) or getattr(error, "actor_init_failed", False):
        return HostRefused(_last_line(str(error)))
    return told(error)


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "no word of why")


def _reason(text: str) -> str:
    """What Ray says of the end of one of its actors, as words on a host: without names and numbers, and guesses."""
    if "killed by `ray.kill`" in text:
        return "it was killed by the program"
    if "its node has died" in text:
        return "its node has died"
    found = re.search(r"Worker exit type: (\w+) Worker exit detail: (.*?)(?: Some common causes|$)", text)
    if found is not None:
        return f"its process has ended ({found[1]}: {found[2].strip()})"
    lines = [line.strip() for line in text.splitlines()[1:] if line.strip() and not line.startswith("\t")]
    return " ".join(lines) or _last_line(text)


def _name(node: dict[str, Any], hosts: list[str]) -> str:
    """What people call it: as it was named, or its machine; with its port where one machine has several."""
    if node["NodeName"] != node["NodeManagerAddress"]:
        return str(node["NodeName"])
    name = node["NodeManagerHostname"]
    return f"{name}:{node['NodeManagerPort']}" if hosts.count(name) > 1 else str(name)


def _log() -> None:
    import traceback

    traceback.print_exc()  # into the log: standard error is that
