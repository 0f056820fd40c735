"""A message in an actor's mailbox, and what becomes of an ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pykka

from ...errors import ActorDead, ActorsError, Cancelled, DeadlockError, DispatcherExhausted, InboxFull
from ...public import publish
from ..clock import SYSTEM_CLOCK
from ..waiting.wait_graph import checkpoint, refuse_wait_for
from .reply import PykkaAskTimeout, ReplyFuture

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from ..waiting.wait_graph import WaitMember
    from .course import Course

    Work = Course | Coroutine[Any, Any, Any] | None
    """What is left to be done: a course, a coroutine, nothing."""
    Send = Callable[["Envelope", float | None, WaitMember | None], None]


class PykkaActorDead(ActorDead, pykka.ActorDeadError):
    """An :class:`ActorDead` that code written for Pykka catches as ``pykka.ActorDeadError``."""


class Envelope:
    """A message in an actor's mailbox that was told."""

    __slots__ = ("message",)

    def __init__(self, message: Any) -> None:
        self.message: Any = message

    def is_settled(self) -> bool:
        """Does nobody want it to be handled any more?"""
        return False

    def is_missed(self) -> bool:
        """Is it a dead letter when nobody handles it?"""
        return True

    def reply(self, value: Any) -> None:
        """It was handled: nobody waits for an answer."""

    def refuse(self, text: str) -> None:
        """It will not be handled: nobody waits for an answer."""


def enveloped(item: Any) -> Envelope:
    """What came out of a mailbox: a message that was told lies there as it is."""
    return item if issubclass(type(item), Envelope) else Envelope(item)


class Question(Envelope):
    """A message that was asked, and the future of its reply."""

    __slots__ = ("reply_to",)

    def __init__(self, message: Any, reply_to: ReplyFuture[Any]) -> None:
        self.message: Any = message
        self.reply_to: ReplyFuture[Any] = reply_to

    def is_settled(self) -> bool:
        """Has the asker given up?"""
        return self.reply_to.done()

    def reply(self, value: Any) -> None:
        """Tell the asker."""
        self.reply_to.set(value)

    def refuse(self, text: str) -> None:
        """Tell the asker that nobody will answer."""
        self.reply_to.fail(PykkaActorDead(text, self.message))

    def settle(self, value: Any) -> bool:
        """Tell the asker; False when somebody was first."""
        return self.reply_to._settle(value, None)  # noqa: SLF001 - Pykka's ``set`` does not say

    def fail(self, error: BaseException) -> bool:
        """Tell the asker that the handler has raised *error*; False when somebody was first."""
        if isinstance(error, Cancelled):
            error = PykkaActorDead(f"cancelled while it handled the message ({error})", self.message)
        return self.reply_to.fail(error)

    def answer(self, handle: Callable[[Any], Any]) -> bool:
        """Handle it: the reply, or whatever *handle* raises, goes to the asker. Never raises.

        Returns:
            False when it was not handled, as the asker has given up.
        """
        if self.reply_to.done():
            return False
        try:
            self.reply_to.set(handle(self.message))
        except BaseException as error:  # noqa: BLE001 - the asker is told, the one who is asked lives on
            self.fail(error)
        return True


class Order(Envelope):
    """What an actor wants to do itself between two messages. It comes by its mailbox's system lane, which has no bound.

    It is no message: nobody reads it as a dead letter.
    """

    __slots__ = ("work",)

    def __init__(self, work: Callable[[], Work]) -> None:
        self.message = None
        self.work = work

    def is_missed(self) -> bool:
        """It is no message."""
        return False

    def carry_out(self) -> Work:
        """Do it, where the actor handles its messages. What it raises, or the coroutine that it answers, is a crash of
        the actor.
        """
        return self.work()


def ask(send: Send, target: WaitMember, message: Any, timeout: float | None, who: object, box: str) -> Any:
    """Send *message* and wait for the reply; one deadline covers the room in the mailbox and the reply.

    Args:
        send: Puts an envelope into the mailbox of *target*.
        who: The target, by whose ``str`` messages name it.
        box: How they name its mailbox.
    """
    refuse_wait_for(target)  # before it is sent: a refused ask must not be handled later
    end = None if timeout is None else SYSTEM_CLOCK.monotonic() + timeout
    future: ReplyFuture[Any] = ReplyFuture(target)
    try:
        try:
            send(Question(message, future), timeout, target)
        except InboxFull:
            raise PykkaAskTimeout(f"the {box} of {who} had no room within {timeout} s") from None
        return await_reply(future, SYSTEM_CLOCK.left(end), who)
    except ActorDead:
        checkpoint()  # both may be ending, with the program say: who asks was cancelled, and has not crashed
        raise


def ask_future(send: Send, target: WaitMember, message: Any) -> ReplyFuture[Any]:
    """Send *message* and return the future of its reply. What goes wrong is in the future."""
    future: ReplyFuture[Any] = ReplyFuture(target)
    try:
        send(Question(message, future), 0.0, None)
    except ActorsError as error:
        future.fail(error)
    return future


def await_reply(future: ReplyFuture[Any], timeout: float | None, who: object) -> Any:
    """Wait for the reply of an ask. When the time runs out the ask is settled, so that a handler that has not begun
    skips it and a late reply is dropped.
    """
    try:
        return future.get(timeout=timeout)
    except PykkaAskTimeout as late:
        if not future.fail(late):  # the reply came just now
            return future.get(timeout=0)
        raise PykkaAskTimeout(f"{who} did not reply within {timeout} s; the handler may still run") from None
    except DispatcherExhausted as refused:
        if not future.fail(refused):  # the reply came just now
            return future.get(timeout=0)
        raise
    except (Cancelled, DeadlockError) as refused:
        future.fail(refused)  # nobody waits for the reply any more
        raise


publish("actors.actors", PykkaActorDead)  # unlisted: what users catch is ActorDead
