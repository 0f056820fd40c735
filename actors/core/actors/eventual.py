"""What is settled later: futures, and whatever else ends with a value."""

from __future__ import annotations

import concurrent.futures
from typing import TYPE_CHECKING, Any, TypeVar

from ...errors import ActorsError
from ..crash import fenced
from .reply import Owed, ReplyFuture

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..waiting.wait_graph import WaitNode

T_co = TypeVar("T_co", covariant=True)


class Eventual:
    """Marks what ends with a value, for handlers that return it or pipe it to themselves.

    The classes of the rooms above that are meant inherit it: an agent's handle.
    """

    __slots__ = ()

    @property
    def future(self) -> concurrent.futures.Future[Any]:
        """A standard future of that value. Reading it takes nothing."""
        raise NotImplementedError

    @property
    def member(self) -> WaitNode:
        """Who owes the value."""
        raise NotImplementedError

    def detach(self) -> None:
        """The value has been handed on: nobody else is owed it."""
        raise NotImplementedError


LATER = (ReplyFuture, concurrent.futures.Future, Eventual)
"""What a handler may return in place of its reply."""
Later = ReplyFuture[Any] | concurrent.futures.Future[Any] | Eventual


def when_settled(source: Later, tell: Callable[[Any, BaseException | None], object]) -> None:
    """Call ``tell(value, error)`` once *source* is settled, on the thread that settles it; at once if it is already.

    One that was cancelled has an error that says so. What an agent has ended with is owed to nobody else then.
    """
    handle = source if isinstance(source, Eventual) else None
    future: Any = source if handle is None else handle.future

    def settled(done: Any) -> None:  # no circle: who lets go of a future lets go of who waits for it
        fenced(tell, *_ended_with(done), what="what waits for a future")
        if handle is not None:
            handle.detach()

    future.add_done_callback(settled)


def ower_of(source: Later) -> WaitNode | None:
    """Who owes what *source* will be settled with; None where nobody knows."""
    if isinstance(source, ReplyFuture):
        return Owed(source)
    return source.member if isinstance(source, Eventual) else None


def _ended_with(future: Any) -> tuple[Any, BaseException | None]:
    if isinstance(future, ReplyFuture):
        return future.ended_with()
    if future.cancelled():
        return None, ActorsError(f"the future was cancelled before it had a value: {future!r}")
    try:
        error = future.exception()
        return (None, error) if error is not None else (future.result(), None)
    except BaseException as error:  # noqa: BLE001 - a future of somebody's own: what it raises is what there is
        return None, error
