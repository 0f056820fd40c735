"""One answer of a server, as it comes in."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from ...agent.bounds import decoded, object_in, problem_in
from ...agent.context_window import estimate_text
from ...agent.ports import CompletionResponse, StopReason
from ...core.records.conversation import Attachment, ToolCall
from ...errors import ContextOverflow, InferenceFailed, MalformedAnswer
from .call_parts import CallParts, OpenCall
from .counts import Counts
from .shown import short
from .stops import NoEnd, end_of
from .text import sendable
from .thoughts import ThoughtFilter, split_thoughts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...core.records.usage import TokenUsage
    from .counts import Places
    from .names import ToolNames

LAST_WORDS = 0.5
"""Seconds in which a server that has said everything should end its stream."""
AFTERWORDS = 5.0
"""Seconds for what usually comes after the end of an answer: the tokens that it took."""
CUT = (
    "the answer reached its limit of tokens in the middle of this call, so it was not run; "
    "send the call again, whole, in fewer words"
)


class Asked(NamedTuple):
    """What an answer has to know of its request.

    Args:
        names: How the tools were called.
        tokens: Estimated, of the question.
        owner: Who keeps attachments.
        window: Tokens that question and answer may have together.
    """

    names: ToolNames
    tokens: int
    owner: str
    window: int


class Answer(ABC):
    """One answer. Nothing of what a server sent is believed to have a type.

    Guarantees: each call has an id of its own, whatever the server said; a call whose arguments are no JSON object, or
    were cut off, has an empty ``input`` and a ``problem``, so that the model hears of it. The work is linear in what
    comes.

    Args:
        asked: The request.
        places: Where its server says how many tokens it took.
    """

    def __init__(self, asked: Asked, places: Places) -> None:
        self._asked = asked
        self._text: list[str] = []
        self._thoughts: list[str] = []
        self._filter = ThoughtFilter()
        self._parts = CallParts()
        self._counts = Counts(places)

    @abstractmethod
    def take_whole(self, body: Any) -> None:
        """The answer in one piece, parsed."""

    @abstractmethod
    def take_event(self, name: str, data: Any) -> str:
        """An event of a streamed answer, parsed.

        Returns:
            The text that it adds to the answer, and that may be told.
        """

    @abstractmethod
    def done(self) -> None:
        """The server says that no more comes."""

    @abstractmethod
    def patience(self) -> float | None:
        """Seconds that the rest may take; None while nobody knows whether the answer is over.

        The clock begins anew with each piece, and ends nothing after a piece that said something.
        """

    @abstractmethod
    def response(self, *, ended: bool = True) -> CompletionResponse:
        """All of it.

        Args:
            ended: The server ended its answer in order; False when the connection broke, or the time was over.
        Raises:
            InferenceFailed: The model refused, or the provider filtered its answer.
            ContextOverflow: The window was full.
            MalformedAnswer: It broke off, or is none.
        """

    def text(self) -> str:
        """What has come so far, thoughts included where they stand in the text."""
        if len(self._text) > 1:
            self._text = ["".join(self._text)]
        return str(sendable(self._text[0])) if self._text else ""

    def has_begun(self) -> bool:
        """Has the model begun to answer?"""
        counts = self._counts
        is_counted = counts.read is not None or counts.written is not None
        return bool(self._text or self._thoughts or self._parts.calls or is_counted)

    def calls(self, *, cut: bool = False) -> tuple[ToolCall, ...]:
        """The tool calls that have come so far.

        Args:
            cut: The answer was cut off: the last call may lack something.
        """
        parts = [call for call in self._parts.calls if call.name or call.has_begun]
        ids = _Ids()
        return tuple(self._call(call, ids, cut=cut, last=call is parts[-1]) for call in parts)

    def _call(self, call: OpenCall, ids: _Ids, *, cut: bool, last: bool) -> ToolCall:
        values, problem = arguments_of(call.arguments)
        # In a text the end of the arguments can be seen; a value may be what came of them.
        if cut and (not call.has_begun or (last and (problem or not call.is_written))):
            values, problem = {}, CUT
        name = self._asked.names.meant(call.name or "")
        attachment = self._attached(call.extra)
        return ToolCall(sendable(ids.unique(call.id)), sendable(name), sendable(dict(values)), problem, attachment)

    def _usage(self, calls: Sequence[ToolCall]) -> TokenUsage:
        """The tokens of what has come so far: counted by the server, or else estimated."""
        is_counted = self._counts.written is not None
        return self._counts.usage(self._asked.tokens, 0 if is_counted else self._estimated(calls))

    def used(self) -> TokenUsage:
        """Tokens of half an answer, as errors tell it. A server counts what it wrote at the end."""
        calls = self.calls()
        usage = self._usage(calls)
        return replace(usage, output_tokens=max(usage.output_tokens, self._estimated(calls)))

    def _estimated(self, calls: Sequence[ToolCall]) -> int:
        """Tokens that were written, where the server does not say: so limits hold all the same."""
        written = sum(estimate_text(json.dumps(dict(call.input), default=str)) for call in calls)
        return max(1, written + estimate_text(self._said()))

    def _said(self) -> str:
        return "".join((self.text(), *self._thoughts))

    @abstractmethod
    def _withheld(self) -> str:
        """What to say where the answer was withheld."""

    def _end(self, word: str) -> StopReason:
        """How the answer ended, by the server's *word*."""
        end = end_of(word)
        if end is NoEnd.FILTERED:
            raise InferenceFailed(self._withheld())
        if end is NoEnd.FULL:  # no numbers are told
            raise ContextOverflow(max(self._asked.tokens, self._asked.window + 1), self._asked.window)
        if isinstance(end, NoEnd):
            raise MalformedAnswer(f"the answer did not come to its end: the server says {short(word, 80)!r}")
        return end

    def _whole(
        self, stop: StopReason, attachment: Mapping[str, Any] | None = None, *, paused: bool = False
    ) -> CompletionResponse:
        """All of it. Calls that came are meant to be made, whatever reason the server gives; but for a cut one."""
        calls = self.calls(cut=stop is StopReason.MAX_TOKENS)
        thoughts, text = split_thoughts(self.text())
        if calls and not any(call.problem == CUT for call in calls):
            stop = StopReason.TOOL_USE
        elif not calls and stop is StopReason.TOOL_USE:
            stop = StopReason.END_TURN
        reasoning = str(sendable("".join(self._thoughts))) or thoughts
        kept = self._attached(attachment)
        return CompletionResponse(text, stop, calls, self._usage(calls), reasoning, kept, paused and not calls)

    def _attached(self, data: Mapping[str, Any] | None) -> Attachment | None:
        """What goes back; but for what could not be written."""
        return Attachment(self._asked.owner, data) if data and not problem_in(data) else None


class _Ids:
    """Makes ids that no other call of the answer has."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._numbers: dict[str, int] = {}

    def unique(self, id_: str | None) -> str:
        text = id_ or "call"
        unique = text
        while unique in self._taken or unique == "call":
            self._numbers[text] = self._numbers.get(text, 1) + 1
            unique = f"{text}_{self._numbers[text]}"
        self._taken.add(unique)
        return unique


def arguments_of(given: object) -> tuple[Mapping[str, Any], str]:
    """The arguments of a call, and the problem with them ("" when there is none)."""
    if isinstance(given, str):
        if not given.strip():
            return {}, ""
        try:
            given = decoded(given)
        except ValueError as error:
            return {}, f"its arguments are not valid JSON ({error}); send the call again with a JSON object"
        given = object_in(given) or given  # some models encode them twice
    elif problem := problem_in(given):
        return {}, f"its arguments cannot be taken: {problem}; send the call again"
    if given is None:
        return {}, ""
    if not isinstance(given, Mapping):
        return {}, f"its arguments must be a JSON object, got {type(given).__name__}; send the call again"
    return given, ""
