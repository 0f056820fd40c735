"""Reads from a docstring what a model is told of a function."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_ARGS_HEADER = re.compile(r"(?:Args|Arguments|Parameters):\s*")
_SECTION = re.compile(
    r"(?:Args|Arguments|Parameters|Attributes|Example|Examples|Keyword Args|Note|Notes|Raises|Returns|Source|"
    r"Threads|Todo|Warning|Warnings|Yields):\s*"
)
_ENTRY = re.compile(r"(?P<name>\w+)\s*(?:\([^:]*\))?\s*:(?P<text>.*)")


@dataclass(frozen=True, slots=True)
class Docstring:
    """The first paragraph of a docstring in Google style, and what its ``Args:`` say of each parameter."""

    description: str = ""
    parameters: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str | None) -> Docstring:
        """Read *text*, without its indentation (``inspect.getdoc``); what is not there stays empty."""
        lines = (text or "").splitlines()
        return cls(_first_paragraph(lines), _parameters(lines))


def _first_paragraph(lines: list[str]) -> str:
    paragraph = []
    for line in lines:
        if not line.strip() or _SECTION.fullmatch(line):
            break
        paragraph.append(line.strip())
    return " ".join(paragraph)


def _parameters(lines: list[str]) -> dict[str, str]:
    """The entries below the ``Args:`` line; a line indented deeper than an entry continues it."""
    found: dict[str, str] = {}
    name, entry_indent = "", -1
    for line in _below_args(lines):
        indent = len(line) - len(line.lstrip())
        entry = _ENTRY.fullmatch(line.strip()) if entry_indent in (-1, indent) else None
        if entry is not None:
            name, entry_indent = entry["name"], indent
            found[name] = entry["text"].strip()
        elif name:
            found[name] = f"{found[name]} {line.strip()}".strip()
    return {name: text for name, text in found.items() if text}


def _below_args(lines: list[str]) -> list[str]:
    """The lines of the ``Args:`` section that hold something; the next line that is not indented ends it."""
    section: list[str] | None = None
    for line in lines:
        if section is not None and line.strip():
            if not line[0].isspace():
                break
            section.append(line)
        elif section is None and _ARGS_HEADER.fullmatch(line):
            section = []
    return section or []
