"""How words that a stranger chose are shown."""

from __future__ import annotations

import ast
import sys

import pytest
from hypothesis import given, strategies as st

from actors.core.shown import INVISIBLE, MORE, listed, shown

ANYTHING = st.text(st.characters(exclude_categories=()))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ""),
        ("reader", "reader"),
        ("Größe 日本語 😀 'a' \"b\"", "Größe 日本語 😀 'a' \"b\""),
        ("two\nlines", r"two\nlines"),
        ("a\r\tb\0", r"a\r\tb\x00"),
        ("\x1b[2J\x9b31m", r"\x1b[2J\x9b31m"),
        ("\u202edlrow\u2069", r"\u202edlrow\u2069"),
        ("one\u2028two\u2029\x85\x0b", r"one\u2028two\u2029\x85\x0b"),
        ("a\u200bb\ufe0fc\u3164", r"a\u200bb\ufe0fc\u3164"),
        ("\U000e0041\ud800", r"\U000e0041\ud800"),
        ("\u00a0", r"\xa0"),
        (r"a\nb", r"a\\nb"),
    ],
)
def test_what_does_not_print_is_escaped(text: str, line: str) -> None:
    """As in a Python literal, the backslash too; all else is as it was."""
    assert shown(text) == line


def test_what_is_long_is_cut() -> None:
    """At the bound, never in the middle of an escape, and it can be seen."""
    assert shown("x" * 100) == "x" * 100
    assert shown("x" * 101) == "x" * 99 + MORE
    assert shown("\n" * 10, most=8) == r"\n\n\n" + MORE
    assert shown("ab\U000e0041", most=10) == "ab" + MORE
    assert shown("x" * 10_000_000 + "\n", most=5) == "xxxx" + MORE
    assert shown("abc", most=1) == MORE


@given(ANYTHING, st.integers(1, 200))
def test_it_is_one_bounded_line(text: str, most: int) -> None:
    """Whatever the text is: nothing in it ends a line or moves a cursor."""
    line = shown(text, most)
    assert len(line) <= most
    assert line.isprintable()
    assert shown(line.replace("\\", ""), most).isprintable()


@given(ANYTHING)
def test_it_can_be_read_back(text: str) -> None:
    """Two texts never look the same."""
    line = shown(text, 10 * len(text) + 1)
    quoted = line.replace("'", "\\'")
    assert ast.literal_eval(f"'{quoted}'") == text


def test_every_sign() -> None:
    """None that hides comes out as it is; those that print do."""
    hidden = {chr(code) for code in range(sys.maxunicode + 1) if shown(chr(code)) != chr(code)}
    assert {"\\", "\n", "\x7f", "\u200d", "\u202e", "\u2066", "\ufeff", "\U000e0001", "\U000e01ef", "\u034f"} <= hidden
    assert not hidden & set("aZ0 é日😀\u0301'\"…")
    assert all(not sign.isprintable() or sign == "\\" or sign in "".join(_ranges(INVISIBLE)) for sign in hidden)


def _ranges(signs: str) -> list[str]:
    out = []
    place = 0
    while place < len(signs):
        if signs[place + 1 : place + 2] == "-":
            out.append("".join(map(chr, range(ord(signs[place]), ord(signs[place + 2]) + 1))))
            place += 3
        else:
            out.append(signs[place])
            place += 1
    return out


def test_a_list_is_bounded() -> None:
    """In the number of its items, and in each of them."""
    assert listed([]) == ""
    assert listed(["a", "b\n"]) == r"a, b\n"
    assert listed(["x"] * 12, most=3) == "x, x, x and 9 more"
    assert len(listed(["x" * 1_000] * 50_000)) < 1_100
