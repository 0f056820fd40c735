"""The loop of an ``LlmAgent``: one conversation, from the query to the answer."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from loguru import logger

from ...core.records.answer import Phase, PhaseChanged
from ...core.records.conversation import AssistantMessage, UserMessage
from ...core.records.loop_result import AgentLoopResult
from ...errors import Cancelled, InvalidOutput
from ..effects import is_repeatable
from ..guard import ALLOW, LoopGuard, same_noted
from ..ports import StopReason
from ..recalled import recalled
from ..session_record import Said
from ..terms.message_text import CONTINUE, heard, told_content
from ..terms.structured import RETRIES
from .bookkeeper import ONE_TURN, Bookkeeper
from .driver_call import warn
from .inspector import Inspector, RefusedError
from .reasoner import heed
from .relay import Relay
from .route import Route, model_of
from .tool_calls import ToolCaller

if TYPE_CHECKING:
    from collections.abc import Generator, Hashable, Sequence

    from ...core.records.conversation import Message, ToolCall
    from ...core.records.parts import Part
    from ...core.supervision.inline_call import AgentSteps, InlineCall, ToolEnd
    from ..agent import Agent
    from ..guard import Noted
    from ..ports import CompletionResponse, MemorySubstrate
    from ..transfer import Transfer
    from .driver_call import Payment

RECALLED = 5
"""How many memories enter the system prompt."""
IDENTICAL_FIRST_CALLS = 4
"""After so many answers in a row with the same first call the turn ends."""
MAX_TOKENS: Final = StopReason.MAX_TOKENS
"""By a name of the module: before 3.12 a member of an enum is looked up slowly."""
ONLY_JSON = "Answer again, with the JSON alone."
PHASES: Final = {phase: {"phase": phase} for phase in Phase}
"""What an event of each tells: all agents tell the same."""


def _has_whole_call(response: CompletionResponse) -> bool:
    return any(not call.problem for call in response.tool_calls)


class Loop:
    """One conversation, from the query to the answer."""

    def __init__(self, agent: Agent[Any], query: str | tuple[Part, ...]) -> None:
        context, parts = agent._context, agent._parts
        manifest, config = parts.manifest, parts.config
        guard: LoopGuard | None = context.survives_restart
        if guard is None:  # the counts belong to the id: a restart goes on with them
            limits = manifest.resources
            guard = context.survives_restart = LoopGuard(
                limits.max_iterations,
                limits.max_tool_calls,
                limits.max_cost_usd,
                limits.max_tokens_budget,
                limits.max_handoffs,
            )
        self._agent = agent
        self._guard = guard
        model = model_of(agent)
        ledger, self._books = parts.ledger, None
        if ledger is not None:
            self._books = Bookkeeper(agent, ledger, guard, model or "")
            guard.reset_max_tokens()  # the answers in a row are met again
        self._query = UserMessage(query)
        self._looked: set[Hashable] = set()
        self._inspector = Inspector.of(agent, self._query, self._books, self._looked)
        self._route = Route(agent, guard, self._books, self._inspector)
        self._caller = ToolCaller(agent, guard, self._books, self._inspector)
        self._turn = parts.turn
        before = () if self._turn is None else self._turn.history
        self._messages: list[Message] = [*before, *config.messages, self._query]
        self._first = len(self._messages) - 1  # of the turn
        self._expenses = context.expenses
        conversation = self._messages if config.keep_messages else ()
        self._expenses.begin(model, guard, conversation, manifest.name)
        self._relay = Relay(agent, guard, self._books) if parts.transfers else None
        self._remembered: Sequence[str] = ()
        self._parts: list[str] = []
        self._thoughts: list[str] = []
        self._acted = False
        self._asked_again = False
        self._first_call: tuple[str, Noted] | None = None
        self._repeats = 0
        self._misfits = 0

    def steps(self) -> AgentSteps:
        """All that it does, to the answer, as the agent gives it."""
        agent = self._agent
        self._enter(Phase.PERCEIVE)
        if self._inspector is not None:
            self._inspector.check_input(self._messages)
            self._query = self._inspector.query
        self._remembered = self._memories()
        self._route.begin(self._remembered)
        while True:
            if self._books is None or self._books.begin_turn():
                verdict = self._guard.check_iteration()
                if verdict is not ALLOW:
                    heed(verdict, agent)
                if (account := agent._parts.account).is_charged:
                    warn(agent, account.spend(ONE_TURN))
                self._expenses.turn()
            self._hear()
            self._enter(Phase.REASON)
            response = self._answer()
            if response is None or (yield from self._act_on(response)):
                continue
            try:
                value = self._value()
            except ValueError as error:
                self._send_back(error)
            else:
                result = self._finish()
                return result if self._route.shape is None else value

    def _answer(self) -> CompletionResponse | None:
        """The next one; None: a guardrail has refused it, and the model is told."""
        if self._inspector is None:
            response, paid = self._ask()
        else:
            said, paid = self._inspector.answer(self._ask, self._messages)
            self._query = self._inspector.query
            if said is None:
                self._start_over()
                self._route.count(paid)
                return None
            response = said
        self._take_in(response)
        self._route.count(paid)
        return response

    def _ask(self) -> tuple[CompletionResponse, Sequence[Payment]]:
        return self._route.complete(self._messages, self._query)

    def _value(self) -> Any:
        """What the answer says; without an output type its text.

        Raises:
            ValueError: It does not fit, or a guardrail has refused it.
        """
        text, shape = "".join(self._parts), self._route.shape
        value = text if shape is None else shape.read(text)
        if self._inspector is None:
            return value
        return self._inspector.check_output(value, shape, self._parts, self._messages)

    def _send_back(self, error: ValueError) -> None:
        """The answer does not fit, or is refused: the model is told why."""
        self._misfits += 1
        if isinstance(error, RefusedError):
            if self._misfits > RETRIES:
                raise error.tripped(RETRIES)
            self._start_over()
            self._messages.append(UserMessage(error.told()))
            return
        if self._misfits > RETRIES:
            message = f"the answer does not fit the output_type, also after {RETRIES} corrections: {error}"
            raise InvalidOutput(message, text="".join(self._parts))
        self._start_over()
        self._messages.append(UserMessage(f"Your answer does not fit the JSON Schema: {error}. {ONLY_JSON}"))

    def _take_in(self, response: CompletionResponse) -> None:
        """Into the conversation: what was paid for stands there, also when no more may be spent."""
        said = AssistantMessage(response.text, tuple(response.tool_calls), response.reasoning, response.attachment)
        self._messages.append(said)
        if self._books is not None:
            self._books.digest(said)

    def _act_on(self, response: CompletionResponse) -> Generator[InlineCall, ToolEnd, bool]:
        """Do what the answer asks for; False when it was the last."""
        is_cut = response.stop_reason is MAX_TOKENS and not _has_whole_call(response)
        if is_cut:
            self._guard.record_max_tokens().enforce()
        else:
            self._guard.reset_max_tokens()
        if response.tool_calls:
            self._start_over()
            if not is_cut and self._goes_in_circles(response.tool_calls[0]):
                self._messages[-1] = AssistantMessage(response.text)
                self._parts.append(response.text)
                return False
            self._enter(Phase.ACT)
            self._acted = True
            yield from self._call_tools(response.tool_calls)
            self._enter(Phase.PERCEIVE)
            return True
        self._parts.append(response.text)
        self._thoughts.append(response.reasoning)
        if is_cut:
            self._messages.append(UserMessage(CONTINUE))
        if is_cut or response.is_paused:
            return True
        return self._is_empty() and self._asks_again()

    def _call_tools(self, calls: Sequence[ToolCall]) -> Generator[InlineCall, ToolEnd, None]:
        relay = self._relay
        if relay is None:
            self._messages.extend((yield from self._caller.call(calls)))
            return
        calls = relay.one_of(calls)
        results = yield from self._caller.call(calls)
        self._messages.extend(results)
        transfer = relay.taken(self._caller.made, results)
        if transfer is not None:  # all calls have their results: they were those of the manifest before
            self._go_on(relay, transfer)

    def _go_on(self, relay: Relay, transfer: Transfer) -> None:
        """Under another manifest."""
        agent, guard, books = self._agent, self._guard, self._books
        seen = relay.seen(transfer, self._route, self._messages)
        relay.hand_on(transfer)
        self._inspector = Inspector.of(agent, self._query, books, self._looked, was_handed_on=True)
        if self._inspector is not None:
            self._inspector.check_input(self._messages, *([] if seen is None else [seen]))
            self._query = self._inspector.query
        self._caller = ToolCaller(agent, guard, books, self._inspector)
        self._route = Route(agent, guard, books, self._inspector, was_handed_on=True)
        self._route.begin(self._route.share(self._remembered))
        if seen is not None:
            self._route.see(seen, after=len(self._messages))
        self._misfits = 0

    def _start_over(self) -> None:
        self._parts.clear()
        self._thoughts.clear()

    def _is_empty(self) -> bool:
        return not any(part.strip() for part in self._parts)

    def _asks_again(self) -> bool:
        """The model ended its turn without a word. Where no tool has acted, asking once more does nothing twice."""
        name = self._agent.manifest.name
        if self._acted or self._asked_again:
            logger.warning("{}: the model's answer is empty", name)
            return False
        logger.warning("{}: the model's answer is empty: it is asked once more", name)
        self._asked_again = True
        self._messages.pop()
        self._start_over()
        return True

    def _goes_in_circles(self, first: ToolCall) -> bool:
        if is_repeatable(self._agent.tools.get(first.name)):
            self._first_call = None
            return False
        before, noted = self._first_call, self._guard.noted(first.input)
        is_same = before is not None and before[0] == first.name and same_noted(before[1], noted)
        self._repeats = self._repeats + 1 if is_same else 1
        self._first_call = first.name, noted
        return self._repeats >= IDENTICAL_FIRST_CALLS

    # Perceive ---------------------------------------------------------------------------------------------------

    def _memories(self) -> Sequence[str]:
        memory = self._agent.memory
        if memory is None:
            return ()
        recall = partial(self._recall, memory)
        return recall() if self._books is None else self._books.memories(recall)

    def _recall(self, memory: MemorySubstrate) -> list[str]:
        """What fits the query, as far as there is room for it."""
        try:
            fragments = memory.recall(self._query.text, RECALLED)
        except Cancelled:
            raise
        except BaseException:  # noqa: BLE001 - an agent can answer without its memories
            logger.exception("recalling failed; going on without memories")
            return []
        return self._route.share([recalled(fragment) for fragment in fragments])

    def _hear(self) -> None:
        """Take new messages into the conversation."""
        self._agent.checkpoint()
        inbox = self._agent.inbox
        if self._books is not None:
            messages = iter(inbox.receive_nowait, None)
            texts = self._books.hear(lambda: [told_content(heard(message)) for message in messages])
            self._messages.extend(map(UserMessage, texts))
            return
        while (message := inbox.receive_nowait()) is not None:
            self._messages.append(UserMessage(told_content(heard(message))))

    def _enter(self, phase: Phase) -> None:
        self._agent._context.emit(PhaseChanged, PHASES[phase])

    # The end ----------------------------------------------------------------------------------------------------

    def _finish(self) -> AgentLoopResult:
        text = "".join(self._parts)
        memory, rules = self._agent.memory, self._agent.manifest.memory
        is_empty = self._is_empty()
        if memory is not None and not is_empty and (rules is None or rules.remember):
            try:
                self._remember(memory, f"Q: {self._query.text}\nA: {text}")
            except BaseException:  # noqa: BLE001 - the answer stands, whatever the memory does
                logger.exception("remembering failed; the answer stands")
        usage, cost_usd = self._expenses.make_result()
        if self._turn is not None:
            said, agent = tuple(self._messages[self._first :]), self._agent
            by, model = agent.manifest.name, model_of(agent)
            self._turn.take(Said(self._query.text, said, text, usage, cost_usd, by, model))
        return AgentLoopResult(
            text=text,
            usage=usage,
            iterations=self._guard.iterations,
            tool_calls=self._guard.tool_calls,
            cost_usd=cost_usd,
            messages=tuple(self._messages) if self._agent.config.keep_messages else (),
            reasoning="\n\n".join(filter(None, self._thoughts)),
            is_empty=is_empty,
        )

    def _remember(self, memory: MemorySubstrate, text: str) -> None:
        remember = partial(memory.remember, self._agent.manifest.name, text)
        if self._books is None:
            remember()
        else:
            self._books.remember(remember)
