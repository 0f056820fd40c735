"""The order of roles in a conversation, as a server takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...core.records.conversation import ToolResultMessage
from .chat_parts import text_block

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...core.records.conversation import Message
    from .profiles import ServerProfile

Turn = dict[str, Any]

LEFT_OUT = "[What was said before is left out.]"
"""The first words of a user, where a conversation would begin with the assistant's and a server does not take that."""


NOT_RUN = "This call was not run."


def paired(messages: Iterable[Message]) -> list[Message]:
    """*messages* with a result for each call right behind it, and no result without one: servers refuse all else."""
    done: list[Message] = []
    waiting: dict[str, None] = {}
    for message in messages:
        if isinstance(message, ToolResultMessage):
            if message.tool_call_id in waiting:
                del waiting[message.tool_call_id]
                done.append(message)
            continue
        done += [ToolResultMessage(id_, NOT_RUN, is_error=True) for id_ in waiting]
        waiting = {call.id: None for call in getattr(message, "tool_calls", ())}
        done.append(message)
    return [*done, *(ToolResultMessage(id_, NOT_RUN, is_error=True) for id_ in waiting)]


def arranged(turns: Iterable[Turn], profile: ServerProfile) -> list[Turn]:
    """*turns* of Chat Completions in an order that the server takes: neighbours of one role are one turn."""
    done: list[Turn] = []
    for turn in _placed(turns, profile):
        last = done[-1] if done else {"role": ""}
        if turn["role"] == "assistant" and last["role"] in ("", "system") and profile.bridge:
            last = {"role": "user", "content": LEFT_OUT}
            done.append(last)
        if last["role"] == "tool" and turn["role"] == "user" and profile.bridge:
            done.append({"role": "assistant", "content": profile.bridge})
        elif last["role"] == turn["role"] != "tool" and "tool_calls" not in last:
            done[-1] = _merged(last, turn)
            continue
        done.append(turn)
    return done


def _placed(turns: Iterable[Turn], profile: ServerProfile) -> Iterable[Turn]:
    """Instructions where they may stand; elsewhere they are words of the user that say what they are."""
    begun = False
    for turn in turns:
        if turn["role"] != "system":
            begun = True
            yield turn
        elif profile.system == "none" or (begun and profile.system == "first"):
            yield {"role": "user", "content": f"[system] {turn['content']}" if begun else turn["content"]}
        else:
            yield turn


def _merged(one: Turn, other: Turn) -> Turn:
    if isinstance(one.get("content"), list) or isinstance(other.get("content"), list):
        return {**one, **other, "content": [*_blocks(one), *_blocks(other)]}
    texts = [text for text in (one.get("content"), other.get("content")) if text]
    return {**one, **other, "content": "\n\n".join(texts) if texts else other.get("content")}


def _blocks(turn: Turn) -> list[dict[str, Any]]:
    content = turn.get("content") or []
    return [text_block(content)] if isinstance(content, str) else content
