"""Any text of Python as SQLite keeps it."""

from __future__ import annotations

from typing import Any


def stored(text: str) -> str | bytes:
    """*text* for a parameter. One that is no UTF-8 (half of a surrogate pair) is kept by its bytes."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def restored(value: Any) -> str:
    """What :func:`stored` was given."""
    return value.decode("utf-8", "surrogatepass") if isinstance(value, bytes) else str(value)
