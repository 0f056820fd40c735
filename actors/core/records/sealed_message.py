"""A message that has come from another process, and that nobody has read yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import PrivateAttr

from .message import AgentMessage

if TYPE_CHECKING:
    from collections.abc import Callable

    from .message import AgentId


class SealedMessage(AgentMessage, frozen=True):
    """A message whose content is made when it is first looked at: by its reader, on the reader's thread. So one whose
    content cannot be made harms nobody else.

    Threads: any. Two that look at the same moment may both make it.
    """

    _make: Callable[[], Any] = PrivateAttr()
    _when_read: Callable[[], object] | None = PrivateAttr()

    @classmethod
    def of(
        cls, sender: AgentId, to: AgentId, make: Callable[[], Any], when_read: Callable[[], object] | None = None
    ) -> SealedMessage:
        """Seal a message.

        Args:
            make: Makes its content.
            when_read: Called when a reader has taken it out of the mailbox.
        """
        message = cls.__new__(cls)
        keep = object.__setattr__
        keep(message, "__dict__", {"sender": sender, "to": to})
        keep(message, "__pydantic_fields_set__", {"sender", "to", "content"})
        keep(message, "__pydantic_extra__", None)
        keep(message, "__pydantic_private__", {"_make": make, "_when_read": when_read})
        return message

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            if name != "content":
                return super().__getattr__(name)
            return self.__dict__.setdefault("content", self._make())

    def taken(self) -> AgentMessage:
        """A reader has taken it: the message, open.

        Raises:
            Exception: Its content cannot be made.
        """
        when_read = self._when_read
        if when_read is not None:
            when_read()
        return self.opened()

    def opened(self) -> AgentMessage:
        """The message, open.

        Raises:
            Exception: Its content cannot be made.
        """
        return AgentMessage.between(self.sender, self.to, self.content)

    def __eq__(self, other: object) -> bool:
        """Is it the same, open?"""
        return self.opened() == (other.opened() if isinstance(other, SealedMessage) else other)

    def __hash__(self) -> int:
        """As that of the open one."""
        return hash(self.opened())

    def __repr__(self) -> str:
        return repr(self.opened())

    __str__ = __repr__

    def __reduce__(self) -> tuple[Any, ...]:
        """It is pickled open."""
        return AgentMessage.between, (self.sender, self.to, self.content)
