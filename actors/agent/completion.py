"""One completion of an agent: within the context window, with retries, counted by the guard."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from loguru import logger

from ..core.spec import Backoff
from ..core.state import AgentState
from ..errors import DriverError
from .context_window import ContextWindow
from .events import CompletionFinished, TextDelta
from .guard import VerdictKind
from .ports import CompletionRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..core.event import Event
    from .agent import Agent
    from .guard import LoopGuard
    from .ports import CompletionResponse, LlmDriver, Message, ToolDefinition

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
        self._window = ContextWindow(min(window, driver.context_window), self._model.max_tokens)

    def complete(
        self, messages: Sequence[Message], query: Message, system: str, tools: Sequence[ToolDefinition]
    ) -> CompletionResponse:
        """Ask for the next answer.

        Raises:
            ContextOverflow: The conversation cannot be made to fit.
            DriverError: Not retryable, or still failing after 3 retries.
            CircuitBreak: Tokens or cost above the limit.
            Cancelled: The agent was cancelled.
        """
        request = CompletionRequest(
            messages=tuple(self._window.fit(messages, query, system=system, tools=tools)),
            tools=tuple(tools),
            system=system,
            max_tokens=self._model.max_tokens,
            temperature=self._model.temperature,
            model=self._model.name,
        )
        response = self._with_retries(request)
        self._account(response)
        return response

    def _with_retries(self, request: CompletionRequest) -> CompletionResponse:
        attempt = 1
        while True:
            self._agent.checkpoint()
            try:
                return self._ask(request, attempt)
            except DriverError as error:
                if not error.retryable or attempt > RETRIES:
                    raise
                delay = error.retry_after if error.retry_after is not None else BACKOFF.delay(attempt)
                logger.debug("retry {} of {} in {:.1f} s: {}", attempt, RETRIES, delay, error)
                self._doing(AgentState.IN_BACKOFF, partial(self._agent.sleep, delay))
                attempt += 1

    def _ask(self, request: CompletionRequest, attempt: int) -> CompletionResponse:
        agent = self._agent
        if not agent._cell.supervisor.listening:
            return self._doing(AgentState.IN_DRIVER, partial(self._driver.complete, request, cancel=agent.cancel_token))

        def relay(event: Event) -> None:
            if isinstance(event, TextDelta) and attempt > 1:
                event = TextDelta(text=event.text, attempt=attempt)
            agent.emit(event)

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

    def _account(self, response: CompletionResponse) -> None:
        usage = response.usage
        cost = self._driver.estimate_cost(usage)
        if self._agent._cell.supervisor.listening:
            self._agent.emit(
                CompletionFinished(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens, cost_usd=cost)
            )
        for verdict in (self._guard.record_usage(usage), self._guard.record_cost(cost)):
            verdict.enforce()
            if verdict.kind is VerdictKind.WARN:
                logger.warning("{}: {}", self._agent.manifest.name, verdict.message)
