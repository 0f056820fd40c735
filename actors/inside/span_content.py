"""What was said, as JSON of OpenTelemetry's conventions: messages of parts, arguments and results.

Source: the JSON schemas of ``gen_ai.input.messages`` and ``gen_ai.output.messages``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from ..core.crash import text_of
from ..core.records.content import is_content, is_part, text_of_content
from ..core.records.conversation import AssistantMessage, Message, SystemMessage, ToolResultMessage
from ..core.records.json_marks import is_utf8
from ..core.records.json_value import to_json
from ..core.records.loop_result import AgentLoopResult
from .conventions import FINISHED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..core.records.conversation import ToolCall
    from ..core.records.parts import Part as ContentPart

Part = dict[str, Any]


def clean(text: str) -> str:
    """*text* as an exporter can write it: half a surrogate pair is a question mark."""
    return text if is_utf8(text) else text.encode("utf-8", "replace").decode("utf-8")


def as_json(value: object) -> str:
    """*value* as JSON; what JSON does not hold is marked in it, as everywhere here. Never raises."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=to_json)
    except Exception:  # noqa: BLE001 - a number that is none, a circle, whatever a user's class does
        text = json.dumps(to_json(value), ensure_ascii=False)
    return clean(text)


def input_messages(system: str | None, messages: Sequence[object]) -> str:
    """What a model is asked: the system prompt comes first, as a message."""
    said = [message for message in messages if isinstance(message, Message)]
    told = [] if system is None else [_message("system", [_text(system)])]
    return as_json(told + [_of_message(message) for message in said])


def output_messages(response: object) -> str:
    """What a model answered, a ``CompletionResponse``."""
    text, thought = getattr(response, "text", ""), getattr(response, "reasoning", "")
    parts = _parts_of_answer(text, thought, getattr(response, "tool_calls", ()))
    reason = text_of(getattr(response, "stop_reason", ""))
    return as_json([{**_message("assistant", parts), "finish_reason": FINISHED.get(reason, reason)}])


def asked_of_agent(query: object) -> str:
    """What an agent was asked, as the message of a user."""
    return as_json([_of_message(query) if isinstance(query, Message) else _message("user", [_text(_words(query))])])


def said_by_agent(result: object) -> str:
    """What an agent gives, as a message of its own."""
    words = result.text if isinstance(result, AgentLoopResult) else _words(result)
    return as_json([{**_message("assistant", [_text(words)]), "finish_reason": "stop"}])


def content_text(content: object) -> str:
    """What a model is told of a tool call: a text in JSON."""
    return as_json(_words(content) if is_content(content) else content)


def _words(value: object) -> str:
    """*value* as a text: parts are said or named, one a line."""
    if is_part(value):
        return text_of_content((cast("ContentPart", value),))
    if is_content(value):
        return "\n".join(map(_words, cast("Sequence[object]", value)))
    return value if isinstance(value, str) else as_json(value)


def _message(role: str, parts: list[Part]) -> dict[str, Any]:
    return {"role": role, "parts": parts}


def _of_message(message: Message) -> dict[str, Any]:
    if isinstance(message, ToolResultMessage):
        answer = {"type": "tool_call_response", "id": message.tool_call_id, "response": message.text}
        return _message("tool", [answer])
    if isinstance(message, AssistantMessage):
        return _message("assistant", _parts_of_answer(message.text, message.reasoning, message.tool_calls))
    # Images, audio and files are named in their place: spans are no place for megabytes.
    return _message("system" if isinstance(message, SystemMessage) else "user", [_text(message.text)])


def _parts_of_answer(text: str, thought: str, calls: Iterable[ToolCall]) -> list[Part]:
    parts: list[Part] = []
    if thought:
        parts.append({"type": "reasoning", "content": thought})
    if text:
        parts.append(_text(text))
    parts += [{"type": "tool_call", "id": call.id, "name": call.name, "arguments": call.input} for call in calls]
    return parts


def _text(words: str) -> Part:
    return {"type": "text", "content": words}
