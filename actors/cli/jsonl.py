"""Files of one JSON object a line."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
from collections.abc import Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import IO, TYPE_CHECKING, Any
from uuid import UUID

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from ..core.crash import safe_repr

if TYPE_CHECKING:
    from collections.abc import Callable


PLAIN = (date, time, timedelta, Decimal, Enum, PurePath, UUID)
"""What has one way to be written as JSON."""


class JsonLines:
    """An output of one JSON object a line, whole after every line: each is flushed as it is written.

    Args:
        file: Where to.

    Threads: one at a time writes.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, record: Mapping[str, Any], *, on_repr: Callable[[str], None]) -> None:
        """Append *record*.

        Args:
            record: Its ``result`` may be anything.
            on_repr: Told the type's name of each part that JSON cannot hold and that is written as ``repr``.

        Raises:
            OSError: The line could not be written, or not as a whole.
        """
        self._file.write(encode(record, on_repr=on_repr))
        self._file.flush()

    def close(self) -> None:
        """Close the file; standard output stays open."""
        close(self._file)


def close(file: IO[bytes]) -> None:
    """Close *file*, unless it is standard output."""
    if file is not sys.stdout.buffer:
        # Every line was flushed: what is left is a line that was reported as lost.
        with contextlib.suppress(OSError):
            file.close()


def encode(record: Mapping[str, Any], *, on_repr: Callable[[str], None]) -> bytes:
    """One line of JSON for *record*; see :meth:`JsonLines.write`."""

    def fallback(part: Any) -> Any:
        fields = _fields(part)
        if fields is not None:
            return fields
        if isinstance(part, PLAIN):
            return to_jsonable_python(part)
        on_repr(type(part).__qualname__)
        return safe_repr(part)

    try:
        text = json.dumps(record, default=fallback, ensure_ascii=False, allow_nan=False)
    except Exception:  # noqa: BLE001 - a user's object: a key that is no string, a NaN, a circle, one that raises
        text = json.dumps({key: _written(value, on_repr) for key, value in record.items()}, ensure_ascii=False)
    try:
        return text.encode() + b"\n"
    except UnicodeEncodeError:
        # A lone surrogate in a result has no bytes of its own, but it has an escape.
        return json.dumps(json.loads(text)).encode("ascii") + b"\n"


def _written(value: Any, on_repr: Callable[[str], None]) -> Any:
    """*value* if JSON can hold it, else its ``repr``."""
    try:
        json.dumps(value, allow_nan=False)
    except Exception:  # noqa: BLE001 - as above
        on_repr(type(value).__qualname__)
        return safe_repr(value)
    return value


def _fields(part: Any) -> dict[str, Any] | None:
    if isinstance(part, BaseModel):
        try:
            return part.model_dump(mode="json", by_alias=True)
        except Exception:  # noqa: BLE001 - of a type of somebody's own: as far as it goes
            return dict(part)
    if dataclasses.is_dataclass(part) and not isinstance(part, type):
        return {field.name: getattr(part, field.name, None) for field in dataclasses.fields(part)}
    return dict(part) if isinstance(part, Mapping) else None
