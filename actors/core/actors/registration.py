"""The entry of an actor in Pykka's own registry."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pykka

if TYPE_CHECKING:
    from .actor_cell import ActorCell


class Registration:
    """Part of an actor whose class says ``registered = True``: it is in ``pykka.ActorRegistry`` from before it begins
    until it has ended, over its restarts. Pykka's log tells of its failures, as of those of Pykka's own actors.

    Locks: none. Whoever starts the actor enters it, and whoever ends it takes it out.
    """

    def __init__(self, cell: ActorCell) -> None:
        self._ref = cell.actor.actor_ref

    def enter(self) -> None:
        """From now on it is found there."""
        pykka.ActorRegistry.register(self._ref)

    def failed(self, error: BaseException) -> None:
        """It, or one of its hooks, has raised *error*."""
        self._log(logging.ERROR, "Unhandled exception in %s:", error)

    def answered(self, error: BaseException) -> None:
        """Its handler has raised *error*, of which the asker is told."""
        self._log(logging.INFO, "Exception returned from %s to caller:", error)

    def _log(self, level: int, text: str, error: BaseException) -> None:
        try:
            logging.getLogger(pykka.__name__).log(level, text, self._ref, exc_info=error)
        except BaseException:  # noqa: BLE001 - a handler of the log that raises: there is nobody left to tell
            pass

    def shed(self) -> None:
        """The one that is made anew has the same reference."""

    def wind_up(self) -> None:
        """It is found while it cleans up: a ``stop_all()`` waits for that."""

    def end(self) -> None:
        """It is found no more."""
        pykka.ActorRegistry.unregister(self._ref)
