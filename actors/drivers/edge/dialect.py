"""A protocol of model servers: where it is asked, how a request is put, and how an answer is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from .answer import Answer, Asked
    from .draft import Draft


@dataclass(frozen=True, slots=True)
class Dialect:
    """One protocol.

    Args:
        path: Behind the server's URL.
        words: Puts a draft into its words.
        answer: Makes what collects an answer.
        optional: Fields that a request can do without.
        keeper: Of its provider's several protocols this one: what one was sent cannot be sent back by another.
        unknown: What to say of a server that does not know the path.
    """

    path: str
    words: Callable[[Draft], dict[str, Any]]
    answer: Callable[[Asked], Answer]
    optional: frozenset[str]
    keeper: str = ""
    unknown: str = ""
