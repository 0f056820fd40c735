"""Texts cut short so that each can be told from its neighbours."""

from __future__ import annotations

import pytest

from actors.cli.distinct import common_folder, distinct

LONG = "the same words at the start of all of them, and "


@pytest.mark.parametrize("limit", [12, 20, 40])
@pytest.mark.parametrize(
    "texts",
    [
        [LONG + "one", LONG + "two", LONG + "three"],
        [LONG + "one" + LONG, LONG + "two" + LONG, "other " + LONG],
        [LONG, LONG + "more", LONG + "mores"],
        ["/a/b/c/d/e/f/g/h/file_one.py", "/a/b/c/d/e/f/g/h/file_two.py"],
        ["x" * 100 + "1" + "y" * 100, "x" * 100 + "2" + "y" * 100],
        ["x" * 40 + "1" + "y" * 40 + "1", "x" * 40 + "1" + "y" * 40 + "2", "x" * 40 + "2" + "y" * 40 + "3"],
        [f"{LONG}{a}{LONG}{b}{LONG}" for a in "12" for b in "34"],
    ],
)
def test_different_texts_look_different(texts: list[str], limit: int) -> None:
    """However much they have in common, and no longer than allowed."""
    shown = distinct(texts, limit)
    assert len(set(shown)) == len(texts)
    assert all(len(text) <= limit for text in shown)


def test_short_texts_stay() -> None:
    """What fits is whole, and equal texts stay equal."""
    assert distinct(["one", "two", "one"], 3) == ["one", "two", "one"]
    assert distinct([LONG, LONG], 10) == [f"{LONG[:9]}…"] * 2


def test_common_folder() -> None:
    """Of paths alone, and of more than one."""
    assert common_folder(["/a/b/c.py", "/a/b/d/e.py"]) == "/a/b/"
    assert common_folder(["src/a.py", "src/b.py"]) == "src/"
    assert common_folder(["/a/b/c.py"]) == common_folder(["/a/b", "what is a/b?"]) == common_folder([]) == ""
