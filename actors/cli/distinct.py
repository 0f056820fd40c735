"""Texts cut short so that each can be told from its neighbours."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .wording import shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

LEAST_COMMON = 12
"""Characters that texts have to have in common at their start, so that leaving them out helps."""
BEFORE = 4
"""Characters that stay before the one where two texts part."""
HEAD = 3
"""The part of its room that the start of a text keeps, when its end is what tells it from another."""


def common_folder(texts: Sequence[str]) -> str:
    """The folder in which all *texts* lie, with its end, if all are paths; else nothing."""
    if len(set(texts)) < 2 or not all(os.sep in text and " " not in text for text in texts):
        return ""
    return texts[0][: _shared(texts)].rpartition(os.sep)[0] + os.sep


def distinct(texts: Sequence[str], limit: int) -> list[str]:
    """*texts*, each cut to *limit* characters; of those that would look alike, the part where they differ is shown."""
    if all(len(text) <= limit for text in texts):
        return list(texts)
    start = _common_start(texts)
    cut = [_from(text, start, limit) for text in texts]
    apart = 0
    while len(set(cut)) > apart:  # those that still look alike, part somewhere else
        apart = len(set(cut))
        cut = _told_apart(texts, cut, limit)
    return cut


def _told_apart(texts: Sequence[str], cut: Sequence[str], limit: int) -> list[str]:
    """*cut*, of which those that look alike, and are not, show the place where they part; all others stay."""
    groups: dict[str, list[str]] = {}
    for text, look in zip(texts, cut, strict=True):
        groups.setdefault(look, []).append(text)
    places = {look: _shared(alike) for look, alike in groups.items() if len(set(alike)) > 1}
    pairs = zip(texts, cut, strict=True)
    return [_around(text, places[look], limit) if look in places else look for text, look in pairs]


def _common_start(texts: Sequence[str]) -> int:
    """Where the common words at the start of all *texts* end, if they are worth leaving out."""
    if len(set(texts)) < 2:
        return 0
    common = texts[0][: _shared(texts)].rpartition(" ")[0] + " "
    return len(common) if len(common) >= LEAST_COMMON else 0


def _shared(texts: Sequence[str]) -> int:
    """How many characters at their start are the same in all *texts*."""
    first, last = min(texts), max(texts)
    unlike = (at for at, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1])
    return next(unlike, min(len(first), len(last)))


def _around(text: str, place: int, limit: int) -> str:
    """The start of *text*, and what stands at *place*."""
    if len(text) <= limit:
        return text
    head = limit // HEAD
    start = max(head, min(place - BEFORE, len(text) - (limit - head - 1)))
    return shortened(f"{text[:head]}…{text[start:]}", limit)


def _from(text: str, start: int, limit: int) -> str:
    if start <= 0 or len(text) <= limit:
        return shortened(text, limit)
    return shortened("…" + text[min(start, len(text) - limit + 1) :], limit)
