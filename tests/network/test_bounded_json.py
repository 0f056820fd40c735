"""JSON of strangers: counted before it is read."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, strategies as st

from actors.network import bounded_json
from actors.network.bounded_json import TOO_DEEP, TooManyValues, loads

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES, st.booleans())
def test_what_is_within_bounds_is_read_as_ever(value: Any, ascii_only: bool) -> None:
    """Whatever signs stand in its texts."""
    data = json.dumps(value, ensure_ascii=ascii_only).encode(errors="replace")
    assert loads(data) == json.loads(data)


@given(VALUES, st.integers(1, 4))
def test_what_is_deeper_is_left_out(value: Any, depth: int) -> None:
    """And nothing else; compared with a walk over the whole."""

    def cut(value: Any, left: int) -> Any:
        if isinstance(value, dict | list) and left == 0:
            return TOO_DEEP
        if isinstance(value, dict):
            return {key: cut(item, left - 1) for key, item in value.items()}
        return [cut(item, left - 1) for item in value] if isinstance(value, list) else value

    assert loads(json.dumps(value).encode(), max_depth=depth) == cut(value, depth)


@pytest.mark.parametrize("depth", [121, 5_000, 100_000])
def test_any_depth_does_no_harm(depth: int) -> None:
    """Its neighbours are read."""
    data = b'{"a": 1, "deep": ' + b"[" * depth + b"]" * depth + b', "b": "]]"}'
    read = loads(data)
    assert (read["a"], read["b"]) == (1, "]]")
    levels, value = 1, read["deep"]
    while value != TOO_DEEP:
        (value,) = value
        levels += 1
    assert levels == bounded_json.MAX_DEPTH


def test_the_count_is_exact_and_texts_do_not_count() -> None:
    """Commas and brackets in texts are no values."""
    assert loads(b"[" + b"0," * 8 + b"0]", max_values=9) == [0] * 9
    with pytest.raises(TooManyValues, match="holds more than 8 values"):
        loads(b"[" + b"0," * 8 + b"0]", max_values=8)
    assert loads(json.dumps({"text": 'a, b, [c], {"d": 1}' * 100}).encode(), max_values=2)["text"].startswith("a, b")
    assert loads(json.dumps(['"' * 1_000]).encode(), max_values=2) == ['"' * 1_000]
    with pytest.raises(TooManyValues):
        loads(b'"' * 1_000, max_values=100)


def test_numbers_that_are_none() -> None:
    """They are read, and are infinite or none; a number of a million digits takes no time."""
    one, two, three, four, five = loads(b"[NaN, -Infinity, 1e400, " + b"9" * 1_000_000 + b", 12]")
    assert math.isnan(one)
    assert (two, three, four, five) == (-math.inf, math.inf, math.inf, 12)


@pytest.mark.parametrize("data", [b"", b"{", b'"', b'"\\', b"\xff", b"\\" * 1_000, b'"' + b'\\"' * 1_000, b"]" * 500])
def test_what_is_no_json_is_an_error(data: bytes) -> None:
    """A ValueError, whatever is cut."""
    with pytest.raises(ValueError):
        loads(data)


def test_bytes_that_are_no_text_are_replaced() -> None:
    """In a text."""
    assert loads(b'["\xff"]') == ["\ufffd"]
