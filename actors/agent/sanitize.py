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

# Letters of other scripts, in capitals, that look like those of the markers.
# Source: Unicode confusables (UTS 39), as far as the basic plane goes, and the small capitals of phonetics.
_LIKE = {
    "A": "\u0391\u0410\u13aa\u15c5\u1d00\u237a\u2c6d\ua4ee",
    "C": "\u03a3\u0421\u13df\u1d04\u2ca4\ua4da",
    "D": "\u0500\u13a0\u13e7\u146f\u15de\u15ea\u1d05\ua4d2\ua4d3",
    "E": "\u0395\u0415\u04bc\u13ac\u1d07\u212e\u22ff\u2d39\ua4f0\uab32",
    "G": "\u018d\u0262\u050c\u0551\u13c0\u13f3\u1d83\ua4d6\ua7ac",
    "I": "\u0196\u0399\u0406\u04c0\u13a5\u2373\ua646\ua7ae",
    "M": "\u039c\u03fa\u041c\u13b7\u15f0\u16d6\u1d0d\u2c98\ua4df",
    "N": "\u0274\u039d\u0548\u054c\u2c9a\ua4e0",
    "O": "\u039f\u041e\u0555\u0b20\u0d20\u101d\u12d0\u1cbf\u1d0f\u1d11\u2c9e\u2d54\ua4f3\uab3d",
    "P": "\u03a1\u0420\u13e2\u146d\u1d18\u2374\u2ca2\ua4d1",
    "R": "\u01a6\u0413\u13a1\u13b1\u13d2\u1587\u1d26\u2c84\ua4e3\uab47\uab48",
    "S": "\u01bc\u0405\u054f\u13d5\u13da\ua4e2\ua731",
    "T": "\u03a4\u0422\u13a2\u1d1b\u22a4\u27d9\u2ca6\ua4d4",
    "U": "\u01b2\u054d\u1200\u144c\u1d1c\u222a\u22c3\ua4f4\ua79e\uab4e\uab52",
    "V": "\u0474\u13d9\u142f\u1d20\u2228\u22c1\u2d38\ua4e6\ua6df",
    "W": "\u019c\u0460\u051c\u0531\u13b3\u13d4\u1d21\ua4ea",
    "Y": "\u03a5\u0194\u028f\u0393\u0423\u04ae\u13a9\u13bd\u1ca7\u1d8c\u1efe\u2ca8\ua4ec\uab5a",
    "L": "\u01c0\u029f\u13de\u14aa\u16c1\u2223\u23fd\u2502\u2c92\u2cd0\u2d4f\ua4e1\ua4f2",
}
# Letters in black circles, in black squares, and those that flags are made of: none is taken apart by Unicode.
_ENCLOSED = (0x1F150, 0x1F170, 0x1F1E6)

_LOOKALIKES = {ord(sign): letter for letter, signs in _LIKE.items() for sign in signs} | {
    first + place: chr(ord("A") + place) for first in _ENCLOSED for place in range(26)
}


def sanitize(text: str) -> str:
    """Replace each known injection marker in *text* by ``[SANITIZED]``.

    A marker is found in any case, in full-width and other compatibility forms, in letters of other scripts that look
    alike, with any white space between its words, and with invisible signs between its letters. The result holds no
    marker, and a text without one comes back as the same object. Time is linear in the length of the text.
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
    """*sign* in Latin capitals, without its compatibility form; empty when it does not show."""
    visible = _INVISIBLE.sub("", unicodedata.normalize("NFKD", sign))
    return _INVISIBLE.sub("", unicodedata.normalize("NFKD", visible.upper())).translate(_LOOKALIKES)


_ASCII = {code: _folded(chr(code)) for code in range(128)}


def _places(text: str, folds: dict[int, str]) -> Sequence[int]:
    """For each sign of the folded text, the place in *text* of the sign that it comes from."""
    places: list[int] = []
    for place, sign in enumerate(text):
        places.extend([place] * len(folds[ord(sign)]))
    return places
