"""Queries and messages as a model reads them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..core.crash import safe_repr

if TYPE_CHECKING:
    from ..core.records.message import AgentMessage


def heard(message: AgentMessage) -> str:
    """*message*, with its sender."""
    sender = "the program" if message.sender == 0 else f"agent {message.sender}"
    return f"[message from {sender} (id {message.sender})] {as_text(message.content)}"


def as_text(content: Any) -> str:
    """Text as it is, anything else as JSON."""
    if isinstance(content, str):
        return content
    try:
        return json.dumps(content, default=_plain, ensure_ascii=False)
    except Exception:  # noqa: BLE001 - a message may hold anything: a key that is no text, a repr that fails
        return safe_repr(content)


def _plain(value: Any) -> Any:
    dump = getattr(value, "model_dump", None)
    return dump(mode="json") if callable(dump) else safe_repr(value)
