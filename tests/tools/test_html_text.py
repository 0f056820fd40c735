"""The text of a page, whatever the page is."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from actors.tools import html_text
from actors.tools.html_text import MAX_DEPTH, PIECE, text_of

BOMBS = {
    "nested": b"<div>" * 400_000,
    "formatting": b"".join(b"<font color=%d><p>" % number for number in range(60_000)),
    "attributes": b"<p " + b" ".join(b"a%d=1" % number for number in range(150_000)) + b">x",
    "one attribute": b"<p a='" + b"x" * 5_000_000 + b"'>x",
    "table": b"<table><tr><td>x" * 100_000,
    "links": b"<a href=/x>" * 150_000,
    "open": b"<" * 2_000_000,
    "comments": b"<!--" * 400_000,
    "entities": b"&lt;" * 400_000,
    "a number without an end": b"&#" + b"9" * 2_000_000,
    "numbers in an attribute": b"<p a='&#x" + b"0" * 2_000_000,
    "nul": b"\0" * 1_000_000,
    "closed": b"</p>" * 400_000,
    "empty": b"",
    "spaces": b" \n" * 800_000,
    "closing nothing": b"<b>" * 200_000 + b"</i>" * 200_000,
    "closing nothing in between": b"<div><p><b></i>" * 100_000,
    "names that nobody knows": b"".join(b"<x%d></y%d>" % (number, number) for number in range(100_000)),
    "script": b"<script>" + b"</scrip" * 200_000,
    "plaintext": b"<plaintext>" + b"</a" * 200_000,
    "cdata": b"<![CDATA[" * 150_000,
    "instructions": b"<?x " * 300_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_page_made_to_explode_does_not(name: str) -> None:
    """Its text is no longer than a few times itself, whatever its tree would be."""
    assert len(text_of(BOMBS[name])) <= 3 * len(BOMBS[name])


@pytest.mark.parametrize("name", ["nested", "closing nothing", "closing nothing in between", "table"])
def test_little_is_open_at_any_time(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one tag costs the parser grows with what is open: so that is bounded, however large the page is."""
    most = 0

    class Watched(html_text._Reader):
        def start(self, tag: str, attributes: object) -> None:
            nonlocal most
            super().start(tag, attributes)
            most = max(most, len(self._open))

    monkeypatch.setattr(html_text, "_Reader", Watched)
    text_of(BOMBS[name])
    assert MAX_DEPTH < most <= MAX_DEPTH + PIECE // 3 + 3


def test_what_stands_too_deep_is_read() -> None:
    """Its elements are closed early, its text and what follows stay; scripts stay unseen."""
    deep = "<div>" * 5_000 + "<script>" + "x < y;" * 1_000 + "</script>down here" + "</div>" * 5_000 + "<p>after"
    assert text_of(deep.encode()) == "down here\nafter"


def test_it_looks_up_between_pieces() -> None:
    """So a cancel, or the end of its time, ends it within a few hundred characters."""
    looks = 0

    def check() -> None:
        nonlocal looks
        looks += 1
        if looks == 3:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        text_of(b"<p>x" * 500_000, check=check)
    text_of(b"<p>x" * 5_000, check=check)
    assert looks >= 3 + 5_000 * 4 // PIECE


LAUGHS = b"""<?xml version="1.0"?><!DOCTYPE html [<!ENTITY a "haha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY x SYSTEM "file:///etc/passwd">]><html><body><p>&c;&x;</p></html>"""


def test_entities_of_a_page_mean_nothing() -> None:
    """Neither a billion laughs nor a file."""
    assert text_of(LAUGHS) == "]>\n&c;&x;"


@pytest.mark.parametrize(
    ("page", "encoding", "text"),
    [
        ("<p>Größe".encode(), None, "Größe"),
        ("<p>Größe".encode(), "utf-8", "Größe"),
        ("<p>Größe".encode("latin-1"), "iso8859-1", "Größe"),
        ("<p>Größe".encode("latin-1"), None, "Größe"),
        ("<p>“Größe”".encode("cp1252"), None, "“Größe”"),
        ("<meta charset=koi8-r><p>Привет".encode("koi8-r"), None, "Привет"),
        ('<meta http-equiv=x content="text/html; charset=shift_jis"><p>日本'.encode("shift_jis"), None, "日本"),
        ("<meta charset=none-such><p>Größe".encode("latin-1"), None, "Größe"),
        ("<meta charset=unicode_escape><p>\\u0041ö".encode("latin-1"), None, "\\u0041ö"),
        ("<p>Größe".encode("utf-16"), None, "Größe"),
        ("<p>Größe".encode("utf-16"), "utf-8", "Größe"),
        ("\ufeff<p>Größe".encode("utf-16-be"), "latin-1", "Größe"),
        ("\ufeff<p>Größe".encode(), None, "Größe"),
        (b"<p>a\xff\xfeb", "utf-8", "a\ufffd\ufffdb"),
        (b"<p>a\0b", None, "a\ufffdb"),
        (b"<p>&#xD800;&#0;&#x110000;x", None, "\ufffd\ufffd\ufffdx"),
    ],
)
def test_encodings(page: bytes, encoding: str | None, text: str) -> None:
    """A mark at the beginning wins, then the server, then UTF-8 if it can be, then what the page says."""
    assert text_of(page, encoding) == text


TAGS = st.sampled_from(
    ["<p>", "</p>", "<div>", "</i>", "<b>", "<a href=/x>", "</a>", "<script>", "</script>", "<!--", "-->", "<head>",
     "<body>", "</html>", "<table>", "<td>", "<li>", "<svg>", "</svg>", "<textarea>", "<plaintext>", "<template>",
     "&lt;", "&#x41;", "&#", "<![CDATA[", "]]>", "<?x", "<", ">", "'", "<x a='", "\0", "\n", "word ", "ö", "\U000e0041"]
)  # fmt: skip


@given(st.lists(TAGS | st.text(max_size=20), max_size=200).map("".join))
def test_any_page_has_a_text(page: str) -> None:
    """Without an error, no longer than a few times itself, in whole characters."""
    text = text_of(page.encode(errors="replace"), "utf-8")
    assert len(text) <= 3 * len(page)
    assert text == text.strip()
    text.encode()


@given(st.binary(max_size=2_000))
def test_any_bytes_have_a_text(page: bytes) -> None:
    """As above."""
    assert len(text_of(page)) <= 3 * len(page)


@given(st.lists(TAGS, max_size=2_000).map("".join))
def test_pieces_change_nothing(page: str) -> None:
    """Where the parser is given a page in pieces is not seen in its text, unless it is deep."""
    data = page.encode(errors="replace")
    in_pieces = text_of(data, "utf-8")
    size, html_text.PIECE = html_text.PIECE, len(page) + 1
    try:
        whole = text_of(data, "utf-8")
    finally:
        html_text.PIECE = size
    assert in_pieces == whole
