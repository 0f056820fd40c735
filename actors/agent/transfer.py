"""The tool by which a model hands a conversation on, and where it leads."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..core.records.conversation import AssistantMessage, Message, ToolResultMessage
from .ports import ToolDefinition, ToolResult
from .terms.effect import Effect
from .terms.linked import TRANSFER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..core.waiting.cancel import CancelToken
    from .guardrails import Guardrails
    from .ports import LlmDriver
    from .terms.handoff import HistoryFilter
    from .terms.manifest import AgentManifest
    from .terms.structured import Shape

LONGEST_NAME = 64 - len(TRANSFER)
"""Characters of a name that is made of a manifest's: providers take 64 for a tool."""
_NOT_ALLOWED = re.compile(r"[^A-Za-z0-9_-]+")
_INPUT = {
    "type": "object",
    "properties": {"reason": {"type": "string", "description": "Why, in a few words."}},
    "additionalProperties": False,
}


def tool_word(name: str) -> str:
    """*name* of a manifest as a part of a tool's name."""
    return _NOT_ALLOWED.sub("_", name)[:LONGEST_NAME]


@dataclass(slots=True, eq=False)
class Destination:
    """A manifest under which a conversation can go on: found, cut down and checked.

    Args:
        manifest: As the conversation may have it.
        guardrails: Its own, before those with which the conversation began.
        transfers: Where it can go on to from there.

    Locks: none; ``transfers`` is written by the thread that starts the agent, before it is admitted: it is known once
    all destinations are, which may lead in circles.
    """

    manifest: AgentManifest
    driver: LlmDriver | None
    shape: Shape | None
    guardrails: Guardrails | None = None
    transfers: tuple[Transfer, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Transfer:
    """``transfer_to_NAME``: its call says that another manifest goes on. What that does is done by the loop, when all
    calls of the same answer have their results.

    Args:
        word: The name that the tool ends with.
        description: When to hand off; empty takes that of the manifest.
        destination: Who goes on.
        filter: What of the conversation it sees; None: all of it.
    """

    word: str
    description: str
    destination: Destination
    filter: HistoryFilter | None = None

    required_capability = None
    timeout = None
    repeatable = True  # to hand a conversation back and forth is no circle of calls: max_handoffs bounds it
    effect = Effect.IDEMPOTENT

    @property
    def name(self) -> str:
        """``transfer_to_billing``."""
        return f"{TRANSFER}{self.word}"

    @property
    def definition(self) -> ToolDefinition:
        """What the model is told."""
        manifest = self.destination.manifest
        about = self.description or manifest.description
        words = f"Hand the conversation on to {manifest.name}, who answers in your place from then on."
        return ToolDefinition(self.name, f"{words} {about}".strip(), _INPUT)

    def execute(self, input: Mapping[str, Any], *, cancel: CancelToken, agent: Any) -> ToolResult:  # noqa: A002, ARG002
        """Say who goes on."""
        name = self.destination.manifest.name
        # It says whom, and not "you": a session shows it to the first one again, in the next turn.
        return ToolResult(f"The conversation was handed on: {name} goes on with what the user asked for.")

    def history(self, messages: Sequence[Message]) -> list[Message]:
        """What the other one sees of *messages*.

        A call whose result the filter has left out is left out, too, and a result whose call it has: no provider takes
        the one without the other.

        Raises:
            TypeError: The filter returned no messages.
            ValueError: It left nothing.
        """
        if self.filter is None:
            return list(messages)
        said: Any = self.filter(tuple(messages))
        what = f"the filter of the handoff to {self.destination.manifest.name!r}"
        if isinstance(said, str | bytes) or not hasattr(said, "__iter__"):
            raise TypeError(f"{what} returned {type(said).__name__}: it returns the messages that are to be seen")
        kept = list(said)
        for message in kept:
            if not isinstance(message, Message):
                raise TypeError(f"{what} returned {type(message).__name__} among the messages")
        whole = list(_in_pairs(kept))
        if not whole:
            raise ValueError(f"{what} left no message: a model has to be told something")
        return whole


def _in_pairs(messages: Sequence[Message]) -> Iterator[Message]:
    """*messages* with those calls and results alone that have one another."""
    answered = {message.tool_call_id for message in messages if isinstance(message, ToolResultMessage)}
    asked: set[str] = set()
    for message in messages:
        if isinstance(message, ToolResultMessage):
            if message.tool_call_id in asked:
                yield message
        elif isinstance(message, AssistantMessage) and message.tool_calls:
            calls = tuple(call for call in message.tool_calls if call.id in answered)
            asked |= {call.id for call in calls}
            if len(calls) == len(message.tool_calls):
                yield message
            elif calls or message.content:
                yield replace(message, tool_calls=calls, attachment=None)
        else:
            yield message
