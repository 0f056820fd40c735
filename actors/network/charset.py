"""Which encoding a ``Content-Type`` names, as far as it is one of text."""

from __future__ import annotations

import codecs
import re

NO_TEXT = frozenset({"idna", "punycode", "unicode-escape", "raw-unicode-escape", "utf-7"})
"""Encodings of Python that no server means; some take quadratic time."""
CHARSET = re.compile(r";\s{0,20}charset\s{0,20}=\s{0,20}[\"']?([\w.:-]{1,40})", re.IGNORECASE)


def encoding_of(content_type: str) -> str | None:
    """The encoding that *content_type* names, as Python calls it; None when it names none, or none of text."""
    found = CHARSET.search(content_type)
    if found is None:
        return None
    try:
        name = codecs.lookup(found[1]).name
        b" ".decode(name)
    except (LookupError, ValueError):
        return None
    return None if name.replace("_", "-") in NO_TEXT else name
