"""A request in the words of Chat Completions."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from ...core.records.conversation import AssistantMessage, SystemMessage, ToolResultMessage
from .chat_parts import chat_content, shown_by_tool, told_by_tool
from .names import CallIds
from .turns import arranged, paired

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ...agent.ports import CompletionRequest
    from ...agent.terms.settings import ModelSettings
    from ...core.records.conversation import Attachment, Message, ToolCall
    from .draft import Draft
    from .names import ToolNames
    from .profiles import ServerProfile

SAME = {"reasoning_details": ("reasoning", "reasoning_content"), "reasoning_content": ("reasoning",)}
"""Fields that hold the thoughts of the others, and more."""

EMPTY = {"role": "assistant", "content": ""}
"""Of an answer without a word, or cut while its model thought: some refuse it."""


def chat_fields(draft: Draft) -> dict[str, Any]:
    """The fields of a request."""
    fields: dict[str, Any] = {
        "model": draft.model,
        "messages": chat_turns(draft.request, draft.names, draft.profile, draft.owner),
        "temperature": draft.request.temperature,
        draft.profile.limit_field: draft.limit,
        "stream_options": {"include_usage": True},
    }
    tools = [
        {"name": draft.names.said(tool.name), "description": tool.description, "parameters": schema}
        for tool, schema in draft.tools
    ]
    fields.update(_settings(draft.request.settings))
    if tools:
        fields["tools"] = [{"type": "function", "function": tool} for tool in tools]
        fields.update(_choices(draft.request.settings, draft.names))
    if draft.answer_schema is not None:
        answer = {"name": "answer", "schema": draft.answer_schema}
        fields["response_format"] = {"type": "json_schema", "json_schema": answer}
    return fields


def _settings(settings: ModelSettings) -> Iterator[tuple[str, Any]]:
    """Those that have fields of their own names."""
    for name in ("top_p", "seed", "reasoning_effort"):
        if (value := getattr(settings, name)) is not None:
            yield name, value
    if settings.stop is not None:
        yield "stop", list(settings.stop)


def _choices(settings: ModelSettings, names: ToolNames) -> Iterator[tuple[str, Any]]:
    """Which tool is called, and how many: refused where there are none."""
    if settings.named_tool is not None:
        yield "tool_choice", {"type": "function", "function": {"name": names.said(settings.named_tool)}}
    elif settings.tool_choice is not None:
        yield "tool_choice", settings.tool_choice
    if settings.parallel_tool_calls is not None:
        yield "parallel_tool_calls", settings.parallel_tool_calls


def chat_turns(
    request: CompletionRequest, names: ToolNames, profile: ServerProfile, owner: str
) -> list[dict[str, Any]]:
    """The conversation.

    Args:
        owner: Whose attachments go back with it.
    """
    ids = CallIds(re.compile(profile.call_id), profile.call_id_length)
    turns: list[dict[str, Any]] = [{"role": "system", "content": request.system}] if request.system else []
    shown: list[dict[str, Any]] = []
    for message in paired(request.messages):
        if shown and not isinstance(message, ToolResultMessage):  # behind all results of one answer, never between
            turns.append({"role": "user", "content": shown})
            shown = []
        turn = _turn(message, names, ids, profile, owner)
        if isinstance(message, ToolResultMessage):
            shown += shown_by_tool(message.content, turn["tool_call_id"])
        if turn != EMPTY:
            turns.append(turn)
    turns += [{"role": "user", "content": shown}] if shown else []
    return arranged(turns, profile)


def _turn(message: Message, names: ToolNames, ids: CallIds, profile: ServerProfile, owner: str) -> dict[str, Any]:
    if isinstance(message, ToolResultMessage):
        said_by_tool = told_by_tool(message.content)
        return {"role": "tool", "tool_call_id": ids.of_result(message.tool_call_id), "content": said_by_tool}
    if not isinstance(message, AssistantMessage):
        role = "system" if isinstance(message, SystemMessage) else "user"
        return {"role": role, "content": chat_content(message.content)}
    said: dict[str, Any] = {"role": "assistant", "content": message.content}
    calls = list(_calls(message.tool_calls, names, ids, profile, owner))
    if calls:
        said["tool_calls"] = calls
        if not message.content and profile.null_content:
            said["content"] = None
        said.update(profile.needs)
    if calls or profile.returns_without_calls:
        said.update(_returned(message.attachment, profile, owner))
    for name in profile.lacks:
        said.pop(name, None)
    return said


def _calls(calls: Any, names: ToolNames, ids: CallIds, profile: ServerProfile, owner: str) -> Iterator[dict[str, Any]]:
    returned = [_returned(call.attachment, profile, owner) for call in calls]
    needs = profile.call_needs if not any(returned) else {}
    call: ToolCall
    for call, extra in zip(calls, returned, strict=True):
        arguments = json.dumps(dict(call.input), default=str, ensure_ascii=False)
        function = {"name": names.said(call.name), "arguments": arguments}
        yield {"id": ids.of_call(call.id), "type": "function", "function": function, **needs, **extra}
        needs = {}


def _returned(attachment: Attachment | None, profile: ServerProfile, owner: str) -> Mapping[str, Any]:
    """What goes back of *attachment*, if it is this driver's own."""
    if attachment is None or attachment.owner != owner:
        return {}
    # The same thoughts in several fields: the one that says most.
    data = attachment.data
    double = {name for first, others in SAME.items() if first in data for name in others}
    left = data.keys() - profile.lacks - double
    return {
        name: value
        for name, value in data.items()
        if name in left and (profile.returns == "all" or name in profile.returns)
    }
