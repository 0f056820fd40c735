"""Shows docstrings as Markdown: roles of Sphinx become code, our own sections become paragraphs with a bold word.

``Args:`` of a record are what it has: attributes. Two names in one line are two entries; a name that is passed on by
``**more`` is a keyword argument.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:class|func|meth|mod|attr|data|exc|obj):`[~!]?([^`]+)`")
_SECTION = re.compile(r"^(Threads|Source|Guarantees|Locks): *", re.MULTILINE)
_ARGS = re.compile(r"^Args:\n((?:(?: {4}.*)?\n?)+?)(?=^\S|\Z)", re.MULTILINE)
_ENTRY = re.compile(r"^ {4}(\*{0,2}\w+(?:, \*{0,2}\w+)*): (.*(?:\n {5,}.*)*)", re.MULTILINE)


class Docstrings(griffe.Extension):
    """Changes each docstring before it is parsed."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Its roles and sections."""
        if obj.docstring is not None:
            text = _ROLE.sub(r"`\1`", obj.docstring.value)
            text = _SECTION.sub(r"\n**\1:** ", text)
            obj.docstring.value = _ARGS.sub(lambda found: _sections(found[1], obj), text)


def _sections(body: str, obj: griffe.Object) -> str:
    entries = [(name, entry[2]) for entry in _ENTRY.finditer(body) for name in entry[1].split(", ")]
    if isinstance(obj, griffe.Class) and _is_record(obj):
        return _section("Attributes", entries)
    parameters = getattr(obj, "parameters", ())
    names = {parameter.name for parameter in parameters}
    if not any(parameter.kind is griffe.ParameterKind.var_keyword for parameter in parameters):
        return _section("Args", entries)
    own = [entry for entry in entries if entry[0].lstrip("*") in names]
    passed = [entry for entry in entries if entry[0].lstrip("*") not in names]
    return _section("Args", own) + _section("Keyword Args", passed)


def _is_record(cls: griffe.Class) -> bool:
    return "__init__" not in cls.members or any("BaseModel" in str(base) for base in cls.bases)


def _section(title: str, entries: list[tuple[str, str]]) -> str:
    return f"{title}:\n" + "".join(f"    {name}: {text.rstrip()}\n" for name, text in entries) + "\n" if entries else ""
