"""What a handler may do with its message beside replying, and who handles the next one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from .deferred import Deferrals, DeferredReply
from .inside import refuse_outside
from .pipe import Piped, pipe
from .stash import Stash, capacity_of
from .typed import M_contra, R_co, TypedActor

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from .actor_life import ActorLife
    from .eventual import Later


class HandlingActor(TypedActor[M_contra, R_co]):
    """An actor, inside its handlers.

    Locks: none. ``_became`` belongs to whoever handles the actor's messages.
    """

    stash_capacity: ClassVar[int | None] = 64
    """How many messages it may keep with :meth:`stash`; None has no bound."""

    _became: list[Callable[[Any], Any]] | None = None
    _cell: ActorLife

    def stash(self) -> None:
        """Keep the message that is being handled for later: an asker waits on. :meth:`unstash_all` brings it back.

        Raises:
            StashFull: ``stash_capacity`` messages are kept already.
            ActorsError: Not in a handler, or the message was put aside already.
        Source: Akka's ``Stash``.
        """
        self._cell.part(Stash).keep(capacity_of(self))

    def unstash_all(self) -> int:
        """Have all that was stashed handled next, in the order in which it was stashed; how many there are."""
        refuse_outside(self._cell, "unstash_all()")
        return self._cell.part(Stash).give_back()

    def become(self, handler: Callable[[Any], Any], *, discard_old: bool = False) -> None:
        """Let *handler* handle the messages from the next one on, in place of ``on_receive``.

        They are stacked; :meth:`unbecome` goes back by one. A restart begins with ``on_receive``.

        Args:
            handler: A function, plain or async, that takes a message: ``self.become(self.closed)``.
            discard_old: In place of the latest one: for states that go round and never back.
        Source: Akka's ``become``.
        """
        if not callable(handler):
            raise TypeError(
                f"become takes a function that takes a message, as self.become(self.closed); got {handler!r}"
            )
        became = self._became or []
        self._became = [*(became[:-1] if discard_old else became), handler]

    def unbecome(self) -> None:
        """Go back to who handled messages before the latest :meth:`become`, in the end to ``on_receive``."""
        self._became = (self._became or [])[:-1] or None

    def defer_reply(self) -> DeferredReply[Any]:
        """Reply later: the handler returns, and the asker waits until the ``DeferredReply`` is set, or failed.

        To a message that was told it is one for which nobody waits. What the handler returns then is not looked at;
        what it raises, the asker gets.

        Raises:
            ActorsError: Not in a handler, or the message was put aside already.
        """
        return self._cell.part(Deferrals).defer()

    def pipe(
        self,
        source: Later | Coroutine[Any, Any, Any],
        wrap: Callable[[Piped], Any] | None = None,
        tag: Any = None,
    ) -> None:
        """Have what *source* ends with come to this actor as a ``Piped``, by the lane that is never full.

        After a restart it comes to who is in its place, after a stop it is a dead letter.

        Args:
            source: A ``ReplyFuture``, a ``concurrent.futures.Future``, an ``AgentHandle``, or a coroutine, which is run
                on the private loop, beside the handlers, and cancelled when the actor ends.
            wrap: Makes the message of the ``Piped``; called where messages are handled.
            tag: For the ``Piped``.
        Source: Akka's ``pipeToSelf``.
        """
        pipe(self._cell, source, wrap, tag)
