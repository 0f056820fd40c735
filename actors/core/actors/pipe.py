"""What was begun by an actor comes back to it as a message."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from ...errors import fresh_copy
from ..messaging.dead_letter import DeadLetterReason
from .coroutines import CoroutineRun
from .envelope import Order
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
    if wrap is not None and not callable(wrap):
        raise TypeError(f"wrap must be a function that takes a Piped and returns a message, got {wrap!r}")
    if isinstance(source, Coroutine):
        source = cell.part(Errands).send(source)
    if not isinstance(source, LATER):
        raise TypeError(
            "pipe takes a ReplyFuture, a concurrent.futures.Future, an AgentHandle or a coroutine, got "
            f"{source!r}; of a call, pipe what executor.submit(...) returns"
        )
    when_settled(source, partial(_arrived, cell, wrap, tag))


def _arrived(
    cell: ActorLife, wrap: Callable[[Piped], Any] | None, tag: Any, value: Any, error: BaseException | None
) -> None:
    """By the lane that has no bound: a full mailbox loses nothing of it."""
    piped = Piped(value, error, tag)
    if not cell.mailbox.put_system(Order(partial(_handle, cell, wrap, piped))):
        letters = cell.dead_letters
        letters.announce(letters.add(piped, DeadLetterReason.RECEIVER_ENDED, cell.label))


def _handle(cell: ActorLife, wrap: Callable[[Piped], Any] | None, piped: Piped) -> Course | None:
    """Where messages are handled. What *wrap* raises is a crash, as in a handler, and nothing is left to be retried."""
    return cell.handle_now(piped if wrap is None else wrap(piped))


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
        """Begin *coroutine*; the future of its result."""
        run = CoroutineRun(coroutine, is_handler=False)
        self._runs[run] = None
        run.done.add_done_callback(lambda _: self._runs.pop(run, None))
        run.begin()
        if self._cell.token.cancelled:  # who aborted it may have looked before
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
