"""Queries that are filled from the fields of an input."""

from __future__ import annotations

from typing import Any

import pytest

from actors.cli.template import MissingFieldError, Template

FIELDS: dict[str, Any] = {
    "text": "hi {x}",
    "n": 3,
    "none": None,
    "yes": True,
    "list": ["a", {"b": "é"}],
    "customer": {"name": "Anna", "a.b": 1},
    "customer.name": "whole",
    "Ticket: text": "colon",
}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("Classify: {text}", "Classify: hi {x}"),
        ("{n}{none}{yes}", "3true"),
        ("{{text}} {{{text}}} }}{{", "{text} {hi {x}} }{"),
        ("{ text }", "hi {x}"),
        ("{list}", '["a", {"b": "é"}]'),
        ("{list.1.b} {list.0}", "é a"),
        ("{customer.name}", "whole"),
        ("{Ticket: text}", "colon"),
        ("plain", "plain"),
    ],
)
def test_fill(text: str, filled: str) -> None:
    """A field stands in braces, doubled braces are braces, and a name may lead inside."""
    assert Template(text).fill(FIELDS) == filled


@pytest.mark.parametrize("name", ["gone", "customer.gone", "list.7", "list.x", "text.0", "n.__class__", "list.-1"])
def test_missing(name: str) -> None:
    """A field that is not there is named, and so are those that are; nothing but data is reached."""
    with pytest.raises(MissingFieldError, match=rf"no field '{name}' for --query \(it has text, n, none"):
        Template("{" + name + "}").fill(FIELDS)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a {text", "character 3 is opened and not closed; write {{"),
        ("a} b", "character 2 is closed and not opened; write }}"),
        ("{a{b}}", "character 1 is opened"),
        ("{ }", "no field stands in the braces at character 1"),
    ],
)
def test_broken(text: str, problem: str) -> None:
    """A brace that is not closed, or not opened, is refused with its place."""
    with pytest.raises(ValueError, match=problem):
        Template(text)
