"""What is wrong with a manifest, in words: where, what stands there, and what was meant, where that can be guessed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from ...core.shown import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pydantic import BaseModel
    from pydantic_core import ErrorDetails

    from .toml_lines import Place

    Tables = Mapping[str, type[BaseModel]]

LONGEST_PROBLEM, LONGEST_GIVEN = 500, 200
"""Characters of what is wrong, and of what stands there instead."""
LONGEST_WORD = 60
"""Nobody meant a known word by a longer one."""

ELSEWHERE = ("", "model", "resources", "approval")
"""The tables whose keys are put into one another by mistake."""
_WORD = re.compile(r"'([^']*)'")


class Problem(NamedTuple):
    """One reason to refuse a manifest.

    Args:
        place: The keys and indexes that lead there.
        text: What is wrong, with the place in front.
    """

    place: Place
    text: str


def at(place: Place, message: str) -> Problem:
    """A problem of what stands at *place*."""
    return Problem(place, f"{'.'.join(map(str, place))}: {message}")


def with_lines(problems: Sequence[str], places: Sequence[Place], text: str) -> list[str]:
    """*problems* with the lines of the TOML *text* in which they are, where those are known."""
    from .toml_lines import TomlLines

    lines = TomlLines(text)
    where = [lines.at(place) for place in places]
    return [f"{problem} ({line})" if line else problem for problem, line in zip(problems, where, strict=True)]


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """``, did you mean 'this'?``, or nothing when no known word is like *word*."""
    if not isinstance(word, str) or len(word) > LONGEST_WORD:
        return ""
    import difflib

    close = difflib.get_close_matches(_simple(word), list(known), n=1)
    return f", did you mean {close[0]!r}?" if close else ""


def _simple(word: str) -> str:
    """*word* as our keys are written."""
    return re.sub(r"[-\s]", "_", word.strip()).lower()


def found(detail: ErrorDetails, tables: Tables) -> Problem:
    """What pydantic found.

    Args:
        tables: The class of each table by its place without indexes; that of the whole is at the empty one.
    """
    loc = detail["loc"]
    where = ".".join(shown(str(part)) for part in loc)
    message = _message(detail, tables)
    return Problem(_place(detail), f"{where}: {message}" if where else message)


def _message(detail: ErrorDetails, tables: Tables) -> str:
    kind, given, context = detail["type"], detail["input"], detail.get("ctx", {})
    message = shown(detail["msg"].removeprefix("Value error, "), LONGEST_PROBLEM)
    if kind == "extra_forbidden":
        return "unknown key" + _key_meant(detail["loc"], tables)
    if kind == "string_pattern_mismatch":
        is_name = detail["loc"][-1] == "name"
        return "must be 1 to 64 of A-Z a-z 0-9 _ -" if is_name else "must have the form 'package.module:name'"
    if kind in {"missing", "value_error"}:
        return message
    message += f", got {_given(given)}"
    if kind == "union_tag_invalid":
        return message + did_you_mean(context["tag"], _WORD.findall(context["expected_tags"]))
    if kind == "union_tag_not_found":
        return message + (did_you_mean(next(iter(given), ""), ["type"]) if isinstance(given, dict) else "")
    if kind == "model_attributes_type" and isinstance(given, str):  # a grant by its name alone
        return f'{message}; a grant is a table: {{ type = "file_read", allowed_paths = ["src"] }}'
    return message + did_you_mean(given, _WORD.findall(str(context.get("expected", ""))))


def _given(given: Any) -> str:
    text = repr(given)
    return text if len(text) <= LONGEST_GIVEN else f"{text[: LONGEST_GIVEN - 1]}…"


def _key_meant(loc: Place, tables: Tables) -> str:
    """The key of that name in another table, else one of a similar name in this one."""
    *above, key = loc
    name = ".".join(part for part in above if isinstance(part, str))
    simple = _simple(str(key))
    if name in ELSEWHERE and simple not in tables[name].model_fields:
        for other in ELSEWHERE:
            if other != name and simple in tables[other].model_fields:
                return f", did you mean {f'{other}.{simple}'.lstrip('.')!r}?"
    return did_you_mean(key, tables[name].model_fields) if name in tables else ""


def _place(detail: ErrorDetails) -> Place:
    """The way to what is wrong: what pydantic says has the type of a capability in it, too."""
    loc = detail["loc"]
    if loc[:1] == ("capabilities",) and len(loc) > 2:
        return (*loc[:2], *loc[3:])
    return (*loc, "type") if detail["type"] == "union_tag_invalid" else loc
