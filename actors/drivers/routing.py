"""A primary driver, and another for when it cannot answer."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import reduce
from typing import TYPE_CHECKING, Any, Literal

from ..agent.ports import ChecksSettings, ClosesIdle, PricesModels
from ..agent.takes import Takes, takes_of
from ..core.records.answer import TextDelta
from ..errors import DriverError
from .base import Driver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..agent.ports import CompletionRequest, CompletionResponse, LlmDriver, PrivacyTier
    from ..agent.terms.settings import ModelSettings
    from ..core.records.event import Event
    from ..core.records.usage import TokenUsage
    from ..core.waiting.cancel import CancelToken


class RoutingStrategy(StrEnum):
    """Who is asked."""

    PRIMARY_WITH_FALLBACK = "primary_with_fallback"
    PRIMARY_ONLY = "primary_only"
    FALLBACK_ONLY = "fallback_only"


StrategyWord = Literal["primary_with_fallback", "primary_only", "fallback_only"]


@dataclass(frozen=True, slots=True)
class RoutingMetrics:
    """Counts so far. A spillover is a request that went on to the fallback."""

    primary_attempts: int = 0
    primary_successes: int = 0
    fallback_attempts: int = 0
    fallback_successes: int = 0
    spillovers: int = 0

    @property
    def attempts(self) -> int:
        """Calls of either driver."""
        return self.primary_attempts + self.fallback_attempts

    @property
    def successes(self) -> int:
        """Answers of either driver."""
        return self.primary_successes + self.fallback_successes


class RoutingDriver(Driver):
    """Asks *primary*, and *fallback* when the primary fails with a retryable error.

    Its privacy tier is the more permissive one of both, whatever the strategy; its window is the smaller one.

    Locks: ``_lock`` guards ``_metrics``.
    """

    def __init__(
        self,
        primary: LlmDriver,
        fallback: LlmDriver | None = None,
        strategy: RoutingStrategy | StrategyWord = RoutingStrategy.PRIMARY_WITH_FALLBACK,
    ) -> None:
        strategy = RoutingStrategy(strategy)
        if fallback is None and strategy is RoutingStrategy.FALLBACK_ONLY:
            raise ValueError("strategy 'fallback_only' needs a fallback driver")
        drivers = [primary] if fallback is None else [primary, fallback]
        super().__init__(context_window=min(driver.context_window for driver in drivers))
        self.privacy_tier: PrivacyTier = max((driver.privacy_tier for driver in drivers), key=lambda tier: tier.rank)
        self._drivers = drivers
        self._primary = primary
        self._fallback = fallback
        self._strategy = strategy
        self._lock = threading.Lock()
        self._metrics = RoutingMetrics()

    def __reduce__(self) -> tuple[Any, ...]:
        """A pickle has both drivers; whoever reads it counts anew."""
        return type(self), (self._primary, self._fallback, self._strategy)

    @property
    def takes(self) -> Takes:
        """The content that both take: who is asked is not known before."""
        first, *others = map(takes_of, self._drivers)
        return reduce(Takes.both, others, first)

    @property
    def metrics(self) -> RoutingMetrics:
        """Counts so far."""
        with self._lock:
            return self._metrics

    @property
    def backoff_share(self) -> float:
        """What part of its backoff an agent waits: none where both replay what was recorded."""
        return max(getattr(driver, "backoff_share", 1.0) for driver in self._drivers)

    def complete(self, request: CompletionRequest, *, cancel: CancelToken) -> CompletionResponse:
        """Answer as the first driver that can.

        Args:
            request: For each of them the same.
            cancel: Ends the request, and asks nobody else.
        """
        return self._route(lambda driver: driver.complete(request, cancel=cancel))

    def stream(
        self, request: CompletionRequest, on_event: Callable[[Event], None], *, cancel: CancelToken
    ) -> CompletionResponse:
        """Stream from the first driver that can answer; what the fallback says is another attempt.

        Args:
            request: For each of them the same.
            on_event: Gets the pieces.
            cancel: Ends the request, and asks nobody else.
        """
        heard = 0
        asked: LlmDriver | None = None

        def hear(event: Event) -> None:
            nonlocal heard
            if isinstance(event, TextDelta):
                if asked is self._fallback and heard:
                    event = TextDelta(text=event.text, attempt=heard + event.attempt)
                else:
                    heard = max(heard, event.attempt)
            on_event(event)

        def ask(driver: LlmDriver) -> CompletionResponse:
            nonlocal asked
            asked = driver
            return driver.stream(request, hear, cancel=cancel)

        return self._route(ask)

    def _route(self, ask: Callable[[LlmDriver], CompletionResponse]) -> CompletionResponse:
        if self._strategy is not RoutingStrategy.FALLBACK_ONLY:
            self._count(primary_attempts=1)
            try:
                response = ask(self._primary)
            except DriverError as error:
                spill = self._strategy is RoutingStrategy.PRIMARY_WITH_FALLBACK and self._fallback is not None
                if not (error.retryable and spill):
                    raise
                self._count(spillovers=1)
            else:
                self._count(primary_successes=1)
                return response
        assert self._fallback is not None
        self._count(fallback_attempts=1)
        response = ask(self._fallback)
        self._count(fallback_successes=1)
        return response

    def _count(self, **more: int) -> None:
        with self._lock:
            now = {name: getattr(self._metrics, name) + count for name, count in more.items()}
            self._metrics = replace(self._metrics, **now)

    def estimate_cost(self, usage: TokenUsage, model: str = "") -> float:
        """The higher of the two estimates: who answered is not known here.

        Args:
            usage: Tokens of the answer.
            model: The one that was asked for; None: that of each driver.
        """
        return max(
            driver.estimate_cost(usage, model) if isinstance(driver, PricesModels) else driver.estimate_cost(usage)
            for driver in self._drivers
        )

    def has_price(self, model: str = "") -> bool:
        """Do both know what *model* costs?"""
        return all(driver.has_price(model) for driver in self._drivers if isinstance(driver, PricesModels))

    def refusal_of(self, settings: ModelSettings) -> str | None:
        """What one of those that may be asked cannot keep to: else a request would depend on who is there to answer.

        Args:
            settings: What is asked for.
        """
        for name, driver in self._asked():
            if isinstance(driver, ChecksSettings) and (problem := driver.refusal_of(settings)) is not None:
                return f"its {name}: {problem}"
        return None

    def _asked(self) -> Iterator[tuple[str, LlmDriver]]:
        if self._strategy is not RoutingStrategy.FALLBACK_ONLY:
            yield "primary", self._primary
        if self._strategy is not RoutingStrategy.PRIMARY_ONLY and self._fallback is not None:
            yield "fallback", self._fallback

    def close_idle(self) -> None:
        """Close the idle connections of both."""
        for driver in self._drivers:
            if isinstance(driver, ClosesIdle):
                driver.close_idle()
