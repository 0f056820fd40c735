"""Asks the guardrails of one agent."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

from loguru import logger

from ...core.crash import text_of
from ...core.records.conversation import AssistantMessage, ToolResultMessage, UserMessage
from ...core.records.json_marks import marked_text
from ...core.shown import shown
from ...errors import (
    Cancelled,
    CircuitBreak,
    EffectInDoubt,
    GuardrailTripped,
    JournalChanged,
    JournalFailed,
)
from ..guardrail import GuardrailStage, Trip
from ..kept_value import NotKeptError
from ..ledger import DONE, Scope, inside
from ..ports import StopReason, ToolResult
from ..ruling import (
    LONGEST_REASON,
    CallSubject,
    NotARulingError,
    OutputSubject,
    RequestSubject,
    ResponseSubject,
    ResultSubject,
    Subject,
    ruling_from_data,
    ruling_of,
    ruling_to_data,
)
from ..terms.message_text import CONTINUE
from ..terms.shortened import shortened
from .bookkeeper import count_spent, spent_to_data
from .held_text import HeldText
from .input_race import InputRace

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from ...core.records.conversation import Message, ToolCall
    from ..agent import Agent
    from ..guardrails import Guardrails, Rail
    from ..ledger import Ledger
    from ..ports import CompletionRequest, CompletionResponse
    from ..ruling import Ruling
    from ..terms.structured import Shape
    from .bookkeeper import Bookkeeper
    from .driver_call import Payment

    Ask = Callable[[], tuple[CompletionResponse, Sequence[Payment]]]

T = TypeVar("T")

THROUGH: Final = (Cancelled, CircuitBreak, JournalFailed, JournalChanged, EffectInDoubt)
"""What a guardrail may raise that is not its own doing: it ends the agent as it is."""
WITHHELD: Final = "[The user's message is withheld, a guardrail has refused it: {}. Say that you can not help with it.]"
NOT_SENT: Final = "[A guardrail has refused to let this conversation be sent to you as it was: {}. Go on without that.]"
NOT_TAKEN: Final = "Your answer was not accepted: {}. Answer again."


class RefusedError(ValueError):
    """A guardrail has refused what was at hand.

    Args:
        rail: Which.
        reason: For the model.
    """

    def __init__(self, rail: Rail, reason: str) -> None:
        super().__init__(reason)
        self.rail = rail
        self.reason = reason

    def told(self) -> str:
        """What the model is told, of an answer."""
        return NOT_TAKEN.format(self.reason)

    def tripped(self, times: int) -> GuardrailTripped:
        """What ends the agent when the model was told *times* times, and did it again."""
        return GuardrailTripped(self.rail.name, self.rail.stage, f"{self.reason} (also after {times} corrections)")


class Inspector:
    """Asks the guardrails of one agent, and enters what they say: what they have said in an earlier life is not asked
    again.

    Guarantees: the first that refuses or trips is the last that is asked. A ruling is in the ledger before anything is
    made of it; one that raised is not, and is asked again in the next life. Nothing of an answer is told before those
    that look at it have let it pass.

    Args:
        query: What the agent is asked.
        books: What the conversation has bought in earlier lives; None when nobody keeps it.
        looked: Who has looked at the query before, under another manifest; whoever does here is added.
        was_handed_on: Another manifest goes on: who has not looked at the query does so before that one is asked.

    Threads: the agent's own; ``check_input``, where it is concurrent, and the completion beside it, one each.
    """

    def __init__(
        self,
        agent: Agent[Any],
        guardrails: Guardrails,
        query: UserMessage,
        books: Bookkeeper | None = None,
        looked: set[Hashable] | None = None,
        *,
        was_handed_on: bool = False,
    ) -> None:
        self._agent = agent
        self._rails = guardrails
        self._books = books
        looked = set() if looked is None else looked
        inputs = [rail for rail in guardrails.at(GuardrailStage.CHECK_INPUT) if rail.who not in looked]
        looked.update(rail.who for rail in inputs)
        self._beside = [] if was_handed_on else [rail for rail in inputs if rail.concurrent]
        self._waited_for = [rail for rail in inputs if was_handed_on or not rail.concurrent]
        self._input_path = ""
        if books is not None:  # an agent may have several conversations, one after the other
            on_the_way = f"{books.path}/@handoff/@check_input"
            self._input_path = on_the_way if was_handed_on else books.ledger.root.next_path("@check_input")
        self.query = query
        """As the model gets it."""
        self._paid: Sequence[Payment] = ()  # for the completion that was bought last
        self.is_racing = False
        """Is a completion under way beside the agent's own thread?"""
        looks = guardrails.at(GuardrailStage.AFTER_COMPLETION) or guardrails.at(GuardrailStage.CHECK_OUTPUT)
        self._holds_all = bool(looks)
        self.held = HeldText(agent._context.emit) if looks or self._beside else None
        """Where the text of answers waits; None: nobody looks at it."""

    @classmethod
    def of(
        cls,
        agent: Agent[Any],
        query: UserMessage,
        books: Bookkeeper | None,
        looked: set[Hashable],
        *,
        was_handed_on: bool = False,
    ) -> Inspector | None:
        """That of *agent*; None when nothing is checked."""
        rails = agent._parts.guardrails
        return None if rails is None else cls(agent, rails, query, books, looked, was_handed_on=was_handed_on)

    # Input ------------------------------------------------------------------------------------------------------

    def check_input(self, *conversations: list[Message]) -> None:
        """Ask those that have to be waited for; what the query has become stands in *conversations*, where it stood."""
        self._put(self._input(self._waited_for), *conversations)

    def _input(self, rails: Sequence[Rail]) -> UserMessage:
        query = self.query
        try:
            passed = self._rule(rails, self._input_path, query.content, Subject())
        except RefusedError as refused:
            return UserMessage(WITHHELD.format(refused.reason))
        return query if passed is query.content else UserMessage(passed)

    def _put(self, query: UserMessage, *conversations: list[Message]) -> None:
        for messages in conversations:
            messages[:] = [query if message is self.query else message for message in messages]
        self.query = query

    # Completions ------------------------------------------------------------------------------------------------

    def answer(self, ask: Ask, messages: list[Message]) -> tuple[CompletionResponse | None, Sequence[Payment]]:
        """The next answer.

        Args:
            ask: Asks for it.
            messages: The conversation. Where something was refused it says so in the end, for the model.
        Returns:
            None: there is none to go on with. And what was paid, which is still to be counted.
        Raises:
            GuardrailTripped: One of them ended it.
        """
        if self.held is not None:
            self.held.begin()
        try:
            response, paid = self._raced(ask, messages) if self._beside else ask()
        except RefusedError as refused:
            if self.held is not None:
                self.held.drop()
            messages.append(UserMessage(NOT_SENT.format(refused.reason)))
            return None, () if self._books is None else self._books.close_turn()
        if response is None:
            return None, paid
        try:
            return self._after(response), paid
        except RefusedError as refused:
            if self.held is not None:
                self.held.drop()
            if response.text:  # without its calls: they are not made
                messages.append(AssistantMessage(response.text))
            messages.append(UserMessage(refused.told()))
            return None, paid

    def before_completion(self, request: CompletionRequest, paid: Sequence[Payment]) -> CompletionRequest:
        """*request* as it is sent.

        Args:
            paid: Into which goes what is paid for it, also when there is no answer.
        Raises:
            RefusedError: It is not.
        """
        self._paid = paid
        return self._at(GuardrailStage.BEFORE_COMPLETION, request, RequestSubject())

    def before_summary(self, request: CompletionRequest) -> CompletionRequest:
        """*request*, which asks for a summary of older messages, as it is sent.

        Raises:
            RefusedError: It is not.
        """
        path = "" if self._books is None else self._books.path
        rails = self._rails.at(GuardrailStage.BEFORE_COMPLETION)
        return self._rule(rails, f"{path}/@summary/@before_completion", request, RequestSubject())

    def _after(self, response: CompletionResponse) -> CompletionResponse:
        passed = self._at(GuardrailStage.AFTER_COMPLETION, response, ResponseSubject())
        if self.held is not None:
            if passed is not response:
                self.held.replace(passed.text)
            if passed.tool_calls or (_is_whole(passed) and not self._rails.at(GuardrailStage.CHECK_OUTPUT)):
                self.held.release()
        return passed

    def _raced(self, ask: Ask, messages: list[Message]) -> tuple[CompletionResponse | None, Sequence[Payment]]:
        """The first answer; None when the input, which is looked at beside it, is not what it was asked for."""
        rails, self._beside = self._beside, []
        race = InputRace(self._agent, lambda: self._input(rails), ask, self._is_cleared)
        self._paid = ()
        self.is_racing = not self._are_known(rails)
        try:
            query = race.run(self.query) if self.is_racing else self._input(rails)
        finally:
            self.is_racing = False
        if query is self.query:
            self._is_cleared()
            return race.answer() if race.has_run else ask()
        if self.held is not None:
            self.held.drop()
        self._put(query, messages)
        return None, [*(race.paid() or self._paid), *(() if self._books is None else self._books.close_turn())]

    def _is_cleared(self) -> None:
        if self.held is not None and not self._holds_all:
            self.held.open()

    def _are_known(self, rails: Sequence[Rail]) -> bool:
        ledger = self._ledger
        if ledger is None:
            return False
        entries = [ledger.find(f"{self._input_path}/{rail.step}") for rail in rails]
        said = [entry.data["says"] for entry in entries if entry is not None]
        return len(said) == len(rails) or any(word in ("refuse", "trip") for word in said)

    # Tools ------------------------------------------------------------------------------------------------------

    def before_tools(self, calls: Sequence[ToolCall]) -> tuple[list[ToolCall], dict[int, ToolResult]]:
        """*calls* as they are made, and what the model is told of those that are not."""
        passed, refusals = list(calls), {}
        rails = self._rails.at(GuardrailStage.BEFORE_TOOL)
        for index, call in enumerate(calls if rails else ()):
            if call.problem:
                continue
            path = self._call_path(index)
            is_known = self._ledger is not None and self._ledger.find(path) is not None
            try:
                passed[index] = self._rule(rails, f"{path}/@before_tool", call, CallSubject(), is_known=is_known)
            except RefusedError as refused:
                refusals[index] = ToolResult(f"{call.name} was not called: {refused.reason}", is_error=True)
        return passed, refusals

    def after_tools(
        self, calls: Sequence[ToolCall], results: list[ToolResultMessage], not_run: Mapping[int, object]
    ) -> list[ToolResultMessage]:
        """*results* of *calls* as the model is told them."""
        rails = self._rails.at(GuardrailStage.AFTER_TOOL)
        for index, result in enumerate(results if rails else ()):
            path = self._call_path(index)
            entry = None if self._ledger is None else self._ledger.find(path)
            if index in not_run or (entry is not None and not entry.data.get("ran", True)):
                continue
            seen = ToolResult(result.content, result.is_error)
            try:
                passed = self._rule(rails, f"{path}/@after_tool", seen, ResultSubject(), beside=(calls[index],))
            except RefusedError as refused:
                passed = ToolResult(f"the result of {calls[index].name} is withheld: {refused.reason}", is_error=True)
            if passed is not seen:
                results[index] = ToolResultMessage(result.tool_call_id, passed.content, passed.is_error)
        return results

    def _call_path(self, index: int) -> str:
        return "" if self._books is None else f"{self._books.path}.{index}"

    # Output -----------------------------------------------------------------------------------------------------

    def check_output(self, value: Any, shape: Shape | None, parts: list[str], messages: list[Message]) -> Any:
        """*value*, the answer whose text is *parts*, as it is given; what it has become stands in *parts*, and at the
        end of *messages*.

        Raises:
            RefusedError: The model is to be told.
        """
        subject = OutputSubject(shape)
        try:
            passed = self._at(GuardrailStage.CHECK_OUTPUT, value, subject)
        except RefusedError:
            if self.held is not None:
                self.held.drop()
            raise
        text = None
        if passed is not value:
            parts[:] = [text := subject.text_of(passed)]
            while messages[-1] is not self.query and _is_of_the_answer(messages[-1]):
                messages.pop()
            messages.append(AssistantMessage(text))
        if self.held is not None:
            self.held.release(text)
        return passed

    # Asking -----------------------------------------------------------------------------------------------------

    @property
    def _ledger(self) -> Ledger | None:
        return None if self._books is None else self._books.ledger

    def _at(self, stage: GuardrailStage, seen: T, subject: Subject) -> T:
        path = "" if self._books is None else self._books.path
        return self._rule(self._rails.at(stage), f"{path}/@{stage}", seen, subject)

    def _rule(
        self,
        rails: Sequence[Rail],
        path: str,
        seen: T,
        subject: Subject,
        *,
        beside: tuple[Any, ...] = (),
        is_known: bool = False,
    ) -> T:
        """What *seen* has become when all *rails* have let it pass.

        Args:
            path: Where what they say stands in the ledger.
            beside: What stands before it among the arguments.
            is_known: It was done in an earlier life: whom nobody asked then is not asked now.
        Raises:
            RefusedError: One of them refused it.
            GuardrailTripped: One of them ended the agent.
        """
        for rail in rails:
            ruling = self._ruling(rail, f"{path}/{rail.step}", seen, subject, beside, is_known=is_known)
            if ruling is None:
                continue
            if ruling.answer is not None:
                logger.warning("{} says {} to {}", shown(rail.name), shown(str(ruling.answer), 500), rail.stage)
                if isinstance(ruling.answer, Trip):
                    raise GuardrailTripped(rail.name, rail.stage, ruling.answer.reason)
                raise RefusedError(rail, ruling.answer.reason)
            seen = ruling.seen
        return seen

    def _ruling(
        self, rail: Rail, path: str, seen: Any, subject: Subject, beside: tuple[Any, ...], *, is_known: bool
    ) -> Ruling | None:
        """What *rail* says of *seen*, or has said in an earlier life; None: it had no say."""
        self._agent.checkpoint()
        ledger = self._ledger
        if ledger is None:
            return self._asked(rail, seen, subject, beside)
        entry = ledger.find(path)
        if entry is not None:
            if ledger.count(path):
                count_spent(self._agent, entry.path, entry.data)
            if path in ledger.values:
                return ruling_of(ledger.values[path], None, seen, subject)
            with suppress(NotKeptError):
                return ruling_from_data(entry.data, seen, subject)
        elif is_known:
            return None
        scope = Scope(ledger, path)
        with inside(scope):
            ruling = self._asked(rail, seen, subject, beside)
        data = {"guardrail": marked_text(rail.name), "stage": str(rail.stage), **spent_to_data(scope)}
        try:
            data |= ruling_to_data(ruling, seen, subject)
        except NotKeptError:
            ledger.values[path] = ruling.seen
            data["says"] = "change"
        ledger.enter(path, DONE, "guardrail", data)
        return ruling

    def _asked(self, rail: Rail, seen: Any, subject: Subject, beside: tuple[Any, ...]) -> Ruling:
        agent = self._agent
        more = {name: agent if name == "agent" else agent.cancel_token for name in rail.wants}
        try:
            given = subject.shown(seen)
            shown_beside = (CallSubject().shown(each) for each in beside)
            ruling = ruling_of(rail.call(*shown_beside, given, **more), given, seen, subject)
        except THROUGH:
            raise
        except BaseException as error:  # whatever it is: what was to be checked was not
            why = text_of(error)
            if not isinstance(error, NotARulingError):
                why = f"it raised {type(error).__name__}: {why}"
            raise GuardrailTripped(rail.name, rail.stage, shortened(why, LONGEST_REASON)) from error
        agent.checkpoint()
        return ruling


def _is_whole(response: CompletionResponse) -> bool:
    """Does nothing more of the answer come? What is refused later takes with it what came before."""
    return response.stop_reason is not StopReason.MAX_TOKENS and not response.is_paused


def _is_of_the_answer(message: Message) -> bool:
    """Does it belong to the last answer, which may have come in pieces?"""
    if isinstance(message, AssistantMessage):
        return not message.tool_calls
    return isinstance(message, UserMessage) and message.content == CONTINUE
