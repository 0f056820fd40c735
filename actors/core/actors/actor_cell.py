"""What is kept of a long-lived actor."""

from __future__ import annotations

import abc
import threading
import uuid
from collections import deque
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, TypeVar

from loguru import logger

from ...public import publish
from ..crash import crashed
from ..messaging.dead_letter import DeadLetterReason, DeadLetters
from ..messaging.mailbox import NOTHING, Mailbox
from ..process import fork
from ..process.at_exit import at_exit
from ..waiting.cancel import CancelToken
from ..waiting.wait_graph import WaitMember
from .envelope import Envelope, enveloped
from .handler import NOBODY
from .reply import Announcement, ReplyFuture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ...errors import AgentCrashed
    from ..messaging.dead_letter import DeadLetter
    from ..waiting.wait_graph import WaitNode
    from ..waiting.waiter import Waiter
    from .coroutines import CoroutineRun
    from .handler import Handler, Part, Supervision
    from .home import Home

PartT = TypeVar("PartT", bound="Part")

COROUTINE = "coroutine"
"""The lazy one that is the coroutine which runs for a handler now."""
HOME = "home"
"""The name of what an actor belongs to, among what most never need."""
IS_NEW, LIVES, WINDS_UP, ENDS, IS_STOPPED, IS_GONE, HAS_ENDED = range(7)
"""How far an actor is: not started; started; its last message is handled, and what belongs to it ends; nothing of it
is left; then the steps of its end, in which first waiters, then watchers, then those who stop it are told.
"""
NO_WAITS: Final[list[Any]] = []
"""Of one that has not waited for anybody yet. Nothing is ever put into it."""


class ActorEnd(StrEnum):
    """How an actor ended."""

    STOPPED = "stopped"
    ABORTED = "aborted"
    CRASHED = "crashed"


class ActorCell(WaitMember):
    """What stays of a long-lived actor when it is started again: its mailbox and its identity. It outlives the actor
    objects, which it holds one at a time. How it handles messages stands in :mod:`.actor_life`.

    Guarantees: every accepted message is handled, or becomes a dead letter, and its asker is told; one at a time; it
    ends once; whatever a handler or a hook raises harms nobody else.

    What is told lies in the mailbox as it is, without an envelope: one is made for it when somebody wants it.

    Locks: none. ``actor``, ``current``, ``supervision`` and ``_has_failed`` belong to whoever handles its messages, one
    at a time; so does ``front``, at which an abort only looks; ``mailbox`` is written before it begins;
    ``how_ended`` is written once, by that one; ``name`` and ``parent`` are given to a child before it starts, and
    ``parent`` is let go of at its end; the others change by single operations. What most actors never need is made on
    first use: a million of them fit one process.
    """

    __slots__ = (
        "_current",
        "_generation",
        "_has_failed",
        "_ident",
        "_lazies",
        "_left",
        "_token",
        "actor",
        "error",
        "front",
        "how_ended",
        "how_it_ends",
        "mailbox",
        "name",
        "parent",
        "parts",
        "stage",
        "supervision",
        "waits",
    )

    def __init__(self, actor: Handler, capacity: int | None) -> None:
        self.actor = actor
        self.name = type(actor).__name__
        self.mailbox = Mailbox(capacity)
        self._token: CancelToken | None = None
        self.waits: list[tuple[WaitNode, Waiter]] = NO_WAITS
        self.how_ended: ActorEnd | None = None
        self.how_it_ends = ActorEnd.CRASHED
        self.stage = IS_NEW
        self.supervision: Supervision | None = None
        self.error: AgentCrashed | None = None
        self._current: Any = NOTHING
        self.parts: dict[type[Part], Part] | None = None
        self.parent: ActorCell | None = None
        self.front: deque[Envelope] | None = None
        """What is handled before anything in the mailbox: it was accepted earlier."""
        self._lazies: dict[str, Any] = {}
        self._generation = fork.generation()
        self._has_failed = False
        self._left: list[Envelope] | None = None
        self._ident = 0

    # For everybody ----------------------------------------------------------------------------------------------

    @abc.abstractmethod
    def start(self) -> None:
        """Let it begin.

        Raises:
            RuntimeError: No thread can be started; nothing is left behind.
        """

    def stop(self) -> None:
        """End once the messages accepted before are handled."""
        with at_exit().signals_held_off:  # who waits for a message was taken out of the mailbox, and must be woken
            self.mailbox.seal()
            self._end_pause()

    @abc.abstractmethod
    def _end_pause(self) -> None:
        """It was told to stop: what is left is handled now, not after a backoff."""

    def abort(self, reason: str) -> None:
        """End now; what was not handled is a dead letter. Askers are told at once, whatever the handler does."""
        try:
            self.token.cancel(reason)
        finally:  # whatever a signal's handler has raised
            self._drop()

    def end_unread(self) -> None:
        """It handles nothing more: refuse what comes, and what is left. Threads: where its messages are handled."""
        self._drop()

    def _drop(self) -> None:
        """Tell who asked that nobody will answer. The dead letters are told of at the end, by the actor itself."""
        try:
            with at_exit().signals_held_off:
                self.mailbox.close(self._keep)  # first: one that has an heir hands over what is before it, too
        finally:  # a signal that came meanwhile is handled as the hold ends
            front, left = self.front, self._left
            if front or left:  # all of them: an abort before may have been interrupted
                # The front is the actor's own, which takes from it: so a copy of it is made, in one step.
                self._refuse(deque((*(() if front is None else front.copy()), *(left or ()))))

    def _keep(self, left: list[Any]) -> None:
        """What a mailbox had when it was closed: kept in the same step, as another may end the actor just now."""
        self._left = [*(self._left or ()), *map(enveloped, left)]

    def _refuse(self, envelopes: deque[Envelope]) -> None:
        try:
            self._refuse_each(envelopes)  # a function of its own: since 3.12 a ``try`` may leave out a jump back in it
        finally:
            if envelopes:
                self._refuse(envelopes)

    def _refuse_each(self, envelopes: deque[Envelope]) -> None:
        while envelopes:
            envelopes[0].refuse(f"{self.label} stopped before it handled the message")  # twice does nothing twice
            envelopes.popleft()

    def leave(self, envelopes: Iterable[Envelope]) -> None:
        """They were put aside, and will not be handled. Threads: where its messages are handled, at the end."""
        left = list(envelopes)
        self._left = [*(self._left or ()), *left]
        self._refuse(deque(left))

    @property
    def current(self) -> Envelope | None:
        """What is being handled; a ``PutAside`` when that was put aside, to be answered, or handled, later.

        Threads: where its messages are handled.
        """
        if self._current is NOTHING:
            return None
        self._current = envelope = enveloped(self._current)
        return envelope

    @current.setter
    def current(self, envelope: Envelope | None) -> None:
        """Put it aside, or handle another one."""
        self._current = NOTHING if envelope is None else envelope

    @property
    def generation(self) -> int:
        """The process in which it was made, counted in forks."""
        return self._generation

    @property
    def is_handling(self) -> bool:
        """Is it at a message now? Threads: any; it may be over at any moment."""
        return self._current is not NOTHING

    @property
    def is_aborted(self) -> bool:
        """Was it told to end now?"""
        return self._token is not None and self._token.marked

    # Made on first use ------------------------------------------------------------------------------------------

    def lazy(self, name: str, make: Callable[[], Any]) -> Any:
        """What is called *name*, made now if need be. Threads: any; of two that make it at once, one wins."""
        made = self._lazies.get(name)
        return self._lazies.setdefault(name, make()) if made is None else made

    def part(self, kind: type[PartT]) -> PartT:
        """The part of that *kind*, made now with this cell if need be. Threads: any; of two that make it at once, one
        wins. Who is not the actor looks at ``stage`` after it has used it: the actor may have ended.
        """
        parts: dict[type[Part], Part] | None = self.parts
        if parts is None:
            parts = self.parts = self.lazy("parts", dict)
        part = parts.get(kind)
        if part is None:
            part = parts.setdefault(kind, kind(self))  # type: ignore[call-arg]  # each takes the cell
        return part  # type: ignore[return-value]  # by its kind

    @property
    def token(self) -> CancelToken:  # type: ignore[override]  # a member's is an attribute
        """Cancelled by an abort."""
        if self._token is None:
            self._token = self.lazy("token", CancelToken)
        return self._token

    @property
    def home(self) -> Home | None:
        """What it belongs to, itself or by the one that started it; None for most."""
        cell: ActorCell | None = self
        while cell is not None:
            home: Home | None = cell._lazies.get(HOME)  # noqa: SLF001 - of another of its class
            if home is not None:
                return home
            cell = cell.parent
        return None

    def move_into(self, home: Home) -> None:
        """Belong to *home*, which is told of the end."""
        self.lazy(HOME, lambda: home)

    @property
    def gone(self) -> ReplyFuture[ActorEnd]:
        """Settled when the actor has ended and cleaned up: for those who watch it."""
        return self._told_at(IS_GONE, "gone", Announcement)

    @property
    def ended(self) -> ReplyFuture[ActorEnd]:
        """Settled after those who watch it were told: for those who wait for its end."""
        return self._told_at(HAS_ENDED, "ended", self._make_ended)

    def _make_ended(self) -> ReplyFuture[ActorEnd]:
        return ReplyFuture(self)

    def _told_at(self, stage: int, name: str, make: Callable[[], ReplyFuture[ActorEnd]]) -> ReplyFuture[ActorEnd]:
        future: ReplyFuture[ActorEnd] = self.lazy(name, make)
        if self.stage >= stage:  # whoever ended it may have looked before it was made
            future.set(self.how_ended)
        return future

    @property
    def stopped(self) -> threading.Event:
        """Set once it has ended and cleaned up."""
        event: threading.Event = self.lazy("stopped", threading.Event)
        if self.stage >= IS_STOPPED:
            event.set()
        return event

    @property
    def urn(self) -> str:
        """A universally unique name."""
        urn: str = self.lazy("urn", _new_urn)
        return urn

    @property
    def dead_letters(self) -> DeadLetters:
        """The messages that it accepted and nobody handled."""
        letters: DeadLetters = self.lazy("dead_letters", self._make_dead_letters)
        return letters

    def _make_dead_letters(self) -> DeadLetters:
        return DeadLetters(self._undelivered)

    # The end ----------------------------------------------------------------------------------------------------

    def finish(self, end: ActorEnd) -> None:
        """End: what was not handled is a dead letter, and who still waits is told."""
        current, self.current = self.current, None
        if current is not None:  # a defect of ours, or what somebody has set in this thread, came in between
            self._left = [current, *(self._left or ())]
        self._drop()
        if self.front:
            self._left = [*self.front, *(self._left or ())]
            self.front = None
        self._conclude(end)

    def _conclude(self, end: ActorEnd) -> None:
        self.stage = ENDS
        if self.parts:
            for part in tuple(self.parts.values()):
                self._quietly(part.end)
        left, self._left = self._left, None
        letters = [
            self.dead_letters.add(envelope.message, DeadLetterReason.RECEIVER_ENDED, self.label)
            for envelope in left or ()
            if envelope.is_missed()
        ]
        self.how_ended = end
        if end is not ActorEnd.CRASHED:
            self.error = None
        try:
            if letters:
                self.dead_letters.announce(*letters)
        finally:  # whatever a sink of the log does
            self._let_go()
            self._tell_of_end(end)

    def _tell_of_end(self, end: ActorEnd) -> None:
        """First who watches, then who waits for the end: who has waited finds everything done."""
        if not self._lazies and self.parent is None:
            self.stage = HAS_ENDED
            if not self._lazies:  # else somebody came meanwhile
                return
        self.stage = IS_STOPPED
        self._told("stopped", threading.Event.set)
        self.stage = IS_GONE
        self._told("gone", lambda gone: gone.set(end))
        self._tell_parent()
        self.stage = HAS_ENDED
        self._told("ended", lambda ended: ended.set(end))
        self._told(HOME, lambda home: home.forget(self))

    def _tell_parent(self) -> None:
        """It has ended, and its parent hears of it."""

    def _told(self, name: str, tell: Callable[[Any], object]) -> None:
        made = self._lazies.get(name)
        if made is not None:
            tell(made)

    def _let_go(self) -> None:
        """Keep the dead actor no longer: its reference may be kept for long."""
        self.actor = NOBODY
        self.supervision = None
        self.parts = None
        self._lazies.pop("parts", None)

    def _bury(self, message: Any, reason: DeadLetterReason) -> None:
        self.dead_letters.announce(self.dead_letters.add(message, reason, self.label))

    def _undelivered(self, letter: DeadLetter) -> None:
        self.actor.on_undelivered(letter)

    def _quietly(self, hook: Callable[[], object]) -> None:
        try:
            hook()
        except BaseException as error:  # noqa: BLE001 - it harms only this actor
            self._report(error)

    def _report(self, error: BaseException | None) -> None:
        if error is not None:
            self.error = crashed(error)
        try:
            logger.opt(exception=error).error("{} failed", self.label)
        except BaseException:  # noqa: BLE001 - a sink of the log that raises: there is nobody left to tell
            pass

    # For dumps ------------------------------------------------------------------------------------------------------

    @property
    def in_hand(self) -> Any:
        """The message that is being handled; ``NOTHING`` when none is. Others may look, so nothing is changed."""
        item = self._current
        return item.message if issubclass(type(item), Envelope) else item

    @property
    def thread(self) -> int:
        """The ident of the thread that has it; 0 when none does."""
        return self._ident

    @property
    @abc.abstractmethod
    def has_begun(self) -> bool:
        """Was ``on_start`` called, or is it now?"""

    @property
    @abc.abstractmethod
    def is_laid_down(self) -> bool:
        """Does nobody handle a message of it?"""

    @property
    @abc.abstractmethod
    def is_pausing(self) -> bool:
        """Is it in a pause of a course?"""

    @property
    @abc.abstractmethod
    def since(self) -> float | None:
        """The moment at which it lay down or began to work, where that is known."""

    @property
    def dispatcher_name(self) -> str | None:
        """The name of the dispatcher whose workers run it; None for one with a thread of its own."""
        return None

    @property
    def is_restarting(self) -> bool:
        """Has it crashed, and is to be made anew?"""
        return self._has_failed and self.supervision is not None

    # Waiting (the protocol WaitMember) ------------------------------------------------------------------------------

    @property
    def label(self) -> str:
        """How messages name it."""
        return f"actor {self.name}"

    def check(self) -> None:
        """Raise when it was aborted."""
        if self._token is not None:
            self._token.check()

    def watch(self, target: WaitNode, waiter: Waiter) -> None:
        """Note that it waits for *target* at *waiter*; refuse when that closes a circle."""
        if self.waits is NO_WAITS:
            self.waits = []
        super().watch(target, waiter)

    def note_wait(self, target: WaitNode, waiter: Waiter) -> None:
        """As :meth:`watch`, whatever circle it closes: others are to find that."""
        if self.waits is NO_WAITS:
            self.waits = []
        self.waits.append((target, waiter))

    def is_here(self) -> bool:
        """Is its handler run by the calling thread, or a coroutine of it?"""
        if self._ident == threading.get_ident():
            return True
        running: CoroutineRun | None = self._lazies.get(COROUTINE)
        return running is not None and running.is_here()

    def is_task(self) -> bool:
        """Is it its handler's coroutine that runs, and not a task that this has begun?"""
        running: CoroutineRun | None = self._lazies.get(COROUTINE)
        return running is not None and running.is_task()

    def is_below(self, other: WaitNode) -> bool:
        """Is *other* this actor?"""
        return other is self


def _new_urn() -> str:
    return uuid.uuid4().urn


publish("actors.actors", ActorEnd)
