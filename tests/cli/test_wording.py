"""Numbers, times and texts for people."""

from __future__ import annotations

import pytest

from actors.cli.wording import counted, dollars, first_line, one_line, printable, rate, seconds, shortened


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (0.0, "0.00 s"),
        (9.994, "9.99 s"),
        (9.999, "10.0 s"),
        (59.94, "59.9 s"),
        (59.99, "1 min 00 s"),
        (125.4, "2 min 05 s"),
        (7_625, "2 h 07 min"),
    ],
)
def test_seconds(duration: float, text: str) -> None:
    """A time has the unit that fits it, without a jump at the borders."""
    assert seconds(duration) == text


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        (0.0, "$0.00"),
        (0.00042, "$0.0004"),
        (0.5, "$0.50"),
        (0.00001, "$0.00001"),
        (0.125, "$0.1250"),
        (1234.5, "$1,234.50"),
    ],
)
def test_dollars(usd: float, text: str) -> None:
    """Small amounts keep their digits."""
    assert dollars(usd) == text


def test_counted() -> None:
    """One is singular."""
    assert (counted(1, "agent"), counted(0, "agent"), counted(2000, "agent")) == (
        "1 agent",
        "0 agents",
        "2,000 agents",
    )


def test_rate() -> None:
    """Slow work is told by the minute."""
    assert (rate(12.34), rate(0.05)) == ("12.3/s", "3.0/min")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("short", "short"),
        ("two\n lines", "two lines"),
        ("x" * 30, "x" * 19 + "…"),
        ("x" * 20, "x" * 20),
        ("x" + " " * 100 + "y", "x…"),
        ("x" * 20_000_000, "x" * 19 + "…"),
    ],
    ids=["short", "lines", "long", "fits", "blanks", "huge"],
)
def test_one_line(text: str, line: str) -> None:
    """A text becomes one line that shows when something was cut off."""
    assert one_line(text, 20) == line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("verdict: good\n{json}", "verdict: good"),
        ("\n\n  one line  ", "one line"),
        ("{\n  'a': 1\n}", "{ 'a': 1 }"),
        ("", ""),
    ],
)
def test_first_line(text: str, line: str) -> None:
    """The first line that says something stands for the text."""
    assert first_line(text) == line


def test_shortened() -> None:
    """Of a path the end is kept, of other text the beginning."""
    assert shortened("/a/long/way/to/file.py", 10) == "…o/file.py"
    assert shortened("what is a/b in short", 10) == "what is a…"
    assert shortened("short", 10) == "short"


def test_printable() -> None:
    """What would disturb a terminal is replaced, all other text stays."""
    assert printable("ä\tb\nc 👩‍🚀") == "ä\tb\nc 👩‍🚀"
    assert printable("a\u2028b\u200fc\U000e0041") == "a\ufffdb\ufffdc\ufffd"
    assert printable("\x1b[2J\r\x07\ud800\u202e") == "\ufffd[2J\ufffd\ufffd\ufffd\ufffd"
