"""Where the commands speak: problems and progress on standard error, answers on standard output."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import IO, TYPE_CHECKING

from ..progress import live
from .refusal import OutputLostError, why
from .wording import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

PIPE_WIDTH = 120
"""Columns of a table that does not go to a terminal."""


def prepare_streams() -> None:
    """Make the standard streams take any text, whatever the locale; a closed one swallows all."""
    sys.stdout = _robust(sys.stdout)
    sys.stderr = _robust(sys.stderr)


def _robust(stream: IO[str] | None) -> IO[str]:
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8")
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    return stream


def say(text: str) -> None:
    """Write a line to standard error. While a live display stands there, the line appears above it."""
    # Nobody listens any more: no reason to stop the work.
    with contextlib.suppress(OSError, ValueError):
        print(printable(text), file=sys.stderr, flush=True)  # noqa: T201 - the command line may print


def may_redraw() -> bool:
    """Is standard error a terminal whose lines can be drawn again?"""
    return sys.stderr.isatty() and os.environ.get("TERM", "") not in ("dumb", "unknown")


def console(stream: IO[str]) -> Console:
    """A rich console on *stream*; wide when that is no terminal, so that a pipe gets whole cells."""
    return live.console(stream, None if stream.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH)


@contextlib.contextmanager
def answering() -> Iterator[None]:
    """Guard writes to standard output.

    A reader that went away (``| head``) ends the writing in silence: the exit code stays what the work
    deserves.

    Raises:
        OutputLostError: The writing failed for another reason.
    """
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        _close_stdout()
        if not isinstance(error, BrokenPipeError):
            raise OutputLostError(f"standard output cannot be written: {why(error)}") from None


def _close_stdout() -> None:
    # What is still buffered would fail once more at exit, with a message of the interpreter's.
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
