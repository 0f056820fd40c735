"""What a person is shown of an answer."""

from __future__ import annotations

from hypothesis import given, strategies as st

from actors.drivers.edge.shown import short


@given(st.text() | st.lists(st.text()), st.integers(1, 50))
def test_it_is_short_and_harmless(value: object, most: int) -> None:
    """One line, without orders to a terminal, whatever the server sent."""
    shown = short(value, most)
    assert shown.isprintable()
    assert len(shown) <= most + 1


def test_it_says_what_it_says() -> None:
    """A text as it is; anything else as Python writes it; and where something is missing, that."""
    assert short("plain  text\n") == "plain text"
    assert short({"a": 1}) == "{'a': 1}"
    assert short("\x1b[31mred\x1b[0m") == "red"
    assert short("x" * 300) == f"{'x' * 200}…"
    assert short(" " * 900 + "x") == "…"
