"""The text of what a server sent instead of an answer: decoded, without markup, on one line, harmless to show."""

from __future__ import annotations

import codecs
import html
import re

from ...network.encoding import encoding_of

MOST_BYTES = 64 * 1024
"""So much of an error is looked at."""
MARKS = ((codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF8, "utf-8-sig"))
MARKS_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
ESCAPE = re.compile(r"\x1b(?:\[[0-?]{0,32}[ -/]{0,8}[@-~]?|[\]PX^_][^\x07\x1b]{0,400}(?:\x07|\x1b\\)?|[ -~]?)")
"""What a terminal would take for an order: colours, its title, the clipboard."""
RUBBISH = 0.2
"""With so many signs that are none, it is no text."""
HIDDEN = frozenset({"script", "style", "noscript", "template", "svg"})


def decoded(body: bytes, content_type: str = "") -> str:
    """The first part of *body* as text; "" when it is none."""
    data = bytes(body[:MOST_BYTES])
    text = data.decode(_encoding(data, content_type), errors="replace")
    bad = sum(text.count(sign) for sign in "\ufffd\x00")
    return "" if bad > RUBBISH * len(text) else text


def _encoding(data: bytes, content_type: str) -> str:
    for mark, name in MARKS:
        if data.startswith(mark):
            return name
    if data.startswith(MARKS_16):
        return "utf-16"
    named = encoding_of(content_type)
    if named is not None:
        return named
    if data[1:2] == b"\0" and data[:1] != b"\0":  # as JSON may come: its first sign is ASCII
        return "utf-16-le" if data[2:4] != b"\0\0" else "utf-32-le"
    return "utf-16-be" if data[:1] == b"\0" and data[1:2] != b"\0" else "utf-8"


def harmless(text: str) -> str:
    """*text* on one line: no orders to a terminal, nothing that does not show, no half characters."""
    shown = "".join(sign if sign.isprintable() else " " for sign in ESCAPE.sub("", text))
    return " ".join(shown.split())


def is_markup(text: str) -> bool:
    """Is it a page, or XML?"""
    return text.lstrip()[:1] == "<" and ">" in text


def without_markup(text: str) -> str:
    """The title and the text of a page: no tags, no scripts, no styles. Linear, whatever it is."""
    shown: list[str] = []
    hidden = ""
    title = ""
    first, *pieces = text.split("<")
    shown.append(first)
    for piece in pieces:
        if hidden == "!--":
            inside, end, rest = piece.partition("-->")
            hidden = "" if end else hidden
        else:
            inside, end, rest = piece.partition(">")
            name = re.split(r"[\s/>]", inside.removeprefix("/"), maxsplit=1)[0].lower()
            if hidden:
                hidden = "" if inside.startswith("/") and name == hidden else hidden
            elif piece.startswith("!--"):
                hidden = "" if "-->" in piece else "!--"
                rest = piece.partition("-->")[2]
            elif name in HIDDEN and not inside.endswith("/"):
                hidden = name
            elif name == "title" and not title and not inside.startswith("/"):
                title = rest
                rest = ""
        if not hidden and rest:
            shown.append(rest)
    title, body = (" ".join(html.unescape(part).split()) for part in (title, " ".join(shown)))
    return body if not title or body.startswith(title) else f"{title}: {body}" if body else title
