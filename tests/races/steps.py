"""Forces the order in which threads pass one point of the code.

A race has players, and a point that each of them comes to: a lock of the library that stands in front of the decision,
or a line of the test's own code. The test names the players in the order in which they are to pass. Every player waits
at the point until all have come, and then for its turn: so each has done whatever comes before the point, none has done
what comes after it, and the winner is certain.
"""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BOUND = 10.0
"""Seconds after which a player that waits in vain goes on; :meth:`Steps.verify` then fails the test."""


class Steps:
    """One point, and the players that pass it one after another, in the order named.

    Args:
        order: The players; the first is the winner.
        skip: How often a player comes to the point before the time that counts.

    Guarantees: a player that waits in vain, or comes to a lock that another never leaves, is let through after the
    bound. Raising there would raise inside the library; so the test fails at its end instead.

    Locks: ``_changed`` guards every field.
    """

    def __init__(self, *order: str, skip: dict[str, int] | None = None) -> None:
        self._order = order
        self._skip = dict(skip or {})
        self._changed = threading.Condition()
        self._arrived: set[str] = set()
        self._passed: list[str] = []
        self._late: list[str] = []
        self._whole: set[str] = set()
        self._part = threading.local()

    # Who plays --------------------------------------------------------------------------------------------------

    def play(self, name: str) -> None:
        """The calling thread plays *name* from now until it has passed the point."""
        assert name in self._order, f"{name} is not in {self._order}"
        self._part.name = name

    def part(self, name: str, fn: Callable[..., Any], *, whole: bool = False) -> Callable[..., Any]:
        """*fn*, called by a thread that plays *name*.

        Args:
            whole: It has passed when *fn* has returned, and not already when it left the point.
        """
        if whole:
            self._whole.add(name)

        def call(*args: Any, **kwargs: Any) -> Any:
            self.play(name)
            try:
                return fn(*args, **kwargs)
            finally:
                if whole:
                    self._pass(name)

        return call

    # The point --------------------------------------------------------------------------------------------------

    @contextmanager
    def point(self, name: str | None = None) -> Iterator[None]:
        """A point in the test's own code: the block is passed in turn, by *name* or by whom the thread plays."""
        if name is not None:
            self.play(name)
        came = self.come()
        try:
            yield
        finally:
            self.leave(came)

    def lock(self, lock: Any) -> StepLock:
        """*lock*, with the point in front of it."""
        return StepLock(self, lock)

    def around(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        """*fn*, with the point in front of it."""

        def call(*args: Any, **kwargs: Any) -> Any:
            with self.point():
                return fn(*args, **kwargs)

        return call

    def come(self) -> str | None:
        """The calling thread is at the point: wait until it may pass. Its name, if it plays and this time counts."""
        name: str | None = getattr(self._part, "name", None)
        if name is None:
            return None
        with self._changed:
            if self._skip.get(name, 0) > 0:
                self._skip[name] -= 1
                return None
            self._part.name = None
            self._arrived.add(name)
            self._changed.notify_all()
            before = self._order[: self._order.index(name)]
            if not self._changed.wait_for(
                lambda: self._arrived.issuperset(self._order) and self._passed == list(before), BOUND
            ):
                self._late.append(name)
        return name

    def leave(self, name: str | None) -> None:
        """The one that came leaves the point."""
        if name is not None and name not in self._whole:
            self._pass(name)

    def _pass(self, name: str) -> None:
        with self._changed:
            self._passed.append(name)
            self._changed.notify_all()

    # For the test -----------------------------------------------------------------------------------------------

    def await_passed(self, name: str) -> None:
        """Wait until *name* has passed."""
        with self._changed:
            assert self._changed.wait_for(lambda: name in self._passed, BOUND), f"{name} did not pass"

    def verify(self) -> None:
        """Fail unless all pass, in order. Who is still on the way is waited for."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._passed) >= len(self._order), BOUND)
            assert not self._late, f"{self._late} waited in vain at the point; it was passed by {self._passed}"
            assert self._passed == list(self._order), f"passed: {self._passed}, expected: {list(self._order)}"


def in_order(winner: str, *players: str) -> tuple[str, ...]:
    """*players* with the winner in front."""
    return (winner, *(player for player in players if player != winner))


class StepLock:
    """A lock with a point in front of it. Whoever plays nobody takes it as ever."""

    def __init__(self, steps: Steps, lock: Any) -> None:
        self._steps = steps
        self._lock = lock
        self._holder: str | None = None

    def acquire(self, *args: Any, **kwargs: Any) -> bool:
        """Pass the point, then take the lock."""
        name = self._steps.come()
        taken: bool = self._lock.acquire(*args, **kwargs)
        self._holder = name  # only who holds the lock writes it
        return taken

    def release(self) -> None:
        """Give the lock back; the next player may pass."""
        name, self._holder = self._holder, None
        self._lock.release()
        self._steps.leave(name)

    def locked(self) -> bool:
        """Is it held?"""
        return bool(self._lock.locked())

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


@contextmanager
def quick_switches(interval: float = 1e-5) -> Iterator[None]:
    """Let threads take turns as often as possible."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(interval)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
