"""A link to as many nodes as one likes: each call is answered at once, by one thread that plays all hosts."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from actors.cluster.lane import DrainCall, PutCall, load
from actors.cluster.link import HostInfo, LinkError, LinkGone, NodeInfo, this_process

from .played_host import PlayedHost

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.cluster.link import Method

    Done = Callable[[bytes | LinkError], None]


class PlayedLink:
    """Connects an engine with hosts that are played in one thread of its own.

    Args:
        nodes: How many.
        seconds: How long an agent lives there.
        latency: Seconds from a call to its answer.

    ``cpu`` is what that thread has taken so far: it is work of the nodes, and not of the program.

    Locks: ``_ready`` guards ``_due``, ``_is_closed`` and ``_is_idle``; all else is the thread's own.
    """

    def __init__(self, nodes: int, *, seconds: float = 0.0, latency: float = 0.0) -> None:
        self.here: HostInfo = this_process()
        self.puts = 0
        self.drains = 0
        self.cpu = 0.0
        self._names = [f"node-{number}" for number in range(nodes)]
        self._seconds = seconds
        self._latency = latency
        self._hosts: dict[str, PlayedHost] = {}
        self._held: dict[str, tuple[DrainCall, Done]] = {}
        self._numbers = itertools.count()
        self._ready = threading.Condition()
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._is_closed = False
        self._thread = threading.Thread(target=self._play, name="played-link", daemon=True)
        self._thread.start()

    # What an engine asks for ------------------------------------------------------------------------------------

    def nodes(self, done: Callable[[list[NodeInfo] | LinkError], None]) -> None:
        """All of them, always."""
        self._at(0.0, lambda: done([NodeInfo(name, name, is_alive=True) for name in self._names]))

    def start(
        self,
        node: str,  # noqa: ARG002 - they are all alike
        incarnation: str,
        settings: bytes,  # noqa: ARG002 - as before
        done: Callable[[HostInfo | LinkError], None],
    ) -> None:
        """Make a host."""

        def make() -> None:
            self._hosts[incarnation] = PlayedHost(incarnation, seconds=self._seconds, later=self._later(incarnation))
            done(self.here)

        self._at(0.0, make)

    def call(self, incarnation: str, method: Method, frame: bytes, done: Done) -> None:
        """Put, or drain."""
        self._at(self._latency, partial(self._call, incarnation, method, frame, done))

    def kill(self, incarnation: str) -> None:
        """End a host."""
        self._at(0.0, lambda: self._hosts.pop(incarnation, None))

    def close(self) -> None:
        """End all; what is held is answered."""
        with self._ready:
            self._is_closed = True
            self._ready.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    # The thread -------------------------------------------------------------------------------------------------

    def _at(self, after: float, act: Callable[[], object]) -> None:
        entry = (time.monotonic() + after, next(self._numbers), act)
        with self._ready:
            is_first = not self._due or entry < self._due[0]
            heapq.heappush(self._due, entry)
            if is_first:
                self._ready.notify()

    def _play(self) -> None:
        while (acts := self._next()) is not None:
            for act in acts:
                act()
            self.cpu = time.thread_time()
        for _, done in self._held.values():
            done(LinkGone("closed"))

    def _next(self) -> list[Callable[[], object]] | None:
        with self._ready:
            while not self._is_closed:
                now = time.monotonic()
                acts = []
                while self._due and self._due[0][0] <= now:
                    acts.append(heapq.heappop(self._due)[2])
                if acts:
                    return acts
                self._ready.wait(self._due[0][0] - now if self._due else None)
            return None

    def _later(self, incarnation: str) -> Callable[[float, Callable[[], object]], None]:
        def later(seconds: float, act: Callable[[], object]) -> None:
            def then() -> None:
                act()
                self._tell(incarnation)

            self._at(seconds, then)

        return later

    def _call(self, incarnation: str, method: Method, frame: bytes, done: Done) -> None:
        host = self._hosts.get(incarnation)
        if host is None:
            done(LinkError("there is no such host"))
        elif method == "put":
            self.puts += 1
            done(host.put(load(frame, PutCall)))
            self._tell(incarnation)
        else:
            self.drains += 1
            call = load(frame, DrainCall)
            self._held[incarnation] = call, done
            if host.has_news(call.ack):
                self._tell(incarnation)
            else:
                self._at(call.wait, partial(self._give_up, incarnation, call))

    def _tell(self, incarnation: str) -> None:
        """Answer the drain that waits, if there is something to say."""
        host, held = self._hosts.get(incarnation), self._held.get(incarnation)
        if host is not None and held is not None and host.has_news(held[0].ack):
            del self._held[incarnation]
            held[1](host.drain(held[0]))

    def _give_up(self, incarnation: str, call: DrainCall) -> None:
        """It has waited as long as it may: there is nothing to say."""
        held, host = self._held.get(incarnation), self._hosts.get(incarnation)
        if host is not None and held is not None and held[0] is call:
            del self._held[incarnation]
            held[1](host.drain(call))
