"""Replies that come after their handlers have returned."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Generic

from typing_extensions import TypeVar

from ...errors import ActorsError, DeadlockError
from ..process import fork
from ..waiting.wait_graph import path_to_gate
from .envelope import Order, Question
from .eventual import ower_of, when_settled
from .inside import PutAside, handled

if TYPE_CHECKING:
    from .actor_cell import ActorCell
    from .eventual import Later

R_contra = TypeVar("R_contra", contravariant=True, default=Any)


class DeferredReply(Generic[R_contra]):
    """The reply to an ask whose handler has returned without one: the asker waits until it is set, or failed.

    Once, from any thread: a second :meth:`set` or :meth:`fail` is an error of the program. That the asker has given up
    or the actor has ended meanwhile is none: then they are False.

    Guarantees: the asker is told once, also when the actor ends first (``ActorDead``), and when this object is let go
    of before it was settled. A restart of the actor leaves it open.

    Example:
        ```python
        import threading

        from actors import Actor

        class Kitchen(Actor):
            def on_receive(self, order: str) -> None:
                reply = self.defer_reply()  # and goes on with the next order
                threading.Timer(0.01, reply.set, [f"{order}, baked"]).start()

        kitchen = Kitchen.start()
        print(kitchen.ask("bread"))
        kitchen.stop()
        ```

        ```text
        bread, baked
        ```

    Source: Erlang's ``gen_server:reply``; ractor's ``RpcReplyPort``.

    Locks: none. ``_right``, to settle it, is taken by one operation.
    """

    __slots__ = ("__weakref__", "_deferrals", "_question", "_right")

    def __init__(self, question: Question | None, deferrals: Deferrals) -> None:
        self._question = question
        self._deferrals = deferrals
        self._right = True

    def __repr__(self) -> str:
        return f"<DeferredReply {'done' if self.done() else 'pending'}>"

    def done(self) -> bool:
        """Does nobody wait for it any more? It was settled, the asker has given up, the actor has ended, or the
        message was told.
        """
        return self._question is None or self._question.is_settled()

    def set(self, value: R_contra | None = None) -> bool:
        """Reply with *value*.

        Returns:
            False when nobody waits for it any more.
        Raises:
            ActorsError: It was set, or failed, before.
            ForkedPoolError: In a forked child.
        """
        return self._settle(value, None)

    def fail(self, error: BaseException) -> bool:
        """Let the ask raise *error*, as if the handler had raised it.

        Returns:
            False when nobody waits for it any more.
        Raises:
            ActorsError: It was set, or failed, before.
            ForkedPoolError: In a forked child.
            TypeError: *error* is no exception.
        """
        if not isinstance(error, BaseException):
            raise TypeError(f"fail takes an exception, as fail(ValueError('...')); got {error!r}")
        return self._settle(None, error)

    def _settle(self, value: Any, error: BaseException | None) -> bool:
        fork.refuse_after_fork(self._deferrals.generation)
        if not self._take_right():
            raise ActorsError(
                f"this reply of {self._deferrals.whose} was set, or failed, before: an ask is answered once"
            )
        return self._question is not None and self._deferrals.close(self._question, value, error)

    def settle(self, value: Any, error: BaseException | None) -> None:
        """As :meth:`set` or :meth:`fail`; nothing when it was settled.

        Args:
            value: The reply.
            error: What is raised by the ask, in place of a reply.
        """
        if self._take_right() and self._question is not None:
            self._deferrals.close(self._question, value, error)

    def _take_right(self) -> bool:
        try:
            del self._right
        except AttributeError:
            return False
        return True

    def __del__(self) -> None:
        """Nobody can settle it any more: the asker must not wait for ever."""
        if self._take_right() and self._question is not None:
            self._deferrals.lose(self._question)


class Deferrals:
    """The asks of an actor that wait for a deferred reply (the protocol ``Part``).

    Locks: none. ``_open`` changes by single operations.
    """

    __slots__ = ("_cell", "_open", "whose")

    def __init__(self, cell: ActorCell) -> None:
        self._cell = cell
        self._open: dict[Question, None] = {}
        self.whose = cell.label
        cell.token.remind(self._refuse)

    @property
    def generation(self) -> int:
        """The process in which its actor lives, counted in forks."""
        return self._cell.generation

    def defer(self) -> DeferredReply[Any]:
        """Owe the reply to the message that is being handled."""
        envelope = handled(self._cell, "defer_reply()")
        self._cell.current = PutAside(envelope, "its reply was deferred")
        return self._opened(envelope) if isinstance(envelope, Question) else DeferredReply(None, self)

    def follow(self, question: Question, source: Later) -> None:
        """Owe the reply to *question*, which is what *source* is settled with. Who lets go of that lets go of both."""
        reply = self._opened(question)
        ower = ower_of(source)
        waiters = [] if ower is None else question.reply_to.hand_on(ower)
        path = path_to_gate(ower, waiters) if ower is not None and waiters else None
        if path is not None:
            reply.fail(DeadlockError("a circle of waiting, through a reply that was deferred", (self.whose, *path)))
        when_settled(source, reply.settle)

    def _opened(self, question: Question) -> DeferredReply[Any]:
        self._open[question] = None
        if self._cell.token.cancelled:  # who aborted it may have looked before
            self._refuse()
        return DeferredReply(question, self)

    def close(self, question: Question, value: Any, error: BaseException | None) -> bool:
        """Reply. False when the asker has given up, or was told that the actor has ended."""
        self._open.pop(question, None)
        return question.settle(value) if error is None else question.fail(error)

    def lose(self, question: Question) -> None:
        """Its reply was let go of. In a finalizer nobody is told anything: the actor does it between two messages, or
        at its end. In a forked child there is no actor, and its locks may be held for ever.
        """
        if self.generation == fork.generation():
            self._cell.mailbox.put_system(Order(partial(self._close_lost, question)))

    def _close_lost(self, question: Question) -> None:
        text = f"{self.whose} has deferred its reply, and let go of it without set() or fail()"
        self.close(question, None, ActorsError(text))

    def _refuse(self) -> None:
        for question in tuple(self._open):
            question.refuse(f"{self.whose} ended before it replied")

    # The protocol Part ------------------------------------------------------------------------------------------

    def shed(self) -> None:
        """They stay open: whoever was to settle them may still do so."""

    def wind_up(self) -> None:
        """Nothing: ``on_stop`` may still settle some."""

    def end(self) -> None:
        """Nobody may settle them any more."""
        self._cell.token.forget(self._refuse)
        self._refuse()
        self._open.clear()
