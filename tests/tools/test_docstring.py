"""What a model is told of a function."""

from __future__ import annotations

import inspect

import pytest

from actors.tools.docstring import Docstring


def test_first_paragraph_and_args() -> None:
    """The first paragraph is the description; each entry of Args is a parameter, over several lines or not."""
    text = """Add two
        numbers.

        Not for the model.

        Args:
            a: The first.
            b (int, optional): The second: the one
                that comes after the first.

                As one does.
            c:
                On its own line.
            _d:
        Returns:
            x: no parameter
        """
    parsed = Docstring.parse(inspect.cleandoc(text))
    assert parsed.description == "Add two numbers."
    assert parsed.parameters == {
        "a": "The first.",
        "b": "The second: the one that comes after the first. As one does.",
        "c": "On its own line.",
    }


@pytest.mark.parametrize(
    ("text", "description", "parameters"),
    [
        (None, "", {}),
        ("", "", {}),
        ("One line.", "One line.", {}),
        ("Note: what this does.", "Note: what this does.", {}),
        ("Do.\nArgs:\n    x: It.\n", "Do.", {"x": "It."}),
        ("Args:\n    x: It.", "", {"x": "It."}),
        ("Do.\n\nArguments:\n  x: It.\n  y: That.", "Do.", {"x": "It.", "y": "That."}),
        ("Do.\n\nArgs:\n    prose without an entry\n    x: It.", "Do.", {"x": "It."}),
        ("Do.\n\nArgs:", "Do.", {}),
        ("Do.\n\nArgs:\n    x: It.\nAfter: all.", "Do.", {"x": "It."}),
    ],
)
def test_forms(text: str | None, description: str, parameters: dict[str, str]) -> None:
    """Docstrings with missing or odd parts give what they have."""
    assert Docstring.parse(text) == Docstring(description, parameters)
