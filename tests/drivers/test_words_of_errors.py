"""The words of an error, wherever a server puts them: they are what a person and a decision see."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings, strategies as st

from actors.drivers.edge.error_body import ErrorBody
from actors.drivers.edge.refusals import Refusal

WORDS = st.lists(st.text("abcdefgh", min_size=2, max_size=8), min_size=2, max_size=6).map(" ".join)
Wrap = Callable[[Any], Any]
INNER: tuple[Wrap, ...] = (
    lambda said: {"message": said},
    lambda said: {"error": said},
    lambda said: {"detail": said},
    lambda said: {"msg": said, "type": "x"},
    lambda said: {"code": 1, "error_msg": said},
    lambda said: [said],
    lambda said: {"message": said, "code": None, "param": None},
)
OUTER: tuple[Wrap, ...] = (
    lambda said: {"error": said},
    lambda said: {"errors": [said]},
    lambda said: {"detail": [said]},
    lambda said: [said],
    lambda said: {"message": json.dumps(said)},
    lambda said: {"error": {"metadata": {"raw": json.dumps(said)}, "message": "Provider returned error", "code": 400}},
    lambda said: {"object": "error", "error": said, "id": "x" * 40},
)
AROUND: tuple[Callable[[str], str], ...] = (
    lambda said: said,
    lambda said: f"\ufeff{said}",
    lambda said: f"\n\n{said}\n",
    lambda said: f"data: {said}\n\n",
    lambda said: f"event: error\ndata: {said}\n\ndata: [DONE]\n\n",
)
ENCODINGS = ("utf-8", "utf-16", "utf-8-sig")


@settings(deadline=None)
@given(
    WORDS,
    st.sampled_from(INNER),
    st.lists(st.sampled_from(OUTER), max_size=2),
    st.sampled_from(AROUND),
    st.sampled_from(ENCODINGS),
    st.sampled_from([400, 404, 422, 500]),
)
def test_words_are_found(
    words: str, inner: Wrap, outer: list[Wrap], around: Callable[[str], str], encoding: str, status: int
) -> None:
    """However deep, also as JSON within a text, as an event, and in another encoding."""
    said = inner(words)
    for wrap in outer:
        said = wrap(said)
    body = around(json.dumps(said)).encode(encoding)
    refusal = Refusal.of(status, {"content-type": "application/json"}, body)
    assert words in refusal.words
    assert len(refusal.words) <= 500


@given(
    WORDS,
    st.sampled_from(
        ["<html><head><title>{}</title></head></html>", "<p>{}</p>", "{}", "<Error><Message>{}</Message></Error>"]
    ),
)
def test_words_of_pages_and_of_plain_text(words: str, page: str) -> None:
    """Without their tags."""
    assert ErrorBody.of(page.format(words).encode(), "text/html").words == words
