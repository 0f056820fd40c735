"""What is fuzzed: something that reads bytes of strangers, and what must hold of it whatever they are."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

TESTS = Path(__file__).resolve().parents[2] / "tests"
LONGEST_MESSAGE = 1_500
"""Characters of an error: what a server said, at most 500, and what we say around it."""


class Violation(AssertionError):
    """Something that must hold does not.

    Args:
        rule: What must hold: two violations of one rule are one find.
        details: What was seen instead.
    """

    def __init__(self, rule: str, details: object = "") -> None:
        super().__init__(rule, details)
        self.rule = rule
        self.details = str(details)[: 4 * LONGEST_MESSAGE]

    def __str__(self) -> str:
        return f"{self.rule}: {self.details}" if self.details else self.rule


class Target(ABC):
    """One reader of bytes, and what must hold of it.

    A target is a module of ``targets`` with a ``TARGET``; it has the module's name. A new one needs no other line.
    """

    about: str
    """What it feeds, in a few words."""
    words: ClassVar[tuple[bytes, ...]] = ()
    """What is put in here and there."""

    @abstractmethod
    def seeds(self) -> Iterable[bytes]:
        """What is known to be sent; mutations begin there."""

    @abstractmethod
    def check(self, data: bytes, *, thorough: bool = False) -> Hashable:
        """Feed *data*.

        Args:
            thorough: Try what takes longer, too: each way to cut it, say. Decided by *data* alone otherwise.
        Returns:
            The shape of what came of it, in few values: an input that gives a new one is kept.
        Raises:
            Violation: Something does not hold. Any other exception is a find, too.
        """

    def work(self, data: bytes) -> object:
        """The same without its checks: what it costs is measured."""
        return self.check(data)

    def grown(self, data: bytes, times: int) -> bytes | None:
        """*data* so many times larger, of the same shape; None where there is no such thing."""
        return data * times


def hold(truth: object, rule: str, details: object = "") -> None:
    """Raise a violation of *rule* unless *truth*."""
    if not truth:
        raise Violation(rule, details)


def hold_message(text: str, longest: int = LONGEST_MESSAGE) -> None:
    """An error's text can be shown on one line of a terminal."""
    hold(text.isprintable(), "messages of errors are free of control characters", ascii(text))
    hold(len(text) <= longest, "messages of errors are bounded", f"{len(text):,} characters: {text[:200]}")


def hold_plain(value: object, rule: str) -> None:
    """*value* can be written as JSON that every parser reads."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()
    except (ValueError, TypeError, RecursionError) as error:
        raise Violation(rule, f"{type(error).__name__}: {error}") from error


def strict_json(data: bytes | str) -> Any:
    """*data* as a parser reads it that takes no NaN and no infinite number."""

    def refuse(word: str) -> NoReturn:
        raise ValueError(f"{word} is no JSON")

    return json.loads(data, parse_constant=refuse)


def files(pattern: str) -> list[bytes]:
    """The contents of the files below ``tests`` that fit *pattern*: there stands what real servers have sent.

    Raises:
        FileNotFoundError: There are none: they have moved, or this is no clone.
    """
    found = sorted(TESTS.glob(pattern))
    if not found:
        raise FileNotFoundError(f"no file fits {TESTS / pattern}: fuzz in a clone of the repository")
    return [path.read_bytes() for path in found]
