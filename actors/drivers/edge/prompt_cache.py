"""Where a server of Messages may keep the beginning of a prompt.

Source: https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching
"""

from __future__ import annotations

from typing import Any, Final

EPHEMERAL: Final = {"cache_control": {"type": "ephemeral"}}
MARKABLE: Final = frozenset({"text", "image", "document", "tool_use", "tool_result"})
"""Blocks that may bear the mark; thoughts may not."""


def mark_prefixes(fields: dict[str, Any]) -> None:
    """Mark in *fields* the ends of what the next request begins with, too: the tools, the instructions, and the
    conversation so far. That is three marks, of four that a request may have.
    """
    tools, system = fields.get("tools"), fields.get("system")
    if tools:
        fields["tools"] = [*tools[:-1], {**tools[-1], **EPHEMERAL}]
    if isinstance(system, str):
        fields["system"] = [{"type": "text", "text": system, **EPHEMERAL}]
    turns = fields["messages"]
    if turns and turns[-1]["content"][-1].get("type") in MARKABLE:
        *before, last = turns[-1]["content"]
        fields["messages"] = [*turns[:-1], {**turns[-1], "content": [*before, {**last, **EPHEMERAL}]}]
