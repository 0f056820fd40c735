"""The one adapter to Pykka. Every private name of Pykka that we use stands in this file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

import pykka

from ..clock import SYSTEM_CLOCK
from ..dispatching.dispatcher import Dispatcher, dispatcher_of
from ..records.spec import Backoff, RestartPolicy
from .actor_timers import ActorTimers
from .children import STOP_TIMEOUT, check_stop_timeout, children_of, parent_of, part_for_start
from .handler import Supervision
from .handling import HandlingActor
from .hideable import hideable
from .home import OfPool
from .idleness import idling_cell
from .pinned_cell import PinnedCell
from .reference import ActorRef
from .reply import ReplyFuture
from .restarts import Restarts
from .shared_cell import SharedCell
from .sleep import sleep
from .typed import M_contra, R_co

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Hashable, Mapping

    from ..messaging.dead_letter import DeadLetter
    from ..messaging.mailbox import Mailbox
    from ..waiting.cancel import CancelToken
    from .actor_cell import ActorCell, ActorEnd
    from .actor_life import ActorLife
    from .timer import Timer

SUPERVISED = RestartPolicy(max_restarts=3, window=60.0, backoff=Backoff())
"""How a supervised actor is restarted when nothing else is said."""


ActorT = TypeVar("ActorT", bound="Actor")

# The rest is the user's, whatever it is.
PYKKAS_OWN = frozenset(
    (
        pykka.messages._ActorStop,  # noqa: SLF001
        pykka.messages.ProxyCall,
        pykka.messages.ProxyGetAttr,
        pykka.messages.ProxySetAttr,
    )
)


class Actor(HandlingActor[M_contra, R_co]):
    """A long-lived actor that handles messages, one at a time. Subclass it and define ``on_receive``.

    What Pykka documents works: ``start(*args, **kwargs)``, ``on_start``, ``on_stop``, ``on_failure``, ``on_receive``,
    proxies. ``__init__`` runs in the thread that starts it. ``class Account(Actor[int, float])`` says what it is told
    and what it replies, to type checkers alone.

    Example:
        ```python
        from actors import Actor

        class Account(Actor[int, int]):
            balance = 0

            def on_receive(self, amount: int) -> int:
                self.balance += amount
                return self.balance

        account = Account.start()
        account.tell(10)
        print(account.ask(5))
        account.stop()
        ```

        ```text
        15
        ```

    Guarantees: every accepted message is handled, or becomes a dead letter and its asker is told; a stop never waits
    for room; whatever a handler raises, no other actor is harmed; ``actor_stopped`` is set after the cleanup. It is in
    no global registry, so another library's ``stop_all()`` does not reach it, unless it is ``registered``.

    Threads: one for each actor, as long as it lives. The thread of one that has ended serves the next that is started,
    or ends 0.05 s later; so a ``threading.local`` may hold what an earlier actor has put there, a ``ContextVar`` never.

    Locks: none. ``_cell`` and ``_actor_ref`` are given to one that is started in place of another before its
    ``__init__``.
    """

    inbox_capacity: ClassVar[int | None] = 32
    """How many messages the mailbox holds; None has no bound."""
    dispatcher: ClassVar[str | Dispatcher] = "pinned"
    """Who handles its messages: ``"pinned"`` is a thread of its own, ``"shared"`` the workers that the process has for
    all such actors, and a :class:`Dispatcher` workers of your own.
    """
    registered: ClassVar[bool] = False
    """Is it in ``pykka.ActorRegistry`` while it lives? Then ``broadcast()`` and ``stop_all()`` of that one reach it."""

    stop_timeout: ClassVar[float | None] = STOP_TIMEOUT
    """Seconds that each child has to end after it was told to stop, when the actor ends; then it is aborted. A child
    whose class says its own has that. None has no bound.
    """

    _cell: ActorLife
    _cell_class: ClassVar[type[PinnedCell]] = PinnedCell
    _actor_ref: ActorRef[Any]

    def __init__(self, *_args: Any, **_kwargs: Any) -> None:
        if getattr(self, "_cell", None) is None:  # not by vars(): a dict of its own is large
            self._make_cell()

    def _make_cell(self, mailbox: Mailbox | None = None) -> None:
        """Make what is kept of it; with a *mailbox*, if one is given, that was there before."""
        dispatcher = dispatcher_of(self.dispatcher, type(self).__name__)
        if self.receive_timeout is not None:
            self._cell = idling_cell(self, self.inbox_capacity, dispatcher, self.receive_timeout)
        elif dispatcher is None:
            self._cell = self._cell_class(self, self.inbox_capacity)
        else:
            self._cell = SharedCell(self, self.inbox_capacity, dispatcher)
        if mailbox is not None:
            self._cell.mailbox = mailbox
        self._actor_ref = ActorRef(self, self._cell)

    @property
    def actor_urn(self) -> str:  # type: ignore[override]
        """A universally unique name."""
        return self._cell.urn

    @property
    def actor_inbox(self) -> Any:  # type: ignore[override]
        """The mailbox."""
        return self._cell.mailbox

    @property
    def actor_stopped(self) -> threading.Event:  # type: ignore[override]
        """Set once it has ended and cleaned up."""
        return self._cell.stopped

    @staticmethod
    def _create_future() -> ReplyFuture[Any]:
        return ReplyFuture()

    @property
    def actor_ref(self) -> ActorRef[Self]:
        """The actor's reference."""
        return self._actor_ref

    @property
    def cancel_token(self) -> CancelToken:
        """Cancelled by ``abort()``."""
        return self._cell.token

    @classmethod
    def start(cls, *args: Any, **kwargs: Any) -> ActorRef[Self]:
        """Make an actor and start its thread.

        Args:
            args: For its ``__init__``.
            kwargs: The same, by keyword.
        Raises:
            RuntimeError: No thread can be started; nothing is left behind.
        """
        actor = made(cls, args, kwargs)
        actor._cell.start()  # noqa: SLF001 - of this very class
        return actor.actor_ref

    # In a pool: what the pool has; elsewhere each is a ``NoPool``. ``Any``, as a subclass may have its own ------------

    pool: Any = OfPool()
    driver: Any = OfPool()
    tools: Any = OfPool()
    memory: Any = OfPool()
    budget: Any = OfPool()
    spawn: Any = OfPool()

    def _start_actor_loop(self) -> None:
        self._cell.start()

    def stop(self) -> None:
        """End once the messages accepted before are handled."""
        self._cell.stop()

    def on_undelivered(self, letter: DeadLetter) -> None:
        """Called for each accepted message that nobody will handle: poison, or left when the actor ended.

        Args:
            letter: The message, to whom it went, and why nobody handles it.
        """

    # Children ---------------------------------------------------------------------------------------------------

    def start_child(
        self,
        actor_class: type[ActorT],
        /,
        *args: Any,
        restart: RestartPolicy | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> ActorRef[ActorT]:
        """Start an actor whose life is inside this one's.

        When this actor ends, however it does, its children end first, the youngest first: each is told to stop, has
        ``stop_timeout`` seconds to handle what it had accepted, and is aborted then; ``on_stop`` of this one comes
        after that. When this one crashes and is made anew, they have ended before: start them in ``on_start``.

        Args:
            actor_class: A subclass of :class:`Actor`; *args* and *kwargs* are its own.
            restart: How often it is made anew when it crashes, as :func:`supervise` does; None: it ends.
            name: Its name among the children; None makes one (``Worker-1``).
        Returns:
            Its reference.
        Raises:
            ActorsError: Called anywhere but in a handler, a hook or ``on_start`` of this actor.
            ValueError: A living child has that name.
            Exception: What its ``__init__`` raises.
            RuntimeError: No thread can be started.
        Source: Akka's children, Erlang's links.
        """
        children = part_for_start(self, self._cell)
        refuse_other("start_child", actor_class, SUPERVISED if restart is None else restart)
        check_stop_timeout(type(self))
        check_stop_timeout(actor_class)
        name = children.name_for(name, actor_class)
        actor = made_below(self._cell, name, actor_class, args, kwargs)
        if restart is not None:
            let_restart(actor, args, kwargs, restart)
        children.start(actor.actor_ref)
        return actor.actor_ref

    @hideable
    def children(self) -> Mapping[str, ActorRef[Any]]:
        """Its living children by their names, the oldest first: as they are now, to be read only."""
        return children_of(self._cell)

    @hideable
    def parent(self) -> ActorRef[Any] | None:
        """Who has started it as a child; None for one that nobody has."""
        return parent_of(self._cell)

    def on_child_ended(self, ref: ActorRef[Any], reason: ActorEnd) -> Any:
        """Called between two messages when a child has ended for good, *reason* being how; a restart of it is no end.

        Not called for those that end with this actor, or before it is made anew. What it raises is a crash.

        Args:
            ref: The child's.
        """

    def time_of_a_child(self) -> float | None:
        """Seconds that a child has for its stop, if its class says nothing: ``stop_timeout``."""
        return self.stop_timeout

    # Timers -----------------------------------------------------------------------------------------------------

    receive_timeout: ClassVar[float | None] = None
    """After so many seconds without a message :meth:`on_idle` is called, and again after as many; None never."""

    def tell_later(self, delay: float, message: Any, key: Hashable | None = None) -> Timer:
        """Send *message* to this actor, *delay* seconds from now.

        When its mailbox is full at that moment, the message is a dead letter (``timer_full``). A timer ends with its
        actor, and with a restart. One that ``__init__`` sets counts from then, and comes when the actor has started.

        Args:
            delay: Seconds, 0 or more.
            message: Any object.
            key: What replaces an earlier timer of this actor with an equal key; of that one nothing comes any more.
        Returns:
            The timer. It is not active when the actor was told to stop: nothing would be accepted.
        Raises:
            ValueError: *delay* is negative, infinite or NaN.
            TypeError: It is no number, or *key* is not hashable.
            RuntimeError: No thread can be started for timers.
            ForkedPoolError: In a forked child.
        Threads: Any.
        Example:
            ```python
            import threading

            from actors import Actor

            class Kettle(Actor):
                boiled = threading.Event()

                def on_receive(self, message: str) -> None:
                    if message == "on":
                        self.tell_later(0.01, "boiled")
                    else:
                        self.boiled.set()

            kettle = Kettle.start()
            kettle.tell("on")
            print(Kettle.boiled.wait(10))
            kettle.stop()
            ```

            ```text
            True
            ```

        Source: Erlang's ``send_after``, Akka's ``TimerScheduler``.
        """
        return self._cell.part(ActorTimers).later(delay, message, key)

    def tell_every(
        self, interval: float, message: Any, *, first: float | None = None, key: Hashable | None = None
    ) -> Timer:
        """Send *message*, the same object, to this actor again and again, until the timer is cancelled or ends.

        The ticks come at whole intervals after the first one, however late one of them was. Those that were missed
        count once: no tick is sent while the one before is unread, or the mailbox is full; they are counted in
        ``skipped``. The rest is as for :meth:`tell_later`.

        Args:
            interval: Seconds, above 0.
            message: Any object.
            first: Seconds until the first tick, 0 or more; None: *interval*.
            key: As for :meth:`tell_later`.
        """
        return self._cell.part(ActorTimers).every(interval, message, first, key)

    def sleep(self, seconds: float) -> None:
        """Wait; an abort ends it. On a shared dispatcher the handler counts as blocked. A stop does not end it.

        Better still, return and :meth:`tell_later`: an actor that sleeps handles nothing.

        Raises:
            Cancelled: The actor was aborted.
            ValueError, TypeError: *seconds* is no time to wait.
            ActorsError: It is called by a coroutine, and would stop all of them.
        """
        sleep(self._cell, seconds)

    def on_idle(self) -> None:
        """Called after each ``receive_timeout`` seconds without a message, where messages are handled. What it raises
        is a crash of the actor.

        Source: Akka's receive timeout, the timeout of Erlang's ``gen_server``.
        """

    def handle(self, message: Any) -> Any:
        """Handle one message: a user's, or one of Pykka's own."""
        if type(message) not in PYKKAS_OWN:
            return self.on_receive(message) if self._became is None else self._became[-1](message)
        if type(message) is pykka.messages._ActorStop:  # noqa: SLF001
            return self.stop()
        return self._handle_receive(message)


def refuse_other(what: str, actor_class: object, restart: object) -> None:
    """Raise ``TypeError`` for *what* is asked, when that is no class of actors, or no policy."""
    if not (isinstance(actor_class, type) and issubclass(actor_class, Actor)):
        raise TypeError(f"{what} takes a subclass of actors.Actor, got {actor_class!r}")
    if not isinstance(restart, RestartPolicy):
        raise TypeError(f"restart must be a RestartPolicy, got {restart!r}")


def let_restart(first: ActorT, args: tuple[Any, ...], kwargs: dict[str, Any], restart: RestartPolicy) -> None:
    """Let *first*, which was not started yet, be made anew from its arguments when it crashes."""
    cell: ActorLife = first._cell  # noqa: SLF001 - of this very class
    cell.supervision = Supervision(remaker(first, args, kwargs), Restarts(restart, SYSTEM_CLOCK), restart.max_restarts)


def remaker(first: ActorT, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Callable[[], ActorT]:
    """Makes another in place of *first*: same class, arguments, cell and reference."""
    actor_class, cell, ref = type(first), first._cell, first.actor_ref  # noqa: SLF001 - of this very class

    def remake() -> ActorT:
        actor: ActorT = actor_class.__new__(actor_class, *args, **kwargs)
        actor._cell, actor._actor_ref = cell, ref  # noqa: SLF001 - as above
        actor.__init__(*args, **kwargs)  # type: ignore[misc]  # the second half of a construction
        return actor

    return remake


def made_below(
    parent: ActorCell, name: str, actor_class: type[ActorT], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> ActorT:
    """A child of that name that is to be started. Its ``__init__`` knows its parent already, and what that belongs to.

    Raises:
        Exception: What its ``__init__`` raises.
    """
    actor: ActorT = actor_class.__new__(actor_class, *args, **kwargs)
    actor._make_cell()  # noqa: SLF001 - of this very class
    actor._cell.name, actor._cell.parent = name, parent  # noqa: SLF001 - as above
    actor.__init__(*args, **kwargs)  # type: ignore[misc]  # the second half of a construction
    return actor


def made(cls: type[ActorT], args: tuple[Any, ...], kwargs: dict[str, Any]) -> ActorT:
    """An actor that is to be started.

    Raises:
        TypeError: Its ``__init__`` does not call ours.
        Exception: What it raises.
    """
    actor = cls(*args, **kwargs)
    if not hasattr(actor, "_actor_ref"):
        raise TypeError(f"{cls.__name__}.__init__ must call super().__init__()")
    return actor
