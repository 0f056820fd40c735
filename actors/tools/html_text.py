"""The text of a web page."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, Any

from lxml import etree

from ..network.encoding import known_encoding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

PIECE = 1_024
"""So many characters are parsed at once. What the parser does for a tag that closes nothing grows with what is open:
with so few between two looks at the depth it stays small."""
MAX_DEPTH = 100
"""So deep elements stay nested; a deeper one is closed early, its text stays."""

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
RAW = frozenset({"iframe", "noembed", "noframes", "plaintext", "script", "style", "textarea", "title", "xmp"})
"""In these the parser sees no tags."""
CELLS = frozenset({"td", "th"})
LINK = "a"

ANYTHING = "cp1252"
"""What a page is read as that says nothing and is no UTF-8, as browsers do."""

# No sign has so long a number; the parser looks at it anew with each piece.
_NO_SIGN = re.compile(r"&#(?:[xX][0-9a-fA-F]{9,}|[0-9]{9,});?")
_SPACES = re.compile(r"[ \t\r\f\v\xa0]+")
_BREAKS = re.compile(r" ?\n[ \n]*")
_MARKS = ((codecs.BOM_UTF8, "utf_8"), (codecs.BOM_UTF16_LE, "utf_16_le"), (codecs.BOM_UTF16_BE, "utf_16_be"))
# Where browsers look for it, too: at the very beginning of the page.
_DECLARED = re.compile(
    rb"""<(?:meta|\?xml)\b[^<>]{0,500}?(?:charset|encoding)\s*=\s*["']?\s*([\w.:-]{1,40})""", re.IGNORECASE
)
_BEGINNING = 1_024


def text_of(page: bytes, encoding: str | None = None, check: Callable[[], object] = bool) -> str:
    """What a reader of the HTML *page* sees, block by block, with the targets of its links.

    No tree is built: a page may be made so that its tree is far larger than itself. Time and memory are linear, also
    for tags that are never closed and tags that close nothing.

    Args:
        encoding: As the server says; None: UTF-8 if it can be, else what the page says.
        check: Called every now and then; what it raises ends the work.
    """
    reader = _Reader()
    target: Any = reader
    parser = etree.HTMLParser(target=target, encoding="utf-8")
    try:
        for piece in _pieces(_NO_SIGN.sub("\ufffd", _decoded(page, encoding))):
            check()
            parser.feed(piece.encode("utf-8", errors="replace"))
            if surplus := reader.surplus():
                parser.feed(surplus)
        return str(parser.close())
    except etree.LxmlError:  # nothing that is HTML, or a bound of the parser's
        return reader.close()
    finally:
        reader.close()


def _decoded(page: bytes, encoding: str | None) -> str:
    for mark, marked in _MARKS:
        if page.startswith(mark):
            return page[len(mark) :].decode(marked, errors="replace")
    if encoding is None:
        try:
            return page.decode()
        except UnicodeDecodeError:
            declared = _DECLARED.search(page[:_BEGINNING])
            encoding = known_encoding(declared[1].decode("ascii")) if declared is not None else None
    return page.decode(encoding or ANYTHING, errors="replace")


def _pieces(text: str) -> Iterator[str]:
    """*text* in pieces that begin with a tag, as far as there are any."""
    start = 0
    while start < len(text):
        end = start + PIECE
        if end < len(text):
            tag = text.rfind("<", start + 1, end)
            if tag > 0:
                end = tag
        yield text[start:end]
        start = end


class _Reader:
    """Is told of each tag and each text by the parser."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._open: list[str] = []
        self._silent = 0
        self._links: list[str] = []

    def surplus(self) -> bytes:
        """The tags that close what is open too deep. In the middle of a comment nobody sees them, in that of a script
        nothing opens.
        """
        if len(self._open) <= MAX_DEPTH or self._open[-1] in RAW:
            return b""
        return "".join(f"</{tag}>" for tag in reversed(self._open[MAX_DEPTH:])).encode()

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._open.append(tag)
        if tag in SILENT:
            self._silent += 1
        elif tag in BLOCKS:
            self._pieces.append("\n- " if tag == "li" else "\n")
        elif tag in CELLS:
            self._pieces.append(" | ")
        elif tag == LINK:
            self._links.append(attributes.get("href", ""))

    def end(self, tag: str) -> None:
        if self._open:
            self._open.pop()
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
        """All that was seen since the last time. It is kept no longer: parser and reader hold each other."""
        text = _SPACES.sub(" ", "".join(self._pieces))
        self._pieces.clear()
        return _BREAKS.sub("\n", text).strip()
