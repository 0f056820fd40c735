"""Takes known injection markers out of what a tool says, before a model reads it."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

SANITIZED = "[SANITIZED]"
"""What stands in the place of a marker."""

# In capitals, as the text is folded. No end of one is the beginning of another: none is left after one pass.
_MARKER = re.compile(
    "|".join(
        (
            r"<\|SYSTEM\|>",
            r"<\|IM_START\|>\s*SYSTEM",
            r"\[INST\]",
            r"<<SYS>>",
            r"IGNORE\s+PREVIOUS\s+INSTRUCTIONS",
            r"IGNORE\s+ALL\s+PREVIOUS",
            r"DISREGARD\s+PREVIOUS",
            r"NEW\s+SYSTEM\s+PROMPT:",
            r"OVERRIDE:",
        )
    )
)

# What does not show: controls, soft hyphens, joiners and other signs of no width, variation selectors, tags.
# And accents: an I with a dot, or a letter under a heap of them, is still that letter for a model.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad"
    "\u0300-\u036f\u0600-\u0605\u061c\u06dd\u070f\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u1ab0-\u1aff\u1dc0-\u1dff\u200b-\u200f\u202a-\u202e\u2060-\u206f\u20d0-\u20ff\u3164"
    "\ufe00-\ufe0f\ufe20-\ufe2f\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


def sanitize(text: str) -> str:
    """Replace each known injection marker in *text* by ``[SANITIZED]``.

    A marker is found in any case, in full-width and other compatibility forms, with any white space between
    its words, and with invisible signs between its letters. The result holds no marker, and a text without one
    comes back as the same object. Time is linear in the length of the text.
    """
    table = _Folds(_ASCII)
    folded = text.translate(table)
    if _MARKER.search(folded) is None:
        return text
    places = _places(text, table)
    pieces = []
    done = 0
    for match in _MARKER.finditer(folded):
        start, end = places[match.start()], places[match.end() - 1] + 1
        pieces += [text[done:start], SANITIZED]
        done = end
    return "".join([*pieces, text[done:]])


class _Folds(dict[int, str]):
    """The folded form of each sign, computed when it is met.

    Sign by sign, not the whole text at once: so that the place of each folded sign is known, and because
    ``normalize`` takes quadratic time to order a long heap of accents.
    """

    def __missing__(self, code: int) -> str:
        self[code] = folded = _folded(chr(code))
        return folded


def _folded(sign: str) -> str:
    """*sign* in capitals, without its compatibility form; empty when it does not show."""
    visible = _INVISIBLE.sub("", unicodedata.normalize("NFKD", sign))
    return _INVISIBLE.sub("", unicodedata.normalize("NFKD", visible.upper()))


_ASCII = {code: _folded(chr(code)) for code in range(128)}


def _places(text: str, folds: dict[int, str]) -> Sequence[int]:
    """For each sign of the folded text, the place in *text* of the sign that it comes from."""
    places: list[int] = []
    for place, sign in enumerate(text):
        places.extend([place] * len(folds[ord(sign)]))
    return places
