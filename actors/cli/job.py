"""One job of the input, and what is no job."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

KNOWN_KEYS = ("query", "name", "tag")


@dataclass(frozen=True, slots=True)
class Job:
    """One query for one agent of each manifest. ``file`` is the one that the agent may read."""

    query: str
    name: str | None = None
    tag: Any = None
    file: str | None = None


@dataclass(frozen=True, slots=True)
class BadInput:
    """A piece of input that is no job."""

    where: str
    problem: str

    def __str__(self) -> str:
        return f"{self.where}: {self.problem}"


def parse_json(line: bytes) -> dict[str, Any]:
    """Read one line as a JSON object.

    Raises:
        ValueError: It is none; the text says what is wrong.
    """
    try:
        record = json.loads(line.decode(), parse_constant=_no_number)
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 (byte {error.start + 1} of the line): save the file as UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} (column {error.colno})") from None
    except RecursionError:
        raise ValueError("not readable: nested too deep") from None
    if not isinstance(record, dict):
        raise ValueError(f'not a JSON object: write {{"query": ...}}, not {one_word(record)}')
    return record


def job_of(record: dict[str, Any]) -> Job:
    """Make a job of one object of the input.

    Raises:
        ValueError: A field is missing or of the wrong type.
    """
    if "query" not in record:
        raise ValueError('"query" is missing')
    query, name = record["query"], record.get("name")
    if not isinstance(query, str):
        raise ValueError(f'"query" must be a string, not {one_word(query)}')
    if not query.strip():
        raise ValueError('"query" is empty')
    if name is not None and not (isinstance(name, str) and name.strip()):
        raise ValueError(f'"name" must be a string that is not empty, not {one_word(name)}')
    if not is_unicode(query) or not is_unicode(name or ""):
        raise ValueError("half a character (a lone surrogate) stands in a string")
    return Job(query, name=name, tag=record.get("tag"))


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


def _no_number(constant: str) -> None:
    raise ValueError(f"not JSON: {constant} is no JSON number")
