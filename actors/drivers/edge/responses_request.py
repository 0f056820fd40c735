"""A request in the words of OpenAI's Responses.

Source: https://platform.openai.com/docs/api-reference/responses/create
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from ...core.records.conversation import AssistantMessage, SystemMessage, ToolResultMessage
from .names import CallIds
from .responses_parts import input_content
from .thoughts import split_thoughts
from .turns import paired

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ...agent.ports import CompletionRequest
    from ...core.records.conversation import Message
    from .draft import Draft
    from .names import ToolNames
    from .profiles import ServerProfile

LIMIT_FIELD = "max_output_tokens"
SEALED = "reasoning.encrypted_content"
"""Asks for thoughts in a form that can go back, since nothing is kept at the server."""
ITEMS = "items"
"""Under this name an attachment has the items of an answer, in their order; those of calls are places, without the
name and the arguments, which the message has.
"""
MESSAGE, CALL, RESULT, REASONING = "message", "function_call", "function_call_output", "reasoning"
SEAM = "\n\n"
"""Between the texts of two messages of one answer."""

Item = dict[str, Any]


def responses_fields(draft: Draft) -> dict[str, Any]:
    """The fields of a request. The whole conversation goes with each one, so that the server need keep nothing."""
    request, profile = draft.request, draft.profile
    instructions = request.system if profile.system != "none" else None
    items = list(response_items(request, draft.names, profile, draft.owner))
    if request.system and not instructions:
        items.insert(0, {"role": "user", "content": request.system})
    fields: dict[str, Any] = {
        "model": draft.model,
        "input": items,
        "temperature": request.temperature,
        profile.limit_field: draft.limit,
        "store": False,
        "include": [SEALED],
    }
    if instructions:
        fields["instructions"] = instructions
    tools = [
        {"name": draft.names.said(tool.name), "description": tool.description, "parameters": schema}
        for tool, schema in draft.tools
    ]
    if tools:  # strict is what the server would take for granted, and few schemas are such
        fields["tools"] = [{"type": "function", **tool, "strict": False} for tool in tools]
    fields.update(_settings(draft, has_tools=bool(tools)))
    if draft.answer_schema is not None:
        fields["text"] = {"format": {"type": "json_schema", "name": "answer", "schema": draft.answer_schema}}
    return fields


def _settings(draft: Draft, *, has_tools: bool) -> Iterator[tuple[str, Any]]:
    settings = draft.request.settings
    if settings.top_p is not None:
        yield "top_p", settings.top_p
    if settings.reasoning_effort is not None:
        yield "reasoning", {"effort": settings.reasoning_effort}
    if has_tools and settings.tool_choice is not None:
        yield "tool_choice", _choice(settings.tool_choice, draft.names)
    if has_tools and settings.parallel_tool_calls is not None:
        yield "parallel_tool_calls", settings.parallel_tool_calls


def _choice(choice: str, names: ToolNames) -> str | dict[str, str]:
    return choice if choice in ("auto", "required", "none") else {"type": "function", "name": names.said(choice)}


def response_items(request: CompletionRequest, names: ToolNames, profile: ServerProfile, owner: str) -> Iterator[Item]:
    """The conversation, as items.

    Args:
        owner: Whose attachments go back with it.
    """
    ids = CallIds(re.compile(profile.call_id), profile.call_id_length)
    begun = False
    for message in paired(request.messages):
        yield from _items(message, names, ids, owner, no_system=profile.system != "anywhere" and begun)
        begun = True


def _items(message: Message, names: ToolNames, ids: CallIds, owner: str, *, no_system: bool) -> Iterable[Item]:
    if isinstance(message, ToolResultMessage):
        return [
            {"type": RESULT, "call_id": ids.of_result(message.tool_call_id), "output": input_content(message.content)}
        ]
    if isinstance(message, SystemMessage):
        if no_system:
            return [{"role": "user", "content": f"[system] {message.content}"}]
        return [{"role": "system", "content": message.content}]
    if not isinstance(message, AssistantMessage):
        return [{"role": "user", "content": input_content(message.content)}]
    calls = [
        {
            "type": CALL,
            "call_id": ids.of_call(call.id),
            "name": names.said(call.name),
            "arguments": json.dumps(dict(call.input), default=str, ensure_ascii=False),
        }
        for call in message.tool_calls
    ]
    said = _as_it_was(message, calls, owner)
    if said is not None:
        return said
    texts: list[Item] = [{"role": "assistant", "content": message.content}] if message.content else []
    return texts + calls


def _as_it_was(message: AssistantMessage, calls: list[Item], owner: str) -> list[Item] | None:
    """The items as this driver's server sent them, thoughts and all; None where there are none, or no longer."""
    attachment = message.attachment
    if attachment is None or attachment.owner != owner:
        return None
    items = attachment.data.get(ITEMS)
    if not isinstance(items, list | tuple) or not all(isinstance(item, dict) for item in items):
        return None
    if sum(item.get("type") == CALL for item in items) != len(calls):
        return None
    text = text_of(items)
    if message.content not in (text, split_thoughts(text)[1]):
        return None
    left = iter(calls)
    return [{**item, **next(left)} if item.get("type") == CALL else dict(item) for item in items]


def text_of(items: Iterable[Mapping[str, Any]]) -> str:
    """What is said in *items*."""
    texts = ("".join(_texts(item.get("content"))) for item in items if item.get("type") == MESSAGE)
    return SEAM.join(text for text in texts if text)


def _texts(content: object) -> Iterator[str]:
    for part in content if isinstance(content, list | tuple) else ():
        text = part.get("text") if isinstance(part, dict) else None
        if isinstance(text, str):
            yield text
