"""One completion of an agent: within the context window, with retries, counted by the guard."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from loguru import logger

from ...core.records.answer import TextDelta
from ...core.records.state import IN_DRIVER, AgentState
from ...core.shown import shown
from ...errors import Cancelled
from ..answer_settings import AnswerSettings
from ..bounds import within_bounds
from ..context_window import ContextWindow, fitted_all
from ..guard import ALLOW
from ..ports import CompletionRequest, PrivacyTier
from ..terms.manifest_tables import SUMMARIZE
from ..view import View
from .compaction import Compaction
from .driver_call import DriverCalls
from .summarizer import Summarizer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ...core.records.conversation import Message
    from ...core.records.event import Event
    from ..agent import Agent
    from ..guard import LoopGuard, Verdict
    from ..ports import CompletionResponse, LlmDriver, ToolDefinition
    from .bookkeeper import Bookkeeper
    from .driver_call import Payment
    from .inspector import Inspector

T = TypeVar("T")

SHARE = 4
"""What is recalled takes at most this part of the room for input: no memory may keep an agent from working."""


LONGEST_REASON = 120
"""Characters of why it waits, for those who look."""


def heed(verdict: Verdict, agent: Agent[Any]) -> None:
    """Say what *verdict*, which is no ``ALLOW``, warns of.

    Raises:
        CircuitBreak: It is more than a warning.
    """
    verdict.enforce()
    logger.warning("{}: {}", shown(agent.manifest.name), shown(verdict.message, 500))


class Reasoner:
    """Asks the driver on behalf of one agent.

    Args:
        books: What the conversation has bought in earlier lives; None when nobody keeps it.
        inspector: Asks the guardrails; None when there are none.
        has_called: Was a tool called before, under another manifest? Then the choice of the config is made.
    """

    def __init__(
        self,
        agent: Agent[Any],
        driver: LlmDriver,
        guard: LoopGuard,
        books: Bookkeeper | None = None,
        inspector: Inspector | None = None,
        *,
        has_called: bool = False,
    ) -> None:
        self._agent = agent
        self._books = books
        self._inspector = inspector
        self._driver = driver
        self._stream = driver.stream if getattr(driver, "has_pieces", True) else None
        self._guard = guard
        manifest = agent.manifest
        self._model = manifest.model
        window = self._model.context_window or driver.context_window
        self._view = View(driver, has_urls=manifest.privacy is PrivacyTier.STANDARD)
        self._calls = DriverCalls(agent, driver, self._model)
        self._told = 0  # the highest attempt that text was told of, for the answer at hand
        said = agent.config.settings
        if has_called and said is not None and said.forces_call:
            said = said.without_choice()
        self._settings = AnswerSettings.of(said, self._model, driver)
        self._window = ContextWindow(min(window, driver.context_window), self._settings.longest)
        summarizer = None
        if manifest.context.policy == SUMMARIZE:
            room = self._window.available
            summarizer = Summarizer(agent, driver, self, self._settings, room=room, books=books, inspector=inspector)
        is_plain = summarizer is None and ":" not in manifest.context.policy
        self._compaction = None if is_plain else Compaction(agent, self._window, summarizer, books)
        """None: as long as everything fits, there is nothing to do."""

    def stand_alone(self) -> None:
        """From now on it is asked with something else than what was said in the session."""
        if self._compaction is not None:
            self._compaction.stand_alone()

    def _fit(
        self, messages: Sequence[Message], query: Message, system: str, tools: Sequence[ToolDefinition]
    ) -> list[Message]:
        """What is sent of *messages*: see ``Compaction.fit``."""
        if self._compaction is None:
            trimmed = self._window.trim(messages, query, system=system, tools=tools)
            if not trimmed.cut and len(trimmed.messages) == len(messages):
                return trimmed.messages
            self._compaction = Compaction(self._agent, self._window, None, self._books)
        return self._compaction.fit(messages, query, system=system, tools=tools)

    def complete(
        self,
        messages: Sequence[Message],
        query: Message,
        system: str,
        tools: Sequence[ToolDefinition],
        schema: Mapping[str, Any] | None = None,
    ) -> tuple[CompletionResponse, Sequence[Payment]]:
        """Ask for the next answer, unless it is known.

        Args:
            schema: The JSON Schema that the answer has to fit; None asks for text.
        Returns:
            The answer, and what was paid for it, which is still to be counted.
        Raises:
            ContextOverflow: The conversation cannot be made to fit.
            ManifestError: ``tool_choice`` names no tool of *tools*.
            RefusedError: A guardrail does not let it be sent.
            GuardrailTripped: Or ends the agent.
            DriverError: Not retryable, or still failing after 3 retries.
            CircuitBreak: A budget is spent.
            Cancelled: The agent was cancelled.
            JournalChanged: Another request was answered here in an earlier process.
            JournalFailed: The answer cannot be recorded.
        """
        shown = self._view.of(messages, query)
        query = query if shown is messages else self._view.message(query)
        fitting = self._fit(shown, query, system, tools)
        request = CompletionRequest(
            messages=tuple(fitting),
            tools=tuple(tools),
            system=system,
            max_tokens=self._settings.max_tokens,
            temperature=self._settings.temperature,
            model=self._model.name,
            output_schema=schema,
            settings=self._settings.next(tools),
        )
        if self._books is not None:
            response, paid = self._recalled(request, self._books)
        else:
            response = self._bought(request, paid := [])
        if response.tool_calls:
            self._settings.called()
        return response, paid

    def _recalled(self, request: CompletionRequest, books: Bookkeeper) -> tuple[CompletionResponse, Sequence[Payment]]:
        """The answer that is known; else one that is bought, and entered before anything is made of it."""
        known, uncounted = books.recall(request)
        if known is not None:
            self._calls.recalled(request, known)
            return known, uncounted
        self.count(uncounted)
        paid: list[Payment] = []
        try:
            response = self._bought(request, paid)
        except (Exception, Cancelled) as error:
            if paid:
                books.enter_failed(error, paid)
            raise
        books.enter(response, paid)
        return response, paid

    def _bought(self, request: CompletionRequest, paid: list[Payment]) -> CompletionResponse:
        """The answer to *request*, as the guardrails let it be sent."""
        if self._inspector is not None:
            request = self._inspector.before_completion(request, paid)
        return within_bounds(self._calls.complete(request, self._ask, self.back_off, paid)[0])

    def count(self, paid: Sequence[Payment]) -> None:
        """Count what was paid for an answer.

        Raises:
            CircuitBreak: Tokens or cost above the limit.
        """
        guard = self._guard
        for usage, cost_usd in paid:
            of_tokens, of_cost = guard.record_usage(usage), guard.record_cost(cost_usd)
            if of_tokens is not ALLOW:
                heed(of_tokens, self._agent)
            if of_cost is not ALLOW:
                heed(of_cost, self._agent)

    def share(self, texts: Sequence[str]) -> list[str]:
        """*texts* for the system prompt, within their share of the window: the longest are cut."""
        return fitted_all(texts, self._window.available // SHARE)

    def ask_plainly(self, request: CompletionRequest, attempt: int) -> CompletionResponse:  # noqa: ARG002
        """Ask once; the answer comes whole, and nobody is told of its text."""
        ask = partial(self._driver.complete, request, cancel=self._agent.cancel_token)
        return self._doing(IN_DRIVER, self._calls.model_of(request), ask)

    def back_off(self, delay: float, why: str) -> None:
        """Wait before the next attempt; a cancel ends it."""
        on = f"{shown(why, LONGEST_REASON)} (waits {delay:.1f} s)"
        self._doing(AgentState.IN_BACKOFF, on, partial(self._agent.sleep, delay))

    def _ask(self, request: CompletionRequest, attempt: int) -> CompletionResponse:
        agent, context = self._agent, self._agent._context
        before = max(self._told, attempt - 1) if attempt > 1 else 0
        if not before:
            self._told = 0
        ask = partial(self._driver.complete, request, cancel=agent.cancel_token)
        if self._stream is not None and context.streams:
            ask = partial(self._streamed, request, before)
        response = self._doing(IN_DRIVER, self._calls.model_of(request), ask)
        # One that did not come in pieces comes in one; so does an empty one in place of what had been told before.
        if self._told <= before and (response.text or self._told):
            self._tell(before, response.text, 1)
        return response

    def _streamed(self, request: CompletionRequest, before: int) -> CompletionResponse:
        """Ask for the answer in pieces; whole, if the driver has no stream."""
        assert self._stream is not None
        cancel = self._agent.cancel_token
        try:
            return self._stream(request, partial(self._relay, before), cancel=cancel)
        except NotImplementedError:
            if self._told > before:
                raise
        self._stream = None
        return self._driver.complete(request, cancel=cancel)

    def _relay(self, before: int, event: Event) -> None:
        """What a driver tells, when *before* attempts at this answer were told of."""
        if isinstance(event, TextDelta):
            self._tell(before, event.text, event.attempt)
        else:
            self._agent.emit(event)

    def _tell(self, before: int, text: str, attempt: int) -> None:
        # A driver may have asked twice itself: the numbers go on from what was told before.
        attempt += before
        if attempt > self._told:
            self._told = attempt
        fields = {"text": text, "attempt": attempt}
        if self._inspector is not None and self._inspector.held is not None:
            self._inspector.held.tell(fields)
        else:
            self._agent._context.emit(TextDelta, fields)

    def _doing(self, what: AgentState, on: str | None, work: Callable[[], T]) -> T:
        """Do *work*; who looks meanwhile sees that the agent is at it, and *on* what."""
        if self._inspector is not None and self._inspector.is_racing:  # on another thread than the agent's own
            return work()
        with self._agent._context.at(what, on):
            return work()
