"""How texts are worded for people; numbers and times stand in ``core.figures``."""

from __future__ import annotations

import os
import re

from ..core.figures import (
    counted as counted,
    dollars as dollars,
    in_words as in_words,
    rate as rate,
    seconds as seconds,
    spent as spent,
)

# A result may hold what moves the cursor, text that reads backwards, or letters that only a model sees; and a lone
# surrogate cannot be printed.
_HARMFUL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\U000e0000-\U000e007f]"
)


def printable(text: str) -> str:
    """*text* without what would disturb a terminal."""
    return _HARMFUL.sub("\N{REPLACEMENT CHARACTER}", text)


def one_line(text: str, limit: int = 200) -> str:
    """The first *limit* characters of *text* on one printable line."""
    # Cut first: the text may be huge.
    line = " ".join(printable(text[: limit * 2].replace("\r", " ")).split())
    return line if len(line) <= limit and len(text) <= limit * 2 else line[: limit - 1] + "…"


def first_line(text: str, limit: int = 200) -> str:
    """The first line of *text* that says something, on one printable line."""
    head = text[: limit * 2].strip()
    line, _, rest = head.partition("\n")
    # An opening bracket alone says nothing.
    return one_line(text, limit) if not rest or len(line) < 12 else one_line(line, limit)


def shortened(text: str, limit: int) -> str:
    """*text* cut to *limit* characters; of a path the end is kept, which tells it from its neighbours."""
    if len(text) <= limit:
        return text
    is_path = os.sep in text and " " not in text
    return "…" + text[len(text) - limit + 1 :] if is_path else text[: limit - 1] + "…"
