"""Pages of the web, as ``fetch_url`` reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.tools.html_text import text_of

from ..target import Target, hold

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

SEEDS = (
    b"",
    b"plain text, no tag",
    b"<!doctype html><html><head><title>T</title><style>p{}</style></head><body><h1>One</h1><p>Two <b>three</b></p>"
    b"<ul><li>four<li>five</ul><script>var x = '<p>';</script><a href='https://example.com/?a=1&amp;b'>six</a></body>",
    b"<table><tr><td>a<td>b<tr><td>c</table><pre>  x\n  y</pre><br>&lt;z&gt; &#65; &#x1F600; &nbsp;&bogus;",
    b'<meta charset="iso-8859-1"><p>\xe4\xf6\xfc',
    b"\xff\xfe<\x00p\x00>\x00a\x00",
    b'<?xml version="1.0" encoding="utf-8"?><html><body><svg><text>no</text></svg><noscript>no</noscript>yes',
    b"<div>" * 300 + b"deep" + b"</div>" * 300,
    b"<p>" + b"</b>" * 500 + b"<template><p>hidden</template><textarea><p>raw</textarea>",
)


class Pages(Target):
    """The bytes of a page."""

    about = "pages of HTML"
    words = (
        *(
            b"<p>",
            b"</p>",
            b"<script>",
            b"</script>",
            b"<!--",
            b"-->",
            b"<a href=",
            b"<svg>",
            b"</svg>",
            b"<plaintext>",
        ),
        *(
            b"&#",
            b"&#99999999999;",
            b"<![CDATA[",
            b"<?",
            b"<!DOCTYPE",
            b"<table>",
            b"<td>",
            b"<form>",
            b"<select><option>",
            b"<title>",
        ),
        *(b"<meta charset=utf-16>", b"<meta charset=utf-7>", b"<iframe>", b"<br/>", b"<li>", b"<b>", b"<font><i>"),
    )
    encodings = (None, "utf-8", "iso8859-1", "utf-16", "cp932")

    def seeds(self) -> Iterable[bytes]:
        """Pages of each kind."""
        return SEEDS

    def work(self, data: bytes) -> object:
        """Once, as its server says nothing."""
        return text_of(data)

    def check(self, data: bytes, *, thorough: bool = False) -> Hashable:
        """A text that can be sent on, no larger than the page and its links."""
        shapes = []
        for encoding in self.encodings if thorough else (None,):
            text = text_of(data, encoding)
            hold(type(text) is str, "a page is a text", type(text))
            hold(len(text) <= 2 * len(data) + 100, "a page is no longer than its bytes", (len(text), len(data)))
            try:
                text.encode()
            except UnicodeEncodeError as error:
                hold(False, "a text can be sent on", error)
            shapes.append((bool(text), "\n" in text, "](" in text or "http" in text, " | " in text))
        return shapes[0]


TARGET = Pages()
