"""The keys of a terminal, one by one, without waiting for the end of a line."""

from __future__ import annotations

import os
import re
import select
import sys
import threading
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable

ESCAPE = "\x1b"
PATIENCE = 0.05
"""Seconds for the rest of a key that begins with Escape: it comes at once, or the key was Escape."""

_NAMES = {
    "A": "up", "B": "down", "C": "right", "D": "left", "H": "home", "F": "end",
    "1~": "home", "4~": "end", "5~": "pageup", "6~": "pagedown", "7~": "home", "8~": "end",
    "\r": "enter", "\n": "enter", "\x7f": "backspace", "\x08": "backspace", "\x04": "ctrl-d", ESCAPE: "escape",
}  # fmt: skip
_KEY = re.compile(r"\x1b\[([0-9;?<>=]*[ -/]*[@-~])|\x1bO([A-Z])|.", re.DOTALL)


def keys_of(typed: str) -> list[str]:
    """The names of the keys in what a terminal sent: ``up``, ``enter``, ``q``; what has no name is left out."""
    found = []
    for match in _KEY.finditer(typed):
        code = match[1] or match[2]
        key = match[0] if code is None else code
        if key in _NAMES and (code is not None or not key.isalnum()):
            found.append(_NAMES[key])
        elif code is None and key.isprintable():
            found.append(key)
    return found


class Keys:
    """Tells *press* what is typed, until it is left. A context manager.

    Args:
        press: Called with the keys that came at once, on a thread of its own.

    Guarantees: the terminal is as it was afterwards. Where standard input is no terminal, or the system has none of
    this kind (Windows), nothing is read; ``are_there`` says so.

    Threads: one enters and leaves it; a second one reads.
    """

    def __init__(self, press: Callable[[list[str]], None]) -> None:
        self._press = press
        self._fd = -1
        self._before: list[Any] | None = None
        self._bell, self._rope = -1, -1
        self._thread: threading.Thread | None = None

    @property
    def are_there(self) -> bool:
        """Are keys read?"""
        return self._before is not None

    def __enter__(self) -> Self:
        """Begin to read."""
        try:
            import termios
            import tty
        except ImportError:  # Windows
            return self
        if not _is_terminal():
            return self
        self._fd = sys.stdin.fileno()
        before = termios.tcgetattr(self._fd)
        self._bell, self._rope = os.pipe()
        tty.setcbreak(self._fd, termios.TCSANOW)
        ours = termios.tcgetattr(self._fd)
        ours[6][termios.VSUSP] = b"\0"  # Ctrl-Z would leave the shell with our screen and without its line editing
        termios.tcsetattr(self._fd, termios.TCSANOW, ours)
        self._before = before
        self._thread = threading.Thread(target=self._read, name="actors-top-keys", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Give the terminal back."""
        if self._before is None:
            return
        import termios

        os.write(self._rope, b"!")
        if self._thread is not None:
            self._thread.join()
        os.close(self._bell)
        os.close(self._rope)
        # What was typed ahead is for nobody: the shell would take it for a command.
        termios.tcsetattr(self._fd, termios.TCSAFLUSH, self._before)
        self._before = None

    def _read(self) -> None:
        while True:
            ready, _, _ = select.select([self._fd, self._bell], [], [])
            if self._bell in ready:
                return
            typed = self._typed()
            if not typed:  # the terminal went away
                return
            self._press(keys_of(typed.decode(errors="ignore")))

    def _typed(self) -> bytes:
        try:
            typed = os.read(self._fd, 4096)
            while typed.endswith((b"\x1b", b"\x1b[", b"\x1bO")) and select.select([self._fd], [], [], PATIENCE)[0]:
                more = os.read(self._fd, 4096)
                if not more:
                    break
                typed += more
        except OSError:
            return b""
        return typed


def _is_terminal() -> bool:
    try:
        return sys.stdin.isatty()
    except (AttributeError, ValueError):  # there is none, or it is closed
        return False
