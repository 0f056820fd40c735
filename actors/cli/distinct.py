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
PLACE = 5
"""Characters that a place needs at least, when several of a text are shown."""
ROUNDS = 8
"""So often those that still look alike are told apart, at another place."""
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
    best, places = cut, [list[int]() for _ in texts]
    for _ in range(ROUNDS):
        groups = _alike(texts, cut)
        for group in groups:
            place = _shared([texts[index] for index in group])
            for index in group:
                places[index] = [*places[index], place][-max(1, limit // PLACE) :]
        cut = [_around(text, at, limit) if at else look for text, look, at in zip(texts, cut, places, strict=True)]
        best = max(best, cut, key=lambda looks: len(set(looks)))
    return best


def _alike(texts: Sequence[str], cut: Sequence[str]) -> list[list[int]]:
    """Those that look alike in *cut*, and are not: their indices, each group by itself."""
    groups: dict[str, list[int]] = {}
    for index, look in enumerate(cut):
        groups.setdefault(look, []).append(index)
    return [group for group in groups.values() if len({texts[index] for index in group}) > 1]


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


def _around(text: str, places: Sequence[int], limit: int) -> str:
    """The start of *text*, and what stands at each of *places*."""
    if len(text) <= limit:
        return text
    if len(places) == 1:
        head, before = limit // HEAD, BEFORE
    else:
        head = (limit + 1) // (len(places) + 1) - 1
        before = min(BEFORE, head // 2)
    shown, end = text[:head], head
    for place in sorted(places):
        start = max(end, min(place - before, len(text) - (limit - head - 1) // len(places)))
        size = (limit - head) // len(places) - 1
        shown += ("…" if start > end else "") + text[start : start + size]
        end = start + size
    return shortened(shown + "…" * (end < len(text)), limit)


def _from(text: str, start: int, limit: int) -> str:
    if start <= 0 or len(text) <= limit:
        return shortened(text, limit)
    return shortened("…" + text[min(start, len(text) - limit + 1) :], limit)
