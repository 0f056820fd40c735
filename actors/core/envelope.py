"""A message in an actor's mailbox, and what becomes of an ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pykka

from ..errors import ActorDead, Cancelled, DeadlockError
from .future import PykkaAskTimeout

if TYPE_CHECKING:
    from collections.abc import Callable

    from .future import ReplyFuture


class PykkaActorDead(ActorDead, pykka.ActorDeadError):
    """An :class:`ActorDead` that code written for Pykka catches as ``pykka.ActorDeadError``."""


class Envelope:
    """A message in an actor's mailbox, with the future of its reply if it is an ask."""

    __slots__ = ("message", "reply_to")

    def __init__(self, message: Any, reply_to: ReplyFuture[Any] | None = None) -> None:
        self.message = message
        self.reply_to = reply_to

    def refuse(self, text: str) -> None:
        """Tell the asker, if there is one, that nobody will answer."""
        if self.reply_to is not None:
            self.reply_to.fail(PykkaActorDead(text, self.message))

    def answer(self, handle: Callable[[Any], Any]) -> None:
        """Handle an ask: the reply, or whatever *handle* raises, goes to the asker. Never raises."""
        assert self.reply_to is not None
        if self.reply_to.done():  # the asker has given up
            return
        try:
            self.reply_to.set(handle(self.message))
        except Cancelled as cancelled:
            self.refuse(f"the actor was aborted while it handled the message ({cancelled})")
        except BaseException as error:  # noqa: BLE001 - the asker is told, the actor lives on
            self.reply_to.fail(error)


def await_reply(future: ReplyFuture[Any], timeout: float | None, who: str) -> Any:
    """Wait for the reply of an ask. When the time runs out the ask is settled, so that a handler that has not begun
    skips it and a late reply is dropped.
    """
    try:
        return future.get(timeout=timeout)
    except PykkaAskTimeout as late:
        if not future.fail(late):  # the reply came just now
            return future.get(timeout=0)
        raise PykkaAskTimeout(f"{who} did not reply within {timeout} s; the handler may still run") from None
    except (Cancelled, DeadlockError) as refused:
        future.fail(refused)  # nobody waits for the reply any more
        raise
