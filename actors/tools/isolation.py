"""Runs a tool's function in a process of its own, which can be killed. POSIX only."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from contextlib import ExitStack
from multiprocessing import spawn
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..agent.ports import ToolResult
from ..core.records.content_field import content_from_data
from ..errors import ToolFailed
from .isolated_call import MAX_ANSWER_BYTES, READY
from .watched_process import WatchedProcess, kill_group, reap

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..core.waiting.cancel import CancelToken

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # refused there before its use

START_SECONDS = 60.0
"""A process may take so long until it has imported the function's module. It is no part of the tool's own time: on a
busy machine it takes seconds, whatever the tool does."""


def run_isolated(
    function: Callable[..., Any],
    arguments: Mapping[str, Any],
    *,
    name: str,
    cancel: CancelToken,
    timeout: float | None,
    dump: Callable[[object], bytes] | None = None,
) -> ToolResult:
    """Call *function* with *arguments* in a new process, and wait for its end.

    The process is started afresh: it imports the function's module. It has a process group of its own, which is killed
    as a whole when the call has ended, however: by its answer, a cancel, the timeout, the death of this program. (What
    has left the group by ``setsid`` lives on.) Nothing is shared with other calls: neither a pipe nor a thread, so none
    of them waits for another. What comes back is JSON, which runs no code here, and a bounded amount of it.

    Args:
        function: One at the top of a module.
        name: The tool's, for errors.
        timeout: Seconds from when the function is called, then it is killed; until then it has ``START_SECONDS``.
        dump: Makes bytes of a function of no module that the process could import, and of its arguments.
    Raises:
        ToolFailed: It raised, ran longer than *timeout*, or its process died.
        Cancelled: The call was cancelled; the process is dead.
    """
    if os.name != "posix":
        raise ToolFailed(f"{name} needs a POSIX system: its process must be killed with all that it starts")
    cancel.check()
    ours = ExitStack()
    try:
        job = _job(function, arguments, dump)
        with ExitStack() as its_own:
            job_read, job_written = _pipe(its_own, ours)
            answer_read, answer_written = _pipe(ours, its_own)
            process = _start(job_read, answer_written)
    except Exception as error:
        # No descriptor is left, the arguments cannot be sent, or this program is just being started.
        ours.close()
        raise ToolFailed(f"{name} could not be given a process: {error}") from error
    heard = _Heard(timeout)
    try:
        try:
            watched = WatchedProcess(process, cancel, START_SECONDS, {answer_read: heard.hear}, feed=(job_written, job))
        except OSError as error:
            kill_group(process.pid)
            raise ToolFailed(f"{name} could not be watched: {error}") from error
        with watched:
            heard.on_ready = watched.allow
            watched.to_the_end(heard.is_whole)
    finally:
        ours.close()
        is_dead = reap(process)
    if not is_dead:
        raise ToolFailed(f"the process of {name} could not be killed: it runs as another user")
    if heard.is_whole():
        return heard.answer(name)
    cancel.check()
    if watched.is_late:
        raise ToolFailed(heard.too_late(name))
    code = "not known" if watched.is_lost else process.returncode
    raise ToolFailed(f"the process of {name} died: it gave no answer (exit code {code})")


def _start(job: int, answer: int) -> subprocess.Popen[bytes]:
    """Start a process that reads what to call from *job*, and writes to *answer*."""
    path = json.dumps([str(entry) for entry in sys.path])
    return subprocess.Popen(  # noqa: S603 - this very Python
        [*spawn.get_command_line()[:-2], _PROGRAM, path, str(job), str(answer)],
        stdin=subprocess.DEVNULL,
        pass_fds=(job, answer),
        start_new_session=True,
    )


# Its path comes first: without it the package itself may not be found.
_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from actors.tools.isolated_call import main; main(*map(int, sys.argv[2:]))"
)


class _Heard:
    """What has come from the process of a call."""

    def __init__(self, timeout: float | None) -> None:
        self._timeout = timeout
        self._heard = bytearray()
        self.on_ready: Callable[[float | None], object] = _nothing

    def hear(self, data: bytes) -> None:
        is_first = data and not self._heard
        self._heard += data
        if is_first:
            self.on_ready(self._timeout)

    def is_whole(self) -> bool:
        return self._heard.endswith(b"\n") or len(self._heard) > MAX_ANSWER_BYTES

    def answer(self, name: str) -> ToolResult:
        try:
            told = json.loads(self._heard.removeprefix(READY).decode("utf-8", "surrogatepass"))
            text, is_error, problem = told
        except (ValueError, TypeError, RecursionError) as error:
            raise ToolFailed(f"the process of {name} gave an answer that cannot be read: {error}") from error
        if problem is not None:
            raise ToolFailed(str(problem))
        if not isinstance(text, list):
            return ToolResult(str(text), bool(is_error))
        try:
            return ToolResult(content_from_data(text), bool(is_error))
        except ValueError as error:
            raise ToolFailed(f"the process of {name} gave parts that cannot be read: {error}") from error

    def too_late(self, name: str) -> str:
        if not self._heard:
            return f"{name} was not called: its process had not imported it within {START_SECONDS:g} s, and was killed"
        return f"{name} ran longer than {self._timeout} s, and its process was killed"


def _nothing(_: float | None) -> None:
    pass


def _job(function: Callable[..., Any], arguments: Mapping[str, Any], dump: Callable[[object], bytes] | None) -> bytes:
    """What the process is told: where it finds *function*, or that whole, and what to give it."""
    module, name, root = _place_of(function)
    preparation = spawn.get_preparation_data(name)
    preparation["authkey"] = bytes(preparation["authkey"])
    if module != "__main__" or dump is not None:  # the program itself is none of its business, and slow to import
        preparation = {key: value for key, value in preparation.items() if not key.startswith("init_main")}
    if dump is not None:
        return pickle.dumps((None, name, root, preparation, dump((function, dict(arguments)))))
    return pickle.dumps((module, name, root, preparation, pickle.dumps(dict(arguments))))


def _place_of(function: Callable[..., Any]) -> tuple[str, str, str | None]:
    """Where the process finds *function*: module, name, and the folder that has to be on its path."""
    module = function.__module__
    file = getattr(sys.modules.get(module), "__file__", None)
    root = None if file is None or module == "__main__" else str(_root(Path(file), module))
    return module, function.__qualname__, root


def _root(file: Path, module: str) -> Path:
    depth = module.count(".") + (file.name == "__init__.py")
    return file.absolute().parents[depth]


def _pipe(reader: ExitStack, writer: ExitStack) -> tuple[int, int]:
    """A pipe, whose ends are closed with *reader* and *writer*."""
    ends = os.pipe()
    try:
        # Not in the place of a standard stream that this program has closed: the process gets its own there.
        high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 3) for end in ends]
    finally:
        for end in ends:
            os.close(end)
    reader.callback(os.close, high[0])
    writer.callback(os.close, high[1])
    return high[0], high[1]
