"""A link to hosts in this process, whose calls fail in every way that calls can."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from loguru import logger

from ...cluster.link import (
    HostFailed,
    HostInfo,
    HostRefused,
    LinkError,
    LinkGone,
    NodeInfo,
    refusal as refused_by,
    this_process,
)
from ...cluster.shared import sharing
from .faults import Faults
from .local_node import LocalHost, LocalNode
from .owed import Owed

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...cluster.link import Method
    from .faults import Fate
    from .local_node import MakeHost

T = TypeVar("T")

MOST_THREADS = 1024


@dataclass(frozen=True, slots=True)
class LinkStats:
    """How many calls were made to the hosts so far, and of these how many were lost on their way."""

    starts: int = 0
    puts: int = 0
    drains: int = 0
    lost: int = 0


class LocalLink:
    """Plays a cluster in this process: hosts, nodes and calls between, with whatever can happen to them.

    Hosts are real ones, and calls carry bytes, as between machines. ``node-1``, ``node-2``, ... are the nodes.

    Example:
        ```python
        from actors import AgentManifest, AgentPool, SpawnConfig
        from actors.cluster import ClusterEngine
        from actors.testing.cluster import LocalLink

        link = LocalLink(nodes=3, seed=7, lost=0.15, doubled=0.15)
        with AgentPool("echo", max_queued=None, engine=ClusterEngine(link)) as pool:
            handles = pool.fan_out(SpawnConfig(AgentManifest(name="one"), str(number)) for number in range(20))
            link.kill_host("node-2")
            statuses = [handle.outcome().status for handle in handles]  # "lost" where it cannot be done again
        print(len(statuses))
        ```

        ```text
        20
        ```

    Guarantees: the n-th call of a kind to a node has the same fate for the same seed; a call is answered once, or, if
    it was lost and *patience* is None, never; after ``close`` no thread of it is left.

    Args:
        nodes: How many there are in the beginning.
        seed: Of the faults; None takes a new one, which ``repr`` shows.
        lost, lost_answers, doubled, late, late_by: See ``Faults``; of puts and drains.
        patience: Seconds until a lost call is answered by ``LinkError``; None: it never is.
        shares: Let what cannot be pickled (a lock, a gate) go to the hosts as it is, as they live in this process.
        make_host: What makes a host; None takes ``NodeHost``.

    Threads: any. Locks: ``_lock`` guards ``_nodes`` and all that is in them, ``_hosts``, ``_owed``, ``_counts`` and
    ``_gone``; nothing is called under it. ``_closing`` and ``_workers`` guard themselves.
    """

    def __init__(
        self,
        nodes: int = 3,
        *,
        seed: int | None = None,
        lost: float = 0.0,
        lost_answers: float = 0.0,
        doubled: float = 0.0,
        late: float = 0.0,
        late_by: float = 0.02,
        patience: float | None = 0.01,
        shares: bool = False,
        make_host: MakeHost | None = None,
    ) -> None:
        self.faults = Faults(lost=lost, lost_answers=lost_answers, doubled=doubled, late=late, late_by=late_by)
        self.seed = random.SystemRandom().randrange(2**32) if seed is None else seed
        self.patience = patience
        self._sharing = ExitStack()
        if shares:
            self._sharing.enter_context(sharing())
        self.here = this_process()
        self._make_host = make_host
        self._lock = threading.Lock()
        self._nodes: dict[str, LocalNode] = {}
        self._hosts: dict[str, LocalHost] = {}
        self._owed: set[Owed[Any]] = set()
        self._counts = {"start": 0, "put": 0, "drain": 0, "lost": 0}
        self._gone: str | None = None
        self._closing = threading.Event()
        self._workers = ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="actors-local-link")
        for _ in range(nodes):
            self.add_node()

    def __repr__(self) -> str:
        return f"<LocalLink seed={self.seed} {self.faults}>"

    # What a test does -------------------------------------------------------------------------------------------

    def add_node(self, *, python: str | None = None, actors: str | None = None) -> str:
        """Let a node join: with other versions than the program's, if so said. Returns its id.

        Args:
            python: Its version of Python; None: that of the program.
            actors: Its version of the library; None: that of the program.
        """
        here = self.here
        there = HostInfo(here.pid, python or here.python, actors or here.actors, here.ray)
        with self._lock:
            name = f"node-{len(self._nodes) + 1}"
            self._nodes[name] = LocalNode(NodeInfo(name, name, True, there.python, f"actors {there.actors}"), there)
        return name

    def kill_host(self, node: str) -> None:
        """End the process of the host on *node*, as by SIGKILL: it is known at once, as the node lives.

        What runs in it is aborted: threads of this process cannot be ended otherwise.
        """
        with self._lock:
            host = self._nodes[node].host
        if host is not None:
            self._end(host, "killed", is_sure=True)

    def kill_node(self, node: str) -> None:
        """Take *node* away, and its host with it: calls to it fail at once, but nobody knows what ended."""
        with self._lock:
            found = self._nodes[node]
            name, python, versions = found.info.name, found.info.python, found.info.versions
            found.info = NodeInfo(node, name, False, python, versions)
            held, found.held, found.is_frozen = found.held, [], False
            host = found.host
        if host is not None:
            self._end(host, "its node went", is_sure=True)
        for call in held:
            self._go(call)

    def freeze(self, node: str) -> None:
        """Let no call come to *node*, and no answer from it, until ``thaw``: they wait, as for a stopped process.

        What runs in its host goes on: threads of this process cannot be stopped.
        """
        with self._lock:
            self._nodes[node].is_frozen = True

    def thaw(self, node: str) -> None:
        """Let it go on: calls that have waited come now.

        Args:
            node: Its id.
        """
        with self._lock:
            found = self._nodes[node]
            held, found.held, found.is_frozen = found.held, [], False
        for call in held:
            self._go(call)

    def cut(self, node: str) -> None:
        """Cut *node* off: calls to it are lost, and the answers of those that are there."""
        with self._lock:
            self._nodes[node].is_cut = True

    def mend(self, node: str) -> None:
        """Let calls come to it again.

        Args:
            node: Its id.
        """
        with self._lock:
            self._nodes[node].is_cut = False

    def lose_engine(self) -> None:
        """End the process beside the program: every call fails from now on, and all hosts end."""
        self._lose("the process beside the program ended")

    def hosting(self, node: str) -> Any:
        """The host on *node*, to look into it. None if there is none."""
        with self._lock:
            host = self._nodes[node].host
            return None if host is None else host.hosting

    def stats(self) -> LinkStats:
        """Count the calls so far."""
        with self._lock:
            of = self._counts
            return LinkStats(starts=of["start"], puts=of["put"], drains=of["drain"], lost=of["lost"])

    # What an engine does: see ``Link`` --------------------------------------------------------------------------

    def nodes(self, done: Callable[[list[NodeInfo] | LinkError], None]) -> None:
        """Look which nodes there are.

        Args:
            done: Called with them.
        """
        owed = self._owe(done)
        with self._lock:
            infos = [node.info for node in self._nodes.values()]
        self._go(partial(self._settle, owed, infos))

    def start(self, node: str, incarnation: str, settings: bytes, done: Callable[[HostInfo | LinkError], None]) -> None:
        """Start a host on *node*.

        Args:
            incarnation: Names this start of the host: each has a name of its own.
            settings: Of the host.
            done: Called when it is there, or cannot be.
        """
        owed = self._owe(done)
        with self._lock:
            found = self._nodes.get(node)
            self._counts["start"] += 1
            if found is not None:
                host = LocalHost.on(found, incarnation, faults=self.faults, seed=self.seed)
                self._hosts[incarnation] = host
        if found is None:
            self._go(partial(self._settle, owed, LinkError(f"there is no node {node}")))
        else:
            self._go(partial(self._begin, host, settings, owed))

    def call(self, incarnation: str, method: Method, frame: bytes, done: Callable[[bytes | LinkError], None]) -> None:
        """Call a host.

        Args:
            incarnation: Of the host.
            method: What to call.
            frame: What it is given, as bytes.
            done: Called with the answer, or the error.
        """
        owed = self._owe(done)
        with self._lock:
            self._counts[method] += 1
            host = self._hosts.get(incarnation)
            if host is not None and host.why is None:
                host.owed.add(owed)
                fate = host.fates[method].next()
                self._counts["lost"] += not fate.ways
        if host is None:
            self._go(partial(self._settle, owed, LinkError(f"there is no host {incarnation}")))
        elif host.why is not None:
            self._go(partial(self._settle, owed, host.error()))
        elif not fate.ways:
            self._go(partial(self._fail, owed, "the call was lost"))
        else:
            for way in fate.ways:
                self._go(partial(self._arrive, host, method, frame, owed, fate, way))

    def kill(self, incarnation: str) -> None:
        """End the process of a host.

        Args:
            incarnation: Of the host; another one is let live.
        """
        with self._lock:
            host = self._hosts.get(incarnation)
        if host is not None:
            self._end(host, "ended by the program", is_sure=True)

    def close(self) -> None:
        """Kill all hosts, and wait until no thread of theirs is left."""
        self._lose("closed")
        self._closing.set()
        self._workers.shutdown(wait=not threading.current_thread().name.startswith("actors-local-link"))
        self._sharing.close()

    # How it comes about: in threads of its own -------------------------------------------------------------------

    def _owe(self, done: Callable[[T], object]) -> Owed[T]:
        owed = Owed(done)
        with self._lock:
            self._owed.add(owed)
            gone = self._gone
        if gone is not None:
            self._go(partial(self._settle, owed, LinkGone(gone)))
        return owed

    def _settle(self, owed: Owed[Any], answer: object) -> None:
        with self._lock:
            self._owed.discard(owed)
        owed.answer(answer)

    def _go(self, call: Callable[[], object]) -> None:
        try:
            self._workers.submit(self._work, call)
        except RuntimeError:
            if not self._closing.is_set():
                raise
            threading.Thread(target=self._work, args=(call,), name="actors-local-link-end", daemon=True).start()

    def _work(self, call: Callable[[], object]) -> None:
        try:
            call()
        except Exception:  # noqa: BLE001 - nobody awaits it, and whoever called is to hear of nothing but answers
            logger.exception("a link failed in what it did")

    def _begin(self, host: LocalHost, settings: bytes, owed: Owed[HostInfo | LinkError]) -> None:
        node = host.node
        if self._is_stopped(node, owed, partial(self._begin, host, settings, owed)):
            return
        refusal = refused_by(self.here, node.versions)
        if refusal is not None:
            self._settle(owed, HostRefused(refusal))
        elif host.why is not None:
            self._settle(owed, host.error())
        else:
            self._settle(owed, self._made(host, settings))

    def _made(self, host: LocalHost, settings: bytes) -> HostInfo | LinkError:
        end = partial(self._end, host, "it ended itself", is_sure=False)
        try:
            hosting = self._maker()(host.incarnation, host.node.info.id, settings, end_process=end)
        except Exception as error:  # noqa: BLE001 - it is the answer
            return _failed(error)
        with self._lock:
            host.hosting = hosting
            if host.why is None:
                host.node.host = host
                return host.node.versions
        self._go(hosting.close)
        return host.error()

    def _maker(self) -> MakeHost:
        if self._make_host is not None:
            return self._make_host
        from ...cluster.host import NodeHost

        return NodeHost

    def _arrive(
        self, host: LocalHost, method: Method, frame: bytes, owed: Owed[bytes | LinkError], fate: Fate, way: float
    ) -> None:
        if way:
            self._closing.wait(way)
        if self._is_stopped(host.node, owed, partial(self._arrive, host, method, frame, owed, fate, 0.0)):
            return
        hosting = host.hosting
        if hosting is None:
            self._answer(host, owed, LinkError("the host has not begun"))
            return
        try:
            answer: bytes | LinkError = getattr(hosting, method)(frame)
        except Exception as error:  # noqa: BLE001 - it is the answer
            answer = _failed(error)
        if fate.back is None:
            self._fail(owed, "the answer was lost")
            return
        if fate.back:
            self._closing.wait(fate.back)
        self._answer(host, owed, answer)

    def _answer(self, host: LocalHost, owed: Owed[bytes | LinkError], answer: bytes | LinkError) -> None:
        if self._is_stopped(host.node, owed, partial(self._answer, host, owed, answer)):
            return
        with self._lock:
            host.owed.discard(owed)
        self._settle(owed, host.error() if host.why is not None else answer)

    def _is_stopped(self, node: LocalNode, owed: Owed[Any], call: Callable[[], object]) -> bool:
        """Does *call* not come to *node* now, or not back from it? It is kept for later then, or fails."""
        with self._lock:
            if self._gone is not None:
                return True
            if node.is_frozen:
                node.held.append(call)
                return True
            is_alive, is_cut = node.info.is_alive, node.is_cut
        if not is_alive:
            self._settle(owed, LinkError(f"node {node.info.name} cannot be reached"))
        elif is_cut:
            self._fail(owed, f"node {node.info.name} is cut off")
        return is_cut or not is_alive

    def _fail(self, owed: Owed[Any], why: str) -> None:
        if self.patience is not None:
            self._closing.wait(self.patience)
            self._settle(owed, LinkError(why))

    def _end(self, host: LocalHost, why: str, *, is_sure: bool) -> None:
        """End a host. Who calls it hears of it at once, if a stopped or cut node lets them, or it is *is_sure*."""
        with self._lock:
            if host.why is not None:
                return
            host.why = why
            if host.node.host is host:
                host.node.host = None
            hears = is_sure or not (host.node.is_frozen or host.node.is_cut)
            owed = list(host.owed) if hears else []
            hosting, host.hosting = host.hosting, None
        for one in owed:
            self._go(partial(self._settle, one, host.error()))
        if hosting is not None:
            self._go(hosting.close)

    def _lose(self, why: str) -> None:
        with self._lock:
            if self._gone is None:
                self._gone = why
            owed, hosts = list(self._owed), list(self._hosts.values())
            for node in self._nodes.values():
                node.held.clear()
        for one in owed:
            self._go(partial(self._settle, one, LinkGone(why)))
        for host in hosts:
            self._end(host, why, is_sure=False)


def _failed(error: Exception) -> HostFailed:
    failed = HostFailed(f"{type(error).__name__}: {error}")
    failed.__cause__ = error
    return failed
