"""Paths as a model, a terminal and a log are shown them, and back."""

from __future__ import annotations

import re

from ..core.shown import INVISIBLE

LONGEST_SHOWN = 200
"""Characters of a name in an error."""

# What names and line numbers of a search are told apart by.
_LIKE_A_LINE = re.compile(r":\d+(:|$)")
_QUOTED = re.compile(r"""(['"])((?:[^\\]|\\(?:x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|[\\'"ntr]))*)\1""")
_ESCAPE = re.compile(r"""\\(x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|[\\'"ntr])""")
_HIDDEN = re.compile(f"[{INVISIBLE}]")
_SHORT = {"n": "\n", "t": "\t", "r": "\r"}


def shown(name: str) -> str:
    """*name* as an error shows it, however long it is."""
    return _quoted(name) if len(name) <= LONGEST_SHOWN else f"{_quoted(name[:LONGEST_SHOWN])}…"


def shown_path(path: str) -> str:
    """*path* on one printable line: a name in it that would break its line, does not show as it is, or could be taken
    for another one stands in quotes, with escapes. :func:`meant_path` takes it back.
    """
    return "/".join(name if _is_plain(name) else _quoted(name) for name in path.split("/"))


def meant_path(path: str) -> str:
    """The path that *path* stands for: names in quotes, as :func:`shown_path` writes them, are taken out of them.

    What stands in quotes without need is a name with quotes.
    """
    return "/".join(map(_meant, path.split("/"))) if "'" in path or '"' in path else path


def is_visible(name: str) -> bool:
    """Does each sign of it print, and show?"""
    return name.isprintable() and _HIDDEN.search(name) is None


def _is_plain(name: str) -> bool:
    return (
        is_visible(name)
        and name == name.strip()
        and not name.startswith(("'", '"'))
        and _LIKE_A_LINE.search(name) is None
    )


def _quoted(name: str) -> str:
    """As a Python literal, with escapes also for what prints and does not show."""
    return _HIDDEN.sub(lambda sign: sign[0].encode("unicode_escape").decode("ascii"), repr(name))


def _meant(name: str) -> str:
    quoted = _QUOTED.fullmatch(name)
    if quoted is None:
        return name
    value = _ESCAPE.sub(_unescaped, quoted[2])
    return name if _is_plain(value) or "/" in value else value


def _unescaped(escape: re.Match[str]) -> str:
    sign = escape[1]
    if len(sign) == 1:
        return _SHORT.get(sign, sign)
    code = int(sign[1:], 16)
    return chr(code) if code <= 0x10FFFF else escape[0]
