"""Queries that are filled from the fields of an input."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

_PART = re.compile(r"\{\{|\}\}|\{[^{}]*\}|[{}]")
MISSING = object()
"""What :func:`field_of` returns for a field that is not there."""


class MissingFieldError(ValueError):
    """A template names a field that an input does not have."""


class Template:
    """A text with ``{field}`` for the fields of an input; ``{{`` and ``}}`` are braces.

    ``{customer.name}`` and ``{lines.0}`` reach into objects and lists. Nothing else is read in braces: a template
    reaches no attribute of anything, and formats nothing.

    Args:
        text: As above.
    Raises:
        ValueError: A brace is not closed, or not opened, or nothing stands in it.
    """

    def __init__(self, text: str) -> None:
        self._parts: list[tuple[str, str | None]] = []
        end = 0
        for found in _PART.finditer(text):
            brace, before = found.group(), text[end : found.start()]
            end = found.end()
            if brace in ("{{", "}}"):
                self._parts.append((before + brace[0], None))
            elif len(brace) == 1:
                what = "opened and not closed" if brace == "{" else "closed and not opened"
                raise ValueError(f"the brace at character {found.start() + 1} is {what}; write {brace * 2} for a brace")
            elif not brace[1:-1].strip():
                raise ValueError(f"no field stands in the braces at character {found.start() + 1}")
            else:
                self._parts.append((before, brace[1:-1].strip()))
        self._rest = text[end:]

    @property
    def names(self) -> list[str]:
        """The fields that it names, each once."""
        return list(dict.fromkeys(name for _, name in self._parts if name is not None))

    def fill(self, fields: Mapping[str, Any]) -> str:
        """The text for *fields*.

        Raises:
            MissingFieldError: One is not there; the message names it, and those that are.
        """
        parts = []
        for before, name in self._parts:
            parts.append(before)
            if name is not None:
                value = field_of(fields, name)
                if value is MISSING:
                    raise MissingFieldError(f"no field {name!r} for --query ({known(fields)})")
                parts.append(text_of(value))
        return "".join([*parts, self._rest])


def field_of(fields: Mapping[str, Any], name: str) -> Any:
    """The field of that name; else what its parts lead to, from the outermost; ``MISSING`` when there is none."""
    if name in fields:
        return fields[name]
    found: Any = fields
    for part in name.split("."):
        if isinstance(found, Mapping):
            found = found.get(part, MISSING)
        elif isinstance(found, Sequence) and not isinstance(found, str) and part.isdecimal() and len(part) < 10:
            found = found[int(part)] if int(part) < len(found) else MISSING
        else:
            return MISSING
    return found


def known(names: Mapping[str, Any] | Sequence[str]) -> str:
    """Which fields there are, for a message."""
    some = [str(name) for name in names][:20]
    return f"it has {', '.join(some)}{', …' * (len(names) > 20)}" if some else "it has no fields"


def text_of(value: Any) -> str:
    """*value* as it stands in a query or in a cell: a text as it is, nothing for null, all else as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
