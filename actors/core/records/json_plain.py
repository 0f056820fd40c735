"""What JSON holds exactly: it comes back as what it was."""

from __future__ import annotations

import json
import math
from typing import Any

from .json_marks import is_utf8

LEVELS = 150
"""Levels of arrays and objects: readers refuse more than some hundreds, and a value may stand inside others."""
BITS = 10_000
"""Of a number: beyond some 4,000 digits Python makes no text of it."""


def is_plain(value: Any) -> bool:
    """Is *value* what JSON holds exactly: ``dict`` with text keys, ``list``, ``str``, ``int``, a finite ``float``,
    ``bool`` or None, and no subclass of them? Never raises.
    """
    texts: list[str] = []
    if not _is_plain(value, LEVELS, texts):
        return False
    # Two halves of a surrogate pair that stand side by side by chance would come back as one character.
    return all(json.loads(json.dumps(text)) == text for text in texts)


def _is_plain(value: Any, room: int, texts: list[str]) -> bool:
    kind = type(value)
    if kind is str:
        if not is_utf8(value):
            texts.append(value)
        return True
    if value is None or kind is bool:
        return True
    if kind is int:
        return bool(value.bit_length() <= BITS)
    if kind is float:
        return math.isfinite(value)
    if room <= 0:
        return False
    if kind is list:
        return all(_is_plain(each, room - 1, texts) for each in value)
    return kind is dict and all(
        type(key) is str and _is_plain(key, 0, texts) and _is_plain(each, room - 1, texts)
        for key, each in value.items()
    )
