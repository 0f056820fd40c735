"""An actor as its cell sees it, and how it is started again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    import pykka

    from ..messaging.dead_letter import DeadLetter
    from .course import Course
    from .restarts import Restarts


class Handler(Protocol):
    """An actor as its cell sees it."""

    registered: ClassVar[bool]
    """Does it stand in Pykka's registry?"""

    @property
    def actor_ref(self) -> pykka.ActorRef[Any]:
        """Its reference."""

    def on_start(self) -> None:
        """Called before the first message, where messages are handled."""

    def on_stop(self) -> None:
        """Called once, after the last message."""

    def on_failure(self, exception_type: Any, exception_value: Any, traceback: Any) -> None:
        """Called in place of ``on_stop`` when it crashed; also before each restart."""

    def on_idle(self) -> object:
        """Called when no message has come for a while, if it wants that."""

    def on_undelivered(self, letter: DeadLetter) -> None:
        """Called for each message that nobody will handle."""

    def on_child_ended(self, ref: Any, reason: Any) -> Any:
        """Called between two messages when a child has ended by itself."""

    def time_of_a_child(self) -> float | None:
        """Seconds that a child has for its stop, if its class says nothing; None has no bound."""

    def handle(self, message: Any) -> Any:
        """Handle one message."""


class Supervision:
    """How an actor is started again.

    Args:
        make: Makes a new one in place of the one that crashed.
        restarts: How often; None: :meth:`recover` sees to that.
        tries_per_message: How many crashes of one message lead to a restart.
    """

    __slots__ = ("make", "restarts", "tries_per_message")

    def __init__(self, make: Callable[[], Handler], restarts: Restarts | None, tries_per_message: int) -> None:
        self.make = make
        self.restarts = restarts
        self.tries_per_message = tries_per_message

    @property
    def total(self) -> int:
        """How often it was made anew."""
        return 0 if self.restarts is None else self.restarts.total

    @property
    def next_at(self) -> float | None:
        """The moment of its next start, or of the last one; None when that is not known."""
        return None if self.restarts is None else self.restarts.next_at

    def recover(self, failures: list[Any]) -> Course | None:  # noqa: ARG002 - for those who do
        """Go on after a crash, when somebody else decides how; None when nobody does.

        Args:
            failures: The ``exc_info`` of the crash, to be taken out: no frame below holds it while a new one is made.
        """
        return None


class _Nobody:
    """Stands where a dead actor was."""

    def handle(self, *_: Any) -> None:
        """There is nobody."""

    on_start = on_stop = on_failure = on_idle = on_undelivered = on_child_ended = time_of_a_child = handle


NOBODY = cast("Handler", _Nobody())
"""One for all: it has nothing of its own."""


class Part(Protocol):
    """Something of an actor that most have not, and that ends with it: its timers, its children, what it has stashed.

    It is made on first use (:meth:`ActorCell.part`), which any thread may do. Its methods are called where the actor's
    messages are handled.
    """

    def shed(self) -> Course | None:
        """The actor crashed, and another is made in its place: what belonged to that one ends."""

    def wind_up(self) -> Course | None:
        """The actor ends, and ``on_stop`` comes next: what must not outlive it ends."""

    def end(self) -> None:
        """The actor has ended. Its mailbox is closed, and ``on_stop`` was called."""
