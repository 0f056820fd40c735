"""Which encoding a server or a page may name."""

from __future__ import annotations

import codecs
import encodings
import re
from encodings.aliases import aliases

NO_TEXT = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "utf_7"})
"""Encodings of Python that no server means; some take quadratic time."""
# Python remembers each name that it was asked for in vain, however long: so it is asked for none that it does not know.
_KNOWN = frozenset({*aliases, *aliases.values(), "koi8_u"}) - NO_TEXT
_LONGEST = 40
_CHARSET = re.compile(r";\s{0,20}charset\s{0,20}=\s{0,20}[\"']?([\w.:-]{1,40})", re.IGNORECASE)


def known_encoding(name: str) -> str | None:
    """What Python calls the encoding *name*; None for one that it does not know, or that is none of text."""
    if len(name) > _LONGEST or encodings.normalize_encoding(name).lower() not in _KNOWN:
        return None
    try:
        found = codecs.lookup(name).name
        b"    ".decode(found)
    except (LookupError, ValueError):
        return None
    return None if found.replace("-", "_") in NO_TEXT else found


def encoding_of(content_type: str) -> str | None:
    """What Python calls the encoding that a ``Content-Type`` names; None likewise, and when it names none."""
    found = _CHARSET.search(content_type)
    return None if found is None else known_encoding(found[1])
