"""What a person is shown of an answer."""

from __future__ import annotations

import reprlib


def short(value: object, most: int = 200) -> str:
    """*value* as text, of at most *most* characters."""
    text = value if isinstance(value, str) else reprlib.repr(value)
    return text if len(text) <= most else f"{text[:most]}…"
