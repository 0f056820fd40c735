"""Content in parts in the words of Chat Completions.

Source: https://platform.openai.com/docs/api-reference/chat/create (the content of messages)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ...agent.takes import Takes
from ...core.records.content import text_of_content
from ...core.records.json_fields import written_bytes
from ...core.records.parts import AudioPart, ImagePart, TextPart

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ...core.records.parts import FilePart, Part

Block = dict[str, Any]

CHAT_TAKES: Final = Takes(
    image=frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"}),
    audio=frozenset({"audio/wav", "audio/mpeg"}),
    file=frozenset({"application/pdf", "application/json", "text/*"}),
    urls=frozenset({"image"}),
)
_FORMATS: Final = {"audio/wav": "wav", "audio/mpeg": "mp3"}


def chat_content(content: str | Sequence[Part]) -> str | list[Block]:
    """What a user says."""
    return content if isinstance(content, str) else chat_blocks(content)


def chat_blocks(parts: Iterable[Part]) -> list[Block]:
    """A block for each part."""
    return [_block(part) for part in parts]


def told_by_tool(content: str | Sequence[Part]) -> str:
    """What a tool says: a text alone, where what is none is named; it follows in a message of the user's."""
    return text_of_content(content)


def shown_by_tool(content: str | Sequence[Part], call_id: str) -> list[Block]:
    """What of a result a message of a tool cannot hold, with what says whose it is; nothing, when it holds all."""
    if isinstance(content, str):
        return []
    blocks = chat_blocks(part for part in content if not isinstance(part, TextPart))
    return [text_block(f"[returned by the tool call {call_id}]"), *blocks] if blocks else []


def text_block(text: str) -> Block:
    """Words among other blocks."""
    return {"type": "text", "text": text}


def _block(part: Part) -> Block:
    if isinstance(part, TextPart):
        return text_block(part.text)
    if isinstance(part, ImagePart):
        return {"type": "image_url", "image_url": {"url": part.url or data_url(part)}}
    if isinstance(part, AudioPart):
        sound = {"data": written_bytes(part.data), "format": _FORMATS.get(part.media_type, "wav")}
        return {"type": "input_audio", "input_audio": sound}
    return _file(part)


def _file(part: FilePart) -> Block:
    if part.media_type != "application/pdf":
        return text_block(text_of_file(part))
    return {"type": "file", "file": {"filename": part.name or "file.pdf", "file_data": data_url(part)}}


def data_url(part: ImagePart | FilePart) -> str:
    """The bytes of *part* as a URL that holds them."""
    return f"data:{part.media_type};base64,{written_bytes(part.data)}"


def text_of_file(part: FilePart) -> str:
    """A file of text, with its name above it."""
    text = part.data.decode(errors="replace")
    return f"[file {part.name}]\n{text}" if part.name else text
