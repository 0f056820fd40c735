"""The reference of a long-lived actor: what everybody else holds of it."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, cast, overload

import pykka
from typing_extensions import TypeVar as TypeVarOf

from ...errors import InboxFull
from ..messaging.mailbox import ACCEPTED, Put
from ..process import fork
from .actor_cell import HAS_ENDED, IS_STOPPED, WINDS_UP
from .actor_timers import ActorTimers
from .envelope import PykkaActorDead, ask, ask_future, enveloped
from .handler import NOBODY
from .missed import Missed
from .reply import PykkaAskTimeout, ReplyFuture

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Hashable

    from ...errors import AgentCrashed
    from ..messaging.dead_letter import DeadLetterReason, DeadLetters
    from ..waiting.wait_graph import WaitMember
    from .actor_cell import ActorCell, ActorEnd
    from .envelope import Envelope
    from .timer import Timer
    from .typed import TypedActor

A_co = TypeVarOf("A_co", bound=pykka.Actor, covariant=True, default=Any)
M = TypeVar("M")
R = TypeVar("R")


class ActorRef(pykka.ActorRef[A_co], Generic[A_co]):  # type: ignore[type-var]  # Pykka's is invariant, without a need
    """A reference to an actor, safe to pass around and to use from any thread. It stays valid over restarts.

    What it is told and what it replies is known, to a type checker, where the actor says so: ``Actor[int, str]``.
    """

    def __init__(self, actor: A_co, cell: ActorCell) -> None:
        self._cell = cell
        self._mailbox = cell.mailbox
        self._mark = fork.mark()
        self._generation = self._mark.generation
        self.actor_class = type(actor)

    # What Pykka's own reference holds is made when somebody asks for it: most never do.

    @property
    def actor_urn(self) -> str:  # type: ignore[override]
        """A universally unique name."""
        return self._cell.urn

    @property
    def actor_inbox(self) -> Any:  # type: ignore[override]
        """The mailbox."""
        return self._mailbox

    @property
    def actor_stopped(self) -> threading.Event:  # type: ignore[override]
        """Set once it has ended and cleaned up."""
        return self._cell.stopped

    @property
    def _actor_weakref(self) -> Callable[[], A_co | None]:  # type: ignore[override]
        """The actor of now, for proxies."""
        actor = self._cell.actor
        return _nobody if actor is NOBODY else weakref.ref(cast("A_co", actor))

    def is_alive(self) -> bool:
        """Has it not ended yet? It may end at any moment after the answer."""
        fork.refuse_after_fork(self._generation)
        return self._cell.stage < IS_STOPPED

    @property
    def how_ended(self) -> ActorEnd | None:
        """``stopped``, ``aborted`` or ``crashed``; None while it lives."""
        return self._cell.how_ended

    @property
    def error(self) -> AgentCrashed | None:
        """What ended it, when it crashed."""
        return self._cell.error

    @property
    def dead_letters(self) -> DeadLetters:
        """The messages that it accepted and nobody handled, each with the reason."""
        return self._cell.dead_letters

    def tell(self: ActorRef[TypedActor[M, Any]], message: M, timeout: float | None = 0.0) -> None:
        """Send *message* without waiting for a reply.

        Args:
            message: Any object.
            timeout: Seconds to wait for room in the mailbox; 0 does not wait, None waits for ever.
        Raises:
            InboxFull: No room in time.
            ActorDead: The actor ended, or was told to stop.
            DeadlockError: It waits for the caller, and would never make room.
        """
        if self._mark.generation != self._generation:
            fork.refuse_after_fork(self._generation)
        result = self._mailbox.offer(message)
        if result is not ACCEPTED:
            # A wait without end for room takes part in the search for circles: only the actor itself makes room.
            self._await_room(message, result, timeout, self._cell if timeout is None else None)

    def _miss(self, message: Any, reason: DeadLetterReason) -> None:
        """There was no room for *message*, and whoever had it does not wait: it is a dead letter of the actor."""
        self._cell.part(Missed).add(message, reason)

    def _send(self, envelope: Envelope, timeout: float | None, target: WaitMember | None = None) -> None:
        if self._mark.generation != self._generation:
            fork.refuse_after_fork(self._generation)
        result = self._mailbox.offer(envelope)
        if result is not ACCEPTED:
            self._await_room(envelope, result, timeout, target)

    def _await_room(self, item: Any, result: Put, timeout: float | None, target: WaitMember | None) -> None:
        if result is Put.FULL and (timeout is None or timeout > 0):
            result = self._mailbox.await_room(item, timeout, target)
        if result is Put.FULL:
            capacity = self._mailbox.capacity
            raise InboxFull(f"the mailbox of {self} is full ({capacity} messages)", enveloped(item).message)
        if result is Put.CLOSED:
            raise PykkaActorDead(f"{self} has stopped", enveloped(item).message)

    @overload  # type: ignore[override]  # Pykka's says less of a call without *block*
    def ask(
        self: ActorRef[TypedActor[M, R]], message: M, timeout: float | None = None, *, block: Literal[True] = True
    ) -> R: ...
    @overload
    def ask(
        self: ActorRef[TypedActor[M, R]], message: M, timeout: float | None = None, *, block: Literal[False]
    ) -> ReplyFuture[R]: ...
    @overload
    def ask(
        self: ActorRef[TypedActor[M, R]], message: M, timeout: float | None = None, *, block: bool
    ) -> R | ReplyFuture[R]: ...
    def ask(self, message: Any, timeout: float | None = None, *, block: bool = True) -> Any:
        """Send *message* and wait for the reply.

        Args:
            message: Any object.
            timeout: Seconds for the whole call, room in the mailbox included; None waits for ever.
            block: False returns the future instead, as Pykka does.
        Returns:
            The reply, as the handler returned it.
        Raises:
            ActorDead: It ended before it handled the message.
            AskTimeout: No reply in time; the handler may still run.
            DeadlockError: It waits for the caller.
            Exception: What the handler raised, as a copy ``from`` the original.
        Threads: Any.
        Source: Erlang's ``gen_server:call``.
        """
        if not block:
            return ask_future(self._send, self._cell, message)
        if self._cell.stage == WINDS_UP and not self._mailbox.is_open:  # to wait for it may close a circle, to ask not
            fork.refuse_after_fork(self._generation)
            raise PykkaActorDead(f"{self} has stopped", message)
        return ask(self._send, self._cell, message, timeout, self, "mailbox")

    def ask_future(self: ActorRef[TypedActor[M, R]], message: M) -> ReplyFuture[R]:
        """Send *message* and return the future of its reply. Never raises: what goes wrong is in the future."""
        return ask_future(self._send, self._cell, message)

    # Timers -----------------------------------------------------------------------------------------------------

    def tell_later(self, delay: float, message: Any, key: Hashable | None = None) -> Timer:
        """Send *message*, *delay* seconds from now: as :meth:`Actor.tell_later`, from anywhere.

        It ends with the actor, and with a restart of it, as if the actor had set it; *key* is one of that actor.

        Raises:
            ActorDead: The actor ended, or was told to stop.
        """
        return self._timers(message).later(delay, message, key)

    def tell_every(
        self, interval: float, message: Any, *, first: float | None = None, key: Hashable | None = None
    ) -> Timer:
        """Send *message* again and again: as :meth:`Actor.tell_every`, from anywhere.

        Args:
            interval: Seconds between two of them, above 0.
            first: Seconds until the first; None: *interval*.
            key: A timer of the same key is cancelled; None has no key.
        Raises:
            ActorDead: The actor ended, or was told to stop.
        """
        return self._timers(message).every(interval, message, first, key)

    def _timers(self, message: Any) -> ActorTimers:
        fork.refuse_after_fork(self._generation)
        if not self._mailbox.is_open:
            raise PykkaActorDead(f"{self} has stopped", message)
        return self._cell.part(ActorTimers)

    # The end ----------------------------------------------------------------------------------------------------

    def watch(self, fn: Callable[[ActorRef[A_co]], object]) -> Callable[[], None]:
        """Call ``fn(ref)`` once, when the actor has ended and cleaned up; at once, in this thread, if it has already.

        A restart is no end. *fn* runs on the thread of the actor that ended, before a ``stop()`` returns; what it
        raises is logged. An actor that watches another tells itself: ``ref.watch(lambda ended: me.tell(Down(ended)))``.

        Returns:
            A function that forgets *fn*. *fn* may still run once if the end is on its way.
        Source: Erlang's monitors, Akka's death watch.
        """
        fork.refuse_after_fork(self._generation)
        if not callable(fn):
            raise TypeError(f"watch takes a function that takes the reference, got {fn!r}")

        def ended(_: object) -> None:
            fn(self)

        self._cell.gone.add_done_callback(ended)
        return lambda: self._cell.gone.remove_done_callback(ended)

    @overload  # type: ignore[override]  # Pykka's says less of a call without *block*
    def stop(self, *, block: Literal[True] = True, timeout: float | None = None) -> bool: ...
    @overload
    def stop(self, *, block: Literal[False], timeout: float | None = None) -> ReplyFuture[bool]: ...
    @overload
    def stop(self, *, block: bool, timeout: float | None = None) -> bool | ReplyFuture[bool]: ...
    def stop(self, *, block: bool = True, timeout: float | None = None) -> bool | ReplyFuture[bool]:
        """Tell it to end once it has handled what was accepted before. Never waits for room.

        Args:
            block: Wait for the end, cleanup included.
            timeout: Seconds to wait.
        Returns:
            False if it was dead before, else True; a future of that when *block* is False.
        Raises:
            AskTimeout: It has not ended in time; it still will.
        """
        was_alive = self.is_alive()
        if not was_alive and block:
            return False  # also for a watcher, on the actor's own thread
        self._cell.stop()
        if self._cell.stage == HAS_ENDED:  # at once
            return was_alive if block else _settled(was_alive)
        if not block:
            future: ReplyFuture[bool] = ReplyFuture(self._cell)
            self._cell.ended.add_done_callback(lambda _: future.set(was_alive))
            return future
        try:
            self._cell.ended.get(timeout=timeout)
        except PykkaAskTimeout:
            raise PykkaAskTimeout(f"{self} has not ended within {timeout} s; it still will") from None
        return was_alive

    def abort(self, reason: str = "") -> None:
        """Cancel it now: what it handles is interrupted at its next checkpoint or wait, the rest is not handled.

        Args:
            reason: Askers and dead letters are told.
        """
        fork.refuse_after_fork(self._generation)
        self._cell.abort(reason)


def _settled(value: bool) -> ReplyFuture[bool]:
    future: ReplyFuture[bool] = ReplyFuture()
    future.set(value)
    return future


def _nobody() -> None:
    """It has ended, and is not kept."""
