"""Takes known injection markers out of what a tool says, before a model reads it."""

from __future__ import annotations

import re
import unicodedata
from itertools import islice
from typing import TYPE_CHECKING

from ...core.shown import INVISIBLE

if TYPE_CHECKING:
    from collections.abc import Iterator

SANITIZED = "[SANITIZED]"
"""What stands in the place of a marker, and of hidden text."""

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

# What does not show, though Unicode does not say so by its category: fillers, blanks of no width, places kept for more
# of the kind.
_UNSEEN = re.compile(f"[{INVISIBLE}\u2800\U0001d159]")
# Marks (an I under a heap of accents is still that letter for a model), and signs of format or control.
_NOT_SHOWN = frozenset({"Mn", "Me", "Cf", "Cc"})
_OTHER_SPACE = re.compile(r"[^\S\x00-\x7f]")
_OTHER = re.compile(r"[^\x00-\x7f]+")
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

# Text that only a model reads: signs that do not show have room for any letters. The tags of Unicode are letters by
# themselves, the selectors of variants are numbers, and so is the order in a crowd of others. What people write is left
# as it is: the flags of England, Scotland and Wales, a variant of an ideograph, and a few of the others in a row, which
# emoji and many scripts need.
_REGIONS = "|".join("".join(chr(0xE0000 + ord(letter)) for letter in region) for region in ("gbeng", "gbsct", "gbwls"))
_HIDING = "\U000e0000-\U000e0fff"
_MANY = 9
_HIDDEN = re.compile(
    f"(?P<flag>\U0001f3f4(?:{_REGIONS})\U000e007f)"
    "|(?P<variant>(?<=[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])[\U000e0100-\U000e01ef])"
    f"|[{_HIDING}][{INVISIBLE}]*|[{INVISIBLE}]{{{_MANY},}}"
)
_PIECE = 1_024
_BATCH = 1_000

_ENCLOSED_LETTERS = {first + place: chr(ord("A") + place) for first in _ENCLOSED for place in range(26)}
_LOOKALIKES = {
    **{ord(sign): letter for letter, signs in _LIKE.items() for sign in signs},
    **{ord(sign): "I" for sign in _LIKE["L"]},
    **{ord(sign): plain for plain, signs in _SIGNS.items() for sign in signs},
}


def sanitize(text: str) -> str:
    """Replace each known injection marker in *text*, and what is hidden in signs that do not show, by ``[SANITIZED]``.

    A marker is found in any case, in full-width and other compatibility forms, in letters of other scripts that look
    alike, with any white space between its words, and with invisible signs between its letters. The result holds no
    marker, and a text without one comes back as the same object. Time and memory are linear in the length of the text.
    """
    table = _Folds(_ASCII)
    folded = text.translate(table)
    if _MARKER.search(folded) is not None:
        places = _Places(text, table)
        found = ((places.of(match.start()), places.of(match.end() - 1) + 1) for match in _MARKER.finditer(folded))
        text = _without(text, found)
    if any(not table[code] and _UNSEEN.match(chr(code)) for code in islice(table, len(_ASCII), None)):
        text = _without(text, (match.span() for match in _HIDDEN.finditer(text) if match.lastgroup is None))
    return text


def _without(text: str, ranges: Iterator[tuple[int, int]]) -> str:
    """*text* with each of *ranges*, which are in order, replaced; itself when there are none."""
    done = 0
    pieces: list[str] = []
    joined: list[str] = []
    for start, end in ranges:
        pieces += [text[done:start], SANITIZED]
        done = end
        if len(pieces) > _BATCH:  # a list of all would be larger than the text
            joined.append("".join(pieces))
            pieces.clear()
    return "".join([*joined, *pieces, text[done:]]) if done else text


class _Folds(dict[int, str]):
    """The folded form of each sign, computed when it is met.

    Sign by sign, not the whole text at once: so that the place of each folded sign is known, and because
    ``normalize`` takes quadratic time to order a long heap of accents.
    """

    def __missing__(self, code: int) -> str:
        self[code] = folded = _folded(chr(code))
        return folded


def _folded(sign: str) -> str:
    """*sign* in Latin capitals, without its compatibility form; empty when it does not show.

    Always ASCII: what is in no marker is one question mark, however many signs it is made of.
    """
    enclosed = _ENCLOSED_LETTERS.get(ord(sign))
    if enclosed is not None:
        sign = enclosed
    whole = unicodedata.normalize("NFKD", sign)
    whole = unicodedata.normalize("NFKD", "".join(map(_letter, whole)).upper())
    plain = "".join(filter(_shows, whole)).translate(_LOOKALIKES)
    if plain.isascii():
        return plain
    if len(plain) == 1:
        return " " if plain.isspace() else "?"
    return _OTHER.sub("?", _OTHER_SPACE.sub(" ", plain))


def _shows(sign: str) -> bool:
    return sign in _SPACES or (unicodedata.category(sign) not in _NOT_SHOWN and _UNSEEN.match(sign) is None)


def _letter(sign: str) -> str:
    """The Latin letter that *sign* is a form of; itself when it is none."""
    if sign.isascii():
        return sign
    named = _LATIN.fullmatch(unicodedata.name(sign, ""))
    return sign if named is None else named["letter"]


_ASCII = {code: _folded(chr(code)) for code in range(128)}


class _Places:
    """Says from where in *text* a sign of the folded text comes: asked in order, it keeps no place for each of them."""

    def __init__(self, text: str, folds: dict[int, str]) -> None:
        self._text = text
        self._folds = folds
        self._start = 0
        self._before = 0
        self._look()

    def of(self, place: int) -> int:
        """The place of the sign that *place* of the folded text comes from."""
        while place >= self._before + self._length:
            self._before += self._length
            self._start += _PIECE
            self._look()
        if self._is_even:
            return self._start + place - self._before
        if not self._places:
            for at, sign in enumerate(self._piece, self._start):
                self._places.extend([at] * len(self._folds[ord(sign)]))
        return self._places[place - self._before]

    def _look(self) -> None:
        self._piece = self._text[self._start : self._start + _PIECE]
        self._length = len(self._piece.translate(self._folds))
        self._is_even = self._piece.isascii() and self._length == len(self._piece)  # ASCII folds to one sign, or none
        self._places: list[int] = []
