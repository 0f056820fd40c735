"""Content in parts in the words of Responses.

Source: https://platform.openai.com/docs/api-reference/responses/create (input items: text, images and files)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ...agent.takes import Takes
from ...core.records.parts import AudioPart, ImagePart, TextPart
from ...errors import InferenceFailed
from .chat_parts import data_url, text_of_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...core.records.parts import FilePart, Part

Block = dict[str, Any]

RESPONSES_TAKES: Final = Takes(
    image=frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"}),
    file=frozenset({"application/pdf", "application/json", "text/*"}),
    urls=frozenset({"image", "file"}),
)


def input_content(content: str | Sequence[Part]) -> str | list[Block]:
    """What a user says, or a tool: a text, or a block for each part."""
    return content if isinstance(content, str) else [_block(part) for part in content]


def _block(part: Part) -> Block:
    if isinstance(part, TextPart):
        return _text(part.text)
    if isinstance(part, ImagePart):
        return {"type": "input_image", "image_url": part.url or data_url(part), "detail": "auto"}
    if isinstance(part, AudioPart):
        raise InferenceFailed("nothing was sent: Responses takes no audio; OpenAIDriver(..., api='chat') does")
    return _file(part)


def _file(part: FilePart) -> Block:
    if part.url:
        return {"type": "input_file", "file_url": part.url}
    if part.media_type != "application/pdf":
        return _text(text_of_file(part))
    return {"type": "input_file", "filename": part.name or "file.pdf", "file_data": data_url(part)}


def _text(text: str) -> Block:
    return {"type": "input_text", "text": text}
