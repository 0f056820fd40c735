"""What makes an agent a Pykka actor."""

from __future__ import annotations

import threading
import uuid
import weakref
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import pykka

from ...errors import InboxFull
from ..crash import fenced
from ..messaging.putter import Put
from .envelope import Envelope, PykkaActorDead, Question, ask, ask_future
from .reply import ReplyFuture

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..messaging.mailbox import Mailbox
    from ..records.message import AgentMessage
    from ..waiting.wait_graph import WaitMember


T_co = TypeVar("T_co", covariant=True)


class HostedActor(Protocol):
    """What its pool knows of an agent, as far as Pykka needs it. Threads: any."""

    @property
    def label(self) -> str:
        """How messages name it."""

    @property
    def member(self) -> WaitMember:
        """The agent, as one that waits and is waited for."""

    @property
    def has_ended(self) -> bool:
        """Is its outcome there?"""

    def lazies(self) -> dict[str, Any]:
        """What is made on first use, by name."""

    def mailbox(self) -> Mailbox:
        """Its mailbox, made now if need be."""

    def message_from_program(self, content: Any) -> AgentMessage:
        """*content* as a message from the program to this agent."""

    def when_ended(self, call: Callable[[], object]) -> None:
        """Call *call* once when it has ended; at once if it has."""

    def cancel(self, reason: str) -> bool:
        """Cancel it; False when it has ended already."""

    def bury_expired(self, message: Any) -> None:
        """Whoever asked with *message* waits no longer: it is a dead letter."""


class AgentActor(pykka.ThreadingActor, Generic[T_co]):
    """What makes an agent a Pykka actor; *T_co* is its result. The parts that most never use are made on first use.

    Its mailbox is the agent's inbox. A message told to ``actor_ref`` arrives as an ``AgentMessage``; an ask or a proxy
    call is answered when the agent next reads its inbox.
    """

    _context: HostedActor

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
        return self._context.mailbox()

    @property
    def actor_stopped(self) -> threading.Event:  # type: ignore[override]
        """Set once the agent has ended."""
        event: threading.Event = _made_once(self, "stopped", self._make_stopped)
        return event

    def _make_stopped(self, _: Any) -> threading.Event:
        stopped = threading.Event()
        self._context.when_ended(stopped.set)
        return stopped

    def stop(self) -> None:
        """Cancel this agent."""
        self._context.cancel("stopped")

    def on_receive(self, message: Any) -> Any:
        """Answer an ask. Define it in agents that are asked."""
        raise TypeError(f"{type(self).__name__} does not answer asks ({type(message).__name__}): define on_receive")

    def serve(self, envelope: Question) -> None:
        """Answer an ask or a proxy call."""
        if not envelope.answer(self._handle_receive):
            self._context.bury_expired(envelope.message)


def _made_once(actor: AgentActor[Any], key: str, make: Callable[[AgentActor[Any]], Any]) -> Any:
    made = actor._context.lazies()
    if key not in made:
        made.setdefault(key, make(actor))
    return made[key]


class AgentRef(pykka.ActorRef[Any]):
    """The Pykka reference of an agent."""

    def __init__(self, actor: AgentActor[Any]) -> None:
        self._actor_weakref = weakref.ref(actor)
        self._context = actor._context
        self.actor_class = type(actor)
        self.actor_urn = actor.actor_urn
        self.actor_inbox = actor.actor_inbox
        self.actor_stopped = actor.actor_stopped

    def is_alive(self) -> bool:
        """Has it not ended yet?"""
        return not self._context.has_ended

    def tell(self, message: Any, timeout: float | None = 0.0) -> None:
        """Send *message*; the agent receives it as an ``AgentMessage`` from the program.

        Raises:
            InboxFull: No room in time.
            ActorDead: The agent ended.
        """
        self._put(self._context.message_from_program(message), message, timeout)

    def _send(self, envelope: Envelope, timeout: float | None, target: WaitMember | None) -> None:
        self._put(envelope, envelope.message, timeout, target)

    def _put(self, item: Any, message: Any, timeout: float | None, target: WaitMember | None = None) -> None:
        result = self._context.mailbox().put(item, timeout, target)
        if result is Put.FULL:
            raise InboxFull(f"the inbox of {self._context.label} is full", message)
        if result is Put.CLOSED:
            raise PykkaActorDead(f"{self._context.label} ended", message)

    def ask(self, message: Any, timeout: float | None = None, *, block: bool = True) -> Any:
        """Send *message* and wait for what the agent's ``on_receive`` answers when it reads its inbox.

        Raises:
            ActorDead: The agent ended before it read the message.
            AskTimeout: No reply in time.
        """
        if not block:
            return self.ask_future(message)
        return ask(self._send, self._context.member, message, timeout, self._context.label, "inbox")

    def ask_future(self, message: Any) -> ReplyFuture[Any]:
        """Send *message* and return the future of its reply. Never raises."""
        return ask_future(self._send, self._context.member, message)

    def watch(self, fn: Callable[[AgentRef], object]) -> Callable[[], None]:
        """Call ``fn(ref)`` once, when the agent has ended; at once, in this thread, if it has already.

        Returns:
            A function that forgets *fn*.
        """
        if not callable(fn):
            raise TypeError(f"watch takes a function that takes the reference, got {fn!r}")
        wanted = [fn]

        def call() -> None:
            for told in wanted:
                fenced(told, self, what="a watcher", whose=self._context)

        self._context.when_ended(call)
        return wanted.clear

    def stop(self, *, block: bool = True, timeout: float | None = None) -> Any:
        """Cancel the agent, and wait for its end.

        Returns:
            False if it had ended before, else True; a future of that when *block* is False.
        """
        future: ReplyFuture[bool] = ReplyFuture(self._context.member)
        alive = self.is_alive()
        self._context.cancel("stopped")
        self._context.when_ended(lambda: future.set(alive))
        return future.get(timeout=timeout) if block else future

    def abort(self, reason: str = "") -> None:
        """Cancel the agent."""
        self._context.cancel(reason)
