"""Who runs the current code: a member is an agent, one of its tool calls, or an actor.

A wait made by a member's own thread parks it, ends at its cancel and takes part in the search for circles. A wait
of any other thread is a plain one.
"""

from __future__ import annotations

import abc
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from ...errors import DeadlockError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Collection, Generator, Mapping, Sequence

    from .cancel import CancelToken
    from .waiter import Waiter

T = TypeVar("T")


class WaitNode(abc.ABC):
    """What can be waited for."""

    __slots__ = ()

    @property
    @abc.abstractmethod
    def label(self) -> str:
        """How messages name it."""

    @abc.abstractmethod
    def targets(self) -> Sequence[WaitNode]:
        """Whom it waits for right now."""


class Lot(Protocol):
    """Where members park: what a wait means for the slot of an agent, and who hears of it."""

    def park(self, member: Any, on: str) -> None:
        """*member* begins to wait for what *on* says."""

    def unpark(self, member: Any) -> None:
        """The wait of *member* is over, whatever ended it."""

    def tell(self, member: Any, make: Callable[..., Any], fields: Mapping[str, Any]) -> None:
        """Tell an event of the agent of *member* to whoever listens to it."""


class WaitMember(WaitNode):
    """Somebody who waits and is waited for.

    Locks: none. ``waits`` changes by single list operations, ``waiter`` is written by the thread that waits; ``token``
    and ``host`` never change.
    """

    __slots__ = ()

    waits: list[tuple[WaitNode, Waiter]]
    waiter: Waiter | None
    token: CancelToken
    host: Lot | None = None
    """None for one that holds no slot."""

    def check(self) -> None:
        """Raise when it was cancelled."""
        self.token.check()

    @abc.abstractmethod
    def is_here(self) -> bool:
        """Is the calling thread its own? (A context may be copied to any thread.)"""

    @abc.abstractmethod
    def is_below(self, other: WaitNode) -> bool:
        """Is *other* this member itself or one of its ancestors?"""

    def wait(self, waiter: Waiter, timeout: float | None, on: str, target: WaitNode | None) -> bool:
        """Wait as this member, until *waiter* is woken, the member is cancelled, or the time runs out.

        Returns:
            False when the time ran out.
        """
        token, wake, host = self.token, waiter.wake, self.host
        if token.marked or token.deadline is not None:  # as ``check``, without a call
            token.check()
        token.remind(wake)
        try:
            if target is not None:
                self.waiting_self().watch(target, waiter)
            if host is None:
                woken = waiter.wait(timeout, must=False)
            else:  # here, and not in functions of their own: of each agent that is parked the frames take memory
                self.waiter = waiter  # type: ignore[misc]  # who has a host has a slot for it
                waiter.owner = self  # type: ignore[assignment]  # and is parked there
                host.park(self, on)
                try:
                    woken = waiter.wait(timeout)
                finally:
                    host.unpark(self)
                    waiter.owner = self.waiter = None  # type: ignore[misc]
        finally:
            token.forget(wake)
            if target is not None:
                self.waiting_self().unwatch(target, waiter)
        self.check()
        return woken

    def is_task(self) -> bool:
        """Is the coroutine that runs its one task? Then it waits as long as that awaits something."""
        return False

    def waiting_self(self) -> WaitMember:
        """Who waits when this one does: a tool call waits as its agent."""
        return self

    def leave_behind(self, thread: int, when_ended: Callable[[Callable[[], object]], object]) -> None:
        """Something that it began holds another thread for ever, perhaps: only tool calls count those.

        Args:
            thread: Its ident.
            when_ended: Registers a function to be called when that thread is free.
        """

    def targets(self) -> Sequence[WaitNode]:
        """Whom it waits for right now. A wait that is over counts no more, even if its thread has not run yet."""
        return tuple(getattr(waiter, "towards", node) for node, waiter in list(self.waits) if not waiter.woken)

    def watch(self, target: WaitNode, waiter: Waiter) -> None:
        """Note that one of its threads waits for *target* at *waiter*; refuse when that closes a circle."""
        self.waits.append((target, waiter))
        try:
            refuse_circle(self, target)
        except BaseException as error:
            self.unwatch(target, waiter)
            if not (isinstance(error, DeadlockError) and waiter.woken):  # what it waits for came meanwhile
                raise

    def unwatch(self, target: WaitNode, waiter: Waiter) -> None:
        """That wait is over, or was refused."""
        if (target, waiter) in self.waits:
            self.waits.remove((target, waiter))


_current: ContextVar[WaitMember | None] = ContextVar("actors_member", default=None)


def enter(member: WaitMember) -> None:
    """Make *member* the one that runs in this context."""
    _current.set(member)


def leave() -> None:
    """Nobody in particular runs in this context any more."""
    _current.set(None)


def current() -> WaitMember | None:
    """The member whose thread this is, or None."""
    member = _current.get()
    return member if member is not None and member.is_here() else None


def tell(make: Callable[..., Any], fields: Mapping[str, Any]) -> None:
    """Tell an event of the agent that runs here, if there is one and somebody listens. For who knows no agent.

    Args:
        make: Makes the event of *fields*, and of what all events have.
    """
    member = current()
    if member is not None and member.host is not None:
        member.host.tell(member, make, fields)


def checkpoint() -> None:
    """Raise when the member that runs here was cancelled. Every wait begins so, also one that is over at once."""
    member = current()
    if member is not None:
        member.check()


def wait_for(waiter: Waiter, timeout: float | None, on: str, target: WaitNode | None = None) -> bool:
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
        return waiter.wait(timeout, looks_up=True, must=False)  # a caller's, for which others may have set a time
    return member.wait(waiter, timeout, on, target)


def refuse_wait_for(target: WaitMember) -> None:
    """Raise when the member that runs here may not wait for *target*. Outside a member nothing is refused."""
    member = current()
    if member is not None:
        refuse_circle(member.waiting_self(), target)


def refuse_circle(me: WaitMember, target: WaitNode) -> None:
    """Raise when *target* is *me*, one of my ancestors, or waits for *me* over any number of steps.

    The caller has entered its own wait before it looks. So of two who close a circle at the same time, at least
    one sees it.
    """
    if me.is_below(target):
        raise DeadlockError("waiting for itself or for an ancestor", (me.label, target.label))
    path = path_between(target, me)
    if path is not None:
        raise DeadlockError("a circle of waiting", (me.label, *path))


def path_between(start: WaitNode, end: WaitMember, within: frozenset[int] = frozenset()) -> tuple[str, ...] | None:
    """The labels from *start* to *end* along who waits for whom; None when *start* does not wait for *end*.

    *within* are the waits for any of several that are being looked at: one that leads back to itself is stuck.
    """
    trail: list[tuple[WaitNode, tuple[str, ...]]] = [(start, (start.label,))]
    seen: set[int] = set()
    while trail:
        node, path = trail.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, AnyOf):
            onward = node.path_to(end, within)
            if onward is not None:
                return (*path, *onward)
            continue
        for following in node.targets():
            if following is end:
                return (*path, end.label)
            trail.append((following, (*path, following.label)))
    return None


class AllOutcomes(WaitNode):
    """The outcomes of several. A wait for them is stuck when one of them waits for the one who waits."""

    def __init__(self, members: Callable[[], Sequence[WaitMember]]) -> None:
        self._members = members

    @property
    def label(self) -> str:
        """How messages name it."""
        return "all outcomes"

    def targets(self) -> Sequence[WaitNode]:
        """Those that have not ended."""
        return self._members()


def path_to_gate(start: WaitNode, gates: Collection[Waiter]) -> tuple[str, ...] | None:
    """The labels from *start* to one that waits at one of *gates*; None when there is no such way."""
    trail: list[tuple[WaitNode, tuple[str, ...]]] = [(start, (start.label,))]
    seen: set[int] = set()
    while trail:
        node, path = trail.pop()
        if isinstance(node, WaitMember) and any(waiter in gates for _, waiter in list(node.waits)):
            return path
        if id(node) not in seen and not isinstance(node, AnyOf):
            seen.add(id(node))
            trail += [(following, (*path, following.label)) for following in node.targets()]
    return None


class Awaits:
    """One await of a member's task.

    Locks: none; ``woken`` only ever becomes true.
    """

    __slots__ = ("woken",)

    def __init__(self) -> None:
        self.woken = False

    def awaited(self, arrival: asyncio.Future[T], member: WaitMember, target: WaitNode) -> Generator[Any, None, T]:
        """Await *arrival* as *member*, which waits for *target* meanwhile.

        Raises:
            DeadlockError: *target* waits, directly or not, for *member*.
        """
        member.watch(target, self)  # type: ignore[arg-type]  # all that is looked at is whether it is over
        try:
            return (yield from arrival)
        finally:
            self.woken = True
            member.unwatch(target, self)  # type: ignore[arg-type]  # as above


class AnyOf(WaitNode):
    """The next of several to end. A wait for it is stuck only when every one of them waits for the one who waits."""

    def __init__(self, members: Callable[[], Sequence[WaitMember]]) -> None:
        self._members = members

    @property
    def label(self) -> str:
        """How messages name it."""
        return "the next outcome"

    def targets(self) -> Sequence[WaitNode]:
        """Those that may come next."""
        return self._members()

    def path_to(self, end: WaitMember, within: frozenset[int]) -> tuple[str, ...] | None:
        """The labels to *end* when all ways lead there; None when one of them may still end."""
        if id(self) in within:
            return (end.label,)
        found: tuple[str, ...] | None = None
        for member in self._members():
            below = end.is_below(member)
            found = (member.label, end.label) if below else path_between(member, end, within | {id(self)})
            if found is None:
                return None
        return found
