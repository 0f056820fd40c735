"""What holds a long-lived actor: its mailbox, its thread, its restarts."""

from __future__ import annotations

import sys
import threading
from collections import deque
from contextvars import copy_context
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from loguru import logger

from ...errors import Cancelled
from ..clock import SYSTEM_CLOCK
from ..crash import crashed
from ..messaging.dead_letter import DeadLetterReason, DeadLetters
from ..messaging.mailbox import NOTHING, Mailbox, MailboxClosed
from ..process import fork
from ..process.at_exit import IDLE, at_exit
from ..waiting.cancel import CancelToken
from ..waiting.wait_graph import WaitMember, enter, leave
from ..waiting.waiter import Waiter
from .envelope import Question
from .reply import ReplyFuture

if TYPE_CHECKING:
    from collections.abc import Callable

    import pykka

    from ...errors import AgentCrashed
    from ..messaging.dead_letter import DeadLetter
    from ..process.threads import Worker
    from ..waiting.wait_graph import WaitNode
    from .envelope import Envelope
    from .restarts import Restarts

EXIT_TIMEOUT = 5.0
"""Seconds that an actor has for its cleanup when the program ends."""


class ActorEnd(StrEnum):
    """How an actor ended."""

    STOPPED = "stopped"
    ABORTED = "aborted"
    CRASHED = "crashed"


class Handler(Protocol):
    """An actor as its cell sees it."""

    actor_stopped: threading.Event

    @property
    def actor_ref(self) -> pykka.ActorRef[Any]:
        """Its reference."""

    def on_start(self) -> None:
        """Called on its thread before the first message."""

    def on_stop(self) -> None:
        """Called once, after the last message."""

    def on_failure(self, exception_type: Any, exception_value: Any, traceback: Any) -> None:
        """Called in place of ``on_stop`` when it crashed; also before each restart."""

    def on_undelivered(self, letter: DeadLetter) -> None:
        """Called for each message that nobody will handle."""

    def handle(self, message: Any) -> Any:
        """Handle one message."""


class Supervision:
    """How an actor is started again.

    Args:
        make: Makes a new one in place of the one that crashed.
        restarts: How often.
        tries_per_message: How many crashes of one message lead to a restart.
    """

    __slots__ = ("make", "restarts", "tries_per_message")

    def __init__(self, make: Callable[[], Handler], restarts: Restarts, tries_per_message: int) -> None:
        self.make = make
        self.restarts = restarts
        self.tries_per_message = tries_per_message


class _Nobody:
    """Stands where a dead actor was."""

    def __init__(self, ref: pykka.ActorRef[Any]) -> None:
        self.actor_ref = ref
        self.actor_stopped = ref.actor_stopped

    def handle(self, *_: Any) -> None:
        """There is nobody."""

    on_start = on_stop = on_failure = on_undelivered = handle


class ActorCell(WaitMember):
    """What stays of a long-lived actor when it is started again: mailbox, thread, identity. It outlives the actor
    objects, which it holds one at a time.

    Guarantees: every accepted message is handled, or becomes a dead letter, and its asker is told; one at a time; it
    ends once; whatever a handler or a hook raises harms nobody else.

    Locks: none. ``actor``, ``supervision`` and ``_has_failed`` belong to the actor's thread; ``how_ended`` is written
    once, by it; the others change by single operations.
    """

    def __init__(self, actor: Handler, capacity: int | None) -> None:
        self.actor = actor
        self.name = type(actor).__name__
        self.mailbox = Mailbox(capacity)
        self.token = CancelToken()
        self.gone: ReplyFuture[ActorEnd] = ReplyFuture()
        self.ended: ReplyFuture[ActorEnd] = ReplyFuture(self)
        self.how_ended: ActorEnd | None = None
        self.waits: list[tuple[WaitNode, Waiter]] = []
        self.supervision: Supervision | None = None
        self.dead_letters = DeadLetters(self._undelivered)
        self._generation = fork.generation()
        self._has_failed = False
        self._left: list[Envelope] = []
        self.error: AgentCrashed | None = None
        self._pause: Waiter | None = None
        self._ident = 0
        self._exit_by = 0.0
        self._is_under_way = False
        self._out: Waiter | None = None

    # For everybody ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start its thread.

        Raises:
            RuntimeError: No thread can be started; nothing is left behind.
        """
        try:
            at_exit().watch(self)
            self._start_thread()
        except BaseException:
            if self._is_under_way:  # a Ctrl-C came with the start: who runs must end by itself
                self.abort("its start was interrupted")
            else:
                self.mailbox.seal()
                self.finish(ActorEnd.CRASHED)
            raise

    def _start_thread(self) -> None:
        context, name = copy_context(), f"{self.name}-{at_exit().next_number()}"

        def job(worker: Worker) -> bool:
            worker.thread.name = name
            try:
                context.run(self._run)
            finally:
                worker.thread.name = IDLE
            return False

        with at_exit().signals_held_off:  # a worker that was taken from rest must get its job
            at_exit().crew.start(job)
            self._is_under_way = True

    def stop(self) -> None:
        """End once the messages accepted before are handled."""
        with at_exit().signals_held_off:  # who waits for a message was taken out of the mailbox, and must be woken
            self.mailbox.seal()
        pause = self._pause
        if pause is not None:  # what is left is handled now, not after a backoff
            pause.wake()

    def abort(self, reason: str) -> None:
        """End now; what was not handled is a dead letter. Askers are told at once, whatever the handler does."""
        try:
            self.token.cancel(reason)
        finally:  # whatever a signal's handler has raised
            self._drop()

    def _drop(self) -> None:
        """Tell who asked that nobody will answer. The dead letters are told of at the end, on the actor's thread."""
        try:
            with at_exit().signals_held_off:
                self._left += self.mailbox.close()
        finally:  # a signal that came meanwhile is handled as the hold ends
            self._refuse(deque(self._left))  # all of them: an abort before may have been interrupted

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

    def mark_at_exit(self) -> None:
        """The program ends: whoever looks sees it."""
        self.token.mark("the program ends")

    def abort_at_exit(self) -> None:
        """Abort at the end of the program; 5 seconds from now on nobody waits for the cleanup any more."""
        self._exit_by = SYSTEM_CLOCK.monotonic() + EXIT_TIMEOUT
        self.abort("the program ends")

    def end_at_exit(self) -> None:
        """Wait for the cleanup, and for those who are told of the end."""
        self._out = Waiter()
        if self._ident or not self.ended.done():  # else it has left
            self._out.wait(max(0.0, self._exit_by - SYSTEM_CLOCK.monotonic()))

    # Its thread -------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        self._ident = threading.get_ident()
        enter(self)
        end = ActorEnd.CRASHED
        try:
            end = self._live()
            if self._generation == fork.generation() and not self._has_failed:
                self._quietly(self.actor.on_stop)
        finally:
            if self._generation == fork.generation():
                leave()  # who is told of the end is not the actor
                try:
                    self.finish(end)
                finally:
                    self._ident = 0  # the thread is the next actor's
                    if self._out is not None:
                        self._out.wake()

    def _live(self) -> ActorEnd:
        """Handle messages to the end."""
        goes_on = self._begin()
        token, mark = self.token, fork.mark()
        while goes_on and not token.cancelled:
            try:
                envelope = self.next_envelope()
            except (MailboxClosed, Cancelled):
                break
            if envelope is not None:
                goes_on = self._handle(envelope)
            if self._generation != mark.generation:
                break  # the handler has forked, and this is the child: its thread ends
            envelope = None  # an idle actor keeps no message alive
        if token.cancelled:
            return ActorEnd.ABORTED
        return ActorEnd.STOPPED if goes_on else ActorEnd.CRASHED

    def _begin(self) -> bool:
        """Call ``on_start``, again and again if it crashes and may be restarted; False when it cannot start."""
        while (failure := self._try(self.actor.on_start)) is not None:
            self._report(failure[1])
            if self.supervision is None:  # as Pykka does: on_failure is for handlers
                self._has_failed = True
                return False
            self._fail(failure)
            failure = None
            delay = self._restart_delay()
            if delay is None or not self._replace(delay):
                return False
        return True

    def next_envelope(self) -> Envelope | None:
        """What arrives next; None when there was something else to do."""
        taken: Any = self.mailbox.take()
        envelope: Envelope = self.mailbox.await_item() if taken is NOTHING else taken
        return envelope

    def _handle(self, envelope: Envelope) -> bool:
        """Handle one message; False when that ends the actor."""
        if isinstance(envelope, Question):
            if not envelope.answer(self.actor.handle):
                self._bury(envelope.message, DeadLetterReason.ASK_EXPIRED)
            return True
        try:
            self.actor.handle(envelope.message)
        except BaseException:  # noqa: BLE001 - reported, and it ends only this actor
            failures = [self._failure()]
        else:
            return True
        return self._recover(envelope, failures)

    def _recover(self, envelope: Envelope, failures: list[Any]) -> bool:
        """Go on after a handler has failed; False when that ends the actor.

        The failure is taken out of *failures*: no frame below holds it while a new actor is made.
        """
        failure = failures.pop()
        tries = 0
        while failure is not None:
            tries += 1
            self._report(failure[1])
            delay = self._restart_delay(tries)
            if delay is None and self.supervision is not None:
                # No restart is left for it: the message goes, and the actor lives on as it is.
                is_poison = tries > self.supervision.tries_per_message
                reason = DeadLetterReason.POISON if is_poison else DeadLetterReason.RESTARTS_USED_UP
                self._bury(envelope.message, reason)
                return True
            self._fail(failure)
            failure = None  # its frames keep the crashed actor alive
            if delay is None:
                return False
            if not self._renew(delay):
                self._bury(envelope.message, DeadLetterReason.RECEIVER_ENDED)
                return False
            failure = self._try(partial(self.actor.handle, envelope.message))
        return True

    def _try(self, work: Callable[[], object]) -> Any:
        """Call what the user wrote; the ``exc_info`` of a failure, or None."""
        try:
            work()
        except BaseException:  # noqa: BLE001 - reported, and it ends only this actor
            return self._failure()
        return None

    def _failure(self) -> Any:
        """The ``exc_info`` of what is being handled; None for its own cancel, which the loop sees. That of somebody
        else is a failure like any other.
        """
        info = sys.exc_info()
        return None if isinstance(info[1], Cancelled) and self.token.cancelled else info

    def _fail(self, failure: Any) -> None:
        """Let the actor that crashed clean up; its ``on_stop`` is not called any more."""
        self._quietly(partial(self.actor.on_failure, *failure))
        self._has_failed = True

    # Restarts ---------------------------------------------------------------------------------------------------

    def _restart_delay(self, tries: int = 0) -> float | None:
        supervision = self.supervision
        if supervision is None or tries > supervision.tries_per_message:
            return None
        return supervision.restarts.take()

    def _renew(self, delay: float) -> bool:
        """Put a new, started actor in place of the one that crashed; False when that cannot be done."""
        return self._replace(delay) and self._begin() and not self.token.cancelled

    def _replace(self, delay: float) -> bool:
        """Wait, and make a new actor; a stop ends the wait, an abort all of it."""
        assert self.supervision is not None
        while True:
            self._back_off(delay)
            if self.token.cancelled:
                return False
            try:
                self.actor = self.supervision.make()
                self._has_failed = False
                return True
            except BaseException as error:  # noqa: BLE001 - as in the handler
                self._report(error)
            following = self._restart_delay()
            if following is None:
                return False
            delay = following

    def _back_off(self, delay: float) -> None:
        self._pause = pause = Waiter()
        wake = pause.wake
        self.token.remind(wake)
        try:
            if self.mailbox.is_open:
                pause.wait(delay)
        finally:
            self.token.forget(wake)
            self._pause = None

    # The end ----------------------------------------------------------------------------------------------------

    def finish(self, end: ActorEnd) -> None:
        """End: what was not handled is a dead letter, and who still waits is told."""
        self._drop()
        letters = [
            self.dead_letters.add(envelope.message, DeadLetterReason.RECEIVER_ENDED, self.label)
            for envelope in self._left
        ]
        self._left = []
        self.how_ended = end
        if end is not ActorEnd.CRASHED:
            self.error = None
        stopped = self.actor.actor_stopped
        try:
            self.dead_letters.announce(*letters)
        finally:  # whatever a sink of the log does
            self._let_go()
            stopped.set()
            self.gone.set(end)  # first who watches, then who waits for the end: who has waited finds everything done
            self.ended.set(end)
            at_exit().forget(self)

    def _let_go(self) -> None:
        """Keep the dead actor no longer: its reference may be kept for long."""
        self.actor = _Nobody(self.actor.actor_ref)
        self.supervision = None

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

    # Waiting (the protocol WaitMember) ------------------------------------------------------------------------------

    @property
    def label(self) -> str:
        """How messages name it."""
        return f"actor {self.name}"

    def is_here(self) -> bool:
        """Is this the actor's own thread?"""
        return self._ident == threading.get_ident()

    def is_below(self, other: WaitNode) -> bool:
        """Is *other* this actor?"""
        return other is self
