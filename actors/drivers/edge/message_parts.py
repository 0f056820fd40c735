"""Content in parts in the words of Anthropic's Messages.

Source: https://docs.anthropic.com/en/api/messages (the content of messages)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ...agent.takes import Takes
from ...core.records.content import text_of_content
from ...core.records.json_fields import written_bytes
from ...core.records.parts import FilePart, ImagePart, TextPart

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ...core.records.parts import AudioPart, Part

Block = dict[str, Any]

MESSAGE_TAKES: Final = Takes(
    image=frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"}),
    file=frozenset({"application/pdf", "application/json", "text/*"}),
    urls=frozenset({"image", "file"}),
)


NO_WORDS = "It failed without a word."
"""What the result of a tool says that failed and said nothing: an empty one is refused."""


def message_content(content: str | Sequence[Part], *, is_error: bool = False) -> str | list[Block]:
    """What a result says: a text, or blocks. That of an error is text alone, where all that is none is named."""
    if is_error:
        told = text_of_content(content)
        return told if told.strip() else NO_WORDS
    return content if isinstance(content, str) else list(message_blocks(content))


def shown_by_error(content: str | Sequence[Part], call_id: str) -> list[Block]:
    """What of the result of a failed call its text cannot hold, with what says whose it is."""
    parts = () if isinstance(content, str) else [part for part in content if not isinstance(part, TextPart)]
    blocks = list(message_blocks(parts))
    return [{"type": "text", "text": f"[returned by the tool call {call_id}]"}, *blocks] if blocks else []


def message_blocks(content: str | Sequence[Part]) -> Iterator[Block]:
    """A block for each part; the server takes no text of blanks alone."""
    if isinstance(content, str):
        if content.strip():
            yield {"type": "text", "text": content}
        return
    for part in content:
        if not isinstance(part, TextPart):
            yield _block(part)
        elif part.text.strip():
            yield {"type": "text", "text": part.text}


def _block(part: ImagePart | AudioPart | FilePart) -> Block:
    if isinstance(part, ImagePart):
        return {"type": "image", "source": _source(part)}
    title = {"title": part.name} if isinstance(part, FilePart) and part.name else {}
    return {"type": "document", "source": _source(part), **title}


def _source(part: ImagePart | AudioPart | FilePart) -> Block:
    if part.url:
        return {"type": "url", "url": part.url}
    if isinstance(part, FilePart) and part.media_type != "application/pdf":
        return {"type": "text", "media_type": "text/plain", "data": part.data.decode(errors="replace")}
    return {"type": "base64", "media_type": part.media_type, "data": written_bytes(part.data)}
