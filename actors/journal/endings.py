"""How an agent ended, as a line of the journal holds it."""

from __future__ import annotations

import math
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from ..agent.kept_value import NotKeptError, adapter_of, value_from_data, value_to_data
from ..agent.terms.structured import OutputShape
from ..core.records.conversation import Message
from ..core.records.ending import Ending
from ..core.records.error_json import error_from_json, error_to_json
from ..core.records.json_marks import from_json, marked_text
from ..core.records.json_plain import is_plain
from ..core.records.json_value import class_name, to_json
from ..core.records.loop_result import AgentLoopResult
from ..core.records.outcome import AgentStatus
from ..core.records.plain_records import NotPlainError, data_of_message, message_of_data
from ..core.records.usage import NO_TOKENS, TokenUsage
from .history import VERSION
from .store import to_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..agent.recorder import Identity
    from ..core.records.outcome import AgentOutcome

FIGURES = ("duration", "restarts", "cost_usd", "iterations", "tool_calls", "cost_usd_total")
NAMES = ("model", "answered_by")
USAGES = ("usage", "usage_total")
STAMPS = ("started_at", "ended_at")
_TALK: TypeAdapter[Any] = TypeAdapter(tuple[Message, ...])


def written(outcome: AgentOutcome[Any], identity: Identity, *, final: bool) -> tuple[str, bool]:
    """*outcome* for the journal, and whether its result is kept there. What is run again has no result there, and no
    conversation.
    """
    held = outcome.__dict__
    fields: dict[str, Any] = {name: _figure(held[name]) for name in FIGURES}
    fields |= {name: _usage(held[name]) for name in USAGES}
    fields |= {name: _stamp(held[name]) for name in STAMPS}
    for name in NAMES:
        fields[name] = None if held[name] is None else marked_text(held[name])
    fields["error"] = None if outcome.error is None else error_to_json(outcome.error)
    if final:
        try:
            more = {"messages": _talk(outcome.messages), "result": _result(outcome, identity)}
            return _payload(outcome, {**fields, **more}, kept=True), True
        except (NotKeptError, ValueError, TypeError, RecursionError):  # drivers put into messages what they please
            pass
    return _payload(outcome, fields, kept=False), False


def _payload(outcome: AgentOutcome[Any], fields: dict[str, Any], *, kept: bool) -> str:
    return to_text({"v": VERSION, "status": str(outcome.status), "kept": kept, "fields": fields})


def from_data(data: Mapping[str, Any], identity: Identity) -> Ending:
    """The ending that :func:`written` wrote. One without a result is whole without its conversation, which is not there
    when its status has become final since.

    Raises:
        NotKeptError: Its result was not kept, or its type reads it no more.
        KeyError, TypeError, ValueError: That was not written here.
    """
    status, told = AgentStatus(data["status"]), data["fields"]
    if not data["kept"]:
        if status is AgentStatus.COMPLETED:
            raise NotKeptError
        told = {**told, "messages": (), "result": ("json", None)}
    fields: dict[str, Any] = {name: _figure_from(told[name]) for name in FIGURES}
    fields |= {name: _usage_from(told[name]) for name in USAGES}
    fields |= {name: None if told[name] is None else datetime.fromisoformat(told[name]) for name in STAMPS}
    fields |= {name: from_json(told.get(name)) for name in NAMES}
    if "answered_by" not in told and fields["iterations"]:  # of a time when no conversation was handed on
        fields["answered_by"] = identity.manifest.name
    fields["messages"] = messages = _talk_from(told["messages"])
    error = None if told["error"] is None else error_from_json(told["error"])
    result = _result_from(told["result"], identity, messages, fields["answered_by"])
    return Ending(status, result, error, fields)


# Results --------------------------------------------------------------------------------------------------------


def _result(outcome: AgentOutcome[Any], identity: Identity) -> Any:
    """The result, with how it is to be read: a pair."""
    result = outcome.result
    if result is None:
        return "json", None
    if type(result) is AgentLoopResult:
        return "answer", _answer(result, outcome.messages)
    for name, adapter in _adapters(identity, outcome.answered_by):
        with suppress(NotKeptError):
            return name, value_to_data(adapter, result)
    if not is_plain(result):
        raise NotKeptError
    return "json", result


def _result_from(
    told: Sequence[Any], identity: Identity, messages: tuple[Message, ...], answered_by: str | None
) -> Any:
    how, data = told
    if how == "json":
        return data
    if how == "answer":
        return _answer_from(data, messages)
    for name, adapter in _adapters(identity, answered_by):
        if name == how:
            return value_from_data(adapter, data)
    raise NotKeptError


def _adapters(identity: Identity, answered_by: str | None) -> list[tuple[str, TypeAdapter[Any]]]:
    """What may know the type of the result: the output that was asked for, and the class."""
    found = []
    shape = identity.shape_of(answered_by)
    if isinstance(shape, OutputShape):
        found.append(("output", shape.adapter))
    named = identity.agent_class.result_type
    if named is not None:
        with suppress(Exception):  # one that pydantic makes nothing of: what is of it is not kept
            found.append(("type", adapter_of(named)))
    return found


def _answer(result: AgentLoopResult, messages: tuple[Message, ...]) -> dict[str, Any]:
    said: dict[str, Any] = {"text": marked_text(result.text), "reasoning": marked_text(result.reasoning)}
    said |= {"usage": _usage(result.usage), "cost_usd": _figure(result.cost_usd), "is_empty": result.is_empty}
    said |= {"iterations": result.iterations, "tool_calls": result.tool_calls}
    if result.messages != messages:  # as a rule it is the same conversation, which is told once
        said["messages"] = _talk(result.messages)
    return said


def _answer_from(said: Mapping[str, Any], messages: tuple[Message, ...]) -> AgentLoopResult:
    return AgentLoopResult(
        text=from_json(said["text"]),
        usage=_usage_from(said["usage"]),
        iterations=said["iterations"],
        tool_calls=said["tool_calls"],
        cost_usd=_figure_from(said["cost_usd"]),
        messages=_talk_from(said["messages"]) if "messages" in said else messages,
        reasoning=from_json(said["reasoning"]),
        is_empty=said["is_empty"],
    )


# Other fields ---------------------------------------------------------------------------------------------------


def _figure(value: Any) -> Any:
    if type(value) is int or (type(value) is float and math.isfinite(value)):
        return value
    return to_json(value)


def _figure_from(told: Any) -> Any:
    return from_json(told) if type(told) is dict else told


def _usage(usage: Any) -> Any:
    if type(usage) is not TokenUsage:
        return to_json(usage)
    return {name: _figure(count) for name in TokenUsage.__slots__ if (count := getattr(usage, name))}


def _usage_from(told: Mapping[str, Any]) -> TokenUsage:
    if not told:
        return NO_TOKENS
    return TokenUsage(**{"input_tokens": 0, "output_tokens": 0, **from_json(told)})


def _stamp(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _talk(messages: tuple[Message, ...]) -> Any:
    try:
        return [data_of_message(message) for message in messages]
    except NotPlainError:
        return _TALK.dump_python(messages, mode="json", warnings=False)


def _talk_from(told: Sequence[Any]) -> tuple[Message, ...]:
    try:
        return tuple([message_of_data(each) for each in told])
    except NotPlainError:
        talk: tuple[Message, ...] = _TALK.validate_python(told)
        return talk


def name_of(result: Any) -> str:
    """How messages name the type of a result."""
    return class_name(type(result))
