"""What a person is shown of an answer."""

from __future__ import annotations

import reprlib

from .error_text import harmless


def short(value: object, most: int = 200) -> str:
    """*value* as text on one line, of at most *most* characters, harmless to show."""
    given = value if isinstance(value, str) else reprlib.repr(value)
    text = harmless(given[: 4 * most])
    return text if len(text) <= most and len(given) <= 4 * most else f"{text[:most]}…"
