"""What the races share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .steps import Steps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def steps() -> Iterator[Callable[..., Steps]]:
    """Makes the points of races; at the end of the test each must have been passed by all players, in order."""
    made: list[Steps] = []

    def make(*order: str, **skip: int) -> Steps:
        made.append(Steps(*order, skip=skip))
        return made[-1]

    yield make
    for one in made:
        one.verify()


@pytest.fixture
def actor() -> Iterator[Callable[..., Any]]:
    """Starts actors; they are aborted at the end of the test."""
    made: list[Any] = []

    def start(cls: Any, *args: Any, **kwargs: Any) -> Any:
        made.append(cls.start(*args, **kwargs))
        return made[-1]

    yield start
    for ref in made:
        ref.abort()
        assert ref.actor_stopped.wait(10)
