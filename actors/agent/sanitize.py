"""Takes known injection markers out of what a tool says, before a model reads it."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

SANITIZED = "[SANITIZED]"
"""What stands in the place of a marker."""

# As the text is folded: in capitals, I for L, 1 and | as well, O for 0, and nothing that does not show. So no white
# space is asked for between words: what stands there may be a blank that does not show. No end of one is the beginning
# of another: none is left after one pass.
_MARKER = re.compile(
    "|".join(
        (
            r"<ISYSTEMI>",
            r"<IIM_STARTI>\s*SYSTEM",
            r"\[INST\]",
            r"<<SYS>>",
            r"IGNORE\s*PREVIOUS\s*INSTRUCTIONS",
            r"IGNORE\s*AII\s*PREVIOUS",
            r"DISREGARD\s*PREVIOUS",
            r"NEW\s*SYSTEM\s*PROMPT:",
            r"OVERRIDE:",
        )
    )
)

# What does not show, though Unicode does not say so by its category: fillers and blanks of no width.
_UNSEEN = "\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\U0001d159"
# Marks (an I under a heap of accents is still that letter for a model), and signs of format or control.
_NOT_SHOWN = frozenset({"Mn", "Me", "Cf", "Cc"})
_SPACES = "\t\n\v\f\r\x1c\x1d\x1e\x1f\x85"
# The name of a letter that Unicode does not take apart: O WITH STROKE, SMALL CAPITAL I.
_LATIN = re.compile(r"LATIN (?:CAPITAL LETTER|SMALL LETTER|LETTER SMALL CAPITAL) (?P<letter>[A-Z])(?: WITH .*)?")
_SIGNS = {
    "<": "\u2039\u2329\u27e8\u3008\u276c\u276e\u00ab\u226a\u300a\u27ea\u02c2\u1438",
    ">": "\u203a\u232a\u27e9\u3009\u276d\u276f\u00bb\u226b\u300b\u27eb\u02c3\u1433",
    "[": "\u27e6\u301a\u2045\u3010\u3014",
    "]": "\u27e7\u301b\u2046\u3011\u3015",
    ":": "\u02d0\u02f8\u0589\u05c3\u2236\ua789\ua4fd\u1361",
    "I": "lL1|\u2223\u01c0\u05c0\u2758\ufe31",
    "O": "0",
}

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
# Letters in brackets, in black circles, in black squares, and those that flags are made of.
_ENCLOSED = (0x249C, 0x1F110, 0x1F150, 0x1F170, 0x1F1E6)

_ENCLOSED_LETTERS = {first + place: chr(ord("A") + place) for first in _ENCLOSED for place in range(26)}
_LOOKALIKES = {
    **{ord(sign): letter for letter, signs in _LIKE.items() for sign in signs},
    **{ord(sign): "I" for sign in _LIKE["L"]},
    **{ord(sign): plain for plain, signs in _SIGNS.items() for sign in signs},
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
    enclosed = _ENCLOSED_LETTERS.get(ord(sign))
    if enclosed is not None:
        sign = enclosed
    whole = unicodedata.normalize("NFKD", sign)
    whole = unicodedata.normalize("NFKD", "".join(map(_letter, whole)).upper())
    return "".join(filter(_shows, whole)).translate(_LOOKALIKES)


def _shows(sign: str) -> bool:
    return sign in _SPACES or (unicodedata.category(sign) not in _NOT_SHOWN and sign not in _UNSEEN)


def _letter(sign: str) -> str:
    """The Latin letter that *sign* is a form of; itself when it is none."""
    if sign.isascii():
        return sign
    named = _LATIN.fullmatch(unicodedata.name(sign, ""))
    return sign if named is None else named["letter"]


_ASCII = {code: _folded(chr(code)) for code in range(128)}


def _places(text: str, folds: dict[int, str]) -> Sequence[int]:
    """For each sign of the folded text, the place in *text* of the sign that it comes from."""
    places: list[int] = []
    for place, sign in enumerate(text):
        places.extend([place] * len(folds[ord(sign)]))
    return places
