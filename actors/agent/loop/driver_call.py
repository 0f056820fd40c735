"""One call of a driver on behalf of an agent: tried again when that may help, reserved before, settled after."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from loguru import logger

from ...core.crash import text_of
from ...core.records.spec import Backoff, no_sooner_than
from ...core.records.usage import TokenUsage
from ...core.shown import shown
from ...errors import Cancelled, DriverError, InferenceFailed
from ..budget import Spending
from ..context_window import estimate_request
from ..events import BudgetWarned
from ..ledger import note_paid
from ..provider import model_asked
from ..takes import problem_of_request
from .attempts import Attempts
from .completion_span import completion_ending, traced
from .told_messages import ToldMessages

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ...core.supervision.agent_spans import AgentSpans
    from ..account import Reserved
    from ..agent import Agent
    from ..ports import (
        CompletionRequest,
        CompletionResponse,
        LlmDriver,
        PricesModels,
    )
    from ..terms.model_config import ModelConfig

Payment: TypeAlias = tuple[TokenUsage, float]
"""What one call used, and what that cost in USD."""

RETRIES = 3
BACKOFF = Backoff(base=1.0, factor=2.0, maximum=30.0, jitter=0.1)


class DriverCalls:
    """What a driver is asked for one agent, and what that costs.

    Args:
        model: Its name and its declared prices.

    Threads: any.
    """

    def __init__(self, agent: Agent[Any], driver: LlmDriver, model: ModelConfig) -> None:
        self._agent = agent
        self._driver = driver
        self._model = model
        self._ledger = agent._parts.ledger
        self._is_traced = agent._context.spans is not None
        self._own_model = model_asked("", driver) or None
        self._messages = ToldMessages() if agent._context.tells_content else None
        self._prices_models = hasattr(driver, "has_price")
        self._backoff_share: float = getattr(driver, "backoff_share", 1.0)  # 0: it replays, and nobody is worn out

    def complete(
        self,
        request: CompletionRequest,
        ask: Callable[[CompletionRequest, int], CompletionResponse],
        back_off: Callable[[float, str], object],
        paid: list[Payment] | None = None,
    ) -> tuple[CompletionResponse, Sequence[Payment]]:
        """Call ``ask(request, attempt)`` until there is an answer.

        What was paid is in the agent's account when this returns or raises, and for each call that cost something a
        ``CompletionFinished`` has told of it: also for one that failed.

        Args:
            back_off: Waits so many seconds before the next attempt, for that reason.
            paid: Into which what was paid goes, for whoever wants to know it also of a call that fails.
        Returns:
            The answer, and what was paid for it: one payment for each call, those that failed included.
        Raises:
            DriverError: Not retryable, or still failing after 3 retries.
            CircuitBreak: A budget is spent.
            Cancelled: The agent was cancelled.
            JournalFailed: The answer could not be recorded: it is not asked for.
        """
        paid = [] if paid is None else paid
        if (problem := problem_of_request(request, self._driver, self._agent.manifest.privacy)) is not None:
            raise InferenceFailed(f"nothing was sent: {problem}")
        attempts = Attempts(self._agent._context, request, self.model_of(request), self._messages)
        while True:
            self._agent.checkpoint()
            if self._ledger is not None:
                self._ledger.secure()
            try:
                return self._within_budget(request, partial(ask, request, attempts.number), paid, attempts), paid
            except BaseException as error:
                delay = self._delay(error, attempts.number)
                if delay is not None and (spans := self._agent._context.spans) is not None:
                    name = type(error).__name__
                    spans.happened("backoff", {"attempt": attempts.number, "delay": delay, "error": name})
                attempts.fail(error, delay)
                if delay is None:
                    raise
                why = f"{type(error).__name__}: {text_of(error)}"
            back_off(delay, why)

    def model_of(self, request: CompletionRequest) -> str | None:
        """The model that *request* is asked of, as far as anybody says so."""
        return request.model or self._own_model

    def _delay(self, error: BaseException, attempt: int) -> float | None:
        """Seconds until it is asked again; None: it is not."""
        if not isinstance(error, DriverError) or not error.retryable or attempt > RETRIES:
            return None
        delay = BACKOFF.delay(attempt) if error.retry_after is None else no_sooner_than(error.retry_after)
        logger.debug("retry {} of {} in {:.1f} s: {}", attempt, RETRIES, delay, shown(str(error), 500))
        return delay * self._backoff_share

    def _within_budget(
        self,
        request: CompletionRequest,
        call: Callable[[], CompletionResponse],
        paid: list[Payment],
        attempts: Attempts,
    ) -> CompletionResponse:
        """One call: what it costs at least is reserved before, what it did cost is settled after."""
        account = self._agent._parts.account
        made: Callable[..., CompletionResponse] = self._call
        if self._is_traced and (spans := self._agent._context.spans) is not None:
            made = partial(self._in_span, spans, request)
        if not account.is_charged:
            return made(call, paid, None, attempts)
        least = TokenUsage(estimate_request(request), 0)
        with account.reserve(Spending(tokens=least.total, cost_usd=self._cost(least))) as reservation:
            return made(call, paid, reservation, attempts)

    def _in_span(
        self,
        spans: AgentSpans,
        request: CompletionRequest,
        call: Callable[[], CompletionResponse],
        paid: list[Payment],
        reservation: Reserved | None,
        attempts: Attempts,
    ) -> CompletionResponse:
        """As :meth:`_call`, in a span of its own, in the thread that asks."""
        before = len(paid)
        with spans.completion(partial(traced, request, self._driver, attempt=attempts.number)) as span:
            try:
                response = self._call(call, paid, reservation, attempts)
            except BaseException as error:
                span.end(completion_ending(error, None, paid[before:]))
                raise
            span.end(completion_ending(None, response, paid[before:]))
            return response

    def recalled(self, request: CompletionRequest, response: CompletionResponse) -> None:
        """*response* is known, and nobody is asked: that is a span without length, and nothing was paid for it."""
        if (spans := self._agent._context.spans) is not None:
            with spans.completion(partial(traced, request, self._driver, recalled=True)) as span:
                span.end(completion_ending(None, response, ()))

    def _call(
        self,
        call: Callable[[], CompletionResponse],
        paid: list[Payment],
        reservation: Reserved | None,
        attempts: Attempts,
    ) -> CompletionResponse:
        """One call, and into budgets and account with what it used, as far as anybody knows."""
        attempts.begin()
        try:
            response = call()
        except (Cancelled, DriverError) as error:
            if error.tokens is not None:
                self._pay(TokenUsage(*error.tokens, *error.token_parts), paid, reservation, attempts.finished(None))
            elif isinstance(error, Cancelled) and error.asked and reservation is not None:
                warn(self._agent, reservation.settle_least())  # it has worked, and nobody was told how much
            raise
        self._pay(response.usage, paid, reservation, attempts.finished(response))
        return response

    def _pay(
        self,
        usage: TokenUsage,
        paid: list[Payment],
        reservation: Reserved | None,
        told: Mapping[str, Any],
    ) -> None:
        cost = 0.0
        try:
            cost = self._cost(usage)
        finally:  # tokens count, also where the driver cannot say what they cost
            if reservation is not None:
                warn(self._agent, reservation.settle(Spending(tokens=usage.total, cost_usd=cost)))
            self._agent._context.spend(usage, cost, told)
            paid.append((usage, cost))
            if self._ledger is not None:
                note_paid(self._ledger, usage, cost)

    def _cost(self, usage: TokenUsage) -> float:
        declared = self._model.declared_cost(usage)
        if declared is not None:
            return declared
        if self._prices_models:
            cost = cast("PricesModels", self._driver).estimate_cost(usage, self._model.name)
        else:
            cost = self._driver.estimate_cost(usage)
        if not (math.isfinite(cost) and cost >= 0):
            raise ValueError(f"{type(self._driver).__name__} estimates a cost of {cost} USD: it must be a number >= 0")
        return cost


def warn(agent: Agent[Any], warnings: Sequence[str]) -> None:
    """Tell that most of a budget is spent: in the log, and as an event."""
    for message in warnings:
        logger.warning("{}", shown(message, 500))
        if agent._context.listening:
            agent._context.emit(BudgetWarned, {"message": message})
