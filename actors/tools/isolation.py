"""Runs a tool's function in a process of its own, which can be killed. Needs the extra ``process``."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import multiprocessing
import os
import secrets
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pebble
from pebble import concurrent

from ..agent.ports import ToolResult
from ..core.crash import text_of
from ..core.waiting.waiter import Waiter
from ..errors import ToolFailed
from .result import result_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

    from ..core.waiting.cancel import CancelToken


def run_isolated(
    function: Callable[..., Any], arguments: Mapping[str, Any], *, name: str, cancel: CancelToken, timeout: float | None
) -> ToolResult:
    """Call *function* with *arguments* in a new process, and wait for its end.

    The process is started afresh (``spawn``): it imports the function's module. It has a process group of its own,
    which is killed as a whole when the call has ended, however: by its answer, a cancel, the timeout, the death of this
    program. (What has left the group by ``setsid`` lives on.)

    Args:
        function: One at the top of a module.
        name: The tool's, for errors.
        timeout: Seconds, then it is killed.
    Raises:
        ToolFailed: It raised, ran longer than *timeout*, or its process died.
        Cancelled: The call was cancelled; the process is dead.
    """
    cancel.check()
    context = multiprocessing.get_context("spawn")
    # The process reads from it what never comes: when it can be read to its end, this program has died.
    theirs, ours = context.Pipe(duplex=False)
    label = f"actors-tool-{name}-{secrets.token_hex(8)}"
    spawn: Any = concurrent.process  # its annotations do not know its own "context"
    start = spawn(name=label, context=context)(_call)
    try:
        future = start(theirs, *_place_of(function), dict(arguments))
    except Exception as error:  # no process can be started, or the arguments cannot be sent to it
        ours.close()
        raise ToolFailed(f"{name} could not be given a process: {error}") from error
    finally:
        theirs.close()
    process = next((child for child in multiprocessing.active_children() if child.name == label), None)
    ended = Waiter()
    future.add_done_callback(lambda _: ended.wake())
    forget = cancel.on_cancel(ended.wake)
    left = None if cancel.deadline is None else cancel.deadline.remaining()
    try:
        # Its time is kept here: the package would end the process alone, and not what it has started.
        ended.wait(min((bound for bound in (timeout, left) if bound is not None), default=None))
    finally:
        forget()
        is_late = not future.done()
        if process is not None:
            _kill_group(process, is_late=is_late)
        ours.close()
    if is_late:
        cancel.check()
        raise ToolFailed(f"{name} ran longer than {timeout} s, and its process was killed")
    try:
        text, is_error, problem = future.result()
    except pebble.ProcessExpired as error:
        raise ToolFailed(f"the process of {name} died: {error} (exit code {error.exitcode})") from error
    if problem is not None:
        raise ToolFailed(problem)
    return ToolResult(text, is_error)


def _place_of(function: Callable[..., Any]) -> tuple[str, str, str | None]:
    """Where the process finds *function*: module, name, and the folder that has to be on its path."""
    module = function.__module__
    file = getattr(sys.modules.get(module), "__file__", None)
    root = None if file is None or module == "__main__" else str(_root(Path(file), module))
    return module, function.__qualname__, root


def _root(file: Path, module: str) -> Path:
    depth = module.count(".") + (file.name == "__init__.py")
    return file.absolute().parents[depth]


def _kill_group(process: BaseProcess, *, is_late: bool) -> None:
    """Kill what is left of the group of *process*, also when it has answered; itself only if it has not."""
    pid = process.pid
    try:
        if hasattr(os, "killpg") and pid is not None:
            os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # nobody is left, or it has not come so far yet
        pass
    if is_late:
        process.kill()


# In the new process -------------------------------------------------------------------------------------------------


def _call(
    host: Connection, module: str, name: str, root: str | None, arguments: dict[str, Any]
) -> tuple[str, bool, str | None]:
    """What the tool answered: text, whether it is an error, and what it raised."""
    if hasattr(os, "setsid"):
        os.setsid()
    pid = os.getpid()
    threading.Thread(target=_end_with, args=(host,), daemon=True).start()
    try:
        answer = _answer(module, name, root, arguments)
    finally:
        if os.getpid() != pid:  # the tool has forked, and this is the child: it must not answer, too
            os._exit(0)
    return answer


def _answer(module: str, name: str, root: str | None, arguments: dict[str, Any]) -> tuple[str, bool, str | None]:
    if root is not None and root not in sys.path:
        sys.path.insert(0, root)  # a module that stands beside a manifest
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        function = found.function if hasattr(found, "execute") else found  # what stands there is the tool
        value = function(**arguments)
        result = result_of(asyncio.run(value) if inspect.iscoroutine(value) else value)
    except ToolFailed as error:
        return "", True, text_of(error)
    except BaseException as error:  # noqa: BLE001 - told to the model
        return "", True, f"{name} failed: {type(error).__name__}: {text_of(error)}"
    return result.content, result.is_error, None


def _end_with(host: Connection) -> None:
    """End with the program that wants the answer, however that ends."""
    try:
        host.recv()
    except (EOFError, OSError):
        pass  # it has closed its end: it has the answer, or it is dead
    if hasattr(os, "killpg"):
        os.killpg(os.getpid(), signal.SIGKILL)
    else:
        os._exit(1)
