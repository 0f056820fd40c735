"""Keeps a conversation within the model's context window."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from ..errors import ContextOverflow
from .ports import AssistantMessage, ToolResultMessage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .ports import Attachment, CompletionRequest, Message, ToolDefinition

T = TypeVar("T")
_Known: TypeAlias = dict[int, tuple[object, int]]

CHARACTERS_PER_TOKEN = 4
"""A rough mean of today's tokenizers for English text."""
TOKENS_PER_MESSAGE = 4
"""What a message costs beside its text."""
KEEP = 2
"""How many messages stay at least."""


_as_json = json.JSONEncoder(default=repr).encode
"""Made once: ``json.dumps`` makes an encoder for each call that has options."""


def estimate_text(text: str) -> int:
    """Estimated tokens of *text*: a token for every four ASCII characters, one for each other character."""
    if text.isascii():
        return -(-len(text) // CHARACTERS_PER_TOKEN)
    plain = sum(character.isascii() for character in text)
    return -(-plain // CHARACTERS_PER_TOKEN) + len(text) - plain


def estimate(message: Message) -> int:
    """Estimated tokens of *message*, its tool calls included."""
    tokens = TOKENS_PER_MESSAGE + estimate_text(message.content)
    if isinstance(message, AssistantMessage):
        for call in message.tool_calls:
            tokens += TOKENS_PER_MESSAGE + estimate_text(call.name)
            tokens += estimate_text(_as_json(call.input)) + _estimate_attachment(call.attachment)
        tokens += _estimate_attachment(message.attachment)
    return tokens


def _estimate_attachment(attachment: Attachment | None) -> int:
    """Only the driver that made it sends it: it may be less, never more."""
    return 0 if attachment is None else estimate_text(_as_json(attachment.data))


def estimate_request(request: CompletionRequest) -> int:
    """Estimated tokens of everything that *request* sends."""
    fixed = estimate_text(request.system or "") + sum(_estimate_tool(tool) for tool in request.tools)
    return fixed + sum(estimate(message) for message in request.messages)


class ContextWindow:
    """The room for input: ``window - min(max_tokens, window // 4)`` tokens.

    Args:
        window: Tokens that input and answer may have together.
        max_tokens: Tokens of the longest answer.
    """

    def __init__(self, window: int, max_tokens: int) -> None:
        self.available = window - min(max_tokens, window // 4)
        # What was estimated for the last conversation, by identity, with the object itself so that its id stays its
        # own: the next one is mostly the same, longer by a message or two.
        self._known: _Known = {}

    def fit(
        self,
        messages: Sequence[Message],
        query: Message,
        *,
        system: str | None = None,
        tools: Sequence[ToolDefinition] = (),
    ) -> list[Message]:
        """Leave out the oldest messages until the rest fits.

        The query always stays, at least two messages stay, and a tool result never stays without its call.

        Args:
            query: One of *messages* (the object itself).
            system: Takes room, too.
            tools: Take room, too.
        Raises:
            ContextOverflow: What must stay does not fit.
        """
        estimates = _Estimates(self._known)
        fixed = estimate_text(system or "") + sum(estimates.of(tool, _estimate_tool) for tool in tools)
        units = _units(messages, estimates)
        self._known = estimates.used
        required = fixed + sum(tokens for _, tokens in units)
        count = len(messages)
        kept: list[list[Message]] = []
        for unit, tokens in units:
            droppable = not any(message is query for message in unit)
            if required > self.available and droppable and count - len(unit) >= KEEP:
                required -= tokens
                count -= len(unit)
            else:
                kept.append(unit)
        if required > self.available:
            raise ContextOverflow(required, self.available)
        return [message for unit in kept for message in unit]


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


def _estimate_tool(tool: ToolDefinition) -> int:
    text = tool.name + tool.description + _as_json(tool.input_schema)
    return TOKENS_PER_MESSAGE + estimate_text(text)


def _units(messages: Sequence[Message], estimates: _Estimates) -> list[tuple[list[Message], int]]:
    """What stays or goes together: an assistant's calls with their results, any other message alone."""
    units: list[tuple[list[Message], int]] = []
    open_calls: set[str] = set()
    for message in messages:
        tokens = estimates.of(message, estimate)
        if isinstance(message, ToolResultMessage):
            if message.tool_call_id in open_calls and units:
                units[-1] = ([*units[-1][0], message], units[-1][1] + tokens)
            continue  # a result without its call never stays
        open_calls = set()
        if isinstance(message, AssistantMessage):
            open_calls = {call.id for call in message.tool_calls}
        units.append(([message], tokens))
    return units
