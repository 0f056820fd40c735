"""What an engine needs of whatever connects it with the nodes: Ray, or hosts in this process."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

Method: TypeAlias = Literal["put", "drain"]


class NodeInfo(NamedTuple):
    """A machine of the cluster.

    Args:
        id: Names it, and never another one.
        name: For people: its host's name or address.
        python: As ``3.11``; empty where that is known only once a host runs there.
        versions: As ``actors 1.2.0 ray 2.60.0``, as far as it is known.
    """

    id: str
    name: str
    is_alive: bool
    python: str = ""
    versions: str = ""


class HostInfo(NamedTuple):
    """A host that runs, or the program: its process, and the versions of what it is made of."""

    pid: int
    python: str
    actors: str
    ray: str


def this_process() -> HostInfo:
    """This process, as a host or a program. Ray is looked up, and not imported; empty where it is not installed."""
    try:
        ray = metadata.version("ray")
    except metadata.PackageNotFoundError:
        ray = ""
    library = getattr(sys.modules[__name__.partition(".")[0]], "__version__", "")  # of the facade, which is above
    return HostInfo(os.getpid(), ".".join(platform.python_version_tuple()[:2]), library, ray)


def refusal(here: HostInfo, there: HostInfo) -> str | None:
    """Say why a host *there* cannot work for the program *here*; None if it can.

    The same versions are asked for: what is pickled by one is not promised to be read by another.
    """
    wrong = [
        f"{name} {theirs} there, {ours} here"
        for name, ours, theirs in (
            ("Python", here.python, there.python),
            ("actors", here.actors, there.actors),
            ("ray", here.ray, there.ray),
        )
        if ours != theirs
    ]
    return "; ".join(wrong) or None


class LinkError(Exception):
    """The call failed, and nobody knows whether it came. It may be made again."""


class HostDied(LinkError):
    """The host is dead for whoever connects: no call will come to it any more.

    Args:
        node_lives: Its node lives, and has seen its process end. Without that, what ran in it may run still: where the
            node is cut off, or where the process stood still when it was killed.
    """

    def __init__(self, reason: str, *, node_lives: bool = False) -> None:
        super().__init__(reason)
        self.node_lives = node_lives

    def __reduce__(self) -> tuple[object, ...]:
        return _host_died, (str(self), self.node_lives)


def _host_died(reason: str, node_lives: bool) -> HostDied:
    return HostDied(reason, node_lives=node_lives)


class HostFailed(LinkError):
    """The host was reached, and raised an error: it would raise it again."""


class HostRefused(LinkError):
    """No host can be made on that node as it is: it says why, and trying again changes nothing."""


class LinkGone(LinkError):
    """What connected the program with the nodes is gone for good, and all hosts with it."""


class Link(Protocol):
    """Connects an engine with the nodes.

    Each call returns at once, and never raises; its answer is given to ``done`` once, or never: a link promises an
    answer only where it knows one. ``done`` is called in a thread of the link, and must not wait. After ``close``,
    every answer that is owed is ``LinkGone``.
    """

    @property
    def here(self) -> HostInfo:
        """The versions of the program itself, which hosts are compared with."""

    def nodes(self, done: Callable[[list[NodeInfo] | LinkError], None]) -> None:
        """Look which nodes there are."""

    def start(self, node: str, incarnation: str, settings: bytes, done: Callable[[HostInfo | LinkError], None]) -> None:
        """Start a host on *node*; calls reach it by the name *incarnation*, which is new each time.

        Answered by ``HostRefused`` where none can ever run as that node is.
        """

    def call(self, incarnation: str, method: Method, frame: bytes, done: Callable[[bytes | LinkError], None]) -> None:
        """Call ``put`` or ``drain`` of a host: a ``PutCall`` or ``DrainCall`` as bytes, answered by a ``PutAnswer`` or
        ``Drained``. No order is kept between calls.
        """

    def kill(self, incarnation: str) -> None:
        """End the process of a host, whatever it does. Calls to it fail."""

    def close(self) -> None:
        """Kill all hosts, and let go of everything."""
