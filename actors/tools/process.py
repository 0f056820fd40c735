"""Runs a child process for a tool: whatever happens to the tool, the process ends with it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import ToolFailed
from .environment import marked
from .shown_path import LONGEST_SHOWN, shown_path
from .watched_process import WatchedProcess, kill_group, reap

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..core.waiting.cancel import CancelToken

LAST_CHARACTERS = 1_000
"""So much of what it wrote last stands in the error of a process that was killed at its timeout."""


@dataclass(frozen=True, slots=True)
class ProcessResult:
    """How a process ended.

    Args:
        code: Its exit code; negative: the signal that ended it; None: not known, as this program ignores ``SIGCHLD``.
        stdout, stderr: What it wrote, as far as the limit goes; what is no UTF-8 is replaced.
        truncated: Did it write more than that?
    """

    code: int | None
    stdout: str
    stderr: str
    truncated: bool = False


def run_process(
    argv: Sequence[str],
    *,
    cancel: CancelToken,
    timeout: float | None = None,
    cwd: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
    max_output_bytes: int = 1_000_000,
) -> ProcessResult:
    """Run *argv*, without a shell, and wait for its end.

    It runs in a process group of its own, without standard input. A cancel, the timeout and its own end kill what is
    left of the group, with ``SIGKILL``.

    Args:
        argv: The program and its arguments.
        cancel: The token of the tool call.
        timeout: Seconds.
        cwd: Its working folder.
        env: Its whole environment; None: that of this process.
        max_output_bytes: So much of each of its two outputs is kept, of its beginning and its end; the rest is dropped.
    Raises:
        ToolFailed: It could not be started, or ran longer than *timeout*.
        Cancelled: The call was cancelled; the process is dead.
    """
    if os.name != "posix":
        raise ToolFailed("child processes of tools need a POSIX system: their group must be killed with them")
    if isinstance(argv, str):
        raise TypeError(f"argv is a list of the program and its arguments, got the text {argv!r}")
    cancel.check()
    if not argv:
        raise ToolFailed("nothing could be started: argv is empty")
    program = shown_path(os.fsdecode(argv[0]))[:LONGEST_SHOWN]
    try:
        process = subprocess.Popen(  # noqa: S603 - which commands are allowed is the tool's to decide
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=None if env is None else marked(env),
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise ToolFailed(f"{program} could not be started: {getattr(error, 'strerror', None) or error}") from error
    assert process.stdout is not None
    assert process.stderr is not None
    outputs = {process.stdout: _Kept(max_output_bytes), process.stderr: _Kept(max_output_bytes)}
    sinks = {pipe.fileno(): kept.add for pipe, kept in outputs.items()}
    out, errors = outputs.values()
    try:
        try:
            watched = WatchedProcess(process, cancel, timeout, sinks)
        except OSError as error:  # no file descriptor is left
            kill_group(process.pid)
            raise ToolFailed(f"{program} could not be watched: {error}") from error
        with watched:
            watched.to_the_end()
    finally:
        for pipe in outputs:
            pipe.close()
        is_dead = reap(process)
    cancel.check()
    if not is_dead:
        raise ToolFailed(f"{program} could not be killed: it runs as another user")
    if watched.is_late:
        raise ToolFailed(f"{program} ran longer than {timeout} s and was killed{_last_words(out, errors)}")
    code = None if watched.is_lost else process.returncode
    return ProcessResult(code, out.text(), errors.text(), bool(out.left_out or errors.left_out))


def _last_words(out: _Kept, errors: _Kept) -> str:
    """What it wrote last, for an error."""
    texts = {"output": out.text()[-LAST_CHARACTERS:], "errors": errors.text()[-LAST_CHARACTERS:]}
    return "".join(f"; its {name}: …{text}" for name, text in texts.items() if text)


class _Kept:
    """The beginning and the end of an output, each half of what may be kept."""

    def __init__(self, limit: int) -> None:
        self._half = limit // 2
        self._head = bytearray()
        self._tail = bytearray()
        self.left_out = 0

    def add(self, data: bytes) -> None:
        room = self._half - len(self._head)
        self._head += data[:room]
        self._tail += data[max(0, room) :]
        too_much = len(self._tail) - self._half
        if too_much > 0:
            self.left_out += too_much
            del self._tail[:too_much]

    def text(self) -> str:
        gap = f"\n[{self.left_out:,} bytes left out]\n".encode() if self.left_out else b""
        return (self._head + gap + self._tail).decode(errors="replace")
