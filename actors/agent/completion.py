"""One completion of an agent: within the context window, with retries, counted by the guard."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

from loguru import logger

from ..core.spec import Backoff, no_sooner_than
from ..core.state import AgentState
from ..errors import Cancelled, DriverError
from .budget import Spending
from .context_window import ContextWindow, estimate_request
from .events import BudgetWarned, CompletionFinished, TextDelta
from .guard import VerdictKind
from .ports import CompletionRequest, TokenUsage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..core.event import Event
    from .agent import Agent
    from .guard import LoopGuard
    from .ports import CompletionResponse, LlmDriver, Message, PricesModels, ToolDefinition

T = TypeVar("T")

RETRIES = 3
BACKOFF = Backoff(base=1.0, factor=2.0, maximum=30.0, jitter=0.1)


class Reasoner:
    """Asks the driver on behalf of one agent."""

    def __init__(self, agent: Agent[Any], driver: LlmDriver, guard: LoopGuard) -> None:
        self._agent = agent
        self._driver = driver
        self._guard = guard
        self._model = agent.manifest.model
        window = self._model.context_window or driver.context_window
        self._prices_models = hasattr(driver, "has_price")
        self._told = 0  # the highest attempt that text was told of, for the answer at hand
        self._window = ContextWindow(min(window, driver.context_window), self._model.max_tokens)

    def complete(
        self,
        messages: Sequence[Message],
        query: Message,
        system: str,
        tools: Sequence[ToolDefinition],
        schema: Mapping[str, Any] | None = None,
    ) -> CompletionResponse:
        """Ask for the next answer.

        Args:
            schema: The JSON Schema that the answer has to fit; None asks for text.
        Raises:
            ContextOverflow: The conversation cannot be made to fit.
            DriverError: Not retryable, or still failing after 3 retries.
            CircuitBreak: Tokens or cost above the limit.
            Cancelled: The agent was cancelled.
        """
        fitting = tuple(self._window.fit(messages, query, system=system, tools=tools))
        request = CompletionRequest(
            messages=fitting,
            tools=tuple(tools),
            system=system,
            max_tokens=self._model.max_tokens,
            temperature=self._model.temperature,
            model=self._model.name,
            output_schema=schema,
        )
        response, cost = self._with_retries(request)
        self._count(response, cost)
        return response

    def _with_retries(self, request: CompletionRequest) -> tuple[CompletionResponse, float]:
        attempt = 1
        while True:
            self._agent.checkpoint()
            try:
                return self._within_budget(request, attempt)
            except DriverError as error:
                if not error.retryable or attempt > RETRIES:
                    raise
                delay = BACKOFF.delay(attempt) if error.retry_after is None else no_sooner_than(error.retry_after)
                logger.debug("retry {} of {} in {:.1f} s: {}", attempt, RETRIES, delay, error)
                self._doing(AgentState.IN_BACKOFF, partial(self._agent.sleep, delay))
                attempt += 1

    def _within_budget(self, request: CompletionRequest, attempt: int) -> tuple[CompletionResponse, float]:
        """One call: what it costs at least is reserved before, what it did cost is settled after."""
        account = self._agent._outfit.account
        if not account.budgets:
            response = self._ask(request, attempt)
            return response, self._cost(response.usage)
        least = TokenUsage(estimate_request(request), 0)
        with account.reserve(Spending(tokens=least.total, cost_usd=self._cost(least))) as reservation:
            try:
                response = self._ask(request, attempt)
            except (Cancelled, DriverError) as error:
                if error.tokens is not None:
                    used = TokenUsage(*error.tokens)
                    warn(self._agent, reservation.settle(Spending(tokens=used.total, cost_usd=self._cost(used))))
                elif isinstance(error, Cancelled) and error.asked:  # it has worked, and nobody was told how much
                    warn(self._agent, reservation.settle_least())
                raise
            cost = self._cost(response.usage)
            warn(self._agent, reservation.settle(Spending(tokens=response.usage.total, cost_usd=cost)))
        return response, cost

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

    def _ask(self, request: CompletionRequest, attempt: int) -> CompletionResponse:
        agent = self._agent
        if not agent._cell.supervisor.listening:
            return self._doing(AgentState.IN_DRIVER, partial(self._driver.complete, request, cancel=agent.cancel_token))

        def relay(event: Event) -> None:
            if isinstance(event, TextDelta):
                # A driver may have asked twice itself: the numbers go on from what was told before.
                self._told = max(self._told, before + event.attempt)
                if before:
                    event = TextDelta(text=event.text, attempt=before + event.attempt)
            agent.emit(event)

        before = max(self._told, attempt - 1) if attempt > 1 else 0
        if not before:
            self._told = 0
        return self._doing(
            AgentState.IN_DRIVER, partial(self._driver.stream, request, relay, cancel=agent.cancel_token)
        )

    def _doing(self, what: AgentState, work: Callable[[], T]) -> T:
        """Do *work*; who looks meanwhile sees that the agent is at it."""
        cell = self._agent._cell
        cell.turn_to(what)
        try:
            return work()
        finally:
            cell.turn_to(AgentState.RUNNING)

    def _count(self, response: CompletionResponse, cost: float) -> None:
        usage = response.usage
        if self._agent._cell.supervisor.listening:
            self._agent.emit(
                CompletionFinished(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens, cost_usd=cost)
            )
        for verdict in (self._guard.record_usage(usage), self._guard.record_cost(cost)):
            verdict.enforce()
            if verdict.kind is VerdictKind.WARN:
                logger.warning("{}: {}", self._agent.manifest.name, verdict.message)


def warn(agent: Agent[Any], warnings: Sequence[str]) -> None:
    """Tell that most of a budget is spent: in the log, and as an event."""
    for message in warnings:
        logger.warning("{}", message)
        if agent._cell.supervisor.listening:
            agent.emit(BudgetWarned(message=message))
