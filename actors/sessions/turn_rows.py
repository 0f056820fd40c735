"""A turn as a row of a table, and back."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import from_json as json_to_data

from ..agent.turns import Turn, TurnSummary
from ..agent.wire import message_from_data, message_to_data
from ..core.records.conversation import AssistantMessage
from ..core.records.json_marks import from_json, is_utf8, marked_text
from ..core.records.usage import TokenUsage
from ..errors import SessionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..core.records.conversation import Message

Row = tuple[Any, ...]
MORE_TOKENS: Final = ("cached_input_tokens", "cache_write_tokens", "reasoning_tokens")
TEXTS: Final = ("agent", "model", "query", "text")
SUMMARY: Final = "summary"
DETAILS: Final = frozenset((*TEXTS, *MORE_TOKENS, SUMMARY))
"""What may stand there: what the columns beside it do not say."""
COUNTS: Final = ("first", "turn", "messages", "at")
"""What is told of a summary beside its text."""

to_text = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def row_of(turn: Turn) -> Row:
    """What stands in the table for *turn*, in the order of the columns."""
    usage = turn.usage
    details: dict[str, Any] = {name: count for name in MORE_TOKENS if (count := getattr(usage, name))}
    for name in TEXTS[:-1]:
        value = getattr(turn, name)
        if value is not None and not is_utf8(value):
            details[name] = marked_text(value)
    if turn.text != _last_answer(turn.messages):
        details["text"] = marked_text(turn.text)
    if turn.summary is not None:
        details[SUMMARY] = {**asdict(turn.summary), "text": marked_text(turn.summary.text)}
    return (
        turn.number,
        turn.at.timestamp(),
        _writable(turn.agent),
        None if turn.model is None else _writable(turn.model),
        _writable(turn.query),
        to_text([message_to_data(message) for message in turn.messages]),
        usage.input_tokens,
        usage.output_tokens,
        turn.cost_usd,
        to_text(details) if details else None,
    )


def turn_of(row: Row, session: str) -> Turn:
    """The turn of a row.

    Raises:
        SessionError: It is not as it was written, or a newer version of the library has written it.
    """
    number, at, agent, model, query, said, read, written, cost_usd, more = row
    try:
        messages = _messages(said)
        details = _details(more)
        given = {"agent": agent, "model": model, "query": query, "text": _last_answer(messages)}
        texts = {name: from_json(details[name]) if name in details else given[name] for name in TEXTS}
        tokens = {name: int(details.get(name, 0)) for name in MORE_TOKENS}
        return Turn(
            number=int(number),
            messages=messages,
            usage=TokenUsage(int(read or 0), int(written or 0), **tokens),
            cost_usd=float(cost_usd or 0.0),
            at=datetime.fromtimestamp(at, UTC),
            summary=_summary(details[SUMMARY]) if SUMMARY in details else None,
            **texts,
        )
    except (ValueError, TypeError, KeyError, OverflowError, OSError) as error:
        raise SessionError(
            f"turn {number} of session {session!r} cannot be read: it is damaged, or a newer version of the library "
            f"has written it ({' '.join(str(error).split())[:300]}); update the library, or drop the session",
            session=session,
        ) from error


def _messages(said: str) -> tuple[Message, ...]:
    data = json_to_data(said)
    if type(data) is not list:
        raise ValueError("the messages are no list")
    return tuple(map(message_from_data, data))


def _details(more: str | None) -> dict[str, Any]:
    details = {} if more is None else json_to_data(more)
    if type(details) is not dict:
        raise ValueError("the details are no object")
    unknown = details.keys() - DETAILS
    if unknown:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
    return details


def _summary(data: Any) -> TurnSummary:
    if type(data) is not dict or data.keys() != {field.name for field in fields(TurnSummary)}:
        raise ValueError("the summary is none that is known")
    return TurnSummary(from_json(data["text"]), *(int(data[name]) for name in COUNTS))


def _last_answer(messages: Sequence[Message]) -> str:
    """As a rule that is the answer of the turn; it is stored beside it where it is not."""
    last = messages[-1] if messages else None
    return last.content if isinstance(last, AssistantMessage) else ""


def _writable(text: str) -> str:
    return text if is_utf8(text) else text.encode("utf-8", "backslashreplace").decode()
