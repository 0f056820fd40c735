"""Which encoding a server or a page may name."""

from __future__ import annotations

import codecs

NO_TEXT = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "utf_7"})
"""Encodings of Python that no server means; some take quadratic time."""


def known_encoding(name: str) -> str | None:
    """What Python calls the encoding *name*; None for one that it does not know, or that is none of text."""
    try:
        found = codecs.lookup(name).name
        b" ".decode(found)
    except (LookupError, ValueError):
        return None
    return None if found.replace("-", "_") in NO_TEXT else found
