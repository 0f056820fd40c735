"""A message does not arrive, or nobody answers it in time."""

from __future__ import annotations

from typing import Any

from .base import ActorsError


class SendError(ActorsError):
    """A message was not accepted; ``message`` is the message itself."""

    def __init__(self, text: str, message: Any = None) -> None:
        super().__init__(text)
        self.message = message


class NotRegistered(SendError):
    """Nobody has that id (yet, or any more)."""


class InboxFull(SendError):
    """The mailbox had no room in time."""


class InboxClosed(SendError):
    """The mailbox closed, before the message was accepted or while its sender waited for room."""


class ActorDead(SendError):
    """The actor ended before it handled the message."""


class StashFull(SendError):
    """The actor has stashed as many messages as its ``stash_capacity`` allows; ``message`` is the one too many."""


class DispatcherExhausted(ActorsError):
    """Too many handlers of one dispatcher wait already (``max_blocked``): one more would stop everybody."""


class AskTimeout(ActorsError, TimeoutError):
    """No reply in time. The handler may still run; its late reply is dropped."""
