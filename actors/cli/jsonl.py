"""Files of one JSON object a line."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import stat
import sys
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Any

from pydantic import BaseModel

from ..core.crash import safe_repr
from .options import STANDARD_STREAM
from .refusal import RefusedError, why

if TYPE_CHECKING:
    from collections.abc import Callable


class JsonLines:
    """An output file that is whole after every line: each is flushed as it is written.

    Args:
        path: A file, which is emptied; ``-`` for standard output.
        option: The option that named it, for messages.

    Raises:
        RefusedError: It cannot be written.

    Threads: one at a time writes.
    """

    def __init__(self, path: str, *, option: str) -> None:
        self.path = path
        self._file = _open_output(path, option=option)

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
        if self.path != STANDARD_STREAM:
            # Every line was flushed: what is left is a line that was reported as lost.
            with contextlib.suppress(OSError):
                self._file.close()


def encode(record: Mapping[str, Any], *, on_repr: Callable[[str], None]) -> bytes:
    """One line of JSON for *record*; see :meth:`JsonLines.write`."""

    def fallback(part: Any) -> Any:
        fields = _fields(part)
        if fields is not None:
            return fields
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


def refuse_clashes(outputs: Mapping[str, str | None], inputs: Mapping[str, str | None]) -> None:
    """Refuse to write one file twice, or over something that is read.

    Args:
        outputs: Path by option.
        inputs: Path by option.

    Raises:
        RefusedError: Naming both options.
    """
    # Standard input and standard output are called "-", both.
    taken = {option: path for option, path in inputs.items() if path not in (None, STANDARD_STREAM)}
    for option, path in outputs.items():
        if path is None:
            continue
        for other, used in taken.items():
            if _same_file(path, used):
                raise RefusedError(f"{option} and {other} are the same file, {path}: choose another one for {option}")
        taken[option] = path


def _same_file(one: str, other: str) -> bool:
    if STANDARD_STREAM in (one, other):
        return one == other
    try:
        # /dev/null and its like may be named as often as one likes.
        return os.path.samefile(one, other) and stat.S_ISREG(os.stat(one).st_mode)
    except OSError:  # one of them does not exist yet
        return os.path.realpath(one) == os.path.realpath(other)


def _fields(part: Any) -> dict[str, Any] | None:
    if isinstance(part, BaseModel):
        return dict(part)
    if dataclasses.is_dataclass(part) and not isinstance(part, type):
        return {field.name: getattr(part, field.name, None) for field in dataclasses.fields(part)}
    return dict(part) if isinstance(part, Mapping) else None


def _open_output(path: str, *, option: str) -> IO[bytes]:
    if path == STANDARD_STREAM:
        return sys.stdout.buffer
    try:
        return open(path, "wb")
    except OSError as error:
        raise RefusedError(f"{option} {path}: cannot be written: {why(error)}") from None
