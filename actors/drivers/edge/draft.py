"""A request before it is put into a provider's words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...agent.ports import CompletionRequest, ToolDefinition
    from .names import ToolNames
    from .profiles import ServerProfile


@dataclass(frozen=True, slots=True)
class Draft:
    """What a request is to say.

    Args:
        request: What was asked for.
        model: Of whom.
        profile: What is known of the server.
        names: How its tools are called there.
        owner: Whose attachments go back with the conversation.
        limit: Tokens that the answer may have.
        tools: Those that the server takes, and their schemas such as it takes them.
        answer_schema: Likewise, what the answer has to fit; None: a text.
    """

    request: CompletionRequest
    model: str
    profile: ServerProfile
    names: ToolNames
    owner: str
    limit: int
    tools: Sequence[tuple[ToolDefinition, Mapping[str, Any]]]
    answer_schema: Mapping[str, Any] | None
