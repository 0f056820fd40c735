"""How numbers, times and money are worded for people."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


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
    """``$0.0042``, ``$12.30``, ``$0.000036``."""
    if 0 < usd < 0.000095:
        return f"${usd:.{1 - math.floor(math.log10(usd))}f}".rstrip("0")
    if 0 < usd < 1:
        digits = f"{usd:.4f}"
        return "$" + (digits.removesuffix("00") if digits != "0.0000" else digits)
    return f"${usd:,.2f}"


def byte_size(number: int) -> str:
    """``512 bytes``, ``12.3 kB``, ``4.2 MB``."""
    if number < 1_000:
        return counted(number, "byte")
    return f"{number / 1_000:,.1f} kB" if number < 999_950 else f"{number / 1_000_000:,.1f} MB"


def rate(per_second: float) -> str:
    """``12.3/s``; slow ones by the minute."""
    return f"{per_second:.1f}/s" if per_second >= 1 else f"{per_second * 60:.1f}/min"


def spent(tokens: int, cost_usd: float) -> list[str]:
    """Tokens and money, of each only what there is."""
    return [*([counted(tokens, "token")] if tokens else []), *([dollars(cost_usd)] if cost_usd else [])]


def in_words(numbers: Mapping[Any, int]) -> list[str]:
    """``12 completed``, ``3 timed out``: how many ended how, those alone that there are."""
    return [f"{number:,} {str(status).replace('_', ' ')}" for status, number in numbers.items() if number]
