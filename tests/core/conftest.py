"""What the tests of long-lived actors share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from actors import supervise
from actors.core.waiting.crowd import crowd

from ..manual_alarm import ManualAlarm
from .timed_troupe import SharedPlayer, SmallPlayer, SmallSharedPlayer
from .troupe import Player, again

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from actors import ActorRef

THRICE = again(3)


@pytest.fixture
def supervised() -> Iterator[Callable[..., ActorRef[Any]]]:
    """Starts supervised players; they are aborted at the end of the test.

    Name it before ``gate``: gates are then opened first.
    """
    made: list[Any] = []

    def start(cls: Any = Player, *args: Any, restart: Any = THRICE, **kwargs: Any) -> Any:
        if issubclass(cls, Player) and not args:
            args = ([],)  # its lives are counted there
        made.append(supervise(cls, *args, restart=restart, **kwargs))
        return made[-1]

    yield start
    for ref in made:
        ref.abort()
    for ref in made:
        assert ref.actor_stopped.wait(10)


@pytest.fixture
def started() -> Iterator[Callable[..., ActorRef[Any]]]:
    """Starts players that nobody restarts; aborted at the end, too."""
    made: list[Any] = []

    def start(cls: Any = Player, *args: Any, **kwargs: Any) -> Any:
        made.append(cls.start(*args, **kwargs))
        return made[-1]

    yield start
    for ref in made:
        ref.abort()
    for ref in made:
        assert ref.actor_stopped.wait(10)


@pytest.fixture
def alarm(monkeypatch: pytest.MonkeyPatch) -> ManualAlarm:
    """The process's alarm, moved by the test. Name it first: actors that live on have set timers there."""
    made = ManualAlarm()
    monkeypatch.setattr(crowd(), "alarm", made)
    return made


@pytest.fixture(params=["pinned", "shared"])
def player(request: pytest.FixtureRequest) -> type[Player]:
    """A class of players, for each dispatcher."""
    return Player if request.param == "pinned" else SharedPlayer


@pytest.fixture(params=["pinned", "shared"])
def small(request: pytest.FixtureRequest) -> type[Player]:
    """As above, with room for one message."""
    return SmallPlayer if request.param == "pinned" else SmallSharedPlayer
