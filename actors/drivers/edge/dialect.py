"""A protocol of model servers: where it is asked, how a request is put, and how an answer is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ...agent.takes import TEXT_ALONE, Takes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ...agent.terms.settings import ModelSettings
    from .answer import Answer, Asked
    from .draft import Draft


def _fitting(settings: ModelSettings) -> None:
    """Nothing is wrong with them."""


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
        lacks: Settings that it has no word for, and who has one.
        misfit: What of some settings its provider does not take together; None when it takes all.
        caches: Its provider keeps the beginning of a prompt by itself.
        takes: The content beside text that it has words for.
    """

    path: str
    words: Callable[[Draft], dict[str, Any]]
    answer: Callable[[Asked], Answer]
    optional: frozenset[str]
    keeper: str = ""
    unknown: str = ""
    lacks: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    misfit: Callable[[ModelSettings], str | None] = _fitting
    caches: bool = True
    takes: Takes = TEXT_ALONE

    def refusal_of(self, settings: ModelSettings) -> str | None:
        """Which of *settings* it has no word for, or not together, and who has; None when it can say all."""
        said = [
            f"it has no {name} ({who} has)" for name, who in self.lacks.items() if getattr(settings, name) is not None
        ]
        if said:
            return f"settings that cannot be passed on to {self.path}: {', '.join(said)}"
        return self.misfit(settings)
