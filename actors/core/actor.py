"""The one adapter to Pykka. Every private name of Pykka that we use stands in this file."""

from __future__ import annotations

import sys
import threading
import uuid
import weakref
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar

import pykka
from loguru import logger

from ..errors import Cancelled, InboxFull
from . import fork
from .cancel import CancelToken
from .clock import SYSTEM_CLOCK
from .envelope import Envelope, PykkaActorDead, ask, ask_future
from .future import PykkaAskTimeout, ReplyFuture
from .janitor import janitor
from .mailbox import Mailbox, MailboxClosed, Put
from .member import Member, enter

if TYPE_CHECKING:
    from collections.abc import Callable

    from .member import Node
    from .waiter import Waiter

A = TypeVar("A", bound="Actor")

EXIT_TIMEOUT = 5.0
"""Seconds that an actor has for its cleanup when the program ends."""


class ActorRef(pykka.ActorRef[A], Generic[A]):
    """A reference to an actor, safe to pass around and to use from any thread."""

    def __init__(self, actor: A) -> None:
        super().__init__(actor)
        self._mailbox = actor.mailbox
        self._target: Member = actor
        self._ended = actor.ended
        self._token = actor.cancel_token
        self._generation = fork.generation()

    def is_alive(self) -> bool:
        """Has it not ended yet? It may end at any moment after the answer."""
        fork.refuse_after_fork(self._generation)
        return not self.actor_stopped.is_set()

    def tell(self, message: Any, timeout: float | None = 0.0) -> None:
        """Send *message* without waiting for a reply.

        Args:
            message: Any object.
            timeout: Seconds to wait for room in the mailbox; 0 does not wait, None waits for ever.
        Raises:
            InboxFull: No room in time.
            ActorDead: The actor ended, or was told to stop.
        """
        self._send(Envelope(message), timeout)

    def _send(self, envelope: Envelope, timeout: float | None, target: Member | None = None) -> None:
        fork.refuse_after_fork(self._generation)
        result = self._mailbox.put(envelope, timeout, target)
        if result is Put.FULL:
            capacity = self._mailbox.capacity
            raise InboxFull(f"the mailbox of {self} is full ({capacity} messages)", envelope.message)
        if result is Put.CLOSED:
            raise PykkaActorDead(f"{self} has stopped", envelope.message)

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
            return self.ask_future(message)
        return ask(self._send, self._target, message, timeout, str(self), "mailbox")

    def ask_future(self, message: Any) -> ReplyFuture[Any]:
        """Send *message* and return the future of its reply. Never raises: what goes wrong is in the future."""
        return ask_future(self._send, self._target, message)

    def stop(self, *, block: bool = True, timeout: float | None = None) -> Any:
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
        self._mailbox.seal()
        if not block:
            future: ReplyFuture[bool] = ReplyFuture(self._target)
            self._ended.add_done_callback(lambda _: future.set(was_alive))
            return future
        try:
            self._ended.get(timeout=timeout)
        except PykkaAskTimeout:
            raise PykkaAskTimeout(f"{self} has not ended within {timeout} s; it still will") from None
        return was_alive

    def abort(self, reason: str = "") -> None:
        """Cancel it now: what it handles is interrupted at its next checkpoint or wait, the rest is not handled."""
        fork.refuse_after_fork(self._generation)
        self._token.cancel(reason)
        self._mailbox.seal()


class Actor(pykka.ThreadingActor, Member):
    """A long-lived actor that handles messages, one at a time. Subclass it and define ``on_receive``.

    What Pykka documents works: ``start(*args, **kwargs)``, ``on_start``, ``on_stop``, ``on_failure``, ``on_receive``,
    proxies. ``__init__`` runs in the thread that starts it.

    Guarantees: every accepted message is handled, or its asker is told; a stop never waits for room; whatever a
    handler raises, no other actor is harmed; ``actor_stopped`` is set after the cleanup. It is in no global
    registry, so another library's ``stop_all()`` does not reach it.
    """

    inbox_capacity: ClassVar[int | None] = 32
    """How many messages the mailbox holds; None has no bound."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.cancel_token = CancelToken()
        self.ended: ReplyFuture[None] = ReplyFuture(self)
        self.waits: list[Node] = []
        self._thread = 0
        self._running: threading.Thread | None = None
        self._exit_by = 0.0
        super().__init__(*args, **kwargs)
        self._actor_ref = ActorRef(self)

    def _create_actor_inbox(self) -> Mailbox:  # type: ignore[override]  # Pykka calls it on the instance
        self.mailbox = Mailbox(self.inbox_capacity)
        return self.mailbox

    @staticmethod
    def _create_future() -> ReplyFuture[Any]:
        return ReplyFuture()

    @property
    def actor_ref(self) -> ActorRef[Self]:
        """The actor's reference."""
        return self._actor_ref  # type: ignore[return-value]  # made in __init__

    @classmethod
    def start(cls, *args: Any, **kwargs: Any) -> ActorRef[Self]:
        """Make an actor and start its thread.

        Raises:
            RuntimeError: No thread can be started; nothing is left behind.
        """
        actor = cls(*args, **kwargs)
        if not hasattr(actor, "_actor_ref"):
            raise TypeError(f"{cls.__name__}.__init__ must call super().__init__()")
        actor._start_actor_loop()
        return actor.actor_ref

    def _start_actor_loop(self) -> None:
        janitor().watch(self)
        context = copy_context()
        thread = threading.Thread(
            target=context.run,
            args=(self._actor_loop,),
            name=f"{type(self).__name__}-{janitor().next_number()}",
            daemon=True,
        )
        self._running = thread
        try:
            thread.start()
        except BaseException:
            janitor().forget(self)
            self.mailbox.seal()
            self.finish()
            raise

    def join(self, timeout: float | None = None) -> None:
        """Wait for the end of its thread; its own thread does not wait."""
        if self._running is not None and not self.is_here():
            self._running.join(timeout)

    def stop(self) -> None:
        """End once the messages accepted before are handled."""
        self.mailbox.seal()

    def abort_at_exit(self) -> None:
        """Abort at the end of the program; 5 seconds from now on nobody waits for the cleanup any more."""
        self._exit_by = SYSTEM_CLOCK.monotonic() + EXIT_TIMEOUT
        self.actor_ref.abort("the program ends")

    def end_at_exit(self) -> None:
        """Wait for the cleanup."""
        self.actor_stopped.wait(max(0.0, self._exit_by - SYSTEM_CLOCK.monotonic()))

    # The loop ---------------------------------------------------------------------------------------------------

    def _actor_loop(self) -> None:
        self._thread = threading.get_ident()
        enter(self)
        hook: Callable[[], object] | None = None
        try:
            self.on_start()
        except BaseException as error:  # noqa: BLE001 - it harms only this actor
            self._report(error)
        else:
            hook = self._handle_all()
        try:
            if hook is not None:
                hook()
        except BaseException as error:  # noqa: BLE001 - as above
            self._report(error)
        finally:
            self.finish()

    def _handle_all(self) -> Callable[[], object]:
        """Handle messages to the end; return the hook that fits the end."""
        while not self.cancel_token.cancelled:
            try:
                envelope = self._next_envelope()
            except (MailboxClosed, Cancelled):
                break
            if envelope is None:
                continue
            failure = self._handle(envelope)
            del envelope  # an idle actor keeps no message alive
            if failure is not None:
                self._report(failure[1])
                return lambda: self.on_failure(*failure)
        return self.on_stop

    def _next_envelope(self) -> Envelope | None:
        """What arrives next; None when there was something else to do."""
        envelope: Envelope = self.mailbox.get()
        return envelope

    def _handle(self, envelope: Envelope) -> Any:
        """Handle one message; the ``exc_info`` of a failing tell is returned."""
        if envelope.reply_to is not None:
            envelope.answer(self._handle_receive)
            return None
        try:
            self._handle_receive(envelope.message)
        except Cancelled:
            return None
        except BaseException:  # noqa: BLE001 - reported, and it ends only this actor
            return sys.exc_info()
        return None

    def _handle_receive(self, message: Any) -> Any:
        if isinstance(message, pykka.messages._ActorStop):  # noqa: SLF001
            return self.stop()
        return super()._handle_receive(message)

    def _report(self, error: BaseException | None) -> None:
        logger.opt(exception=error).error("{} failed", self.label)

    def finish(self) -> None:
        """End: who still waits is told."""
        for envelope in self.mailbox.close():
            envelope.refuse(f"{self} stopped before it handled the message")
        janitor().forget(self)
        self.actor_stopped.set()
        self.ended.set(None)

    # Waiting (the protocol Member) ------------------------------------------------------------------------------

    @property
    def label(self) -> str:
        """How messages name it."""
        return f"actor {type(self).__name__}"

    def check(self) -> None:
        """Raise when it was aborted."""
        self.cancel_token.check()

    def is_here(self) -> bool:
        """Is this the actor's own thread?"""
        return self._thread == threading.get_ident()

    def is_below(self, other: Node) -> bool:
        """Is *other* this actor?"""
        return other is self

    def wait(self, waiter: Waiter, timeout: float | None, on: str, target: Node | None) -> bool:  # noqa: ARG002
        """Wait until *waiter* is woken, the actor is aborted, or the time runs out."""
        self.check()
        forget = self.cancel_token.on_cancel(waiter.wake)
        try:
            if target is not None:
                self.watch(target)
            woken = waiter.wait(timeout)
        finally:
            forget()
            if target is not None:
                self.unwatch(target)
        self.cancel_token.check()
        return woken


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
        return self._cell.supervisor.router.open(self._cell)

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

    def serve(self, envelope: Envelope) -> None:
        """Answer an ask or a proxy call."""
        envelope.answer(self._handle_receive)


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
        result = self._cell.supervisor.router.open(self._cell).put(item, timeout, target)
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
