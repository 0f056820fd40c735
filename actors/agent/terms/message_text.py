"""Queries, messages and results as a model reads them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...core.crash import safe_repr
from ...core.records.content import content_of, is_content
from ...core.records.parts import FilePart, TextPart
from .sanitize import SANITIZED, sanitize
from .shortened import LONGEST, shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...core.records.message import AgentMessage
    from ...core.records.parts import Part

CONTINUE = "Continue exactly where you stopped."
"""What a model is told whose answer was cut."""
LONGEST_NAME = 200
"""Characters of the name of a document, or of a file."""


def told(text: str, longest: int = LONGEST) -> str:
    """*text* that others wrote, as a model is told it: shortened to *longest* characters, and without known markers."""
    return sanitize(shortened(text, longest))


def told_content(content: str | Sequence[Part]) -> str | tuple[Part, ...]:
    """As :func:`told`, of content in parts: their texts, the names of files and what stands in files of text, too."""
    return told(content) if isinstance(content, str) else tuple(map(_told_part, content))


def _told_part(part: Part) -> Part:
    if isinstance(part, TextPart):
        return TextPart(told(part.text) or SANITIZED)
    if not isinstance(part, FilePart):
        return part
    name = told(part.name)[:LONGEST_NAME]
    if not part.data or not part.media_type.startswith(("text/", "application/json")):
        return replace(part, name=name)
    text = told(part.data.decode(errors="replace")) or SANITIZED
    return replace(part, name=name, data=text.encode())


def said(query: Any) -> str | tuple[Part, ...]:
    """A query as a model reads it: content in parts as it is, anything else as text.

    Raises:
        TypeError, ValueError: There is something among the parts that is none.
    """
    if isinstance(query, str):
        return query
    return content_of(query) if is_content(query) else as_text(query)


def heard(message: AgentMessage) -> str | tuple[Part, ...]:
    """*message*, with its sender."""
    sender = "the program" if message.sender == 0 else f"agent {message.sender}"
    begin = f"[message from {sender} (id {message.sender})] "
    try:
        content = said(message.content)
    except (TypeError, ValueError):  # of parts and other things, as the sender pleased
        content = as_text(message.content)
    return begin + content if isinstance(content, str) else (TextPart(begin), *content)


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
