"""The one adapter to Pykka. Every private name of Pykka that we use stands in this file."""

from __future__ import annotations

import threading
import uuid
import weakref
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, cast

import pykka

from ..errors import InboxFull
from .actor_cell import ActorCell, Supervision
from .clock import SYSTEM_CLOCK
from .crash import raise_ctrl_c, report
from .dead_letter import DeadLetterReason
from .envelope import Envelope, PykkaActorDead, Question, ask, ask_future
from .future import ReplyFuture
from .mailbox import Mailbox, Put
from .reference import ActorRef
from .restarts import Restarts
from .spec import Backoff, RestartPolicy

if TYPE_CHECKING:
    from collections.abc import Callable

    from .cancel import CancelToken
    from .dead_letter import DeadLetter
    from .member import Member

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
        actor._cell.start()
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
    cell = first._cell

    def remake() -> ActorT:
        actor = actor_class.__new__(actor_class, *args, **kwargs)
        actor._cell = cell
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


class AgentActor(pykka.ThreadingActor):
    """What makes an agent a Pykka actor. The parts that most agents never use are made on first use.

    Its mailbox is the agent's inbox. A message told to ``actor_ref`` arrives as an ``AgentMessage``; an ask or a proxy
    call is answered when the agent next reads its inbox.
    """

    _cell: Any  # AgentCell; this file knows what Pykka needs of it only

    @classmethod
    def start(cls, *_args: Any, **_kwargs: Any) -> Any:
        """Agents are started by a pool."""
        raise TypeError(f"use pool.spawn(SpawnConfig(manifest, query, agent={cls.__name__})) to start an agent")

    @property
    def actor_ref(self) -> Any:
        """The agent's Pykka reference."""
        return _made_once(self, "ref", AgentRef)

    @property
    def actor_urn(self) -> str:  # type: ignore[override]
        """A universally unique name."""
        return str(_made_once(self, "urn", lambda _: uuid.uuid4().urn))

    @property
    def actor_inbox(self) -> Any:  # type: ignore[override]
        """The mailbox."""
        return self._cell.supervisor.pool.router.open(self._cell)

    @property
    def actor_stopped(self) -> threading.Event:  # type: ignore[override]
        """Set once the agent has ended."""
        event: threading.Event = _made_once(self, "stopped", self._make_stopped)
        return event

    def _make_stopped(self, _: Any) -> threading.Event:
        stopped = threading.Event()
        self._cell.supervisor.when_ended(self._cell, stopped.set)
        return stopped

    def stop(self) -> None:
        """Cancel this agent."""
        self._cell.supervisor.cancel(self._cell, "stopped")

    def on_receive(self, message: Any) -> Any:
        """Answer an ask. Define it in agents that are asked."""
        raise TypeError(f"{type(self).__name__} does not answer asks ({type(message).__name__}): define on_receive")

    def serve(self, envelope: Question) -> None:
        """Answer an ask or a proxy call."""
        if not envelope.answer(self._handle_receive):
            letters = self._cell.supervisor.pool.router.dead_letters
            letters.announce(letters.add(envelope.message, DeadLetterReason.ASK_EXPIRED, self._cell.label))


def _made_once(actor: AgentActor, key: str, make: Callable[[AgentActor], Any]) -> Any:
    made = actor._cell.extras()
    if key not in made:
        made.setdefault(key, make(actor))
    return made[key]


class AgentRef(pykka.ActorRef[Any]):
    """The Pykka reference of an agent."""

    def __init__(self, actor: AgentActor) -> None:
        self._actor_weakref = weakref.ref(actor)
        self._cell = actor._cell
        self.actor_class = type(actor)
        self.actor_urn = actor.actor_urn
        self.actor_inbox = actor.actor_inbox
        self.actor_stopped = actor.actor_stopped

    def is_alive(self) -> bool:
        """Has it not ended yet?"""
        return self._cell.outcome is None

    def tell(self, message: Any, timeout: float | None = 0.0) -> None:
        """Send *message*; the agent receives it as an ``AgentMessage`` from the program.

        Raises:
            InboxFull: No room in time.
            ActorDead: The agent ended.
        """
        self._put(self._cell.message_from_program(message), message, timeout)

    def _send(self, envelope: Envelope, timeout: float | None, target: Member | None) -> None:
        self._put(envelope, envelope.message, timeout, target)

    def _put(self, item: Any, message: Any, timeout: float | None, target: Member | None = None) -> None:
        result = self._cell.supervisor.pool.router.open(self._cell).put(item, timeout, target)
        if result is Put.FULL:
            raise InboxFull(f"the inbox of {self._cell.label} is full", message)
        if result is Put.CLOSED:
            raise PykkaActorDead(f"{self._cell.label} ended", message)

    def ask(self, message: Any, timeout: float | None = None, *, block: bool = True) -> Any:
        """Send *message* and wait for what the agent's ``on_receive`` answers when it reads its inbox.

        Raises:
            ActorDead: The agent ended before it read the message.
            AskTimeout: No reply in time.
        """
        if not block:
            return self.ask_future(message)
        return ask(self._send, self._cell, message, timeout, self._cell.label, "inbox")

    def ask_future(self, message: Any) -> ReplyFuture[Any]:
        """Send *message* and return the future of its reply. Never raises."""
        return ask_future(self._send, self._cell, message)

    def watch(self, fn: Callable[[AgentRef], object]) -> Callable[[], None]:
        """Call ``fn(ref)`` once, when the agent has ended; at once, in this thread, if it has already.

        Returns:
            A function that forgets *fn*.
        """
        if not callable(fn):
            raise TypeError(f"watch takes a function that takes the reference, got {fn!r}")
        wanted = [fn]

        def call() -> None:
            try:
                for told in wanted:
                    told(self)
            except BaseException as error:  # noqa: BLE001 - a callback must not harm the thread that calls it
                raise_ctrl_c(error)
                report("a watcher of {} failed", self._cell.label)

        self._cell.supervisor.when_ended(self._cell, call)
        return wanted.clear

    def stop(self, *, block: bool = True, timeout: float | None = None) -> Any:
        """Cancel the agent, and wait for its end.

        Returns:
            False if it had ended before, else True; a future of that when *block* is False.
        """
        future: ReplyFuture[bool] = ReplyFuture(self._cell)
        alive = self.is_alive()
        self._cell.supervisor.cancel(self._cell, "stopped")
        self._cell.supervisor.when_ended(self._cell, lambda: future.set(alive))
        return future.get(timeout=timeout) if block else future

    def abort(self, reason: str = "") -> None:
        """Cancel the agent."""
        self._cell.supervisor.cancel(self._cell, reason)
