"""What a model is told of a function."""

from __future__ import annotations

import inspect

import pytest
from hypothesis import given, settings, strategies as st

from actors.tools.docstring import Docstring
from actors.tools.tool import tool


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


GOOGLE = """Move it.

Args:
    x: How far
        to the right.
    y (int, optional): How far up: or down.
Keyword Args:
    speed (Callable[[int], dict[str, int]]): How fast.

Other Parameters:
    color: Which one.

Raises:
    whenever it likes

Returns:
    z: nothing
"""
NUMPY = """Move it.

More of it: not a parameter.

Parameters
----------
x : int
    How far
    to the right.
y : int, optional
    How far up: or down.

Keyword Arguments
-----------------
speed : Callable[[int], dict[str, int]], default: slow
    How fast.

Other Parameters
----------------
color
    Which one.

Raises
------
ValueError
    Whenever it likes.

Returns
-------
z : int
    Nothing.
"""
SPHINX = """Move it.

:param x: How far
    to the right.
:type x: int
:param int y: How far up: or down.
:keyword dict[str, int] speed: How fast.
:arg color: Which one.
:raises ValueError: whenever it likes
:returns: nothing
:rtype: int
"""
EPYDOC = """Move it.

@param x: How far
    to the right.
@type x: int
@param y: How far up: or down.
@keyword speed: How fast.
@param color: Which one.
@raise ValueError: whenever it likes
@return: nothing
"""
WANTED = {"x": "How far to the right.", "y": "How far up: or down.", "speed": "How fast.", "color": "Which one."}


@pytest.mark.parametrize("text", [GOOGLE, NUMPY, SPHINX, EPYDOC], ids=["google", "numpy", "sphinx", "epydoc"])
def test_styles(text: str) -> None:
    """Each tells the same."""
    assert Docstring.parse(text) == Docstring("Move it.", WANTED)


def test_a_tool_is_told_of_in_each_style() -> None:
    """From an indented docstring to the schema."""

    def move(x: int, y: int = 0, *, speed: int = 1, color: str = "") -> None: ...

    for text in (GOOGLE, NUMPY, SPHINX, EPYDOC):
        move.__doc__ = text.replace("\n", "\n    ")
        properties = tool(move).definition.input_schema["properties"]
        assert {name: schema["description"] for name, schema in properties.items()} == WANTED


@pytest.mark.parametrize(
    ("text", "description", "parameters"),
    [
        # Right after the first line, without a blank one.
        ("Do.\n:param x: It.", "Do.", {"x": "It."}),
        ("Do.\n@param x: It.", "Do.", {"x": "It."}),
        ("Do.\nParameters\n----------\nx : int\n    It.", "Do.", {"x": "It."}),
        (":param x: It.", "", {"x": "It."}),
        # A line under the heading that is too short or too long.
        ("Do.\n\nParameters\n---\nx\n    It.", "Do.", {"x": "It."}),
        ("Do.\n\nParameters\n--------------\nx\n    It.", "Do.", {"x": "It."}),
        # Several names, and those with stars.
        ("Do.\n\nParameters\n----------\nx, y : int\n    Both.", "Do.", {"x": "Both.", "y": "Both."}),
        ("Do.\n\nParameters\n----------\n*a\n    A.\n**k\n    K.", "Do.", {"a": "A.", "k": "K."}),
        ("Do.\n\nArgs:\n    *a: A.\n    **k: K.", "Do.", {"a": "A.", "k": "K."}),
        # Lists, code, brackets within brackets.
        ("Do.\n\nArgs:\n    - x: It.\n    - `y` (int): That.", "Do.", {"x": "It.", "y": "That."}),
        ("Do.\n\nArgs:\n    x (Literal['a: b'], (1)): It.", "Do.", {"x": "It."}),
        ("Do.\n\nPARAMS:\n    x: It.", "Do.", {"x": "It."}),
        # A line that goes on without being indented more, in any style.
        ("Do.\n\nArgs:\n    x: It is\n    long.\n    y: That.", "Do.", {"x": "It is long.", "y": "That."}),
        ("Do.\n\n:param x: It is\nlong.\n:param y: That.", "Do.", {"x": "It is long.", "y": "That."}),
        # Prose with colons is prose.
        ("Send args: all of them.\n\nReturns x: y.", "Send args: all of them.", {}),
        ("Note: x: y", "Note: x: y", {}),
        ("Do.\n\nThe parameters: these\n    x: It.", "Do.", {}),
        ("Do.\n\nUsage::\n\n    x: It.", "Do.", {}),
        ("Do.\n\n:class:`X` is used.", "Do.", {}),
        ("Do.\n\n:) smile\n\nArgs:\n    x: It.", "Do.", {"x": "It."}),
        ("Do.\n\n:param x: It.\n\nAfter all.", "Do.", {"x": "It."}),
        ("a | b\n-----\n1 | 2", "a | b ----- 1 | 2", {}),
        # Mixed.
        ("Do.\n\nArgs:\n    x: It.\n\n:param y: That.", "Do.", {"x": "It.", "y": "That."}),
        # What is empty is not there.
        ("Do.\n\n:param x:\n:param y: That.", "Do.", {"y": "That."}),
    ],
)
def test_other_forms(text: str, description: str, parameters: dict[str, str]) -> None:
    """What people write."""
    assert Docstring.parse(text) == Docstring(description, parameters)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                *GOOGLE.splitlines(),
                *NUMPY.splitlines(),
                *SPHINX.splitlines(),
                *EPYDOC.splitlines(),
                ":",
                "@",
                "::",
                "---",
                ":param:",
                "@param",
                ":param a b c d:",
                "  ",
            ]
        ),
        max_size=12,
    )
)
def test_any_text_has_a_description_or_none(lines: list[str]) -> None:
    """Nothing is raised."""
    parsed = Docstring.parse("\n".join(lines))
    assert all(isinstance(text, str) and text for text in parsed.parameters.values())
