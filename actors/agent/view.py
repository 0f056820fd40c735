"""A conversation such as one driver can be shown it: what it does not take, or what is too much, is named in its place.

So a conversation goes on where a tool returned an image to a model that sees none, where its route changes, and where
images become more than a request may have. What a user asks with is refused at spawn instead.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..core.records.content import MOST_BYTES, bytes_of, parts_of, text_of_content
from ..core.records.conversation import ToolResultMessage, UserMessage
from ..core.records.parts import TextPart
from .takes import TEXT_ALONE, takes_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..core.records.conversation import Message
    from ..core.records.parts import Part


class View:
    """What of a conversation *driver* is shown.

    A message that had to be changed is the same object each time, so that nobody looks at it anew.

    Args:
        has_urls: May URLs be told? Only where privacy is ``standard``.

    Threads: the agent's own.
    """

    def __init__(self, driver: Any, *, has_urls: bool) -> None:
        self._driver = driver
        self._has_urls = has_urls
        self._changed: dict[tuple[int, bool], tuple[Message, Message]] = {}

    def of(self, messages: Sequence[Message], query: Message) -> Sequence[Message]:
        """*messages*, as they may be sent; they are what they were where they hold text alone."""
        for message in messages:  # of thousands at each turn: a generator would cost as much again
            if type(message.content) is not str:
                break
        else:
            return messages
        shown = [self.message(message) for message in messages]
        excess = bytes_of(message.content for message in shown) - MOST_BYTES
        for place, message in enumerate(shown):
            if excess <= 0:
                break
            size = 0 if messages[place] is query else bytes_of([message.content])
            if size:
                shown[place] = self.message(messages[place], drop=True)
                excess -= size
        return shown

    def message(self, message: Message, *, drop: bool = False) -> Message:
        """One of them, as it may be sent.

        Args:
            drop: Its images, audio and files are named alone.
        """
        if not isinstance(message, UserMessage | ToolResultMessage) or isinstance(message.content, str):
            return message
        known = self._changed.get((id(message), drop))
        if known is None:
            known = message, self._shown(message, drop=drop)
            self._changed[id(message), drop] = known  # the message is held: no other object gets its id
        return known[1]

    def _shown(self, message: UserMessage | ToolResultMessage, *, drop: bool) -> Message:
        parts = [self._part(part, drop=drop) for part in parts_of(message.content)]
        if takes_of(self._driver) == TEXT_ALONE:  # it may have been written when a content was a text
            return replace(message, content=text_of_content(parts))
        is_same = all(one is other for one, other in zip(parts, message.content, strict=True))
        return message if is_same else replace(message, content=parts)

    def _part(self, part: Part, *, drop: bool) -> Part:
        if isinstance(part, TextPart):
            return part
        if drop:
            return TextPart(f"{part.told()} is no longer shown: a request may have 50 MB")
        problem = takes_of(self._driver).problem_of(part)
        if problem is None and part.url and not self._has_urls:
            problem = "may be told no URL"
        return part if problem is None else TextPart(f"{part.told()} cannot be shown to this model")
