"""What a server says beside an answer and wants to have back with it: put together from pieces, and picked again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

TELLING = re.compile(r"reason|think|thought|signature|extra_content|provider_specific|encrypted|opaque", re.IGNORECASE)
"""The names of fields that are kept: of DeepSeek, Kimi, Qwen (``reasoning_content``), OpenRouter
(``reasoning_details``), Gemini (``extra_content``), LiteLLM (``provider_specific_fields``, ``thinking_blocks``) and
those who come after them.
"""
SPOKEN = re.compile(r"(reasoning|thinking)(_content|_text)?", re.IGNORECASE)
"""Texts that come in pieces; any other text, such as a signature, comes whole."""


def keep(into: dict[str, Any], fields: Mapping[str, Any], known: frozenset[str]) -> None:
    """Take into *into* what of *fields* goes back; a piece goes on with the pieces before it.

    Args:
        known: The names of what has a place of its own.
    """
    for name, value in fields.items():
        if name not in known and value is not None and TELLING.search(name):
            into[name] = _joined(into.get(name), value, spoken=SPOKEN.fullmatch(name) is not None)


def _joined(before: Any, value: Any, *, spoken: bool) -> Any:
    if isinstance(value, str):
        return before + value if spoken and isinstance(before, str) else value or before or ""
    if isinstance(value, Mapping):
        merged = dict(before) if isinstance(before, Mapping) else {}
        for name, entry in value.items():
            if entry is not None or name not in merged:
                merged[name] = _joined(merged.get(name), entry, spoken=False)
        return merged
    if isinstance(value, list):
        entries = before if isinstance(before, list) else []
        for entry in value:
            _join_entry(entries, entry)
        return entries
    return value


def _join_entry(entries: list[Any], entry: Any) -> None:
    """A piece of a list: those of one index and kind are one entry, whose texts go on.

    LiteLLM numbers none of its blocks of thoughts: the signature ends one. Source:
    https://github.com/BerriAI/litellm/issues/29428
    """
    last = entries[-1] if entries else None
    if (
        not isinstance(entry, Mapping)
        or not isinstance(last, dict)
        or (entry.get("index") is None and not (entry.get("type") == "thinking" and not last.get("signature")))
        or any(entry.get(name, last.get(name)) != last.get(name) for name in ("index", "type", "id"))
    ):
        entries.append(dict(entry) if isinstance(entry, Mapping) else entry)
        return
    for name, value in entry.items():
        if (
            name in ("text", "summary", "data", "thinking")
            and isinstance(value, str)
            and isinstance(last.get(name), str)
        ):
            last[name] += value
        elif value is not None:
            last[name] = value
