"""What drivers share."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING

from ..agent.ports import PrivacyTier
from ..agent.takes import TEXT_ALONE, Takes
from ..core.records.answer import TextDelta

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..agent.ports import CompletionRequest, CompletionResponse
    from ..core.records.event import Event
    from ..core.records.usage import TokenUsage
    from ..core.waiting.cancel import CancelToken


class Driver(abc.ABC):
    """A driver that answers in one piece, costs nothing, and keeps its data here. Subclasses say otherwise.

    Args:
        context_window: Tokens that request and answer may have together.
    """

    privacy_tier: PrivacyTier = PrivacyTier.SOVEREIGN

    @property
    def takes(self) -> Takes:
        """The content beside text that it can be sent: none."""
        return TEXT_ALONE

    def __init__(self, *, context_window: int = 4096) -> None:
        if context_window < 1:
            raise ValueError(f"context_window must be at least 1, got {context_window}")
        self.context_window: int = context_window

    @property
    def has_pieces(self) -> bool:
        """May a stream have more than one piece of text? Of a subclass that defines :meth:`stream` it may."""
        return type(self).stream is not Driver.stream

    @abc.abstractmethod
    def complete(self, request: CompletionRequest, *, cancel: CancelToken) -> CompletionResponse:
        """Answer *request*."""

    def stream(
        self, request: CompletionRequest, on_event: Callable[[Event], None], *, cancel: CancelToken
    ) -> CompletionResponse:
        """Answer *request*, and hand over the whole text as one delta."""
        response = self.complete(request, cancel=cancel)
        if response.text:
            on_event(TextDelta(text=response.text))
        return response

    def estimate_cost(self, usage: TokenUsage) -> float:  # noqa: ARG002 - nothing costs nothing
        """0 USD."""
        return 0.0
