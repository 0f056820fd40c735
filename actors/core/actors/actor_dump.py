"""What long-lived actors do: records, and how they are drawn."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from ...public import publish
from ..dispatching.dispatcher import DispatcherStats
from ..figures import counted
from ..process.stacks import indented
from ..shown import one_line, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


DEEPEST = 20
"""Levels of a tree that are set off; those below stand as far to the right, with their level."""

MOST_WAITS = 10
"""Of those who wait for somebody, how many are told at the top."""


class ActorState(StrEnum):
    """What an actor is at."""

    STARTING = "starting"
    IDLE = "idle"
    READY = "ready"
    HANDLING = "handling"
    WAITING = "waiting"
    RESTARTING = "restarting"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class ActorDump:
    """What one actor does, or what several idle ones do.

    Args:
        name: Its own, or that of its class.
        kind: The name of its class.
        handles: What it handles: the class of the message, or the message if that is plain; None when nothing.
        seconds: Since when, in seconds before the dump; None where nobody knows. Of one that waits: since then. Of one
            with a thread of its own: since it waits for a message, or does not any more. Of a handler on a dispatcher:
            since it was first looked at, which is done twice a second. Of one that restarts: so long ago (below 0: in
            so long).
        inbox_depth: Messages that it has not read.
        inbox_capacity: How many fit; None without a bound.
        restarts: How often it was made anew.
        waits_for: Whom it waits for.
        stack: The Python stack of the thread that runs it, without what is the library's at both ends; empty when no
            thread does.
        dispatcher: The name of the dispatcher whose workers run it; None for one with a thread of its own.
        depth: 0 for one that no actor has started, 1 for its children, and so on.
        pool: The name of the pool that it belongs to.
        is_group: Are these siblings that are not told one by one?
        count: How many of them; else 1.
        urn: The last digits of its ``actor_urn``, of one that waits for somebody, or is waited for, and has its name in
            common with another; else empty.
    """

    name: str
    kind: str
    state: ActorState
    handles: str | None = None
    seconds: float | None = None
    inbox_depth: int = 0
    inbox_capacity: int | None = None
    restarts: int = 0
    waits_for: tuple[str, ...] = ()
    stack: str = ""
    dispatcher: str | None = None
    depth: int = 0
    pool: str | None = None
    is_group: bool = False
    count: int = 1
    urn: str = ""

    @property
    def label(self) -> str:
        """How messages name it."""
        if self.is_group:
            return f"{self.count:,} more {self.state} {shown(self.kind)}"
        more = ", ".join(word for word in ("" if self.name == self.kind else shown(self.kind), self.urn) if word)
        return f"actor {shown(self.name)} ({more})" if more else f"actor {shown(self.name)}"

    @property
    def doing(self) -> str:
        """Its state in words."""
        if self.is_group:
            return ""
        what = str(self.state)
        if self.handles is not None:
            what += f" {self.handles}" if self.state is ActorState.HANDLING else f" (handling {self.handles})"
        if self.seconds is None:
            return what
        return f"{what} in {-self.seconds:.1f} s" if self.seconds < 0 else f"{what}, {self.seconds:.1f} s"

    @property
    def unread(self) -> str:
        """How full its mailbox is."""
        if self.is_group:
            return ""
        if self.inbox_capacity is None:
            return f"{self.inbox_depth:,}"
        return f"{self.inbox_depth:,} of {self.inbox_capacity:,}" if self.inbox_depth else "0"

    def __str__(self) -> str:
        if self.is_group:
            return f"... and {self.label}"
        line = f"{self.label}: {self.doing}, {self.unread} unread"
        if self.restarts:
            line += ", " + counted(self.restarts, "restart")
        lines = [line]
        if self.waits_for:
            lines.append("  waits for " + ", ".join(self.waits_for))
        return "\n".join(lines + indented(self.stack))


@dataclass(frozen=True, slots=True)
class DispatcherDump:
    """What a dispatcher does.

    Args:
        size: How many of its workers run at once.
        actors: How many actors are its own.
    """

    name: str
    size: int
    actors: int
    stats: DispatcherStats

    def __str__(self) -> str:
        stats = self.stats
        parts = [f"{stats.workers:,} of {counted(self.size, 'worker')}", f"{stats.blocked:,} blocked"]
        parts += [f"{stats.ready:,} ready", f"{stats.handled:,} handled", counted(self.actors, "actor")]
        return f"dispatcher {shown(self.name)}: {', '.join(parts)}"


@dataclass(frozen=True, slots=True)
class ActorsDump:
    """What all long-lived actors of the process do.

    Args:
        dispatchers: Those that have actors, or workers.
        actors: Those that live, each followed by its children; those of pools come last. Of idle siblings of one class,
            and of those that stand in line, only some are told; the others are one entry, with their ``count``.
    """

    dispatchers: tuple[DispatcherDump, ...]
    actors: tuple[ActorDump, ...]

    @property
    def waits(self) -> tuple[tuple[str, str], ...]:
        """Who waits for whom: pairs of labels."""
        return tuple(
            (label_of(f"actor {actor.name}", actor.urn), other) for actor in self.actors for other in actor.waits_for
        )

    def __len__(self) -> int:
        return sum(actor.count for actor in self.actors)

    def __bool__(self) -> bool:
        return True

    def __str__(self) -> str:
        lines = [self.summary, *map(str, self.dispatchers)]
        waits = [f"{one} -> {other}" for one, other in self.waits]
        if waits:
            more = f"; and {len(waits) - MOST_WAITS:,} more" if len(waits) > MOST_WAITS else ""
            lines.append("who waits for whom: " + "; ".join(waits[:MOST_WAITS]) + more)
        return "\n".join([*lines, *drawn(self.actors)])

    @property
    def summary(self) -> str:
        """How many there are, and how many of them in which state."""
        states: Counter[ActorState] = Counter()
        for actor in self.actors:
            states[actor.state] += actor.count
        parts = [f"{states[state]:,} {state}" for state in ActorState if states[state]]
        return f"{counted(len(self), 'actor')}{': ' if parts else ''}{', '.join(parts)}"

    def _repr_html_(self) -> str:
        from .actor_html import dump_html

        return dump_html(self)


def drawn(actors: Iterable[ActorDump], pool: str | None = None) -> list[str]:
    """The lines of a tree of *actors*; those of another pool than *pool* are set off below its name."""
    lines: list[str] = []
    above_all = pool
    for actor in _folded(actors):
        if actor.pool != pool:
            pool = actor.pool
            lines.append(f"pool {shown(pool or '')}:")
        level = actor.depth + (pool != above_all)
        pad = "  " * min(level, DEEPEST)
        above = f"(level {level}) " if level > DEEPEST else ""
        lines += [f"{pad}{above}{line}" if n == 0 else pad + line for n, line in enumerate(str(actor).split("\n"))]
    return lines


def _folded(actors: Iterable[ActorDump]) -> Iterator[ActorDump]:
    """Of several of whom the very same is to be told, and of whom there are more: the first, and how many more."""
    alike: list[ActorDump] = []
    for actor in actors:
        if actor.is_group and alike and (alike[0].kind, alike[0].state) == (actor.kind, actor.state):
            yield alike[0]
            yield replace(actor, count=actor.count + len(alike) - 1)
            alike = []
        elif alike and actor == alike[0]:
            alike.append(actor)
        else:
            yield from alike
            alike = [actor]
    yield from alike


def label_of(text: str, urn: str = "") -> str:
    """The label of somebody whom an actor waits for, on one line."""
    return one_line(text, 120) + (f" ({urn})" if urn else "")


publish("actors.monitoring", ActorDump, ActorsDump, ActorState, DispatcherDump)
