"""What a call of an MCP server's tool returned, as content: texts, images, sounds and files."""

from __future__ import annotations

import posixpath
from base64 import b64decode
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from ..core.records.parts import AudioPart, FilePart, ImagePart, TextPart

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..core.records.parts import Part

MAX_RESULT: Final = 100_000
"""Characters of all texts of a result."""


def content_of_blocks(blocks: Iterable[Any]) -> str | Sequence[Part]:
    """*blocks* as content; a text, where they are texts alone.

    What is no image, no sound or no file that can be shown, whatever its server says of it, is described.
    """
    pieces = [_part(block) or _shown(block) for block in blocks]
    if all(isinstance(piece, str) for piece in pieces):
        return _bounded("\n".join(map(str, pieces)))
    parts: list[Part] = []
    texts: list[str] = []
    left = MAX_RESULT
    for piece in [*pieces, None]:
        if isinstance(piece, str):
            texts.append(piece)
            continue
        if (text := "\n".join(texts).strip("\n")) and left > 0:
            parts.append(TextPart(_bounded(text, left)))
            left -= len(text)
        texts = []
        if piece is not None:
            parts.append(piece)
    return parts


def _bounded(text: str, most: int = MAX_RESULT) -> str:
    text = text.encode(errors="replace").decode()
    return text if len(text) <= most else f"{text[:most]}\n[{len(text) - most:,} more characters were cut]"


def _part(block: Any) -> Part | None:
    """The part that *block* is; None where it is a text, or cannot be shown."""
    try:
        if block.type == "image":
            return ImagePart(b64decode(block.data, validate=True), block.mime_type or "")
        if block.type == "audio":
            return AudioPart(b64decode(block.data, validate=True), block.mime_type or "")
        if block.type == "resource" and isinstance(blob := getattr(block.resource, "blob", None), str):
            return _of_resource(b64decode(blob, validate=True), block.resource)
    except (ValueError, TypeError):  # what a server says of its data may be anything
        pass
    return None


def _of_resource(data: bytes, resource: Any) -> Part:
    media_type, name = resource.mime_type or "", _name_of(str(resource.uri))
    family = media_type.partition("/")[0].lower()
    if family == "image":
        return ImagePart(data, media_type)
    return AudioPart(data, media_type) if family == "audio" else FilePart(data, media_type, name)


def _name_of(uri: str) -> str:
    """What a file is called, as far as its address tells."""
    name = unquote(posixpath.basename(urlsplit(uri).path))
    return "".join(each if each.isprintable() and each not in "/\\" else "_" for each in name)[-100:]


def _shown(block: Any) -> str:
    """A piece of a result as text."""
    if block.type == "text":
        return str(block.text)
    if block.type == "resource":
        text = getattr(block.resource, "text", None)
        return str(text) if text is not None else f"[data of {block.resource.uri}]"
    if block.type == "resource_link":
        return f"[{block.name}: {block.uri}]"
    kind, size = getattr(block, "mime_type", "unknown"), len(getattr(block, "data", ""))
    return f"[{block.type} of type {kind}, {size:,} characters]"
