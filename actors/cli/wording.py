"""How numbers, times and texts are worded for people."""

from __future__ import annotations

import os
import re

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
    line = " ".join(printable(text[: limit * 2]).split())
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


def counted(number: int, noun: str) -> str:
    """``1 agent``, ``2,000 agents``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def seconds(duration: float) -> str:
    """``0.42 s``, ``12.3 s``, ``3 min 05 s``, ``2 h 07 min``."""
    if duration < 9.995:
        return f"{duration:.2f} s"
    if duration < 59.95:
        return f"{duration:.1f} s"
    minutes, rest = divmod(round(duration), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def dollars(usd: float) -> str:
    """``$0.0042``, ``$12.30``."""
    if 0 < usd < 1:
        digits = f"{usd:.4f}"
        return "$" + (digits.removesuffix("00") if digits != "0.0000" else digits)
    return f"${usd:,.2f}"


def rate(per_second: float) -> str:
    """``12.3/s``; slow ones by the minute."""
    return f"{per_second:.1f}/s" if per_second >= 1 else f"{per_second * 60:.1f}/min"
