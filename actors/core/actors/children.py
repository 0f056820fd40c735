"""The children of an actor: their lives are inside its own."""

from __future__ import annotations

from functools import partial
from types import CoroutineType, MappingProxyType
from typing import TYPE_CHECKING, Any

from loguru import logger

from ...errors import ActorsError, DeadlockError
from ..process import fork
from ..waiting.wait_graph import current
from ..waiting.waiter import Waiter
from .actor_cell import HAS_ENDED, IS_STOPPED, LIVES, WINDS_UP
from .course import Course, Pause
from .envelope import Order

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .actor_cell import ActorCell
    from .reference import ActorRef

STOP_TIMEOUT = 5.0
"""Seconds that a child has for its stop, where neither its class nor its parent's says otherwise."""
ABORT_TIMEOUT = 1.0
"""Seconds that one has to end after it was aborted; then its parent goes on without it."""
OVERDUE = "its parent ends, and waited long enough"
"""Why an actor is aborted whose parent waits no longer: its own children have no time left, either."""


class Children:
    """The children of one actor (a ``Part``).

    Guarantees: when the actor ends, or is made anew, they have ended before, the youngest first; but for one whose
    handler never returns: that is told of in the log, and its thread is left behind.

    Threads: where the actor's messages are handled; ``living`` any.

    Locks: none. ``_refs`` changes by single operations.
    """

    __slots__ = ("_cell", "_counts", "_is_hurried", "_refs", "is_ending")

    def __init__(self, cell: ActorCell) -> None:
        self._cell = cell
        self._refs: dict[str, ActorRef[Any]] = {}
        self._counts: dict[str, int] = {}
        self._is_hurried = False
        self.is_ending = False

    @property
    def living(self) -> Mapping[str, ActorRef[Any]]:
        """Those that live now, by their names, the oldest first."""
        refs = dict(self._refs)
        return MappingProxyType({name: ref for name, ref in refs.items() if _lives(ref)})

    # Beginning --------------------------------------------------------------------------------------------------

    def name_for(self, name: str | None, actor_class: type) -> str:
        """*name*, or one that is made of the name of the class.

        Raises:
            ValueError: A living child has it.
        """
        if name is None:
            return self._made_name(actor_class.__name__)
        if not isinstance(name, str):
            raise TypeError(f"the name of a child must be a str, got {name!r}")
        if not name:
            raise ValueError("the name of a child must not be empty")
        if self._is_taken(name):
            raise ValueError(
                f"{self._cell.label} has a living child named {name!r}: stop it first, or use another name"
            )
        return name

    def _made_name(self, kind: str) -> str:
        while True:
            number = self._counts[kind] = self._counts.get(kind, 0) + 1
            if not self._is_taken(f"{kind}-{number}"):
                return f"{kind}-{number}"

    def _is_taken(self, name: str) -> bool:
        ref = self._refs.get(name)
        return ref is not None and _lives(ref)

    def start(self, ref: ActorRef[Any]) -> None:
        """Let an actor that was made below this one begin.

        Raises:
            RuntimeError: No thread can be started; nothing is left behind.
        """
        child = cell_of(ref)
        self._refs[child.name] = ref
        try:
            child.start()
        except BaseException:
            self.forget(ref)
            raise

    def forget(self, ref: ActorRef[Any]) -> bool:
        """Its end is known; False when it was no child any more."""
        name = cell_of(ref).name
        if self._refs.get(name) is not ref:
            return False
        del self._refs[name]
        return True

    def arrange(self, names: list[str]) -> None:
        """From now on they stand in the order of *names*, the one that is ended last being the first."""
        refs = self._refs
        self._refs = {name: refs[name] for name in names if name in refs}

    # Ending -----------------------------------------------------------------------------------------------------

    def has_ended(self, child: ActorCell) -> Any:
        """A child has ended by itself: tell the actor. The hook may be a coroutine, which is to be run then."""
        ref = self._refs.get(child.name)
        if ref is not None and cell_of(ref) is child and child.how_ended is not None:
            del self._refs[child.name]
            left: Any = self._cell.actor.on_child_ended(ref, child.how_ended)
            return left if type(left) is CoroutineType else None
        return None

    def wind_up(self) -> Course:
        """End all of them, the youngest first. Who waits for an answer of the actor itself is told before."""
        self._cell.end_unread()
        return (yield from self.shed())

    def shed(self) -> Course:
        """End all of them, the youngest first."""
        self.is_ending = True
        for ref in reversed(list(self._refs.values())):
            yield from self.end_one(ref)
            self.forget(ref)
        self._counts.clear()
        self.is_ending = False
        return True

    def end(self) -> None:
        """The actor has ended, and they have before."""

    def end_one(self, ref: ActorRef[Any]) -> Course:
        """Stop one and wait for its end; abort it when it takes too long."""
        child, cell = cell_of(ref), self._cell
        if not (child.is_aborted or self._is_in_a_hurry()):
            child.stop()
            if child.stage == HAS_ENDED:  # at once
                return True
            is_new = not cell.is_aborted  # an abort that comes now takes their time from all that are left
            yield from self._await_end(child, self.patience(ref), ends_at_abort=is_new)
            if is_new and cell.is_aborted:
                self._is_hurried = True
        if child.stage < HAS_ENDED:
            yield from self.abort_one(ref)
        return True

    def abort_one(self, ref: ActorRef[Any]) -> Course:
        """Abort one, and wait for its end."""
        child = cell_of(ref)
        child.abort(OVERDUE)
        while True:
            yield from self._await_end(child, ABORT_TIMEOUT)
            if child.stage >= HAS_ENDED:
                return True
            if not is_ending(child):  # that has an end
                logger.warning("{} has not ended, and {} goes on without it", child.label, self._cell.label)
                return True

    def _is_in_a_hurry(self) -> bool:
        return self._is_hurried or (self._cell.is_aborted and self._cell.token.reason == OVERDUE)

    def _await_end(self, child: ActorCell, seconds: float | None, *, ends_at_abort: bool = False) -> Course:
        """Wait for the end of *child*, at most so long; not at all when it waits for that of the actor, or for what the
        actor will answer when it was made anew.
        """
        gate = Waiter()  # of the search for circles
        try:
            self._cell.watch(child, gate)
        except DeadlockError:
            if not child.is_aborted:
                return True
        yield Pause(seconds, until=child.ended, ends_at_abort=ends_at_abort)
        self._cell.unwatch(child, gate)
        return True

    def patience(self, ref: ActorRef[Any]) -> float | None:
        """Seconds that a child has for its stop: what its class says, or else the actor."""
        seconds = ref.actor_class.stop_timeout
        if seconds is STOP_TIMEOUT:  # that of all actors, and not another 5.0
            seconds = self._cell.actor.time_of_a_child()
        return None if seconds is None or seconds == float("inf") else seconds


def children_of(cell: ActorCell) -> Mapping[str, ActorRef[Any]]:
    """The living children of that actor. Threads: any."""
    parts = cell.parts
    part = None if parts is None else parts.get(Children)
    return part.living if isinstance(part, Children) else MappingProxyType({})


def is_ending(cell: ActorCell) -> bool:
    """Does that actor wait for the ends of all its children? Threads: any."""
    parts = cell.parts
    part = None if parts is None else parts.get(Children)
    return isinstance(part, Children) and part.is_ending


def parent_of(cell: ActorCell) -> ActorRef[Any] | None:
    """The reference of the parent; None when there is none, or it has ended."""
    parent = cell.parent
    return None if parent is None else getattr(parent.actor, "actor_ref", None)


def part_for_start(actor: Any, cell: ActorCell) -> Children:
    """The children of *actor*, which wants to start one.

    Raises:
        ActorsError: It does not handle anything now.
    """
    fork.refuse_after_fork(cell.generation)
    if cell.stage == WINDS_UP:
        raise ActorsError(f"{cell.label} is ending: on_stop starts no children; do it in a handler, or in on_start")
    if cell.stage != LIVES or cell.actor is not actor or current() is not cell:
        raise ActorsError(
            f"start_child() of {cell.label} was called outside its handlers: call it in on_start or in a handler, not "
            "in __init__ (which runs where the actor is made) nor in another thread (tell the actor to do it)"
        )
    return cell.part(Children)


def tell_parent(child: ActorCell) -> None:
    """*child* has ended: its parent hears of it between two messages."""
    parent, child.parent = child.parent, None
    if parent is not None:
        parent.mailbox.put_system(Order(partial(_tell, parent, child)))


def _tell(parent: ActorCell, child: ActorCell) -> Any:
    return parent.part(Children).has_ended(child)


def cell_of(ref: ActorRef[Any]) -> ActorCell:
    """What is kept of the actor behind a reference."""
    return ref._cell  # noqa: SLF001 - one for those who see to its life


def check_stop_timeout(actor_class: type) -> None:
    """Refuse what is no number of seconds."""
    seconds = getattr(actor_class, "stop_timeout", None)
    if seconds is None:
        return
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise TypeError(f"stop_timeout of {actor_class.__name__} must be seconds, or None; got {seconds!r}")
    if not seconds >= 0:
        raise ValueError(f"stop_timeout of {actor_class.__name__} must be at least 0 seconds, got {seconds!r}")


def _lives(ref: ActorRef[Any]) -> bool:
    return cell_of(ref).stage < IS_STOPPED
