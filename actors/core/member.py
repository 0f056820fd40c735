"""Who runs the current code: a member is an agent, one of its tool calls, or an actor.

A wait made by a member's own thread parks it, ends at its cancel and takes part in the search for circles. A wait
of any other thread is a plain one.
"""

from __future__ import annotations

import abc
from contextvars import ContextVar
from typing import TYPE_CHECKING

from ..errors import DeadlockError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .waiter import Waiter


class Member(abc.ABC):
    """Somebody who waits and is waited for. ``waits`` changes by single list operations."""

    __slots__ = ()

    waits: list[Member]

    @property
    @abc.abstractmethod
    def label(self) -> str:
        """How messages name it."""

    @abc.abstractmethod
    def check(self) -> None:
        """Raise when it was cancelled."""

    @abc.abstractmethod
    def is_here(self) -> bool:
        """Is the calling thread its own? (A context may be copied to any thread.)"""

    @abc.abstractmethod
    def is_below(self, other: Member) -> bool:
        """Is *other* this member itself or one of its ancestors?"""

    @abc.abstractmethod
    def wait(self, waiter: Waiter, timeout: float | None, on: str, target: Member | None) -> bool:
        """Wait as this member; False when the time ran out."""

    def waiting_self(self) -> Member:
        """Who waits when this one does: a tool call waits as its agent."""
        return self

    def targets(self) -> Sequence[Member]:
        """Whom it waits for right now."""
        return tuple(self.waits)

    def watch(self, target: Member) -> None:
        """Note that one of its threads waits for *target*; refuse when that closes a circle."""
        self.waits.append(target)
        try:
            refuse_circle(self, target)
        except BaseException:
            self.waits.remove(target)
            raise

    def unwatch(self, target: Member) -> None:
        """That wait is over, or was refused."""
        if target in self.waits:
            self.waits.remove(target)


_current: ContextVar[Member | None] = ContextVar("actors_member", default=None)


def enter(member: Member) -> None:
    """Make *member* the one that runs in this context."""
    _current.set(member)


def current() -> Member | None:
    """The member whose thread this is, or None."""
    member = _current.get()
    return member if member is not None and member.is_here() else None


def checkpoint() -> None:
    """Raise when the member that runs here was cancelled. Every wait begins so, also one that is over at once."""
    member = current()
    if member is not None:
        member.check()


def wait_for(waiter: Waiter, timeout: float | None, on: str, target: Member | None = None) -> bool:
    """Wait at *waiter* as whoever runs here.

    Args:
        waiter: The gate.
        timeout: Seconds for the wait itself (getting a slot back may take longer); None waits for ever.
        on: What is waited for, in words.
        target: Who opens the gate, if it is a known member.
    Returns:
        False when the time ran out.
    Raises:
        Cancelled: The member was cancelled.
        DeadlockError: *target* waits, directly or not, for the one who calls.
    """
    member = current()
    if member is None:
        return waiter.wait(timeout)
    return member.wait(waiter, timeout, on, target)


def refuse_wait_for(target: Member) -> None:
    """Raise when the member that runs here may not wait for *target*. Outside a member nothing is refused."""
    member = current()
    if member is not None:
        refuse_circle(member.waiting_self(), target)


def refuse_circle(me: Member, target: Member) -> None:
    """Raise when *target* is *me*, one of my ancestors, or waits for *me* over any number of steps.

    The caller has entered its own wait before it looks. So of two who close a circle at the same time, at least
    one sees it.
    """
    if me.is_below(target):
        raise DeadlockError("waiting for itself or for an ancestor", (me.label, target.label))
    path = path_between(target, me)
    if path is not None:
        raise DeadlockError("a circle of waiting", (me.label, *path))


def refuse_wait_for_all(targets: Iterable[Member]) -> None:
    """Raise when the member that runs here is about to wait for the first of *targets*, and each of them needs it."""
    member = current()
    if member is None:
        return
    me = member.waiting_self()
    last = None
    for target in targets:
        last = (target.label, me.label) if me.is_below(target) else path_between(target, me)
        if last is None:
            return
    if last is not None:
        raise DeadlockError("each of those waits for the one who waits", (me.label, *last))


def path_between(start: Member, end: Member) -> tuple[str, ...] | None:
    """The labels from *start* to *end* along who waits for whom; None when *start* does not wait for *end*."""
    trail: list[tuple[Member, tuple[str, ...]]] = [(start, (start.label,))]
    seen: set[int] = set()
    while trail:
        member, path = trail.pop()
        if id(member) in seen:
            continue
        seen.add(id(member))
        for following in member.targets():
            if following is end:
                return (*path, end.label)
            trail.append((following, (*path, following.label)))
    return None
