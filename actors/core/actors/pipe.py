"""What was begun by an actor comes back to it as a message."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from ...errors import fresh_copy
from ...public import publish
from ..messaging.dead_letter import DeadLetterReason
from ..process import fork
from .actor_cell import ENDS
from .coroutines import CoroutineRun
from .envelope import Envelope, Order
from .eventual import LATER, when_settled

if TYPE_CHECKING:
    from collections.abc import Callable

    from .actor_life import ActorLife
    from .course import Course
    from .eventual import Later


@dataclass(frozen=True, slots=True)
class Piped:
    """What became of something that an actor has piped to itself.

    Args:
        value: What it was settled with; None when it failed.
        error: What it failed with; None when it did not.
        tag: As it was given to ``pipe``.
    """

    value: Any = None
    error: BaseException | None = None
    tag: Any = None

    def unwrap(self) -> Any:
        """The value; raises a fresh copy of the error if there is one."""
        if self.error is not None:
            raise fresh_copy(self.error)
        return self.value


def pipe(
    cell: ActorLife,
    source: Later | Coroutine[Any, Any, Any],
    wrap: Callable[[Piped], Any] | None,
    tag: Any,
) -> None:
    """Have what *source* is settled with come to the actor of *cell*."""
    fork.refuse_after_fork(cell.generation)
    if wrap is not None and not callable(wrap):
        raise TypeError(f"wrap must be a function that takes a Piped and returns a message, got {wrap!r}")
    if isinstance(source, Coroutine):
        source = cell.part(Errands).send(source)
    if not isinstance(source, LATER):
        raise TypeError(
            "pipe takes a ReplyFuture, a concurrent.futures.Future, an AgentHandle or a coroutine, got "
            f"{source!r}; of a call, pipe what executor.submit(...) returns"
        )
    when_settled(source, partial(cell.part(Arrivals).take, wrap, tag))


class Arrivals:
    """What came for an actor and was not handled yet (the protocol ``Part``). It comes by the lane that has no bound:
    a full mailbox loses nothing of it. What lies there when the actor ends is a dead letter.

    Locks: none. ``_unread`` changes by single operations: who takes one out has it.
    """

    __slots__ = ("_cell", "_unread")

    def __init__(self, cell: ActorLife) -> None:
        self._cell = cell
        self._unread: dict[object, Piped] = {}

    def take(self, wrap: Callable[[Piped], Any] | None, tag: Any, value: Any, error: BaseException | None) -> None:
        """Something has ended with that. Threads: any."""
        cell, piped, place = self._cell, Piped(value, error, tag), object()
        self._unread[place] = piped  # first: who ends the actor closes the mailbox, and looks here then
        order = Order(partial(self._handle, place, wrap))
        if not cell.mailbox.put_system(order) and self._unread.pop(place, None) is not None:
            letters = cell.dead_letters
            letters.announce(letters.add(piped, DeadLetterReason.RECEIVER_ENDED, cell.label))

    def _handle(self, place: object, wrap: Callable[[Piped], Any] | None) -> Course | None:
        """Where messages are handled. What *wrap* raises is a crash, as in a handler, and nothing is left to be
        retried.
        """
        piped = self._unread.pop(place)
        return self._cell.handle_now(piped if wrap is None else wrap(piped))

    # The protocol Part ------------------------------------------------------------------------------------------

    def shed(self) -> None:
        """Who is made in its place handles them."""

    def wind_up(self) -> None:
        """More may come for it."""

    def end(self) -> None:
        """Nobody will handle them: the mailbox was closed over them."""
        left: list[Envelope] = []
        while self._unread:
            try:
                left.append(Envelope(self._unread.popitem()[1]))
            except KeyError:  # who brought it has seen that nobody takes it
                break
        self._cell.leave(reversed(left))


class Errands:
    """Coroutines that run beside an actor's handlers, as long as it lives (the protocol ``Part``).

    Locks: none. ``_runs`` changes by single operations.
    """

    __slots__ = ("_cell", "_runs")

    def __init__(self, cell: ActorLife) -> None:
        self._cell = cell
        self._runs: dict[CoroutineRun, None] = {}
        cell.token.remind(self.end)

    def send(self, coroutine: Coroutine[Any, Any, Any]) -> Later:
        """Begin *coroutine*; the future of its result.

        Raises:
            RuntimeError: No thread can be started.
        """
        run = CoroutineRun(coroutine, is_handler=False)
        run.begin()
        self._runs[run] = None
        run.done.add_done_callback(lambda _: self._runs.pop(run, None))
        if self._cell.token.cancelled or self._cell.stage >= ENDS:  # who ended it may have looked before
            run.cancel()
        return run.done

    # The protocol Part ------------------------------------------------------------------------------------------

    def shed(self) -> None:
        """They go on: what they end with comes to who is in its place."""

    def wind_up(self) -> None:
        """Nothing yet."""

    def end(self) -> None:
        """Nobody is there to be told: they are cancelled, and clean up by themselves."""
        self._cell.token.forget(self.end)
        for run in tuple(self._runs):
            run.cancel()


publish("actors.actors", Piped)
