"""The content of a message: a text, or parts of several kinds; and what it is in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from .parts import AudioPart, FilePart, ImagePart, TextPart

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .parts import Part

MOST_BYTES: Final = 50 * 1024 * 1024
"""Of all parts of one request together."""
NO_PART: Final = "content needs at least one part: for none at all, write an empty text"
PARTS: Final = (TextPart, ImagePart, AudioPart, FilePart)


def is_part(value: object) -> bool:
    """Is *value* a part of content? Its type is asked: what an object says of its class may raise."""
    return issubclass(type(value), PARTS)


def is_content(value: object) -> bool:
    """Is *value* content in parts: one part, or a list with one? Any other value is told as text or JSON."""
    return is_part(value) or (issubclass(type(value), list | tuple) and any(map(is_part, cast("list[Any]", value))))


def is_told(content: object) -> bool:
    """Is *content* what a message may have: a text, or a tuple of parts?"""
    return isinstance(content, str) or (isinstance(content, tuple) and bool(content) and all(map(is_part, content)))


def content_of(content: object) -> str | tuple[Part, ...]:
    """*content* as a message has it: a text as it is, one part or a list as parts.

    Raises:
        TypeError: There is something in the list that is no part and no text.
        ValueError: The list is empty.
    """
    if is_part(content):
        return (cast("Part", content),)
    if not isinstance(content, list | tuple):
        return cast("str", content)  # whoever reads it says what is wrong with another thing
    if not content:
        raise ValueError(NO_PART)
    return tuple(_part_of(each, place) for place, each in enumerate(content, 1))


def _part_of(value: object, place: int) -> Part:
    if is_part(value):
        return cast("Part", value)
    if isinstance(value, str):
        try:
            return TextPart(value)
        except ValueError as error:
            raise ValueError(f"part {place}: {error}") from None
    raise TypeError(
        f"part {place} is a {type(value).__name__}: it must be a text, or a TextPart, ImagePart, AudioPart or FilePart"
    )


def parts_of(content: str | Sequence[Part]) -> Sequence[Part]:
    """The parts of *content*; of a text none: it is told as it is."""
    return () if isinstance(content, str) else content


def text_of_content(content: str | Sequence[Part]) -> str:
    """*content* for those who need a text: parts that are none are named, by their kind, type and size."""
    if isinstance(content, str):
        return content
    return "\n".join(part.text if isinstance(part, TextPart) else part.told() for part in content)


def texts_of_content(content: str | Sequence[Part]) -> str:
    """The texts alone: "" where there is none."""
    if isinstance(content, str):
        return content
    return "\n".join(part.text for part in content if isinstance(part, TextPart))


def bytes_of(contents: Iterable[str | Sequence[Part]]) -> int:
    """Bytes of all parts in *contents*; texts are not counted."""
    return sum(len(part.data) for part in _media(contents))


def _media(contents: Iterable[str | Sequence[Part]]) -> Iterator[ImagePart | AudioPart | FilePart]:
    for content in contents:
        for part in parts_of(content):
            if not isinstance(part, TextPart):
                yield part
