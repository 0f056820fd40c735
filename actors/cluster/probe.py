"""Looks which nodes a cluster has, and whether agents could live on each: a host is started there, and ended again."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, TypeVar

from .link import HostInfo, HostRefused, LinkError, LinkGone, NodeInfo, refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from .link import Link

AnswerT = TypeVar("AnswerT")


@dataclass(frozen=True, slots=True)
class Probed:
    """A node, as a look found it.

    Args:
        node: Its name.
        id: What the cluster calls it.
        state: ``ready``, ``refused`` (its versions are others), ``failed`` (no host came up) or ``gone``.
        python: Its version there; empty where no host has told it.
        actors: Likewise.
        ray: Likewise.
        why: What is wrong; empty when nothing is.
    """

    node: str
    id: str
    state: str
    python: str = ""
    actors: str = ""
    ray: str = ""
    why: str = ""

    @property
    def is_ready(self) -> bool:
        """Can agents live there?"""
        return self.state == "ready"


class Guest:
    """What is made on a node to see that a host could be: it does nothing."""

    def __init__(self, incarnation: str, node: str, settings: bytes, *, end_process: Callable[[], object]) -> None:
        """Be there."""


def look(address: str, *, timeout: float) -> list[Probed]:
    """Look at all nodes of the cluster at *address*.

    Raises:
        ImportError: A package is missing; the message names the command that installs it.
        LinkError: There is no cluster, or it cannot be looked at.
    """
    from .ray_link import RayLink

    link = RayLink(address, host=f"{__name__}:{Guest.__name__}")
    try:
        return probe(link, b"", timeout=timeout)
    finally:
        link.close()


def probe(link: Link, settings: bytes, *, timeout: float) -> list[Probed]:
    """Look at all nodes, each at the same time.

    Args:
        settings: For the hosts.
        timeout: Seconds for all of it: a host that has not come up by then has failed.
    Raises:
        LinkError: The nodes cannot be looked at.
    """
    until = time.monotonic() + timeout
    found: SimpleQueue[list[NodeInfo] | LinkError] = SimpleQueue()
    link.nodes(found.put)
    nodes = _next(found, until)
    if nodes is None:
        raise LinkGone(f"no answer within {timeout:g} s")
    if isinstance(nodes, LinkError):
        raise nodes
    alive = [node for node in nodes if node.is_alive]
    answers: SimpleQueue[tuple[str, HostInfo | LinkError]] = SimpleQueue()
    for node in alive:
        link.start(node.id, uuid.uuid4().hex, settings, partial(_put, answers.put, node.id))
    told: dict[str, HostInfo | LinkError] = {}
    while len(told) < len(alive) and (answer := _next(answers, until)) is not None:
        told[answer[0]] = answer[1]
    late = LinkError(f"no host came up within {timeout:g} s")
    return [_probed(link.here, node, told.get(node.id, late)) for node in nodes]


def _put(put: Callable[[tuple[str, HostInfo | LinkError]], object], node: str, answer: HostInfo | LinkError) -> None:
    put((node, answer))


def _next(queue: SimpleQueue[AnswerT], until: float) -> AnswerT | None:
    try:
        return queue.get(timeout=max(0.0, until - time.monotonic()))
    except Empty:
        return None


def _probed(here: HostInfo, node: NodeInfo, answer: HostInfo | LinkError) -> Probed:
    if not node.is_alive:
        return Probed(node.name, node.id, "gone", why="it has left the cluster")
    if isinstance(answer, LinkError):
        state = "refused" if isinstance(answer, HostRefused) else "failed"
        return Probed(node.name, node.id, state, node.python, why=str(answer))
    why = refusal(here, answer) or ""
    state = "refused" if why else "ready"
    return Probed(node.name, node.id, state, answer.python, answer.actors, answer.ray, why)
