"""Messages that nobody read."""

from __future__ import annotations

from typing import Any

import pytest

from actors.core.dead_letter import DeadLetterReason, DeadLetters


def test_letters_are_kept_oldest_first_with_their_reason() -> None:
    """A sequence of frozen records, stamped in UTC."""
    letters = DeadLetters()
    letters.add("a", DeadLetterReason.UNREGISTERED)
    letters.add("b", DeadLetterReason.RECEIVER_ENDED)
    assert len(letters) == 2
    assert [letter.message for letter in letters] == ["a", "b"]
    assert letters[0].reason == "unregistered"
    assert letters[-1].message == "b"
    assert [letter.message for letter in letters[:1]] == ["a"]
    assert letters[0].at.tzinfo is not None
    with pytest.raises(AttributeError):
        letters[0].message = "c"  # type: ignore[misc]
    with pytest.raises(IndexError):
        letters[2]


def test_only_the_latest_are_kept_and_all_are_counted() -> None:
    """The oldest goes; the counters remember it."""
    letters = DeadLetters(keep=2)
    for n in range(5):
        letters.add(n, DeadLetterReason.DROPPED_OLDEST if n else DeadLetterReason.SENDER_ABANDONED)
    assert [letter.message for letter in letters] == [3, 4]
    assert letters.total == 5
    assert letters.counts() == {DeadLetterReason.SENDER_ABANDONED: 1, DeadLetterReason.DROPPED_OLDEST: 4}
    assert "dropped_oldest" in repr(letters)


def test_letters_may_arrive_while_somebody_reads() -> None:
    """An iteration sees the state at its start."""
    letters = DeadLetters()
    letters.add(1, DeadLetterReason.UNREGISTERED)
    seen: list[Any] = []
    for letter in letters:
        seen.append(letter.message)
        letters.add(2, DeadLetterReason.UNREGISTERED)
    assert seen == [1]
    assert len(letters) == 2
