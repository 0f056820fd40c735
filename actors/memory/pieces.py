"""Cuts a document into pieces that a search can find and a prompt can hold."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .word_index import UNSPACED

if TYPE_CHECKING:
    from collections.abc import Sequence

_WORD = re.compile(rf"[{UNSPACED}]|[^\s{UNSPACED}]+")
_PARAGRAPH = re.compile(r"\n[^\S\n]*\n\s*")
_HEADING = re.compile(r"#{1,6}[^\S\n]")
"""Of Markdown, at the begin of a line."""
_SENTENCE_END = re.compile(r"[.!?\u0964\u061f\u06d4][\"'\u00bb\u201d)\]]*\Z|[\u3002\uff01\uff1f]\Z")


def pieces_of(text: str, words_per_piece: int, overlap: int) -> list[str]:
    """*text* in pieces, as it is written.

    A piece ends with a paragraph where that is possible, else with a sentence, else anywhere between two words. A
    heading (a line of Markdown that begins with ``#``) stays with the paragraph below it where there is room. Each
    piece but the first begins with the last words of the one before, so that what stands on a border is found, too.

    Args:
        words_per_piece: At most so many words each. A sign of a script without spaces is a word of its own.
        overlap: Words that a piece repeats of the one before.
    Raises:
        ValueError: Of a bad number.
    """
    _refuse(words_per_piece, overlap)
    spans = [match.span() for match in _WORD.finditer(text)]
    paragraphs = _paragraphs(text, spans)
    pieces = []
    begin = 0
    while begin < len(spans):
        end = _end(text, spans, paragraphs, begin, words_per_piece, overlap)
        pieces.append(text[spans[begin][0] : spans[end - 1][1]])
        if end == len(spans):
            break
        begin = end - overlap
    return pieces


def _refuse(words_per_piece: int, overlap: int) -> None:
    for name, number, least in (("words_per_piece", words_per_piece, 1), ("overlap", overlap, 0)):
        if isinstance(number, bool) or not isinstance(number, int) or number < least:
            raise ValueError(f"{name} must be a whole number, at least {least}; got {number!r}")
    if overlap >= words_per_piece:
        raise ValueError(f"overlap must be less than words_per_piece ({words_per_piece}), got {overlap}")


def _paragraphs(text: str, spans: Sequence[tuple[int, int]]) -> set[int]:
    """The words with which a paragraph begins that has no heading above it."""
    starts = {match.end() for match in _PARAGRAPH.finditer(text) if not _is_heading(text, match.start())}
    return {index for index, (start, _) in enumerate(spans) if start in starts}


def _is_heading(text: str, stop: int) -> bool:
    """Whether the line of *text* that ends at *stop* is one."""
    return _HEADING.match(text, text.rfind("\n", 0, stop) + 1, stop) is not None


def _end(text: str, spans: Sequence[tuple[int, int]], paragraphs: set[int], begin: int, most: int, overlap: int) -> int:
    """The word behind the last one of the piece that begins with word *begin*."""
    last = begin + most
    if last >= len(spans):
        return len(spans)
    least = begin + overlap + 1  # or the next piece would begin where this one does
    for end in range(last, least - 1, -1):
        if end in paragraphs:
            return end
    for end in range(last, max(least, begin + most // 2) - 1, -1):
        start, stop = spans[end - 1]
        if _SENTENCE_END.search(text[start:stop]):
            return end
    return last
