"""How a router chooses among its members."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from .seat import Seat

    Choose = Callable[[Sequence[Seat]], int]
    """Where, among the seats of now, a message is to go first."""

Routing = Literal["round_robin", "smallest_mailbox", "random", "broadcast"]
"""How a router chooses, by name."""


@dataclass(frozen=True, slots=True)
class ByKey:
    """One key, one member: what :func:`by_key` makes."""

    fn: Callable[[Any], Hashable]


def by_key(fn: Callable[[Any], Hashable]) -> ByKey:
    """Route each message by its key: all messages of one key go to one member, in order.

    Args:
        fn: The key of a message: anything that can be hashed. It is called once for each message, in the thread that
            sends; what it raises, the sender gets.
    Raises:
        TypeError: *fn* cannot be called.
    Example:
        ```python
        from actors import Actor
        from actors.actors import by_key, start_router

        class Counter(Actor):
            count = 0

            def on_receive(self, name: str) -> int:
                self.count += 1
                return self.count

        router = start_router(Counter, 8, routing=by_key(lambda name: name))
        print(router.ask("Ada"), router.ask("Ada"))
        router.stop()
        ```

        ```text
        1 2
        ```
    """
    if not callable(fn):
        raise TypeError(f"by_key takes a function that gives the key of a message, got {fn!r}")
    return ByKey(fn)


def chooser(routing: str) -> Choose:
    """How that *routing* chooses the first to be asked."""
    return {"round_robin": round_robin, "smallest_mailbox": smallest_mailbox, "random": at_random}[routing]()


def round_robin() -> Choose:
    """One after the other."""
    turns = itertools.count()

    def choose(seats: Sequence[Seat]) -> int:
        return next(turns) % len(seats)

    return choose


def smallest_mailbox() -> Choose:
    """The one that has the least to do: a single look at each, without a lock."""

    def choose(seats: Sequence[Seat]) -> int:
        return min(range(len(seats)), key=lambda at: seats[at].load)

    return choose


def at_random() -> Choose:
    """Any."""

    def choose(seats: Sequence[Seat]) -> int:
        return random.randrange(len(seats))  # noqa: S311 - no secret

    return choose
