"""``--trace``: what each agent was told, what it answered, which tools it called, and what came back."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

from ..core.crash import safe_repr
from ..core.records.conversation import AssistantMessage, SystemMessage, ToolResultMessage
from ..core.shown import shown
from .row import error_fields, error_line, place_text, text_of
from .secrets import Secrets
from .terminal import say
from .wording import counted, dollars, printable, seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..core.records.conversation import Message
    from ..core.records.outcome import AgentOutcome

LONGEST = 2_000
"""Characters of one thing that was said."""
MOST_MESSAGES = 200
"""Of one agent; of a longer conversation the middle is left out."""
INDENT = " " * 4


class Trace:
    """Writes the conversation of each agent to standard error, when it has ended.

    Args:
        secrets: What must not be shown.

    Threads: any; one agent at a time is written.
    Locks: ``_lock`` guards the writing.
    """

    def __init__(self, secrets: Secrets | None = None) -> None:
        self._secrets = Secrets() if secrets is None else secrets
        self._lock = threading.Lock()

    def write(self, outcome: AgentOutcome[Any], system: str | None = None) -> None:
        """Write what *outcome* tells.

        Args:
            system: What the manifest tells the model before all else; None for an agent that asked none.
        """
        text = "\n".join(self._lines(outcome, system))
        with self._lock:
            say(text)

    def _lines(self, outcome: AgentOutcome[Any], system: str | None) -> Iterator[str]:
        yield f"--- #{outcome.agent_id} {shown(outcome.name, 60)}"
        if system and outcome.messages:
            yield self._said("system", system)
        if not outcome.messages:
            yield self._said("told", outcome.query if isinstance(outcome.query, str) else _json(outcome.query))
        names: dict[str, str] = {}
        for message in _bounded(outcome.messages):
            yield from self._message(message, names)
        yield from self._end(outcome)

    def _message(self, message: Message | str, names: dict[str, str]) -> Iterator[str]:
        if isinstance(message, str):
            yield f"  {message}"
        elif isinstance(message, AssistantMessage):
            if message.content or not message.tool_calls:
                yield self._said("answered", message.content)
            for call in message.tool_calls:
                names[call.id] = call.name
                yield self._said("called", f"{call.name} {_json(call.input)}")
        elif isinstance(message, ToolResultMessage):
            word = "failed" if message.is_error else "returned"
            yield self._said(word, f"{names.get(message.tool_call_id, message.tool_call_id)}: {message.text}")
        else:
            yield self._said("system" if isinstance(message, SystemMessage) else "told", message.text)

    def _end(self, outcome: AgentOutcome[Any]) -> Iterator[str]:
        used = [f"{outcome.usage.total:,} tokens"] * bool(outcome.usage.total)
        used += [dollars(outcome.cost_usd)] * bool(outcome.cost_usd)
        used += [counted(outcome.tool_calls, "tool call")] * bool(outcome.tool_calls)
        yield f"  {outcome.status} in {', '.join([seconds(outcome.duration), *used])}"
        if outcome.error is not None:
            where = [f"{place}: " for place in [place_text(outcome)] if place]
            yield self._said("error", "".join([*where, error_line(error_fields(outcome.error))]))
        elif not outcome.messages:
            yield self._said("result", text_of(outcome))

    def _said(self, word: str, text: str) -> str:
        """*text* below *word*: masked before it is cut, else half a secret would stand there."""
        masked = self._secrets.masked(text)
        bounded = printable(masked[:LONGEST].replace("\r\n", "\n"))
        if len(masked) > LONGEST:
            bounded += f" [{len(masked) - LONGEST:,} more characters]"
        return f"  {word + ':':<10}" + bounded.replace("\n", f"\n{INDENT}")


def _bounded(messages: tuple[Message, ...]) -> Iterator[Message | str]:
    if len(messages) <= MOST_MESSAGES:
        yield from messages
        return
    half = MOST_MESSAGES // 2
    yield from messages[:half]
    yield f"[{len(messages) - 2 * half:,} messages more]"
    yield from messages[-half:]


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, default=safe_repr)
    except (TypeError, ValueError, RecursionError):
        return safe_repr(value)
