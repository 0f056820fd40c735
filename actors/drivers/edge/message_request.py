"""A request in the words of Anthropic's Messages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ...agent.terms.settings import FORCES
from ...core.records.conversation import AssistantMessage, SystemMessage, ToolResultMessage
from .message_parts import message_blocks, message_content, shown_by_error
from .names import CallIds
from .prompt_cache import mark_prefixes
from .thinking import OFF, thinking_fields
from .turns import LEFT_OUT, paired

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...agent.ports import CompletionRequest
    from ...agent.terms.settings import ModelSettings
    from ...core.records.conversation import Message
    from .draft import Draft
    from .names import ToolNames

HOTTEST = 1.0
"""The highest temperature that the protocol takes."""
CALL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
BLOCKS = "blocks"
"""Under this name an attachment has the blocks of an answer, in their order; those of calls are empty places."""

NO_QUERY = "[Nothing was said.]"
"""The words of a user who said none: the protocol takes no text of blanks, and no conversation without a text."""
GONE = "A tool that was called earlier, and is not there any more."
"""What is said of one that stands in the conversation alone: calls without any tool are refused by the server."""

Block = dict[str, Any]


def message_fields(draft: Draft) -> dict[str, Any]:
    """The fields of a request."""
    fields: dict[str, Any] = {
        "model": draft.model,
        "messages": message_turns(draft.request, draft.names, draft.owner),
        draft.profile.limit_field: draft.limit,
        "temperature": min(draft.request.temperature, HOTTEST),
    }
    thinking = thinking_fields(draft, fields["messages"])
    if thinking.get("thinking", OFF) != OFF:
        del fields["temperature"]
    fields.update(thinking)
    if draft.request.system:
        fields["system"] = draft.request.system
    tools = [
        {"name": draft.names.said(tool.name), "description": tool.description, "input_schema": schema}
        for tool, schema in draft.tools
    ]
    settings = draft.request.settings
    if tools:
        fields["tools"] = tools
        fields.update(_choice(settings, draft.names))
    elif called := _called(fields["messages"]):  # by whoever had the conversation before
        fields["tools"] = [{"name": name, "description": GONE, "input_schema": {"type": "object"}} for name in called]
        fields["tool_choice"] = {"type": "none"}
    if settings.top_p is not None:
        fields["top_p"] = settings.top_p
        if settings.temperature is None:  # newer models refuse both together
            fields.pop("temperature", None)
    if settings.stop is not None:
        fields["stop_sequences"] = list(settings.stop)
    if settings.prompt_cache:
        mark_prefixes(fields)
    return fields


def _choice(settings: ModelSettings, names: ToolNames) -> dict[str, Any]:
    """Which tool is called, and how many."""
    word, wanted = settings.tool_choice, settings.named_tool
    if word is None and settings.parallel_tool_calls is not False:
        return {}
    choice: Block = {"type": "any" if word == FORCES else word or "auto"}
    if wanted is not None:
        choice = {"type": "tool", "name": names.said(wanted)}
    if settings.parallel_tool_calls is False and word != "none":
        choice["disable_parallel_tool_use"] = True
    return {"tool_choice": choice}


def _called(turns: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names of the tools whose calls stand in *turns*."""
    blocks = (block for turn in turns for block in turn["content"])
    return list(dict.fromkeys(block["name"] for block in blocks if block.get("type") == "tool_use"))


def message_turns(request: CompletionRequest, names: ToolNames, owner: str) -> list[dict[str, Any]]:
    """The conversation, in turns: results stand in a turn of the user, before all else of it, and neighbours of one
    side are one turn.

    Args:
        owner: Whose attachments go back with it.
    """
    ids = CallIds(CALL_ID, 24)
    turns: list[dict[str, Any]] = []
    shown: list[Block] = []
    for message in paired(request.messages):
        if shown and not isinstance(message, ToolResultMessage):  # behind all results of one answer
            turns[-1]["content"] += shown
            shown = []
        blocks = _blocks(message, names, ids, owner)
        if isinstance(message, ToolResultMessage) and message.is_error:
            shown += shown_by_error(message.content, blocks[0]["tool_use_id"])
        if not blocks:
            continue
        role = "assistant" if isinstance(message, AssistantMessage) else "user"
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": role, "content": blocks})
    if shown:
        turns[-1]["content"] += shown
    if not turns or turns[0]["role"] == "assistant":
        turns.insert(0, {"role": "user", "content": [{"type": "text", "text": LEFT_OUT if turns else NO_QUERY}]})
    return turns


def _blocks(message: Message, names: ToolNames, ids: CallIds, owner: str) -> list[Block]:
    if isinstance(message, ToolResultMessage):
        result = {
            "type": "tool_result",
            "tool_use_id": ids.of_result(message.tool_call_id),
            "content": message_content(message.content, is_error=message.is_error),
        }
        return [{**result, "is_error": True} if message.is_error else result]
    if not isinstance(message, AssistantMessage):
        is_system = isinstance(message, SystemMessage)
        return list(message_blocks(f"[system] {message.content}" if is_system else message.content))
    calls = [
        {"type": "tool_use", "id": ids.of_call(call.id), "name": names.said(call.name), "input": dict(call.input)}
        for call in message.tool_calls
    ]
    said = _as_it_was(message, calls, owner)
    if said is not None:
        return said
    texts: list[Block] = [{"type": "text", "text": message.content}] if message.content.strip() else []
    return texts + calls


def _as_it_was(message: AssistantMessage, calls: list[Block], owner: str) -> list[Block] | None:
    """The blocks as this driver's server sent them, thoughts and all; None where there are none, or no longer."""
    attachment = message.attachment
    if attachment is None or attachment.owner != owner:
        return None
    blocks = attachment.data.get(BLOCKS)
    if not isinstance(blocks, list | tuple):
        return None
    places = sum(block.get("type") == "tool_use" for block in blocks)
    text = "".join(block.get("text", "") for block in blocks if block.get("type") == "text")
    if places != len(calls) or text != message.content:
        return None
    left = iter(calls)
    return [next(left) if block.get("type") == "tool_use" else dict(block) for block in blocks]
