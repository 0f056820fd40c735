"""Makes a conversation fit the context window by the manifest's policy, and tells what is not sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from loguru import logger

from ...core.records.conversation import AssistantMessage, UserMessage
from ...core.shown import shown as in_words
from ...errors import ContextOverflow
from ..context_policy import ContextPolicy, policy_function
from ..context_window import (
    LEAST,
    estimate,
    fitted,
    units_of,
)
from ..events import ContextTrimmed
from .compaction_books import CompactionBooks

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ...core.records.conversation import Message
    from ..agent import Agent
    from ..context_window import ContextWindow, Trimmed
    from ..ports import ToolDefinition
    from .bookkeeper import Bookkeeper
    from .summarizer import Summarizer

SHARE: Final = 4
"""A summary takes at most this part of the room for messages, and half of what it stands for."""
SMALL: Final = 96
"""In a small room it may take half of it, up to so many tokens."""
HEAD: Final = "[Summary of {count} earlier messages, which are left out]"


class Compaction:
    """What of one conversation is sent.

    Messages go by their places: the beginning of a conversation never changes, it only grows.

    Args:
        summarizer: Who makes summaries; None: the policy wants none.
        books: What was done in earlier lives; None when nobody keeps it.

    Threads: the agent's own.
    """

    def __init__(
        self, agent: Agent[Any], window: ContextWindow, summarizer: Summarizer | None, books: Bookkeeper | None
    ) -> None:
        self._agent = agent
        self._table = agent.manifest.context
        self._window = window
        self._summarizer = summarizer
        function = policy_function(agent.manifest)
        self._policy = None if function is None else ContextPolicy(function, self._table.policy)
        self._books = None if books is None else CompactionBooks(agent, books)
        self._is_plain = summarizer is None and function is None
        self._turn = 0
        self._next = 0  # the first turn that may make another summary
        turn = agent._parts.turn
        self._carried = None if turn is None else turn.summary
        self._summary: UserMessage | None = None
        self._covered: set[int] = set()
        """The places of the messages that it stands for."""
        self._dropped: set[int] = set()
        self._cut: set[int] = set()
        """What was told of, of either."""

    def stand_alone(self) -> None:
        """What is sent is no longer what was said in the session: no summary comes from it, or goes there."""
        self._carried = None

    def fit(
        self, messages: Sequence[Message], query: Message, *, system: str, tools: Sequence[ToolDefinition]
    ) -> list[Message]:
        """What is sent of *messages*, which stay as they are.

        Args:
            query: One of *messages* (the object itself).
        Raises:
            ContextOverflow: What must stay does not fit.
            CircuitBreak, Cancelled, JournalFailed, JournalChanged: A summary would have had to be bought.
            RuntimeError, TypeError, ValueError: The function of the policy did not do what it has to.
        """
        if self._is_plain:
            trimmed = self._window.trim(messages, query, system=system, tools=tools)
            if trimmed.cut or len(trimmed.messages) != len(messages):
                self._tell(messages, trimmed, is_new=False)
            return trimmed.messages
        self._turn += 1
        offered: Sequence[Message] = messages
        before = self._summary
        if self._policy is not None:
            offered = self._chosen(self._policy, messages, query, self._window.room(system, tools))
        elif self._summarizer is not None:
            offered = self._summarized(self._summarizer, messages, query, self._window.room(system, tools))
        if self._summary is None:
            trimmed = self._window.trim(offered, query, system=system, tools=tools)
        else:
            trimmed = self._trimmed(self._summary, offered, query, system, tools)
        if offered is messages and not trimmed.cut and len(trimmed.messages) == len(messages):
            return trimmed.messages
        self._tell(messages, trimmed, is_new=self._summary is not before)
        return trimmed.messages

    def _trimmed(
        self, summary: Message, offered: Sequence[Message], query: Message, system: str, tools: Sequence[ToolDefinition]
    ) -> Trimmed:
        trim = self._window.trim
        try:
            return trim(offered, query, system=system, tools=tools, summary=summary)
        except ContextOverflow:  # what came since needs all the room
            return trim([one for one in offered if one is not summary], query, system=system, tools=tools)

    # A function of the user's -----------------------------------------------------------------------------------

    def _chosen(
        self, policy: ContextPolicy, messages: Sequence[Message], query: Message, room: int
    ) -> Sequence[Message]:
        if self._window.tokens_of(messages) <= room:
            return messages
        if self._books is None:
            chosen = policy.choose(messages, query, room)
        else:
            chosen = self._books.chosen(messages, room, lambda: policy.choose(messages, query, room))
        if (tokens := self._window.tokens_of(chosen)) > room:
            logger.warning(
                "{}: context.policy {!r} returned {} tokens, there is room for {}: the oldest messages are left out",
                in_words(self._agent.manifest.name), self._table.policy, tokens, room,
            )  # fmt: skip
        return chosen

    # Summaries --------------------------------------------------------------------------------------------------

    def _summarized(
        self, summarizer: Summarizer, messages: Sequence[Message], query: Message, room: int
    ) -> Sequence[Message]:
        if self._turn == 1:
            self._take_over(messages, room)
        offered = self._offered(messages)
        if self._turn < self._next or self._window.tokens_of(offered) <= room:
            return offered
        old = self._old(messages, query)
        if not old:
            return offered
        replaced = [*([] if self._summary is None else [self._summary]), *(messages[place] for place in old)]
        bound = min(max(room // SHARE, min(room // 2, SMALL)), self._window.tokens_of(replaced) // 2)
        if bound < LEAST:  # there is nothing to be won
            return offered
        self._next = self._turn + self._table.summary_every
        text = summarizer.summary(replaced, query)
        if text is None:
            return offered
        self._covered.update(old)
        head = HEAD.format(count=len(self._covered))
        self._summary = UserMessage(f"{head}\n{fitted(text, bound - estimate(UserMessage(head)) - 1)}")
        if self._carried is not None:
            self._carried.take(self._summary, self._covered, len(messages))
        return self._offered(messages)

    def _take_over(self, messages: Sequence[Message], room: int) -> None:
        """Go on with the summary that there is, where one is needed, and there is room for it."""
        carried = None if self._carried is None else self._carried.current
        if carried is None or self._window.tokens_of(messages) <= room or estimate(carried.message) > room // 2:
            return
        self._summary, self._covered = carried.message, set(carried.covered)
        turns = sum(isinstance(message, AssistantMessage) for message in messages[carried.at :])
        self._next = self._turn + self._table.summary_every - turns

    def _offered(self, messages: Sequence[Message]) -> Sequence[Message]:
        """The summary, as far as there is one, and what it does not stand for."""
        if self._summary is None:
            return messages
        return [self._summary, *(one for place, one in enumerate(messages) if place not in self._covered)]

    def _old(self, messages: Sequence[Message], query: Message) -> list[int]:
        """The places of what a summary would stand for: not the query, the last messages and open calls."""
        left = [place for place in range(len(messages)) if place not in self._covered]
        units = [[left[place] for place in unit] for unit in units_of([messages[place] for place in left])]
        last = self._table.keep_last
        while units and last > 0:
            last -= len(units.pop())
        return [place for unit in units if not _stays([messages[place] for place in unit], query) for place in unit]

    # What is told -----------------------------------------------------------------------------------------------

    def _tell(self, messages: Sequence[Message], trimmed: Trimmed, *, is_new: bool) -> None:
        """Tell what is not sent, once: again only when more of it is not, or a new summary stands in its place."""
        sent = trimmed.messages
        there, cut = set(map(id, sent)), {id(whole): made for whole, made in trimmed.cut}
        shortened = {place for place, one in enumerate(messages) if id(one) in cut}
        dropped = {place for place, one in enumerate(messages) if id(one) not in there} - shortened
        is_told = dropped <= self._dropped and shortened <= self._cut | self._dropped
        if not (dropped or shortened) or (is_told and not is_new):
            return
        self._dropped |= dropped
        self._cut |= shortened
        tokens = self._window.tokens_of(messages[place] for place in dropped)
        tokens += sum(estimate(messages[place]) - estimate(cut[id(messages[place])]) for place in shortened)
        known = set(map(id, messages)) | {id(made) for made in cut.values()}
        summarized = any(id(one) not in known for one in sent)
        told = {"dropped": len(dropped), "tokens": tokens, "summarized": summarized}
        self._agent._context.emit(ContextTrimmed, told)


def _stays(unit: Iterable[Message], query: Message) -> bool:
    """Is the query there, or a call that has no result yet?"""
    first, *results = unit
    calls = len(first.tool_calls) if isinstance(first, AssistantMessage) else 0
    return first is query or len(results) < calls
