"""Texts that a server can be sent."""

from __future__ import annotations

import json
from typing import Any


def sendable(value: Any) -> Any:
    """*value*, of what JSON can hold, with every text such that UTF-8 can hold it: models and files contain halves of
    characters, which no server accepts.
    """
    if isinstance(value, str):
        return value if value.isascii() else _whole_characters(value)
    if isinstance(value, dict):
        return {sendable(key): sendable(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [sendable(entry) for entry in value]
    return value


def _whole_characters(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def body_of(fields: dict[str, Any]) -> bytes:
    """The JSON of a request."""
    try:
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":"), default=str).encode()
    except UnicodeEncodeError:  # rare, and the look for it takes longer than all else
        return json.dumps(sendable(fields), ensure_ascii=False, separators=(",", ":"), default=str).encode()
