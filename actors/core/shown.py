"""How words that a stranger chose are shown: on one line, and without what moves a cursor or reads backwards."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# The property Default_Ignorable_Code_Point, in the order of its code points. Source: DerivedCoreProperties.txt of the
# Unicode Character Database 16. What is not assigned in these ranges is kept for more of the kind.
INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""What leaves no mark where it stands, as the inside of a character class."""

_HIDDEN = "\\\\" + INVISIBLE
MORE = "…"


def shown(text: str, most: int = 100) -> str:
    """*text* on one line: what does not print is escaped as in a Python literal, and so is the backslash.

    Two texts that are not cut never look the same.

    Args:
        most: So many characters come out; what is longer ends with ``…``, never in the middle of an escape.
    """
    # Each agent's name goes through here.
    if len(text) <= most and text.isascii() and text.isprintable() and "\\" not in text:
        return text
    return _escaped(text, most, _unseen(_HIDDEN))


def one_line(text: str, most: int = 100) -> str:
    """As :func:`shown`, but a backslash stays: for what is escaped already, a ``repr`` say."""
    return _escaped(text, most, _unseen(INVISIBLE))


@cache
def _unseen(signs: str) -> re.Pattern[str]:
    """One of *signs*. It takes a millisecond to make, and most programs never need it."""
    return re.compile(f"[{signs}]")


def _escaped(text: str, most: int, hidden: re.Pattern[str]) -> str:
    whole = len(text) <= most
    if whole and text.isprintable() and hidden.search(text) is None:
        return text
    pieces = []
    size = 0
    for sign in text[:most]:
        piece = sign
        if not sign.isprintable() or hidden.match(sign):
            piece = sign.encode("unicode_escape").decode("ascii")
        pieces.append(piece)
        size += len(piece)
    if whole and size <= most:
        return "".join(pieces)
    while pieces and size > most - len(MORE):
        size -= len(pieces.pop())
    return "".join([*pieces, MORE])


def agent_label(agent_id: int, name: str) -> str:
    """How messages name an agent."""
    return f"agent {agent_id} ({shown(name)})"


def listed(texts: Sequence[str], most: int = 10) -> str:
    """Each of *texts* as it is shown, with commas between; of more than *most* the first ones, and how many follow."""
    line = ", ".join(map(shown, texts[:most]))
    return f"{line} and {len(texts) - most:,} more" if len(texts) > most else line
