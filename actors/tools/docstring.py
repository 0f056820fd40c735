"""Reads from a docstring what a model is told of a function."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_OF_PARAMETERS = (
    r"Args|Arguments|Params|Parameters|Keyword Args|Keyword Arguments|Keyword Parameters|Kwargs|"
    r"Other Args|Other Arguments|Other Params|Other Parameters"
)
_ARGS_HEADER = re.compile(rf"(?:{_OF_PARAMETERS}):\s*", re.IGNORECASE)
_SECTION = re.compile(
    rf"(?:{_OF_PARAMETERS}|Attributes|Example|Examples|Note|Notes|Raises|Returns|Source|"
    r"Threads|Todo|Warning|Warnings|Yields):\s*"
)
# Perhaps in a list, perhaps as code, perhaps with a type in brackets, which may hold brackets and colons itself.
_ENTRY = re.compile(
    r"(?:[-*+]\s+)?`{0,2}(?:\\?\*){0,2}(?P<name>\w+)`{0,2}\s*(?:\((?:[^()]|\([^()]*\))*\))?`{0,2}\s*:(?!:)(?P<text>.*)"
)

# What the other styles are known by: a field of Sphinx or Epydoc, a line under a heading of NumPy.
_FIELD = re.compile(r"^[:@](?:param|parameter|arg|argument|key|keyword|kwarg)[ \t]+[^:\n]+:", re.MULTILINE)
_RULE = re.compile(r"^(?P<title>\w[\w ]*?)[ \t]*\n-{3,}[ \t]*$", re.MULTILINE)
# The type that a field names before the parameter: the package takes only one word, and nobody needs it here.
_TYPED_FIELD = re.compile(r"^:(\w+)[ \t]+[^:\n]*?[ \t]\\?\*{0,2}(\w+)[ \t]*:", re.MULTILINE)

# What is not indented after a blank line belongs to no field, but for the package.
_NEXT_PARAGRAPH = re.compile(r"\n[ \t]*\n(?=[^\s:@])")


@dataclass(frozen=True, slots=True)
class Docstring:
    """The first paragraph of a docstring, and what it says of each parameter.

    In the style of Google, NumPy, Sphinx or Epydoc; where they are mixed, each counts.
    """

    description: str = ""
    parameters: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str | None) -> Docstring:
        """Read *text*, without its indentation (``inspect.getdoc``); what is not there stays empty."""
        lines = (text or "").splitlines()
        return cls(_first_paragraph(lines), {**_other_styles(text or ""), **_google_style(lines)})


def _first_paragraph(lines: list[str]) -> str:
    paragraph: list[str] = []
    for line, following in itertools.zip_longest(lines, lines[1:], fillvalue=""):
        if not line.strip() or _SECTION.fullmatch(line) or _FIELD.match(line) or _RULE.match(f"{line}\n{following}"):
            break
        paragraph.append(line.strip())
    return " ".join(paragraph)


def _google_style(lines: list[str]) -> dict[str, str]:
    """The entries of the sections; a line indented deeper than an entry, or that is none, continues it.

    By hand: the package drops a whole docstring for one such line without a colon, and for free words in ``Raises:``.
    """
    found: dict[str, str] = {}
    for section in _sections(lines):
        name, entry_indent = "", -1
        for line in section:
            indent = len(line) - len(line.lstrip())
            entry = _ENTRY.fullmatch(line.strip()) if entry_indent in (-1, indent) else None
            if entry is not None:
                name, entry_indent = entry["name"], indent
                found[name] = entry["text"].strip()
            elif name:
                found[name] = f"{found[name]} {line.strip()}".strip()
    return {name: text for name, text in found.items() if text}


def _sections(lines: list[str]) -> Iterator[list[str]]:
    """The lines of each section that hold something; the next line that is not indented ends it."""
    section: list[str] | None = None
    for line in lines:
        if line.strip() and not line[0].isspace():
            if section is not None:
                yield section
            section = [] if _ARGS_HEADER.fullmatch(line) else None
        elif section is not None and line.strip():
            section.append(line)
    if section is not None:
        yield section


def _other_styles(text: str) -> dict[str, str]:
    """What the fields or the sections of the other styles say."""
    with_fields, with_rules = _FIELD.search(text), _RULE.search(text)
    if not with_fields and not with_rules:
        return {}  # most have none: then nothing is imported
    from docstring_parser import ParseError, epydoc, numpydoc, rest

    found: dict[str, str] = {}
    if with_rules:
        numpy = numpydoc.NumpydocParser()
        for title in ("Keyword Args", "Keyword Arguments", "Keyword Parameters"):
            numpy.add_section(numpydoc.ParamSection(title, "other_param"))
        ruled = _RULE.sub(lambda match: f"{match['title']}\n{'-' * len(match['title'])}", text)
        found |= _named((one.arg_name, one.description) for one in numpy.parse(ruled).params)
    for parser, marked in ((rest, ":"), (epydoc, "@")):
        if not with_fields or f"\n{marked}" not in f"\n{text}":
            continue
        ended = _NEXT_PARAGRAPH.sub(f"\n\n{marked}note: ", _TYPED_FIELD.sub(r":\1 \2:", text))
        try:
            found |= _named((one.arg_name, one.description) for one in parser.parse(ended).params)
        except ParseError:  # a line that looks like a field, and is none
            continue
    return found


def _named(pairs: Iterable[tuple[str, str | None]]) -> dict[str, str]:
    """One for each name: ``x, y`` are two, ``*rest`` is called rest; without line ends."""
    return {
        one.strip().strip("`").lstrip("\\*"): " ".join(description.split())
        for names, description in pairs
        if description and description.strip()
        for one in names.split(",")
    }
