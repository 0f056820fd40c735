"""Events without what was said: a file that somebody asked for does not change with what is shown beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..agent.events import ToolEnded, ToolStarted
from ..core.records.answer import CompletionFinished, CompletionStarted
from ..core.records.event import AgentEnded, AgentStarted, MessageRead, MessageSent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..core.records.event import Event

CONTENTS: Final[Mapping[type[Event], str]] = {
    AgentStarted: "input",
    AgentEnded: "result",
    CompletionStarted: "input",
    CompletionFinished: "text",
    ToolStarted: "input",
    ToolEnded: "result",
    MessageSent: "text",
    MessageRead: "text",
}
"""Kind of event -> the field that tells what was said, where events have contents."""


def without_content(event: Event) -> Event:
    """*event*, as it would be in a pool whose events have no contents."""
    field = CONTENTS.get(type(event))
    if field is None or getattr(event, field) is None:
        return event
    return event.model_copy(update={field: None})
