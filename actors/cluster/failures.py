"""Errors that cross between machines: whatever becomes of one, its name and its words arrive."""

from __future__ import annotations

import pickle
from typing import Any

from ..core.crash import crashed, traceback_of
from ..errors import AgentCrashed, NotPortable, RemoteError
from .pickler import PROTOCOL, Way
from .portable import TO_PROGRAM, dump_value

CAUSES = 4
"""So many errors of a chain of causes cross."""


def dump_error(error: BaseException, way: Way = TO_PROGRAM, *, causes: int = CAUSES) -> bytes:
    """*error* as bytes, which ``load_value`` reads: with its cause, and a crash with what the agent raised, so far as
    these can cross. One that cannot, or cannot be read where it arrives, is a ``RemoteError`` there. Never raises.
    """
    own = _tried(error, way)
    words = _words_of(error) if type(error) is not AgentCrashed or own is None else None
    origin = _tried(error._origin, way) if isinstance(error, AgentCrashed) else None  # noqa: SLF001 - it is the library's
    cause = error.__cause__
    led_by = None if cause is None or not causes else dump_error(cause, way, causes=causes - 1)
    return pickle.dumps(_Crossing(own, words, origin, led_by), PROTOCOL)


class _Crossing:
    """An error on its way."""

    def __init__(self, *parts: Any) -> None:
        self._parts = parts

    def __reduce__(self) -> tuple[Any, ...]:
        return arrived, self._parts


def arrived(
    own: bytes | None, words: tuple[str, str, str] | None, origin: bytes | None, cause: bytes | None
) -> BaseException:
    """The error that was sent so; for pickles."""
    error = None if own is None else _read(own)
    if not isinstance(error, BaseException):
        error = RemoteError(*(words or ("an error", "it cannot be read here")))
    if isinstance(error, AgentCrashed) and origin is not None:
        error._origin = _read(origin)  # noqa: SLF001 - as above
    if cause is not None:
        error.__cause__ = _read(cause)
    return error


def _read(data: bytes) -> Any:
    """What *data* was made of; None when a class of it is not to be had here: its words come beside it."""
    try:
        return pickle.loads(data)  # noqa: S301 - between machines that trust each other
    except Exception:  # noqa: BLE001 - whatever a class does when it is made again
        return None


def _tried(value: Any, way: Way) -> bytes | None:
    if value is None:
        return None
    try:
        return dump_value(value, "the error", way)
    except NotPortable:
        return None


def _words_of(error: BaseException) -> tuple[str, str, str]:
    said = crashed(error)
    return said.type_name, said.text, traceback_of(error) or ""
