"""What is said of an entry: the first words of it, and what it cost."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ..core.records.json_marks import from_json

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST_TEXT = 200
"""Characters of what is told of an effect."""


def paid_in(each: Iterable[Any]) -> tuple[int, int, float]:
    """Input tokens, output tokens and USD of what was paid."""
    tokens_in = tokens_out = 0
    cost = 0.0
    for paid in each:
        for usage, usd in paid or ():
            tokens_in += int(figure(usage.get("input_tokens")))
            tokens_out += int(figure(usage.get("output_tokens")))
            cost += figure(usd)
    return tokens_in, tokens_out, cost


def figure(told: Any) -> float:
    """A number; 0 for what is none: drivers put into an answer what they please."""
    found = from_json(told)
    return found if isinstance(found, int | float) and math.isfinite(found) else 0


def said(kind: str, data: Any) -> str:
    """What an effect is about, in a few words."""
    if "error" in data:
        return error_text(data["error"]) or ""
    if kind in ("completion", "summary"):
        return _answer(data.get("response") or {})
    if kind == "approval":
        return cut(data.get("reason")) or ("by default" if data.get("by_default") else "")
    if kind == "guardrail":
        return cut(": ".join(text_of(data[part]) for part in ("stage", "says", "reason") if part in data))
    if kind in ("heard", "memories", "instructions"):
        return cut(" | ".join(text_of(text) for text in data.get("texts") or ()))
    if kind == "handoff":
        return cut(f"{text_of(data.get('source'))} -> {text_of(data.get('target'))}")
    value = data.get("content", data.get("value"))
    if data.get("kept") is False:
        return f"a {text_of(data.get('type'))}, which was not kept"
    return "" if value is None else cut(value)


def _answer(response: Any) -> str:
    calls = [f"{text_of(call.get('name'))}({_inside(call.get('input'))})" for call in response.get("tool_calls") or ()]
    return cut(" ".join([*([text_of(response.get("text"))] if response.get("text") else []), *calls]))


def _inside(given: Any) -> str:
    return ", ".join(f"{name}={text_of(value)}" for name, value in given.items()) if isinstance(given, dict) else ""


def error_text(told: Any) -> str | None:
    """``ToolFailed: no such account``; None without an error."""
    if not isinstance(told, dict):
        return None
    kind, words = text_of(told.get("type")).removeprefix("actors.errors."), text_of(told.get("message"))
    return cut(f"{kind}: {words}" if words else kind)


def text_of(value: Any) -> str:
    """*value*, from JSON, as a text."""
    found = from_json(value)
    return found if isinstance(found, str) else "" if found is None else json.dumps(value, ensure_ascii=False)


def cut(value: Any) -> str:
    """The first characters of *value*."""
    text = text_of(value)
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"


def moment(at: float) -> datetime:
    """UTC."""
    return datetime.fromtimestamp(at, UTC)
