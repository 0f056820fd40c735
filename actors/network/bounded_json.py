"""JSON of strangers: what it would cost is counted in its bytes, before objects are made of it."""

from __future__ import annotations

import json
import re
from itertools import accumulate
from typing import Any

MAX_VALUES = 500_000
"""Values in one text; so many take about 100 MB at worst."""
MAX_DEPTH = 120
"""Levels; what is nested deeper is left out."""
TOO_DEEP = "[nested too deep]"
"""What stands in its place."""
LONGEST_NUMBER = 300
"""Digits; a longer one is infinite."""

# Each alternative takes all that it can, and a text that does not end ends with the data: so from no place it looks
# further than once, and time is linear.
_TEXT = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)'
_TEXTS = re.compile(_TEXT, re.DOTALL)
_TOKENS = re.compile(_TEXT + rb"|[\[\]{}]", re.DOTALL)
_OTHERS = bytes(set(range(256)) - set(b"[]{}"))
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


class TooManyValues(ValueError):
    """The text holds more than may be made objects of."""


def loads(data: bytes, *, max_values: int = MAX_VALUES, max_depth: int = MAX_DEPTH) -> Any:
    """What *data* says. Numbers may be infinite, or none (NaN); each subtree below *max_depth* is :data:`TOO_DEEP`.

    Raises:
        TooManyValues: It holds more than *max_values*.
        ValueError: It is no JSON.
    """
    texts = data.count(b'"') - data.count(b'\\"')
    if texts > 4 * max_values:  # two for a name, two for its value
        raise TooManyValues(f"holds more than {max_values:,} values")
    frame = _TEXTS.sub(b"", data)
    values = sum(frame.count(sign) for sign in (b",", b"[", b"{"))
    if values > max_values:
        raise TooManyValues(f"holds more than {max_values:,} values")
    brackets = frame.translate(None, _OTHERS)
    if len(brackets) > max_depth and max(accumulate(map(_STEPS.__getitem__, brackets))) > max_depth:
        data = _pruned(data, max_depth)
    return json.loads(data.decode(errors="replace"), parse_int=_whole)


def _pruned(data: bytes, max_depth: int) -> bytes:
    kept: list[bytes] = []
    depth = done = 0
    for token in _TOKENS.finditer(data):
        step = _STEPS.get(data[token.start()], 0)
        if step > 0 and depth == max_depth:
            kept += [data[done : token.start()], json.dumps(TOO_DEEP).encode()]
        depth += step
        if step < 0 and depth == max_depth:
            done = token.end()
    return b"".join([*kept, data[done:] if depth <= max_depth else b""])


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) <= LONGEST_NUMBER else float(digits)
