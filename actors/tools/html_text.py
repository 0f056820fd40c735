"""The text of a web page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lxml import etree

if TYPE_CHECKING:
    from collections.abc import Mapping

CHUNK = 65_536

SILENT = frozenset({"head", "iframe", "noscript", "object", "script", "style", "svg", "template"})
"""What a reader does not see."""
BLOCKS = frozenset(
    {
        "address", "article", "aside", "blockquote", "br", "caption", "dd", "details", "div", "dl", "dt", "fieldset",
        "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main",
        "nav", "ol", "option", "p", "pre", "section", "summary", "table", "tr", "ul",
    }
)  # fmt: skip
"""What begins and ends a line."""
CELLS = frozenset({"td", "th"})
LINK = "a"

_SPACES = re.compile(r"[ \t\r\f\v\xa0]+")
_BREAKS = re.compile(r" ?\n[ \n]*")


def text_of(page: bytes, encoding: str | None = None) -> str:
    """What a reader of the HTML *page* sees, block by block, with the targets of its links.

    No tree is built: a page may be made so that its tree is far larger than itself. Time and memory are linear.

    Args:
        encoding: As the server says; None: UTF-8 if it can be, else what the page says.
    """
    if encoding is None and _is_utf8(page):
        encoding = "utf-8"
    target: Any = _Reader()
    try:
        parser = etree.HTMLParser(target=target, encoding=encoding)
    except LookupError:  # an encoding that nobody knows
        parser = etree.HTMLParser(target=target)
    for start in range(0, len(page), CHUNK):
        parser.feed(page[start : start + CHUNK])
    try:
        return str(parser.close())
    except etree.XMLSyntaxError:  # nothing that is HTML
        return str(target.close())


class _Reader:
    """Is told of each tag and each text by the parser."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._silent = 0
        self._links: list[str] = []

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag in SILENT:
            self._silent += 1
        elif tag in BLOCKS:
            self._pieces.append("\n- " if tag == "li" else "\n")
        elif tag in CELLS:
            self._pieces.append(" | ")
        elif tag == LINK:
            self._links.append(attributes.get("href", ""))

    def end(self, tag: str) -> None:
        if tag in SILENT:
            self._silent -= 1
        elif tag in BLOCKS:
            self._pieces.append("\n")
        elif tag == LINK and self._links:
            target = self._links.pop()
            if target.startswith(("http://", "https://", "/")) and not self._silent:
                self._pieces.append(f" ({target})")

    def data(self, text: str) -> None:
        if not self._silent:
            self._pieces.append(text.replace("\n", " "))

    def comment(self, _: Any) -> None:
        """Nobody sees it."""

    def close(self) -> str:
        text = _SPACES.sub(" ", "".join(self._pieces))
        return _BREAKS.sub("\n", text).strip()


def _is_utf8(page: bytes) -> bool:
    try:
        page.decode()
    except UnicodeDecodeError:
        return False
    return True
