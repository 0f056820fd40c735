"""Shows docstrings as Markdown: roles of Sphinx become code, our own sections become paragraphs with a bold word."""

from __future__ import annotations

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:class|func|meth|mod|attr|data|exc|obj):`[~!]?([^`]+)`")
_SECTION = re.compile(r"^(Threads|Source|Guarantees|Locks): *", re.MULTILINE)


class Docstrings(griffe.Extension):
    """Changes each docstring before it is parsed."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Its roles and sections."""
        if obj.docstring is not None:
            text = _ROLE.sub(r"`\1`", obj.docstring.value)
            obj.docstring.value = _SECTION.sub(r"\n**\1:** ", text)
