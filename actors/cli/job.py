"""One job of the input, and what is no job."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Job:
    """One query for one agent of each manifest.

    Args:
        query: What the agent is asked.
        name: In place of the manifest's.
        tag: Comes back in the row.
        file: The one that the agent may read.
        key: Tells it from the other jobs of the input, in each run of it; empty when nobody asks for it.
        fields: Of the input, that come back in the row.
    """

    query: str
    name: str | None = None
    tag: Any = None
    file: str | None = None
    key: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BadInput:
    """A piece of input that is no job. ``lacks`` is the field that an option names and that is not there."""

    where: str
    problem: str
    lacks: bool = False

    def __str__(self) -> str:
        return f"{self.where}: {self.problem}"


def is_unicode(text: str) -> bool:
    """Can *text* be encoded? A file name that is not UTF-8 cannot, nor half an escape of JSON."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def one_word(value: Any) -> str:
    """What JSON calls the type of *value*."""
    words = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return words.get(type(value), "a number")
