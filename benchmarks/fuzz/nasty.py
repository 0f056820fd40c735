"""Values of JSON that parsers, encoders and everybody after them trip over; as texts, since not all can be written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from random import Random

DEEP = (60, 99, 120, 600, 20_000)
LONG = 20_000

NUMBERS = (
    *("0", "-0", "-1", "2", "1.5", "1e400", "-1e400", "NaN", "Infinity", "-Infinity", "1e-400"),
    *("4294967296", "18446744073709551616", f"1{'0' * 400}", "9" * 5_000, "0.1e1"),
)
TEXTS = (
    *(
        '""',
        '" "',
        r'"\ud800"',
        r'"\udc00\ud83d"',
        r'"\u0000"',
        r'"\u001b[31m"',
        r'"a\nb\rc"',
        r'"\u2028"',
        r'"\ufeff"',
    ),
    *(
        '"[DONE]"',
        '"null"',
        '"{}"',
        r'"{\"path\": \"/\"}"',
        r'"\"{}\""',
        '"NaN"',
        '"0"',
        '"stop"',
        '"length"',
        '"error"',
    ),
    *('"<think>"', '"</think>"', '"call"', '"call_2"', r'"\udb40\udc41"', f'"{"x" * LONG}"', f'"{"[" * 3_000}"'),
)
OTHERS = (
    *(
        "null",
        "true",
        "false",
        "[]",
        "{}",
        "[[]]",
        "[{}]",
        "[null]",
        '{"": null}',
        '{"error": "x"}',
        '{"a": 1, "a": 2}',
    ),
    *(f"{'[' * depth}{']' * depth}" for depth in DEEP),
    *(
        f"{depth * open_}1{depth * close}"
        for open_, close in (('{"a":', "}"), ('[{"type":', "}]"))
        for depth in DEEP[:4]
    ),
    f"[{','.join('0' * 3_000)}]",
    f"[{','.join(['{}'] * 2_000)}]",
)
"""What a field may hold in place of what it should."""

NASTY = (*OTHERS, *NUMBERS, *TEXTS)
SIGNS = 'aZ0 _"\\/{[<\n\r\x00\x1b\x7f\x85\u00e9\u0301\u200b\u2028\u6f22\ud83d\udc00\ufeff\U000e0041\U0001f600'


def value(random: Random, depth: int = 0) -> Any:
    """Any value, a small one."""
    kind = random.randrange(8 if depth < 3 else 6)
    if kind < 2:
        return text(random)
    if kind < 6:
        return random.choice((None, True, False, 0, -1, 2 ** random.randrange(80), random.random(), -1e300))
    many = range(random.randrange(4))
    if kind == 6:
        return [value(random, depth + 1) for _ in many]
    return {text(random): value(random, depth + 1) for _ in many}


def text(random: Random) -> str:
    """A few signs of all kinds."""
    return "".join(random.choice(SIGNS) for _ in range(random.randrange(6)))
