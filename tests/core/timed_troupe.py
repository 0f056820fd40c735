"""What the tests of timers share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors import Dispatcher

from ..waiting import BOUND, eventually
from .troupe import Player

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors import ActorRef

    from ..waiting import Gate

CREW = Dispatcher(workers=2, linger=0.01, stalled_after=None, name="timed")


class SharedPlayer(Player):
    """A player without a thread."""

    dispatcher = CREW


class SmallPlayer(Player):
    """With room for one message."""

    inbox_capacity = 1


class SmallSharedPlayer(SharedPlayer):
    """With room for one message, and without a thread."""

    inbox_capacity = 1


def diary_of(ref: ActorRef[Any]) -> list[Any]:
    """What it has written so far, all that was accepted before included."""
    diary: list[Any] = ref.ask(lambda me: [word for _, word in me.diary if isinstance(word, str)], timeout=BOUND)
    return [word for word in diary if word not in ("init", "start", "failure", "stop")]


def do(ref: ActorRef[Any], deed: Callable[[Any], Any]) -> Any:
    """Let the actor do it in a handler."""
    return ref.ask(deed, timeout=BOUND)


def held(ref: ActorRef[Any], gate: Gate) -> None:
    """Let it stand in a handler until the gate is opened."""
    ref.tell(gate.hold)
    gate.await_reached()


def diary_of_small(ref: ActorRef[Any]) -> list[Any]:
    """As :func:`diary_of`, once there is room."""
    eventually(lambda: len(ref.actor_inbox) == 0)
    return diary_of(ref)
