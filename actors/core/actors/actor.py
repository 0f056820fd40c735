"""The one adapter to Pykka. Every private name of Pykka that we use stands in this file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, cast

import pykka

from ..clock import SYSTEM_CLOCK
from ..records.spec import Backoff, RestartPolicy
from .actor_cell import ActorCell, Supervision
from .reference import ActorRef
from .reply import ReplyFuture
from .restarts import Restarts

if TYPE_CHECKING:
    from ..messaging.dead_letter import DeadLetter
    from ..messaging.mailbox import Mailbox
    from ..waiting.cancel import CancelToken

SUPERVISED = RestartPolicy(max_restarts=3, window=60.0, backoff=Backoff())
"""How a supervised actor is restarted when nothing else is said."""


ActorT = TypeVar("ActorT", bound="Actor")


# The rest is the user's, whatever it is.
PYKKAS_OWN = (
    pykka.messages._ActorStop,  # noqa: SLF001
    pykka.messages.ProxyCall,
    pykka.messages.ProxyGetAttr,
    pykka.messages.ProxySetAttr,
)


class Actor(pykka.ThreadingActor):
    """A long-lived actor that handles messages, one at a time. Subclass it and define ``on_receive``.

    What Pykka documents works: ``start(*args, **kwargs)``, ``on_start``, ``on_stop``, ``on_failure``, ``on_receive``,
    proxies. ``__init__`` runs in the thread that starts it.

    Guarantees: every accepted message is handled, or becomes a dead letter and its asker is told; a stop never waits
    for room; whatever a handler raises, no other actor is harmed; ``actor_stopped`` is set after the cleanup. It is in
    no global registry, so another library's ``stop_all()`` does not reach it.

    Threads: one for each actor, as long as it lives. The thread of one that has ended serves the next that is started,
    or ends 0.05 s later; so a ``threading.local`` may hold what an earlier actor has put there, a ``ContextVar`` never.

    Locks: none. ``_cell`` is given to one that is started in place of another before its ``__init__``.
    """

    inbox_capacity: ClassVar[int | None] = 32
    """How many messages the mailbox holds; None has no bound."""

    _cell: ActorCell
    _cell_class: ClassVar[type[ActorCell]] = ActorCell

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        restarted = "_cell" in vars(self)
        if not restarted:
            self._cell = self._cell_class(self, self.inbox_capacity)
        super().__init__(*args, **kwargs)
        if restarted:
            self._take_over()
        else:
            self._actor_ref = ActorRef(self, self._cell)

    def _take_over(self) -> None:
        """Be what the one before was: whoever holds its reference now means this one."""
        ref = cast("ActorRef[Any]", self._cell.actor.actor_ref)
        self.actor_urn, self.actor_stopped = ref.actor_urn, ref.actor_stopped
        self._actor_ref = ref

    def _create_actor_inbox(self) -> Mailbox:  # type: ignore[override]  # Pykka calls it on the instance
        return self._cell.mailbox

    @staticmethod
    def _create_future() -> ReplyFuture[Any]:
        return ReplyFuture()

    @property
    def actor_ref(self) -> ActorRef[Self]:
        """The actor's reference."""
        return self._actor_ref  # type: ignore[return-value]  # made in __init__

    @property
    def cancel_token(self) -> CancelToken:
        """Cancelled by ``abort()``."""
        return self._cell.token

    @classmethod
    def start(cls, *args: Any, **kwargs: Any) -> ActorRef[Self]:
        """Make an actor and start its thread.

        Raises:
            RuntimeError: No thread can be started; nothing is left behind.
        """
        actor = _made(cls, args, kwargs)
        actor._cell.start()  # noqa: SLF001 - of this very class
        return actor.actor_ref

    def _start_actor_loop(self) -> None:
        self._cell.start()

    def stop(self) -> None:
        """End once the messages accepted before are handled."""
        self._cell.stop()

    def on_undelivered(self, letter: DeadLetter) -> None:
        """Called for each accepted message that nobody will handle: poison, or left when the actor ended."""

    def handle(self, message: Any) -> Any:
        """Handle one message: a user's, or one of Pykka's own."""
        if not isinstance(message, PYKKAS_OWN):
            return self.on_receive(message)
        if isinstance(message, pykka.messages._ActorStop):  # noqa: SLF001
            return self.stop()
        return self._handle_receive(message)


def supervise(
    actor_class: type[ActorT], /, *args: Any, restart: RestartPolicy = SUPERVISED, **kwargs: Any
) -> ActorRef[ActorT]:
    """Start an actor that is started again when it crashes.

    Crashed by a message that was told, or by ``on_start``, it is made anew from *args* and *kwargs*, on its own thread,
    after the policy's backoff: same reference, same mailbox, unread messages kept; ``on_failure`` of the old one was
    called. The message that crashed it is tried again, first. One that crashed it more than ``max_restarts`` times
    becomes a dead letter (``poison``; ``restarts_used_up`` when others have used the restarts of the window), and the
    actor lives on as it is, without ``on_failure``. When it cannot even start and no restart is left, it ends. An ask
    that fails tells its asker and is no crash. A stop ends a backoff early, so that what was accepted before is
    handled now.

    Args:
        actor_class: A subclass of :class:`Actor`.
        restart: How often, and after what waits.
    Returns:
        A reference that stays valid over restarts.
    Raises:
        Exception: What the first ``__init__`` raises.
        RuntimeError: No thread can be started.
    Source: Erlang's supervisors, Akka's restart.
    """
    if not (isinstance(actor_class, type) and issubclass(actor_class, Actor)):
        raise TypeError(f"supervise takes a subclass of actors.Actor, got {actor_class!r}")
    if not isinstance(restart, RestartPolicy):
        raise TypeError(f"restart must be a RestartPolicy, got {restart!r}")
    first = _made(actor_class, args, kwargs)
    cell: ActorCell = first._cell  # noqa: SLF001 - as above

    def remake() -> ActorT:
        actor: ActorT = actor_class.__new__(actor_class, *args, **kwargs)
        actor._cell = cell  # noqa: SLF001 - as above
        actor.__init__(*args, **kwargs)  # type: ignore[misc]  # the second half of a construction
        actor.actor_ref.become(actor)
        return actor

    cell.supervision = Supervision(remake, Restarts(restart, SYSTEM_CLOCK), restart.max_restarts)
    cell.start()
    return first.actor_ref


def _made(cls: type[ActorT], args: tuple[Any, ...], kwargs: dict[str, Any]) -> ActorT:
    actor = cls(*args, **kwargs)
    if not hasattr(actor, "_actor_ref"):
        raise TypeError(f"{cls.__name__}.__init__ must call super().__init__()")
    return actor
