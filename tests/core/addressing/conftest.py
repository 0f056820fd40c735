"""What the tests of routers share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from actors import Actor, start_router

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from actors import RouterRef


class Worker(Actor):
    """Calls what it is told, if it can be called, and crashes at a text that says so; else it notes and returns it."""

    inbox_capacity = 2

    def __init__(self, notes: list[Any] | None = None) -> None:
        super().__init__()
        self.notes = [] if notes is None else notes

    def on_receive(self, message: Any) -> Any:
        if message == "crash":
            raise RuntimeError("told to crash")
        if callable(message):
            return message(self)
        self.notes.append(message)
        return message


def me(actor: Any) -> Any:
    """Who has handled this?"""
    return actor.actor_ref


@pytest.fixture
def router() -> Iterator[Callable[..., RouterRef[Any]]]:
    """Starts routers of workers; they are aborted at the end of the test.

    Name it before ``gate``: gates are then opened first.
    """
    made: list[Any] = []

    def start(count: int, *args: Any, cls: Any = Worker, **kwargs: Any) -> Any:
        made.append(start_router(cls, count, *args, **kwargs))
        return made[-1]

    yield start
    for one in made:
        one.abort()
    for one in made:
        one.stop(timeout=10)
