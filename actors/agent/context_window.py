"""Keeps a conversation within the model's context window."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache
from operator import is_
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, TypeVar

from ..core.records.conversation import AssistantMessage, SystemMessage, ToolResultMessage, UserMessage
from ..errors import ContextOverflow
from .content_tokens import cut_content, estimate_content
from .same import Same
from .terms.shortened import left_out

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ..core.records.conversation import Attachment, Message, ToolCall
    from .ports import CompletionRequest, ToolDefinition

T = TypeVar("T")
_KINDS = {UserMessage: "a message", AssistantMessage: "an answer", SystemMessage: "an instruction"}
_Known: TypeAlias = dict[int, tuple[object, int]]

CHARACTERS_PER_TOKEN = 4
"""A rough mean of today's tokenizers for English text."""
TOKENS_PER_MESSAGE = 4
"""What a message costs beside its text."""
KEEP = 2
"""How many messages stay at least."""
LEAST = 48
"""Tokens to which a message is cut at most: less of it would say nothing beside the note that it was cut."""
CUT_FROM = 256
"""Tokens of an answer with its results below which it is not cut to a share of the window."""


MOST_TOOLS: Final = 256
"""So many definitions of tools are known by their tokens."""

_as_json = json.JSONEncoder(default=repr).encode
"""Made once: ``json.dumps`` makes an encoder for each call that has options."""


def estimate_text(text: str) -> int:
    """Estimated tokens of *text*: a token for every four ASCII characters, one for each other character."""
    if text.isascii():
        return -(-len(text) // CHARACTERS_PER_TOKEN)
    plain = len(text.encode("ascii", "ignore"))
    return -(-plain // CHARACTERS_PER_TOKEN) + len(text) - plain


def fitted(text: str, tokens: int) -> str:
    """*text* in at most so many estimated tokens: what is left out stands in the middle, and is said."""
    if estimate_text(text) <= tokens:
        return text
    quarters = max(0, tokens - estimate_text(left_out(len(text))) - 2) * CHARACTERS_PER_TOKEN
    tail = _prefix(text[: -quarters - 1 : -1], quarters // 4)
    head = _prefix(text[:quarters], quarters - quarters // 4)
    return text[:head] + left_out(len(text) - head - tail) + text[len(text) - tail :]


def fitted_all(texts: Sequence[str], tokens: int) -> list[str]:
    """*texts* in so many estimated tokens together: the longest are cut."""
    longest = _level([estimate_text(text) for text in texts], tokens)
    return [fitted(text, longest) for text in texts]


def _prefix(text: str, quarters: int) -> int:
    """How many of the first characters of *text* fit, counted in quarters of a token."""
    if text.isascii():
        return min(len(text), quarters)
    count = 0
    for character in text:
        quarters -= 1 if character.isascii() else CHARACTERS_PER_TOKEN
        if quarters < 0:
            break
        count += 1
    return count


def _level(sizes: Iterable[int], room: int) -> int:
    """The size to which the largest have to be cut so that all together fit into *room*; 0 when there is none."""
    level, left = 0, max(0, room)
    ascending = sorted(sizes)
    for place, size in enumerate(ascending):
        others = len(ascending) - place
        if (size - level) * others > left:
            return level + left // others
        left -= (size - level) * others
        level = size
    return level


def estimate(message: Message) -> int:
    """Estimated tokens of *message*, its tool calls included."""
    content = message.content
    tokens = TOKENS_PER_MESSAGE
    tokens += estimate_text(content) if type(content) is str else estimate_content(content, estimate_text)
    if isinstance(message, AssistantMessage):
        tokens += sum(map(_estimate_call, message.tool_calls)) + _estimate_attachment(message.attachment)
    return tokens


def _estimate_call(call: ToolCall) -> int:
    said = estimate_text(call.name) + estimate_text(_as_json(call.input))
    return TOKENS_PER_MESSAGE + said + _estimate_attachment(call.attachment)


def _estimate_attachment(attachment: Attachment | None) -> int:
    """Only the driver that made it sends it: it may be less, never more."""
    return 0 if attachment is None else estimate_text(_as_json(attachment.data))


def estimate_request(request: CompletionRequest) -> int:
    """Estimated tokens of everything that *request* sends."""
    fixed = estimate_text(request.system or "") + sum(map(tokens_of_tool, request.tools))
    return fixed + sum(estimate(message) for message in request.messages)


class Trimmed(NamedTuple):
    """What is sent of a conversation.

    Args:
        messages: All of it.
        cut: What was cut: whole, and as it is sent.
    """

    messages: list[Message]
    cut: list[tuple[Message, Message]]


class ContextWindow:
    """The room for input: ``window - min(max_tokens, window // 4)`` tokens.

    Args:
        window: Tokens that input and answer may have together.
        max_tokens: Tokens of the longest answer.
    """

    def __init__(self, window: int, max_tokens: int) -> None:
        self.available: int = window - min(max_tokens, window // 4)
        # What was estimated for the last conversation, by identity, with the object itself so that its id stays its
        # own: the next one is mostly the same, longer by a message or two. So with what was cut.
        self._known: _Known = {}
        self._tools: tuple[Sequence[ToolDefinition], int] = ((), 0)
        self._cut: _Cut = {}
        # Of one that only grows, and whose results all have their calls: all of it, its tokens, its last calls.
        self._grown: list[Message] = []
        self._grown_tokens = 0
        self._calls: Sequence[ToolCall] = ()

    def room(self, system: str | None, tools: Sequence[ToolDefinition]) -> int:
        """Estimated tokens that are left for messages.

        Args:
            system: The system prompt; None: there is none.
            tools: Those that are offered.
        """
        room = self.available - estimate_text(system) if system else self.available
        if not tools:
            return room
        known, tokens = self._tools
        if known is not tools:
            tokens = sum(map(tokens_of_tool, tools))
            self._tools = tools, tokens
        return room - tokens

    def fit(
        self,
        messages: Sequence[Message],
        query: Message,
        *,
        system: str | None = None,
        tools: Sequence[ToolDefinition] = (),
    ) -> list[Message]:
        """Make the conversation fit; *messages* themselves stay as they are.

        An answer that takes, with its results, more than half of the room is cut to that half. Then the oldest messages
        are left out until the rest fits. The last answer, and what came since, is cut before it is left out: the model
        has not seen it. The query always stays, whole; at least two messages stay, and a tool result never stays
        without its call. What is cut says so.

        Args:
            query: One of *messages* (the object itself).
            system: Takes room, too.
            tools: Take room, too.
        Raises:
            ContextOverflow: What must stay does not fit.
        """
        return self.trim(messages, query, system=system, tools=tools).messages

    def trim(
        self,
        messages: Sequence[Message],
        query: Message,
        *,
        system: str | None = None,
        tools: Sequence[ToolDefinition] = (),
        summary: Message | None = None,
    ) -> Trimmed:
        """As :meth:`fit`, and say what was cut.

        Args:
            query: The message that stays, whatever goes.
            system: The system prompt; None: there is none.
            tools: Those that are offered.
            summary: One of *messages* that is cut, but not left out.
        Raises:
            ContextOverflow: What must stay does not fit.
        """
        room = self.room(system, tools)
        if self._grows(messages) and self._grown_tokens <= room:
            self._cut = {}
            return Trimmed(list(messages), [])
        estimates = _Estimates(self._known)
        places = units_of(messages)
        if sum(map(len, places)) != len(messages):
            messages = [messages[place] for unit in places for place in unit]
        tokens = [estimates.of(message, estimate) for message in messages]
        self._known = estimates.used
        if sum(tokens) <= room:
            self._cut = {}
            return Trimmed(list(messages), [])
        sized = map(_Sized, messages, tokens)
        units = [[next(sized) for _ in unit] for unit in places]
        cutter = _Cutter(query, self._cut)
        kept = self._fitting(units, (query, summary), room, cutter)
        self._cut = cutter.used
        if (required := _total(kept)) > room:
            fixed = self.available - room
            largest = _largest(kept, query, fixed, estimate_text(system or ""))
            raise ContextOverflow(fixed + required, self.available, largest)
        sent = [one.message for unit in kept for one in unit]
        there = set(map(id, sent))
        cut = [(whole, made.message) for whole, _, made in cutter.used.values() if id(made.message) in there]
        return Trimmed(sent, cut)

    def _grows(self, messages: Sequence[Message]) -> bool:
        """Is *messages* what was looked at last and what came since? That alone is estimated then: nearly always
        everything fits, and nothing more need be known. A result without its call: False.
        """
        grown, tokens, calls = self._grown, self._grown_tokens, self._calls
        before = known = self._known
        if len(grown) > len(messages) or not all(map(is_, grown, messages)):  # another one: this is known, no more
            grown, tokens, calls, known = [], 0, (), {}
        for message in messages[len(grown) :]:
            kind = type(message)
            if kind is AssistantMessage:
                calls = message.tool_calls  # type: ignore[union-attr]  # it is one
            elif kind is not ToolResultMessage:
                calls = ()
            elif not any(call.id == message.tool_call_id for call in calls):  # type: ignore[union-attr]  # it is one
                self._grown, self._grown_tokens, self._calls = [], 0, ()
                self._known = {**before, **known}
                return False
            entry = before.get(id(message))
            if entry is None:
                content = message.content
                if kind is not AssistantMessage and type(content) is str and content.isascii():  # as nearly all are
                    entry = message, TOKENS_PER_MESSAGE - (-len(content) // CHARACTERS_PER_TOKEN)
                else:
                    entry = message, estimate(message)
            known[id(message)] = entry
            tokens += entry[1]
            grown.append(message)
        self._grown, self._grown_tokens, self._calls, self._known = grown, tokens, calls, known
        return True

    def tokens_of(self, messages: Iterable[Message]) -> int:
        """Estimated tokens of *messages*."""
        return sum(known[1] if (known := self._known.get(id(each))) else estimate(each) for each in messages)

    @staticmethod
    def _fitting(units: list[_Unit], stay: _Stay, room: int, cutter: _Cutter) -> list[_Unit]:
        query = stay[0]
        query_tokens = sum(one.tokens for unit in units for one in unit if one.message is query)
        share = max((room - query_tokens) // 2, CUT_FROM)
        units = [cutter.within(unit, share) for unit in units]
        news = next((place for place in range(len(units) - 1, -1, -1) if _is_answer(units[place])), len(units))
        units, news = _without_oldest(units, room, stay, news, lambda one: one.tokens)
        units, _ = _without_oldest(units, room, stay, len(units), cutter.least)
        flat = cutter.within([one for unit in units for one in unit], room)
        pieces = iter(flat)
        return [[next(pieces) for _ in unit] for unit in units]


class _Sized(NamedTuple):
    """A message, and its estimated tokens."""

    message: Message
    tokens: int


_Unit: TypeAlias = list[_Sized]
"""What stays or goes together: an assistant's calls with their results, any other message alone."""
_Stay: TypeAlias = tuple["Message", "Message | None"]
"""What is never left out: the query, and a summary."""
_Cut: TypeAlias = dict[int, tuple["Message", int, _Sized]]
"""What was cut, by identity, to how many tokens, and what it became."""


def _total(units: Iterable[_Unit]) -> int:
    return sum(one.tokens for unit in units for one in unit)


def _is_answer(unit: _Unit) -> bool:
    return isinstance(unit[0].message, AssistantMessage)


def _without_oldest(
    units: list[_Unit], room: int, stay: _Stay, end: int, size: Callable[[_Sized], int]
) -> tuple[list[_Unit], int]:
    """*units* without the oldest of those before *end*, as many as it takes; and where *end* is then."""
    required = sum(size(one) for unit in units for one in unit)
    count = sum(len(unit) for unit in units)
    kept: list[_Unit] = []
    gone = 0
    for place, unit in enumerate(units):
        droppable = place < end and not any(one.message is each for one in unit for each in stay)
        if required > room and droppable and count - len(unit) >= KEEP:
            required -= sum(size(one) for one in unit)
            count -= len(unit)
            gone += 1
        else:
            kept.append(unit)
    return kept, end - gone


class _Cutter:
    """Cuts messages for one request; *used* holds what was cut, so that the next request finds it again."""

    def __init__(self, query: Message, known: _Cut) -> None:
        self._query = query
        self._known = known
        self.used: _Cut = {}

    def least(self, one: _Sized) -> int:
        """Tokens to which *one* can be cut."""
        return one.tokens if one.message is self._query else min(one.tokens, LEAST)

    def within(self, all_: _Unit, room: int) -> _Unit:
        """*all_* in at most *room* tokens, as far as that goes: the longest are cut."""
        if sum(one.tokens for one in all_) <= room:
            return all_
        whole = sum(one.tokens for one in all_ if one.message is self._query)
        level = _level([one.tokens for one in all_ if one.message is not self._query], room - whole)
        return [self._cut(one, max(level, LEAST)) for one in all_]

    def _cut(self, one: _Sized, tokens: int) -> _Sized:
        if one.tokens <= tokens or one.message is self._query:
            return one
        known = self._known.get(id(one.message))
        if known is None or known[1] != tokens:
            made = _cut_message(one.message, tokens)
            known = one.message, tokens, _Sized(made, estimate(made))
        self.used[id(one.message)] = known
        return known[2]


def _cut_message(message: Message, tokens: int) -> Message:
    """*message* in about so many tokens. What its server wants back belongs to the whole one: it is left out."""
    room = tokens - TOKENS_PER_MESSAGE
    if isinstance(message, AssistantMessage) and message.attachment is not None:
        message = replace(message, attachment=None)
        if estimate(message) <= tokens:
            return message
    if not isinstance(message, AssistantMessage) or not message.tool_calls:
        return replace(message, content=_cut_content(message, room))
    sizes = [estimate_content(message.content, estimate_text), *(_estimate_call(call) for call in message.tool_calls)]
    level = _level(sizes, room)
    calls = tuple(
        call if size <= level else _cut_call(call, level)
        for call, size in zip(message.tool_calls, sizes[1:], strict=True)
    )
    return replace(message, content=_cut_content(message, level), tool_calls=calls)


def _cut_content(message: Message, tokens: int) -> Any:
    return cut_content(message.content, tokens, estimate_text=estimate_text, fitted_all=fitted_all)


def _cut_call(call: ToolCall, tokens: int) -> ToolCall:
    """*call* with arguments of about so many tokens: the longest values are cut, as texts."""
    room = tokens - TOKENS_PER_MESSAGE - estimate_text(call.name)
    texts = {key: value if isinstance(value, str) else _as_json(value) for key, value in call.input.items()}
    names = sum(estimate_text(key) + 2 for key in texts)
    level = _level([estimate_text(text) for text in texts.values()], (room - names) * 3 // 4)  # JSON escapes some
    if level < LEAST // 2:
        return replace(call, input={"arguments": fitted(_as_json(call.input), max(1, room * 3 // 4))})
    return replace(
        call,
        input={
            key: value if estimate_text(texts[key]) <= level else fitted(texts[key], level)
            for key, value in call.input.items()
        },
    )


def _largest(units: Iterable[_Unit], query: Message, fixed: int, system: int) -> str:
    """What takes most of the room, in words."""
    asked = {call.id: call.name for unit in units for one in unit for call in getattr(one.message, "tool_calls", ())}
    found = [("the system prompt", system), ("what is told of the tools", fixed - system)]
    for unit in units:
        for message, tokens in unit:
            if message is query:
                found.append(("the query", tokens))
            elif isinstance(message, ToolResultMessage):
                found.append((f"the result of {asked.get(message.tool_call_id, 'a tool')!r}", tokens))
            else:
                found.append((_KINDS[type(message)], tokens))
    name, tokens = max(found, key=lambda one: one[1])
    return f"most of it is {name}, with {tokens}"


class _Estimates:
    """Each estimated once, and taken from *known* if it was before; *used* holds those of this time, and no others."""

    __slots__ = ("_known", "used")

    def __init__(self, known: _Known) -> None:
        self._known = known
        self.used: _Known = {}

    def of(self, thing: T, estimate: Callable[[T], int]) -> int:
        entry = self.used.get(id(thing)) or self._known.get(id(thing)) or (thing, estimate(thing))
        self.used[id(thing)] = entry
        return entry[1]


def tokens_of_tool(tool: ToolDefinition) -> int:
    """Estimated tokens of what is told of *tool*: of one that was asked for lately it is known."""
    return _tokens_of_tool(Same(tool))


@lru_cache(maxsize=MOST_TOOLS)
def _tokens_of_tool(same: Same) -> int:
    tool: Any = same.value
    return TOKENS_PER_MESSAGE + estimate_text(tool.name + tool.description + _as_json(tool.input_schema))


def units_of(messages: Sequence[Message]) -> list[list[int]]:
    """What of *messages* stays or goes together, by their places; without results whose call is not there."""
    units: list[list[int]] = []
    open_calls: set[str] = set()
    for place, message in enumerate(messages):
        if isinstance(message, ToolResultMessage):
            if message.tool_call_id in open_calls and units:
                units[-1].append(place)
            continue  # a result without its call never stays
        open_calls = set()
        if isinstance(message, AssistantMessage):
            open_calls = {call.id for call in message.tool_calls}
        units.append([place])
    return units
